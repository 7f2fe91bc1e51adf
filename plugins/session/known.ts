/**
 * The sessions that this process knows: each with its lanes, and an index of where requests ended.
 *
 * Bounded in number, least recently used first out; what was idle for too long counts as unknown. Holds no text of anybody: hashes, counts and times.
 */

import type { LaneState } from 'headgate/plugin'
import { emptyTotals, type Totals } from './totals.ts'

/** A request of the lane that a provider has counted. */
export interface Anchor {
  /** The chain up to its end. */
  readonly hash: bigint
  readonly units: number
  /** Input tokens that were billed. */
  readonly input: number
}

export interface Lane {
  readonly id: string
  /** Model, tools, system and agent: what lanes of one session differ by, besides how they began. */
  readonly base: string
  last: LaneState | undefined
  /** Newest first. */
  anchors: readonly Anchor[]
  seen: number
  /** Where its last request ended. */
  tail: { readonly hash: bigint; readonly units: number } | undefined
}

/** Ids of the caller's key and account, for operators. */
export interface Owner {
  readonly key: string
  readonly account: string
}

export interface KnownSession {
  readonly id: string
  /** Whose it is. */
  readonly caller: string
  readonly owner: Owner
  readonly parent: string | undefined
  readonly source: 'client' | 'new'
  readonly first: number
  seen: number
  turns: number
  /** Where the chain of the last request ended, and what became of it. */
  tail: bigint
  state: 'open' | 'answered' | 'broken'
  /** Where that of the last request with an answer ended, and how many tokens of it the client was shown, where that is known. */
  answered: bigint
  answer: number | undefined
  readonly lanes: Map<string, Lane>
  readonly totals: Totals
}

/** Lanes of one session; the least recently used gives way. */
const mostLanes = 64
/** Sessions that began with the same words, or went on from the same place. */
const mostAtOnePlace = 8

export interface Known {
  get(id: string, now: number): KnownSession | undefined
  add(session: KnownSession): void
  /** Sessions with a request that ended there, newest first. */
  at(place: bigint, caller: string, now: number): readonly KnownSession[]
  /** A request of the session ended there. */
  mark(place: bigint, session: KnownSession): void
  /** How often a name was asked for, this time included. */
  count(name: string): number
  /** Most recently used first. */
  list(): readonly KnownSession[]
  readonly size: number
}

/** @param most sessions, at most @param idle milliseconds after which a session is unknown */
export function knownSessions(most: number, idle: number): Known {
  const sessions = new Map<string, KnownSession>()
  const places = new Map<bigint, string | string[]>()
  /** Outlives the sessions, so that an id does not come back with the same words. */
  const names = new Map<string, number>()

  const get = (id: string, now: number) => {
    const session = sessions.get(id)
    if (!session) return undefined
    if (now - session.seen <= idle) return session
    sessions.delete(id)
    return undefined
  }
  return {
    get,
    add(session) {
      sessions.delete(session.id)
      sessions.set(session.id, session)
      if (sessions.size > most) sessions.delete(sessions.keys().next().value!)
    },
    at(place, caller, now) {
      const ids = places.get(place)
      if (ids === undefined) return []
      const found: KnownSession[] = []
      const all = typeof ids === 'string' ? [ids] : ids
      for (let i = all.length - 1; i >= 0; i--) {
        const session = get(all[i]!, now)
        if (session?.caller === caller) found.push(session)
      }
      return found
    },
    mark(place, { id }) {
      const before = places.get(place)
      if (before === undefined || before === id) places.set(place, id)
      else {
        const others = (typeof before === 'string' ? [before] : before).filter((other) => other !== id)
        places.delete(place)
        places.set(place, [...others.slice(1 - mostAtOnePlace), id])
      }
      // a session is at several places
      if (places.size > most * 4) places.delete(places.keys().next().value!)
    },
    count(name) {
      const n = (names.get(name) ?? 0) + 1
      names.delete(name)
      names.set(name, n)
      if (names.size > most * 2) names.delete(names.keys().next().value!)
      return n
    },
    list: () => [...sessions.values()].reverse(),
    get size() {
      return sessions.size
    },
  }
}

/** A session that begins. */
export function newSession(
  fields: Pick<KnownSession, 'id' | 'caller' | 'source' | 'owner'> & { readonly parent?: string | undefined; readonly now: number },
): KnownSession {
  return {
    id: fields.id,
    caller: fields.caller,
    owner: fields.owner,
    source: fields.source,
    parent: fields.parent,
    first: fields.now,
    seen: fields.now,
    turns: 0,
    tail: 0n,
    state: 'open',
    answered: 0n,
    answer: undefined,
    lanes: new Map(),
    totals: emptyTotals(),
  }
}

/** Puts a lane into its session, most recent last. */
export function keepLane(session: KnownSession, lane: Lane): void {
  session.lanes.delete(lane.id)
  session.lanes.set(lane.id, lane)
  if (session.lanes.size > mostLanes) session.lanes.delete(session.lanes.keys().next().value!)
}
