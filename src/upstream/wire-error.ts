/** A refusal on its way to the wire: what every dialect needs to spell it. */

import type { WireError } from '../dialect/codec.ts'
import type { ExchangeCore } from '../pipeline/core.ts'
import type { Refusal } from '../plugin/reply.ts'

/** A refusal as the client's dialect spells it. */
export function wireError(core: ExchangeCore, refusal: Refusal, upstream?: { readonly type?: string; readonly code?: string }): WireError {
  return {
    code: refusal.code,
    message: refusal.message,
    requestId: core.id,
    ...(refusal.param !== undefined && { param: refusal.param }),
    ...(refusal.extra !== undefined && { extra: refusal.extra }),
    ...(refusal.retryAfter !== undefined && { retryAfter: refusal.retryAfter }),
    ...(upstream?.type !== undefined && { upstreamType: upstream.type }),
    ...(upstream?.code !== undefined && { upstreamCode: upstream.code }),
  }
}
