/**
 * Which key a session gives to a provider that routes by key: its own, or, where many short sessions share a long beginning, one of a few that they share.
 *
 * A session of its own key starts on a machine that may not have the beginning; one key for all of them is spread over cold machines beyond some fifteen
 * requests a minute. So there are as many shared keys as the rate needs. Who has a key keeps it (`Lane.key`). Bounded.
 */

import type { CacheFacts, Host } from 'headgate/plugin'

interface Beginning {
  minute: number
  /** Sessions begun in this minute, and in the one before. */
  begun: number
  begunBefore: number
  /** Sessions begun and turns after the first, fading. */
  sessions: number
  later: number
}

export interface SharedKeys {
  /** The key for a session that begins; undefined when it has its own. @param beginning hash of tools and system */
  begin(beginning: string, session: string, facts: CacheFacts): string | undefined
  /** A session goes on. */
  goOn(beginning: string): void
}

const most = 2000
/** Sessions a minute from which on a beginning counts as shared. */
const shared = 4
/** Later turns per session up to which sessions are short. */
const short = 2

export function createSharedKeys(host: Pick<Host, 'now'>): SharedKeys {
  const known = new Map<string, Beginning>()
  const of = (key: string): Beginning => {
    const minute = Math.floor(host.now() / 60_000)
    let one = known.get(key)
    known.delete(key)
    one ??= { minute, begun: 0, begunBefore: 0, sessions: 0, later: 0 }
    if (one.minute !== minute) {
      one.begunBefore = one.minute === minute - 1 ? one.begun : 0
      one.begun = 0
      one.minute = minute
      one.sessions *= 0.8
      one.later *= 0.8
    }
    if (known.size >= most) known.delete(known.keys().next().value!)
    known.set(key, one)
    return one
  }
  return {
    begin(beginning, session, { perKeyPerMinute }) {
      const one = of(beginning)
      one.begun++
      one.sessions++
      const perMinute = Math.max(one.begun, one.begunBefore)
      if (perMinute < shared || one.later / one.sessions > short) return undefined
      const shards = Math.ceil((perMinute * (1 + one.later / one.sessions)) / perKeyPerMinute)
      const shard = Number((Bun.hash(session) as bigint) % BigInt(shards))
      return `p_${beginning}_${shard}`
    },
    goOn(beginning) {
      if (known.has(beginning)) of(beginning).later++
    },
  }
}
