/**
 * Which session and lane a request belongs to.
 *
 *     the client names one ─────────────────────────────▶ that session
 *     the messages go on from where a session stands ───▶ that session          (longest known end of a request, its current tail)
 *     … from where a session stood before ──────────────▶ a new one, its child  (edited history, a fork)
 *     anything else ────────────────────────────────────▶ a new one
 *
 * Answers at once from what this process knows. Where that may be old, because another instance may have had the turns in between, the shared
 * state is asked first (`shared.ts`), and the same decision made again. Decides only; what a request changes is done by `begin`.
 */

import type { Chain } from './chain.ts'
import type { ClientId } from './client-id.ts'
import type { Caller } from './ids.ts'
import { type Anchor, type Known, type KnownSession, keepLane, type Lane, newSession, type Owner } from './known.ts'
import type { Shared } from './shared.ts'

export interface Asked {
  readonly caller: Caller
  readonly owner: Owner
  readonly chain: Chain
  /** Model that the client asks for. */
  readonly model: string
  readonly client: ClientId | undefined
  /** Id of the provider's reply that the request goes on from. */
  readonly previous: string | undefined
  /** Estimated tokens of the answer that stands after so many units. */
  answerTokens(end: number): number
  /** The client says that it sends this once more. */
  readonly retry: boolean
  readonly now: number
}

export interface Found {
  readonly session: KnownSession
  readonly lane: Lane
  readonly source: 'client' | 'prefix' | 'new'
  readonly turn: number
  /** The last request of this conversation that was counted and that this one begins with. */
  readonly anchor: Anchor | undefined
}

/** What is decided before anything is made. */
type Decision =
  | { readonly is: 'session'; readonly session: KnownSession; readonly certain: boolean; readonly again: boolean }
  | { readonly is: 'new'; readonly name: string; readonly parent: string | undefined }

/** How many ends of requests are looked at, from the last one back. */
const mostEnds = 128
/** How often the shared state is asked for a name that is free here. */
const mostTries = 4

export interface Identifier {
  identify(asked: Asked): Found | Promise<Found>
}

export function identifier(known: Known, shared: Shared | undefined): Identifier {
  /** What this process knows. */
  const decide = (asked: Asked): Decision => {
    const { caller, client, previous, now } = asked
    if (client) {
      const name = `client ${client.id}`
      const session = known.get(caller.id(name), now)
      return session
        ? { is: 'session', session, certain: upToDate(session, asked), again: isTail(session, asked) }
        : { is: 'new', name, parent: undefined }
    }
    if (previous !== undefined) {
      const [session] = known.at(placeOfReply(caller, previous), caller.tag, now)
      if (session) return { is: 'session', session, certain: true, again: false }
    }
    return byPrefix(asked) ?? { is: 'new', name: `words ${openingOf(asked)}`, parent: undefined }
  }

  const byPrefix = (asked: Asked): Decision | undefined => {
    const { caller, chain, now, retry } = asked
    const whole = chain.hashes.length - 1
    if (chain.opening <= chain.lead && !chain.answered) return undefined
    const { ends } = chain
    for (let i = ends.length - 1; i >= 0; i--) {
      // far back only the beginning is of interest
      if (i === ends.length - 1 - mostEnds) i = 0
      const end = ends[i]!
      const place = chain.hashes[end]!
      let here = known.at(end === chain.opening ? openingOf(asked) : place, caller.tag, now)
      // another model may go on with what this one began
      if (here.length === 0 && end === chain.opening && end < whole) here = known.at(place, caller.tag, now)
      if (here.length === 0) continue
      const standing = here.filter((session) => standsAt(session, place))
      if (end < whole) {
        const session = standing.length > 1 ? likeliest(standing, asked.answerTokens(end)) : standing[0]
        if (session) return { is: 'session', session, certain: chain.answersAfter(end) <= 1, again: false }
      } else {
        // the same request again. Words that begin a conversation are said in many: only a repetition of what got no answer is the same one
        const session = chain.answered ? standing[0] : standing.find(({ state }) => retry || state === 'broken')
        if (session) return { is: 'session', session, certain: true, again: true }
        if (!chain.answered) continue
      }
      return { is: 'new', name: `fork ${here[0]!.id} ${chain.hashes[whole]}`, parent: here[0]!.id }
    }
    return undefined
  }

  /** Makes a session. Names are given once: with the same words again comes the next one. */
  const make = (asked: Asked, { name, parent }: Decision & { is: 'new' }): KnownSession | Promise<KnownSession> => {
    const { caller, client, owner, now } = asked
    const made = (id: string) => {
      const session = newSession({ id, caller: caller.tag, source: client ? 'client' : 'new', owner, parent, now })
      known.add(session)
      return session
    }
    if (client) return made(caller.id(name))
    const numbered = (k: number) => caller.id(k === 1 ? name : `${name} ${k}`)
    if (!shared) return made(numbered(known.count(caller.id(name))))
    return (async () => {
      for (let tries = 0; tries < mostTries; tries++) {
        const k = await shared.count(caller.id(name))
        if (k === undefined) break // the store is away: a name that nobody else can come to is the only safe one
        // a store that has lost its numbers begins anew
        const id = numbered(k)
        if (!known.get(id, now)) return made(id)
      }
      return made(caller.id(`random ${crypto.randomUUID()}`))
    })()
  }

  const begin = (asked: Asked, decision: Decision, session: KnownSession): Found => {
    const { chain, client, now, previous } = asked
    const again = decision.is === 'session' && decision.again
    const place = chain.hashes[chain.hashes.length - 1]!
    session.seen = now
    known.add(session)
    if (!again) session.turns++
    if (!client) {
      known.mark(place, session)
      if (!chain.answered) known.mark(openingOf(asked), session)
    }
    session.tail = place
    session.state = 'open'
    shared?.began(session, client ? [] : chain.answered ? [place] : [place, openingOf(asked)])
    const lane = laneOf(asked, session)
    lane.seen = now
    lane.tail = { hash: place, units: chain.hashes.length - 1 }
    keepLane(session, lane)
    const source = client ? 'client' : decision.is === 'session' ? 'prefix' : 'new'
    const anchor = previous === undefined ? anchorOf(lane, chain) : undefined
    return { session, lane, source, turn: Math.max(1, session.turns), anchor }
  }

  return {
    identify(asked) {
      const decision = decide(asked)
      const finish = (done: Decision): Found | Promise<Found> => {
        if (done.is === 'session') return begin(asked, done, done.session)
        const session = make(asked, done)
        return session instanceof Promise ? session.then((made) => begin(asked, done, made)) : begin(asked, done, session)
      }
      // words that begin a conversation are nobody's: only their name is asked for
      const begins = decision.is === 'new' && !asked.client && !asked.chain.answered && asked.previous === undefined
      if (!shared || begins || (decision.is === 'session' && decision.certain)) return finish(decision)
      return shared.fetch(asked, lanePlaces(asked)).then((found) => finish(found ? decide(asked) : decision))
    },
  }
}

/** Where conversations that begin like this one, with this model and these tools, have their mark. */
export function openingOf({ chain, model }: Pick<Asked, 'chain' | 'model'>): bigint {
  return Bun.hash(`${model}\n${chain.shape}`, chain.hashes[chain.opening]!) as bigint
}

/** Where sessions have their mark by the id of a reply. */
export function placeOfReply(caller: Caller, id: string): bigint {
  return Bun.hash(`reply ${id}`, caller.seed) as bigint
}

/** Names of the lanes that a request may belong to: by how it began. */
export function lanePlaces({ caller, chain, model, client }: Asked): { readonly base: string; lane(session: string): string } {
  const base = caller.lane(`${model}\n${chain.shape}\n${client?.agent ?? ''}`)
  return { base, lane: (session) => caller.lane(`${session}\n${base}\n${chain.hashes[chain.opening]}`) }
}

function laneOf(asked: Asked, session: KnownSession): Lane {
  const { base, lane } = lanePlaces(asked)
  const id = lane(session.id)
  const known = session.lanes.get(id)
  if (known) return known
  // a history that was written anew, from its beginning: still the line that it was
  if (asked.chain.answered || asked.previous !== undefined) {
    const same = [...session.lanes.values()].findLast((other) => other.base === base)
    if (same) return same
  }
  return { id, base, last: undefined, anchors: [], seen: asked.now, tail: undefined }
}

/**
 * Which of several sessions that began with the same words goes on with an answer of so many tokens: of those that have an answer, the one whose answer
 * was as long. Nothing else of an answer is known here; where they are alike, the newest.
 */
function likeliest(standing: readonly KnownSession[], tokens: number): KnownSession | undefined {
  let best: KnownSession | undefined
  let least = Number.POSITIVE_INFINITY
  for (const session of standing) {
    // who has no answer yet can hardly be gone on with
    if (session.state === 'open') continue
    const far = session.answer === undefined ? unlike : Math.abs(Math.log((session.answer + few) / (tokens + few)))
    if (far >= least) continue
    best = session
    least = far
  }
  return best ?? standing[0]
}
/** As far as an answer of unknown length is from any: more than one that is estimated well. */
const unlike = 0.5
/** A few tokens more or less say nothing. */
const few = 5

/** The session stands at this place: its last request ended there, or the last one that was answered, when nothing came of the others. */
function standsAt(session: KnownSession, place: bigint): boolean {
  return session.tail === place || (session.state === 'broken' && session.answered === place)
}

/** The very request that the session had last. */
function isTail(session: KnownSession, { chain }: Asked): boolean {
  return chain.answered && session.tail === chain.hashes.at(-1)
}

/** Nobody else can have had a turn of this line in between: since the last one known here the model has answered once. */
function upToDate(session: KnownSession, asked: Asked): boolean {
  const { chain } = asked
  if (!chain.answered && asked.previous === undefined) return true
  const { tail } = laneOf(asked, session)
  return tail !== undefined && chain.hashes[tail.units] === tail.hash && chain.answersAfter(tail.units) <= 1
}

/** The longest counted request of the lane that this one begins with. */
function anchorOf(lane: Lane, chain: Chain): Anchor | undefined {
  let best: Anchor | undefined
  for (const anchor of lane.anchors) if (chain.hashes[anchor.units] === anchor.hash && anchor.units > (best?.units ?? 0)) best = anchor
  return best
}
