/**
 * Which upstream made a response, and for whom: what lets a client go on from its own responses, and nobody from another's.
 *
 * All callers share the gateway's key at the provider, which would therefore show any of them any response whose id it knows. Kept in shared state as long
 * as the provider keeps the response. What was lost there is a response that is not found.
 */

import { asBuffer } from '../dialect/sse.ts'
import type { RequestCore } from '../pipeline/request-core.ts'
import { type Logger, StoreUnavailable } from '../plugin/host.ts'
import type { PrincipalValue } from '../plugin/slots.ts'
import type { StateStore } from '../store/state.ts'

export interface ResponseOrigins {
  /** Notes a response. Never fails and is not waited for: a store keeps the order of what one process asks of it. */
  remember(id: string, upstream: string, owner: PrincipalValue | undefined): void
  /**
   * The upstream that made a response of this caller's; undefined when there is none.
   * @throws StoreUnavailable
   */
  find(id: string, owner: PrincipalValue | undefined): Promise<string | undefined>
  /** The response is no more. Never fails. */
  forget(id: string): void
}

/** OpenAI keeps responses for 30 days. */
const kept = 30 * 24 * 3600_000
/** No plugin has this id, so that none shares these keys. */
const scope = '.responses'
const goodId = /^[A-Za-z0-9_.-]{1,200}$/

/** The origins that are kept in a store. */
export function responseOrigins(store: StateStore, log: Logger): ResponseOrigins {
  const state = store.scoped(scope)
  const failed = (error: unknown) => {
    if (!(error instanceof StoreUnavailable)) log.error('the origin of a response was not kept', { error: String(error) })
  }
  return {
    remember(id, upstream, owner) {
      if (goodId.test(id)) state.set(id, [upstream, owner?.id ?? ''], kept).catch(failed)
    },
    async find(id, owner) {
      if (!goodId.test(id)) return undefined
      const found = await state.get<readonly [string, string]>(id)
      return found && found[1] === (owner?.id ?? '') ? found[0] : undefined
    },
    forget(id) {
      state.delete(id).catch(failed)
    },
  }
}

const key = Buffer.from('previous_response_id')
/** How its letters begin when they are written as escapes: all of them, then each kind. */
const anyEscape = Buffer.from('\\u00')
const escapes = ['\\u005', '\\u006', '\\u007'].map((text) => Buffer.from(text))

/** The earlier response that a request goes on from; undefined in the usual case of none, which native searches tell without a parse. */
export function earlierResponse(body: RequestCore): string | undefined {
  const bytes = asBuffer(body.bytes)
  if (bytes.indexOf(key) < 0) {
    const from = bytes.indexOf(anyEscape)
    if (from < 0 || escapes.every((spelling) => bytes.indexOf(spelling, from) < 0)) return undefined
  }
  const id = body.document.at('/previous_response_id')
  return typeof id === 'string' ? id : undefined
}

const storeKey = Buffer.from('"store"')

/** True for a request that asks its provider to keep nothing, as far as native searches tell: then there is nothing to remember. */
export function keepsNothing({ bytes }: RequestCore): boolean {
  const text = asBuffer(bytes)
  for (let at = text.indexOf(storeKey); at >= 0; at = text.indexOf(storeKey, at + 1)) {
    if (/^\s*:\s*false/.test(text.toString('latin1', at + storeKey.length, at + storeKey.length + 20))) return true
  }
  return false
}
