/**
 * Where a conversation belongs: what it is known by, where it was served last, and what in it only its origin understands (F07, D03).
 *
 * A provider's prompt cache is warm where the last turn was. Proofs that the gateway has tagged name their maker. Kept in this process, bounded; another
 * instance finds the same place by hashing, unless health moved the conversation.
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
  const own = x.peek(Session)?.id ?? headerOf(x.headers) ?? bodyOf(x) ?? principal?.user
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
  const bytes = asBuffer(request.bytes)
  if (bytes.includes(cacheKey)) {
    const key = request.at('/prompt_cache_key')
    if (typeof key === 'string') return key
  }
  const user = bytes.includes(metadata) ? request.at('/metadata/user_id') : undefined
  return typeof user === 'string' ? user : undefined
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

/** Where conversations were served last. */
export interface Homes {
  /** What was set. */
  of(session: string, now: number): string | undefined
  set(session: string, place: string, now: number): void
}

const maxHomes = 20_000

/** @param ttl milliseconds since the last turn after which a conversation is at home nowhere */
export function createHomes(ttl: number): Homes {
  const homes = new Map<string, { place: string; until: number }>()
  return {
    of(session, now) {
      const home = homes.get(session)
      return home && home.until > now ? home.place : undefined
    },
    set(session, place, now) {
      homes.delete(session)
      if (homes.size >= maxHomes) homes.delete(homes.keys().next().value!)
      homes.set(session, { place, until: now + ttl })
    },
  }
}
