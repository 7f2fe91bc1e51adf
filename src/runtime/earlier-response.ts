/**
 * Requests that go on from an earlier response: they go to the upstream that made it, and only for the caller that it was made for.
 */

import { ReplyCore } from '../pipeline/reply-core.ts'
import { StoreUnavailable } from '../plugin/host.ts'
import type { Refusal } from '../plugin/reply.ts'
import type { InferenceExchange } from './handle.ts'

/** Sends the exchange to where the response is; a refusal when there is none for this caller, or its model is not served there. Rejects only on a mistake of ours. */
export async function goToOrigin(exchange: InferenceExchange, id: string): Promise<ReplyCore | undefined> {
  const { core, services, snapshot } = exchange
  let origin: string | undefined
  try {
    origin = await services.origins.find(id, core.principal)
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error
    const message = 'The gateway cannot look up earlier responses at the moment. Try again, or send the whole conversation in "input".'
    return exchange.refused({ type: 'refusal', code: 'store_unavailable', message })
  }
  if (origin === undefined) return notFound(exchange, `Previous response with id '${id.slice(0, 100)}' not found.`)
  if (core.target?.upstream === origin) return undefined
  const target = snapshot.catalog.find(core.modelAsked ?? '')?.targets.find((t) => t.upstream === origin)
  if (!target) return notFound(exchange, `Previous response with id '${id.slice(0, 100)}' not found: another model made it.`)
  core.target = target
  core.body!.setModel(target.model, 'headgate')
  return undefined
}

/** OpenAI's words and status, on which its clients act. The code is one of which plugins know that no other target would say otherwise. */
function notFound(exchange: InferenceExchange, message: string): ReplyCore {
  const refusal: Refusal = { type: 'refusal', code: 'not_found', message, param: 'previous_response_id', status: 400 }
  const words = { type: 'invalid_request_error', code: 'previous_response_not_found' }
  const status = exchange.statusOf(refusal)
  return new ReplyCore(false, status, new Headers(), false, { kind: 'refusal', refusal, upstream: words }, { code: refusal.code, message })
}
