/**
 * Sessions in the state that several instances share: who has which id, where each stands, what its lanes were billed.
 *
 * Keys: `s:<session>` what identifies it, `l:<session>:<lane>` a lane, `b:<hash>` a place where a request ended; all end after the idle time. `n:<name>`
 * counts the sessions that began alike. Reading is
 * awaited, for the decision needs it; writing is not, for nobody waits for it but the next turn, which comes after the answer. A store that is away
 * is left alone for a while: then each instance goes on with what it knows.
 */

import type { LaneState, Logger, State } from 'headgate/plugin'
import type { Asked } from './identify.ts'
import { type Anchor, type Known, type KnownSession, keepLane, type Lane, newSession } from './known.ts'

export interface Shared {
  /** Brings what others know of the session that a request may belong to; true when there was something. */
  fetch(asked: Asked, lanes: { readonly base: string; lane(session: string): string }): Promise<boolean>
  /** How often a name was asked for on any instance, this time included; undefined when the store can't tell. */
  count(name: string): Promise<number | undefined>
  /** A request of the session began, and ends at these places. */
  began(session: KnownSession, places: readonly bigint[]): void
  /** Its request has settled. */
  settled(session: KnownSession, lane: Lane, places: readonly bigint[]): Promise<void>
}

/** Ends of requests that are asked for, from the last one back. */
const mostPlaces = 8
/** Names are remembered for longer than sessions: 30 days. */
const nameLife = 30 * 86_400_000
/** Milliseconds for which a store that failed is not asked. */
const rest = 5000

export interface SharedOptions {
  readonly state: State
  readonly known: Known
  readonly log: Logger
  readonly now: () => number
  /** Milliseconds after which an idle session is forgotten. */
  readonly idle: number
  /** The place that stands for the opening of a conversation. */
  readonly opening: (asked: Asked) => bigint
  readonly replyPlace: (asked: Asked) => bigint | undefined
}

export function sharedSessions(options: SharedOptions): Shared {
  const { state, known, idle, now } = options
  let awayUntil = 0

  /** Asks the store; undefined when it is away. */
  const ask = async <T>(run: () => Promise<T>): Promise<{ readonly got: T } | undefined> => {
    if (now() < awayUntil) return undefined
    try {
      return { got: await run() }
    } catch (error) {
      if (now() >= awayUntil)
        options.log.warn('the shared state is away: sessions are told apart by this instance alone', { error: String(error) })
      awayUntil = now() + rest
      return undefined
    }
  }
  const get = async (key: string): Promise<unknown> => (await ask(() => state.get<unknown>(key)))?.got
  const set = async (key: string, value: unknown): Promise<void> => void (await ask(() => state.set(key, value, idle)))

  /** Puts a session that others know into this process, when it is newer than what is known here. */
  const takeIn = (id: string, value: unknown, caller: string): KnownSession | undefined => {
    const read = readSession(id, value, options.now() - idle)
    if (read?.caller !== caller) return undefined
    const here = known.get(id, now())
    if (!here) {
      known.add(read)
      return read
    }
    if (read.turns > here.turns || (read.turns === here.turns && read.seen > here.seen)) {
      here.turns = read.turns
      here.tail = read.tail
      here.state = read.state
      here.answered = read.answered
      here.answer = read.answer
    }
    here.seen = Math.max(here.seen, read.seen)
    return here
  }
  const takeLane = (session: KnownSession, id: string, value: unknown) => {
    const lane = readLane(id, value)
    const here = session.lanes.get(id)
    if (lane && (!here || lane.seen >= here.seen)) keepLane(session, lane)
  }

  const byId = async (id: string, asked: Asked, lane: string): Promise<boolean> => {
    const [value, laneValue] = await Promise.all([get(`s:${id}`), get(`l:${id}:${lane}`)])
    const session = takeIn(id, value, asked.caller.tag)
    if (!session) return false
    takeLane(session, lane, laneValue)
    return true
  }

  return {
    async fetch(asked, lanes) {
      const { caller, chain, client } = asked
      if (client) {
        const id = caller.id(`client ${client.id}`)
        return await byId(id, asked, lanes.lane(id))
      }
      const reply = options.replyPlace(asked)
      const places = new Set<bigint>()
      for (let i = chain.ends.length - 1; i >= 0 && places.size < mostPlaces; i--) places.add(chain.hashes[chain.ends[i]!]!)
      places.add(options.opening(asked))
      if (reply !== undefined) places.add(reply)
      const all = [...places]
      const found = await Promise.all(all.map((place) => get(`b:${hex(place)}`)))
      const sessions = new Map<string, KnownSession | undefined>()
      for (const value of found) {
        const { s } = objectOf(value)
        if (typeof s === 'string') sessions.set(s, undefined)
      }
      await Promise.all(
        [...sessions.keys()].map(async (id) => {
          await byId(id, asked, lanes.lane(id))
          sessions.set(id, known.get(id, now()))
        }),
      )
      let any = false
      // from the beginning on, so that the newest is marked last
      for (let i = all.length - 1; i >= 0; i--) {
        const { s, n } = objectOf(found[i])
        const session = typeof s === 'string' ? sessions.get(s) : undefined
        if (session?.caller !== caller.tag) continue
        any = true
        known.mark(all[i]!, session)
        // what it says of itself is written later than its places are
        if (typeof n === 'number' && n >= session.turns && all[i] !== reply) {
          const place = all[i] === options.opening(asked) ? chain.hashes[chain.opening]! : all[i]!
          if (n > session.turns || session.tail === 0n) session.tail = place
          session.turns = n
        }
      }
      return any
    },

    async count(name) {
      return (await ask(() => state.add(`n:${name}`, 1, nameLife)))?.got
    },

    began(session, places) {
      // others must find it before it has settled
      if (session.turns <= 1) void set(`s:${session.id}`, writeSession(session))
      for (const place of places) void set(`b:${hex(place)}`, { s: session.id, n: session.turns })
    },

    async settled(session, lane, places) {
      await Promise.all([
        set(`s:${session.id}`, writeSession(session)),
        set(`l:${session.id}:${lane.id}`, writeLane(lane)),
        ...places.map((place) => set(`b:${hex(place)}`, { s: session.id, n: 0 })),
      ])
    },
  }
}

function writeSession(session: KnownSession): object {
  const { caller, parent, source, owner, first, seen, turns, tail, state, answered, answer } = session
  return { caller, parent, source, owner, first, seen, turns, tail: hex(tail), state, answered: hex(answered), answer }
}

function readSession(id: string, value: unknown, oldest: number): KnownSession | undefined {
  const v = objectOf(value)
  if (typeof v.caller !== 'string' || typeof v.first !== 'number' || typeof v.seen !== 'number' || v.seen < oldest) return undefined
  const session = newSession({
    id,
    caller: v.caller,
    source: v.source === 'client' ? 'client' : 'new',
    parent: typeof v.parent === 'string' ? v.parent : undefined,
    owner: { key: textOf(objectOf(v.owner).key), account: textOf(objectOf(v.owner).account) },
    now: v.first,
  })
  session.seen = v.seen
  session.turns = typeof v.turns === 'number' ? v.turns : 0
  session.tail = bigintOf(v.tail)
  session.answered = bigintOf(v.answered)
  session.answer = typeof v.answer === 'number' ? v.answer : undefined
  session.state = v.state === 'answered' || v.state === 'broken' ? v.state : 'open'
  return session
}

function writeLane({ base, seen, last, anchors, tail }: Lane): object {
  return {
    base,
    seen,
    last,
    anchors: anchors.map(({ hash, units, input }) => [hex(hash), units, input]),
    tail: tail && [hex(tail.hash), tail.units],
  }
}

function readLane(id: string, value: unknown): Lane | undefined {
  const v = objectOf(value)
  if (typeof v.base !== 'string' || typeof v.seen !== 'number') return undefined
  const anchors: Anchor[] = []
  for (const one of Array.isArray(v.anchors) ? v.anchors : []) {
    const [hash, units, input] = Array.isArray(one) ? one : []
    if (typeof units === 'number' && typeof input === 'number') anchors.push({ hash: bigintOf(hash), units, input })
  }
  const tail = Array.isArray(v.tail) && typeof v.tail[1] === 'number' ? { hash: bigintOf(v.tail[0]), units: v.tail[1] } : undefined
  const last = typeof objectOf(v.last).at === 'number' ? (v.last as LaneState) : undefined
  return { id, base: v.base, seen: v.seen, last, anchors, tail }
}

function hex(value: bigint): string {
  return value.toString(16)
}
function bigintOf(value: unknown): bigint {
  return typeof value === 'string' && /^[0-9a-f]{1,16}$/.test(value) ? BigInt(`0x${value}`) : 0n
}
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}
