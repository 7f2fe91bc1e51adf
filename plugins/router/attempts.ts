/**
 * The tries of one request: call after call, until one gives content, a refusal is final, or the budget is spent (PROTOCOL §1.7).
 *
 *   pick ──▶ wait for a place ──▶ call ──▶ content ──▶ serve
 *    ▲                              │ failed
 *    └──── another target, or the same one later ◀─┤
 *                                   └──▶ final, or none is left ──▶ the failure that tells the client most
 *
 * Nothing has been sent to the client while a try is made, so that it never sees one that failed (B10); after content nothing is tried again (B09). Each
 * call is counted in and out exactly once.
 */

import { type Attempt, afterReading, type Next, type Outcome, type Refusal, type RefusalCode, type Reply } from 'headgate/plugin'
import { type Judgement, judge } from './classify.ts'
import { NoRoom } from './gate.ts'
import { callOne, type Made } from './one-call.ts'
import type { Candidate } from './order.ts'
import type { Plan, X } from './plan.ts'
import type { Track, Tracks } from './track.ts'

export interface AttemptOptions {
  readonly retries: number
  readonly max_attempts: number
  readonly backoff: number
  readonly max_wait: number
  readonly max_time: number
  /** 0 = never. */
  readonly hedge: number
  /** How long a conversation waits for its home. */
  readonly patience: number
  /** How long a key rests that was refused. */
  readonly keyRest: number
  readonly now: () => number
  readonly random: () => number
  readonly tracks: Pick<Tracks, 'of'>
  readonly told: Told
}

/** Who hears of what happens, for figures. */
export interface Told {
  failed(track: Track, why: string): void
  opened(track: Track): void
  fellBack(from: Track, to: Track): void
  /** The second call was the quicker one. */
  hedged(winner: Track): void
}

interface Later {
  readonly candidate: Candidate
  /** Milliseconds since the epoch from which on it may be called again. */
  readonly from: number
  readonly left: number
}

/** Makes the tries of a plan. */
export async function tryAll(x: X, next: Next, plan: Plan, options: AttemptOptions): Promise<Reply | Refusal> {
  const { max_time: limit } = options
  if (limit === 0) return await run(x, next, plan, options, undefined)
  const budget = new AbortController()
  const timer = setTimeout(() => budget.abort(new DOMException('the time for all tries is over', 'TimeoutError')), limit)
  try {
    return await run(x, next, plan, options, budget.signal)
  } finally {
    clearTimeout(timer)
  }
}

async function run(x: X, next: Next, plan: Plan, options: AttemptOptions, signal: AbortSignal | undefined): Promise<Reply | Refusal> {
  const { max_attempts, retries, now } = options
  const began = now()
  /** How long it is worth waiting for the home of a conversation: there must be time left for another target. */
  const patience = (): number =>
    options.max_time === 0 ? options.patience : Math.min(options.patience, (began + options.max_time - now()) / 2)
  const waiting = [...plan.candidates]
  const later: Later[] = []
  let best: { readonly reply: Reply; readonly worth: number } | undefined
  let tries = 0
  let last: Track | undefined
  /** Models must hold more than this: so much did not fit. */
  let tooSmall: number | undefined
  let noRoom: NoRoom | undefined
  /** The home of the conversation asks for a moment. */
  let patient: Pick<Later, 'candidate' | 'from'> | undefined
  let waited = false
  /** No target would answer otherwise. */
  let final = false

  const tell = (reply: Reply, { worth }: Judgement): void => {
    const sooner = best?.worth === worth && (reply.attempt?.retryAfter ?? Infinity) < (best.reply.attempt?.retryAfter ?? Infinity)
    if (best === undefined || worth > best.worth || sooner) best = { reply, worth }
  }

  while (!final && tries < max_attempts && !signal?.aborted && now() - began < longestTries) {
    let candidate: Candidate | undefined
    let left = retries
    let pause = 0
    const stays = patient ?? (tries === 0 ? atHome(waiting, plan, now(), patience()) : undefined)
    patient = undefined
    if (stays) {
      candidate = stays.candidate
      pause = Math.max(0, stays.from - now())
    } else candidate = pick(waiting, tries, tooSmall, now())
    if (!candidate) {
      const again = soonest(later)
      if (!again || tries === 0) break
      candidate = again.candidate
      left = again.left
      pause = Math.max(again.from - now(), backoffOf(retries - left, options))
      if (pause > options.max_wait) break
      left--
    }
    const { track } = candidate
    if (last && last !== track) options.told.fellBack(last, track)
    last = track
    const hedged = options.hedge > 0 && tries === 0 && max_attempts > 1 && !plan.pinned
    let spare: Candidate | undefined
    let all: readonly (Made | NoRoom)[]
    try {
      const first = orNoRoom(callOne(x, next, candidate, pause, signal, options))
      all = hedged
        ? await hedge(first, options, () => {
            spare = pick(waiting, 1, tooSmall, now(), true)
            return spare && orNoRoom(callOne(x, next, spare, 0, signal, options))
          })
        : [await first]
    } catch (error) {
      if (signal?.aborted) break // the time is over
      throw error
    }
    for (const made of all) {
      if (made instanceof NoRoom) {
        noRoom = made
        // others may have room where its home has none
        if (made.waited && candidate.track !== plan.home) final = true
        continue
      }
      tries++
      const { reply } = made
      if (reply.ok) {
        x.state.serving = made.call
        // it has failed nobody
        if (spare && all.length === 1) x.state.spared = made.candidate === spare ? candidate.track : spare.track
        return reply
      }
      const judged = judge(reply)
      blame(reply, judged, made.call.called, options)
      tell(reply, judged)
      if (judged.step === 'stop') final = true
      // other targets would be the same one again
      if (reply.attempt && (plan.pinned || made.call.called !== made.call.track)) waiting.length = 0
      if (isAway(reply)) aside(waiting, made.candidate.provider)
      if (judged.step === 'larger') {
        if (made.call.track === plan.home) x.state.outgrown = true
        if (made.candidate.context === undefined) final = true
        else tooSmall = Math.max(tooSmall ?? 0, made.candidate.context)
      }
      const asks = (reply.attempt?.retryAfter ?? Number.POSITIVE_INFINITY) * 1000
      if (judged.blame === 'limit' && made.call.track === plan.home && asks <= patience() && !waited) {
        waited = true
        patient = { candidate: made.candidate, from: now() + asks }
      } else if (judged.step === 'retry' && left > 0) {
        later.push({ candidate: made.candidate, from: now() + (reply.attempt?.retryAfter ?? 0) * 1000, left })
      }
    }
  }
  if (best === undefined) return refusal(x, noRoom)
  // what was tried here is not to be tried as often again by the client's SDK (G12)
  if (tries > 1) best.reply.headers.set('x-should-retry', 'false')
  return best.reply
}

/**
 * Gives the first call `hedge` milliseconds, then begins a second one beside it: the one that gives content first, else both as they failed. Whoever is
 * not needed any more is ended by the gateway as soon as the other is served.
 */
async function hedge(
  first: Promise<Made | NoRoom>,
  { hedge: after, now, told }: AttemptOptions,
  begin: () => Promise<Made | NoRoom> | undefined,
): Promise<readonly (Made | NoRoom)[]> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<undefined>((resolve) => {
    // an answer that came in time may not be read yet, where the process was busy
    timer = setTimeout(afterReading, after, () => resolve(undefined))
  })
  const early = await Promise.race([first, late]).finally(() => clearTimeout(timer))
  const second = early ? undefined : begin()
  if (!second) return [await first]
  /** Not needed any more: how long it took so far is what is known of its target. */
  const leave = (call: Promise<Made | NoRoom>): void => {
    call.then(
      (made) => {
        if (made instanceof NoRoom) return
        made.call.done()
        const { attempt } = made.reply
        if (attempt?.failure === 'aborted' && attempt.endedAt !== undefined)
          made.call.called.observe(attempt.endedAt - attempt.startedAt, now())
      },
      () => {}, // it was ended before it began
    )
  }
  try {
    const [one, other] = await Promise.race([first.then((made) => [made, second] as const), second.then((made) => [made, first] as const)])
    if (one instanceof NoRoom || !one.reply.ok) return [one, await other]
    leave(other)
    if (other === first) told.hedged(one.call.track)
    return [one]
  } catch (error) {
    leave(first)
    leave(second)
    throw error
  }
}

/** That there is no room is a result like others: a second call beside that one goes on. */
function orNoRoom(call: Promise<Made>): Promise<Made | NoRoom> {
  return call.catch((error: unknown) => {
    if (error instanceof NoRoom) return error
    throw error
  })
}

/** No try begins so many milliseconds after the first one, whatever the upstreams may take. */
const longestTries = 600_000

/** No call was made. */
function refusal(x: X, noRoom: NoRoom | undefined): Refusal {
  if (x.signal.aborted) return x.refuse('client_closed')
  if (!noRoom) return x.refuse('upstream_timeout', 'The time that this gateway gives a request is over.')
  return x.refuse('overloaded', {
    message: `All calls that this gateway makes of the model provider at the same time are taken, and ${noRoom.message}. Try again in a moment.`,
    retryAfter: 1,
  })
}

/** Nobody is there: another key or model of the same upstream would find the same. */
function isAway({ attempt }: Reply): boolean {
  return attempt?.failure === 'connect' || attempt?.failure === 'connect_timeout'
}

/** Puts the targets of an upstream behind all others. */
function aside(waiting: Candidate[], provider: string): void {
  waiting.sort((a, b) => Number(a.provider === provider) - Number(b.provider === provider))
}

/**
 * Takes the next one to call out of `waiting`: the first that is well and has room; at first one that is not, rather than none.
 * @param atOnce none that has no room
 */
function pick(waiting: Candidate[], tries: number, tooSmall: number | undefined, now: number, atOnce = false): Candidate | undefined {
  let found = -1
  for (let i = 0; i < waiting.length; i++) {
    const { context, track } = waiting[i]!
    if (tooSmall !== undefined && !(context !== undefined && context > tooSmall)) continue
    if (!track.usable(now)) continue
    if (!track.upstream.gate?.full) {
      found = i
      break
    }
    if (found < 0 && !atOnce) found = i
  }
  if (found < 0 && tries === 0) {
    let until = Number.POSITIVE_INFINITY
    for (let i = 0; i < waiting.length; i++) {
      if (waiting[i]!.track.until >= until) continue
      until = waiting[i]!.track.until
      found = i
    }
  }
  return found < 0 ? undefined : waiting.splice(found, 1)[0]
}

/**
 * The home of a conversation, taken out of `waiting`, as long as it is worth staying: it has no room, or asks for a moment. Not while its circuit is open or
 * its key refused.
 */
function atHome(
  waiting: Candidate[],
  { home }: Plan,
  now: number,
  patience: number,
): { readonly candidate: Candidate; readonly from: number } | undefined {
  const candidate = waiting[0]
  if (!home || candidate?.track !== home || home.upstream.restUntil > now || home.upstream.down) return undefined
  if (home.ejectedUntil > now) return undefined
  if (!home.usable(now) && !(home.health.state(now) === 'closed' && home.until - now <= patience)) return undefined
  const { gate } = home.upstream
  if (gate && gate.waiting >= gate.options.queue && gate.full) return undefined
  waiting.shift()
  return { candidate, from: home.until }
}

/** Takes out who may be called again first. */
function soonest(later: Later[]): Later | undefined {
  let found = 0
  for (let i = 1; i < later.length; i++) if (later[i]!.from < later[found]!.from) found = i
  return later.splice(found, 1)[0]
}

/** Milliseconds before the `n`th retry, from 0: doubled each time, less up to a half by chance. */
export function backoffOf(n: number, { backoff, random }: Pick<AttemptOptions, 'backoff' | 'random'>): number {
  return backoff * 2 ** Math.min(n, 10) * (1 - random() / 2)
}

/** True when a plan can only be one call, with nothing to wait for: then nobody needs to stand around it, and `countLone` counts it. */
export function isLone({ candidates }: Plan, { max_time, retries }: AttemptOptions): boolean {
  return retries === 0 && max_time === 0 && candidates.length === 1 && candidates[0]!.track.upstream.gate === undefined
}

/** Counts the one call of a lone plan, when it is over. */
export function countLone(
  { candidates }: Plan,
  { attempts, code, message, served, status }: Outcome,
  options: AttemptOptions,
  timed: boolean,
): void {
  const attempt = attempts[0]
  if (!attempt) return
  const chosen = candidates[0]!
  const track = attempt.upstream === chosen.target.upstream ? chosen.track : options.tracks.of(attempt)
  track.calls++
  if (served) {
    if (timed && attempt.firstContentAt !== undefined) track.observe(attempt.firstContentAt - attempt.startedAt, options.now())
    countServed(track, served, options)
  } else {
    const reply = {
      ok: false,
      attempt,
      status,
      ...(code !== undefined && { code: code as RefusalCode }),
      ...(message !== undefined && { message }),
    }
    blame(reply as Reply, judge(reply as Reply), track, options)
  }
}

/** Counts a call whose reply the client was given, when it is over. */
export function countServed(track: Track, { failure }: Attempt, { now, told }: AttemptOptions): void {
  if (failure === undefined) track.health.succeeded(now())
  else if (failure !== 'aborted') {
    track.failures++
    if (track.health.failed(now(), failure)) told.opened(track)
  }
}

/** Writes down whose fault a failure was. */
function blame(reply: Reply, judged: Judgement, track: Track, { keyRest, now, told }: AttemptOptions): void {
  const { attempt } = reply
  if (judged.blame === undefined || !attempt) return
  const why = `${attempt.failure === 'status' ? attempt.status : attempt.failure}`
  told.failed(track, why)
  track.failures++
  if (judged.blame === 'key') {
    track.upstream.restUntil = now() + keyRest
    track.upstream.lastFailure = why
    track.health.lastFailure = why
  } else if (judged.blame === 'limit' && attempt.retryAfter !== undefined) {
    track.health.rest(now(), Math.min(attempt.retryAfter * 1000, longestRest), why)
  } else if (track.health.failed(now(), why)) told.opened(track)
}

/** Longest time for which a target is left alone because it asks for it, in milliseconds. */
const longestRest = 600_000
