/**
 * Where a conversation belongs: what it is known by, and what in it only its origin understands (F07, D03).
 *
 * A provider's prompt cache is warm where the last turn was. Proofs that the gateway has tagged name their maker. Who speaks is no conversation: the end
 * user that a body or a credential names is never taken for one.
 */

import type { Exchange, PrincipalValue, SessionValue, Slot } from 'headgate/plugin'
import { Principal, Session } from 'headgate/plugin'

export type RouterExchange<S> = Exchange<never, Slot<PrincipalValue> | Slot<SessionValue>, never, S>

/** Headers in which agents name their conversation. */
const headers = ['x-claude-code-session-id', 'session_id', 'session-id', 'x-session-id'] as const
const cacheKey = Buffer.from('"prompt_cache_key"')
const metadata = Buffer.from('"metadata"')
const longest = 256

/** What the conversation of an exchange is known by, apart for each account; undefined when nothing tells. The body is parsed only where it must be. */
export function sessionOf<S>(x: RouterExchange<S>): string | undefined {
  const principal = x.peek(Principal)
  const session = x.peek(Session)
  const own = session?.lane ?? session?.id ?? headerOf(x.headers) ?? bodyOf(x)
  if (own === undefined || own === '') return undefined
  return `${principal?.account ?? ''}\n${own.slice(0, longest)}`
}

function headerOf(given: Headers): string | undefined {
  for (const name of headers) {
    const value = given.get(name)
    if (value) return value
  }
  return undefined
}

function bodyOf<S>({ request }: RouterExchange<S>): string | undefined {
  const bytes = asBuffer(request.borrowed)
  if (bytes.includes(cacheKey)) {
    const key = request.at('/prompt_cache_key')
    if (typeof key === 'string') return key
  }
  const user = bytes.includes(metadata) ? request.at('/metadata/user_id') : undefined
  return typeof user === 'string' ? sessionIn(user) : undefined
}

/** The conversation in what Claude Code calls the user: `user_…_account_…_session_<id>`, or JSON with a `session_id`. Others name a person there. */
function sessionIn(user: string): string | undefined {
  return /_session_([\w-]{8,})$/.exec(user)?.[1] ?? /"session_id"\s*:\s*"([^"]+)"/.exec(user)?.[1]
}

/** The place where a session plugin above says that the conversation was served last, as `Track.key` has it. */
export function lastPlaceOf<S>(x: RouterExchange<S>): string | undefined {
  const last = x.peek(Session)?.last
  return last?.upstream === undefined || last.model === undefined ? undefined : `${last.upstream} ${last.model}`
}

export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}

const mark = Buffer.from('"hg1.')

/** The upstream that made the latest tagged proof in a body: `hg1.<dialect>.<upstream>.…`. */
export function makerOf(body: Uint8Array, upstreams: readonly string[]): string | undefined {
  const bytes = asBuffer(body)
  const at = bytes.lastIndexOf(mark)
  if (at < 0) return undefined
  const text = bytes.toString('latin1', at + mark.length, at + mark.length + 300)
  const rest = text.slice(text.indexOf('.') + 1)
  // names may hold dots, so that the longest one that fits is meant
  let found: string | undefined
  for (const name of upstreams) if (rest.startsWith(`${name}.`) && name.length > (found?.length ?? 0)) found = name
  return found
}
