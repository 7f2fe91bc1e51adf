/**
 * Where conversations are at home: the place whose prompt cache they have warmed.
 *
 *   served there ──▶ home, for `ttl` ──served elsewhere──▶ still home: a failover moves one request, not the conversation
 *                                        └──not back within `warm`──▶ the other place is the home
 *
 * A switch is not an eviction: who comes back soon finds the cache as it was. Kept in this process, bounded; another instance finds the same place by
 * hashing, unless health has moved the conversation.
 */

export interface HomesOptions {
  /** Milliseconds since its last turn for which a conversation has a home. */
  readonly ttl: number
  /** Milliseconds for which a home is taken for warm after the last turn there. */
  readonly warm: number
}

export interface Homes {
  /** The home of a conversation, if it has one. */
  of(session: string, now: number): string | undefined
  /** It can't be served by the model that it asks for any more: its home is with another one. */
  outgrown(session: string): boolean
  /** It was served there. `forGood`: it can't go back. True when its home is now another one than before. */
  served(session: string, place: string, now: number, forGood?: boolean): boolean
  /** Takes over what somebody else knows of a conversation. */
  learn(session: string, place: string, now: number): void
}

interface Home {
  place: string
  until: number
  at: number
  /** Where it was served since, and when. */
  other: string | undefined
  otherAt: number
  outgrown: boolean
}

const maxHomes = 20_000

export function createHomes({ ttl, warm }: HomesOptions): Homes {
  const homes = new Map<string, Home>()

  const current = (session: string, now: number): Home | undefined => {
    const home = homes.get(session)
    if (!home) return undefined
    if (home.other !== undefined && (now - home.at > warm || home.until <= now)) {
      // it is cold by now, and the other place is not
      Object.assign(home, { place: home.other, at: home.otherAt, until: home.otherAt + ttl, other: undefined })
    }
    return home.until > now ? home : undefined
  }
  const settle = (session: string, place: string, now: number, outgrown = false): void => {
    homes.delete(session)
    if (homes.size >= maxHomes) homes.delete(homes.keys().next().value!)
    homes.set(session, { place, until: now + ttl, at: now, other: undefined, otherAt: 0, outgrown })
  }

  return {
    of: (session, now) => current(session, now)?.place,
    outgrown: (session) => homes.get(session)?.outgrown === true,
    served(session, place, now, forGood = false) {
      const home = current(session, now)
      if (!home || forGood || home.place === place) {
        settle(session, place, now, forGood || (home?.outgrown ?? false))
        return home?.place !== place
      }
      home.other = place
      home.otherAt = now
      return false
    },
    learn(session, place, now) {
      if (!current(session, now)) settle(session, place, now)
    },
  }
}
