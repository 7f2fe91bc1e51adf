/**
 * Recorded sessions as the requests of many clients at once: all sessions interleaved by time, a repository = a tenant.
 *
 * Bodies are those of Chat Completions, byte for byte the same history with every turn. Drives the parts of the session plugin themselves, for this is
 * about what they decide; that they decide the same behind sockets is for the plugin's own tests.
 */

import { chainOf } from '../../../plugins/session/chain.ts'
import { type Found, identifier } from '../../../plugins/session/identify.ts'
import { callers } from '../../../plugins/session/ids.ts'
import { knownSessions } from '../../../plugins/session/known.ts'
import { settleSession } from '../../../plugins/session/settle.ts'
import { type PromptLayout, promptUnits } from '../../../src/json/prompt-units.ts'
import type { PromptUnit } from '../../../src/plugin/index.ts'
import { type RecordedTurn, readTrajectory, type Trajectory, tenantOf, timesOf } from '../savings/trajectories.ts'

const layout: PromptLayout = { tools: ['tools'], system: [], messages: ['messages'] }

export interface Body {
  readonly bytes: Uint8Array
  readonly units: readonly PromptUnit[]
}

/** Gives the body of the request with the first `n` messages. */
export function bodiesOf(session: Trajectory): (n: number) => Body {
  const head = Buffer.from(`{"model":${JSON.stringify(session.model)},"messages":[`)
  const pieces = session.messages.map((message, i) => Buffer.from(`${i === 0 ? '' : ','}${JSON.stringify(message)}`))
  const all = Buffer.concat([head, ...pieces])
  const ends: number[] = [head.length]
  for (const piece of pieces) ends.push(ends.at(-1)! + piece.length)
  const tail = Buffer.from('],"stream":true}')
  return (n) => {
    const bytes = Buffer.concat([all.subarray(0, ends[Math.min(n, pieces.length)]), tail])
    return { bytes, units: promptUnits(bytes, layout) }
  }
}

/** One request of a session as the identifier saw it. */
export interface Replayed {
  readonly session: Trajectory
  readonly index: number
  readonly turn: RecordedTurn
  readonly body: Body
  readonly found: Found
  /** Puts what it was billed into its lane, as settlement does. */
  settle(input: number | undefined): void
}

interface Event {
  readonly at: number
  readonly session: number
  readonly turn: number
  readonly end: boolean
}

/** As configured by default, in milliseconds. */
const idle = 86_400_000
/** Longest time that an answer is assumed to take, in milliseconds. */
const longestAnswer = 5000

/**
 * Replays sessions, all interleaved by time.
 * @param named clients send a header with an id of the session
 * @param each told of every request, in order of time, before it settles
 */
export function replaySessions(files: readonly string[], named: boolean, each: (request: Replayed) => void): void {
  const sessions = files.map(readTrajectory)
  const events: Event[] = []
  for (const [s, session] of sessions.entries()) {
    const times = timesOf(session)
    for (const [t, at] of times.entries()) {
      const gap = (times[t + 1] ?? at + longestAnswer * 2) - at
      events.push({ at, session: s, turn: t, end: false }, { at: at + Math.min(longestAnswer, gap / 2), session: s, turn: t, end: true })
    }
  }
  events.sort((a, b) => a.at - b.at || a.session - b.session || a.turn - b.turn || Number(a.end) - Number(b.end))
  const known = knownSessions(100_000, idle)
  const ids = identifier(known, undefined)
  const callerOf = callers('a secret of the bench')
  const bodies = sessions.map(() => undefined as ReturnType<typeof bodiesOf> | undefined)
  const open = new Map<string, Replayed>()
  for (const { at, session: s, turn: t, end } of events) {
    const session = sessions[s]!
    const name = `${s} ${t}`
    if (end) {
      const replayed = open.get(name)!
      open.delete(name)
      const { usage } = replayed.turn
      replayed.settle(usage && usage.in + usage.cache_read + usage.cache_write)
      if (t === session.turns.length - 1) bodies[s] = undefined // what is over needs no memory
      continue
    }
    const turn = session.turns[t]!
    bodies[s] ??= bodiesOf(session)
    const body = bodies[s](turn.n)
    const owner = { key: tenantOf(session), account: tenantOf(session) }
    const caller = callerOf(owner.account, owner.key)
    const chain = chainOf(body.bytes, body.units, caller.seed)
    const found = ids.identify({
      caller,
      owner,
      chain,
      model: session.model,
      client: named ? { id: session.file, agent: '' } : undefined,
      previous: undefined,
      answerTokens: () => 0,
      retry: false,
      now: at,
    })
    if (found instanceof Promise) throw new Error('nothing is shared here')
    const replayed: Replayed = {
      session,
      index: t,
      turn,
      body,
      found,
      settle: (input) => settleSession(found, { chain, now: at, answered: true, input }),
    }
    open.set(name, replayed)
    each(replayed)
  }
}
