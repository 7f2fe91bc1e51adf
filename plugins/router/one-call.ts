/**
 * One call of one target: a place at its upstream, the call, and what it shows of the target. Counted in and out exactly once.
 *
 * Decides nothing: whether the reply is served or another target is tried is for `attempts.ts`.
 */

import { type Next, Principal, type Reply } from 'headgate/plugin'
import type { Candidate } from './order.ts'
import type { X } from './plan.ts'
import type { Track, Tracks } from './track.ts'

/** A call that counts as under way until it is done. */
export interface CallUnderWay {
  readonly track: Track
  /** Who was called: not always who was chosen, for the gateway sends what goes on from an earlier response to where that is. */
  readonly called: Track
  /** It is over. More than once is as good as once. */
  done(): void
}

export interface Made {
  readonly candidate: Candidate
  readonly reply: Reply
  /** Done already when the reply is not ok. */
  readonly call: CallUnderWay
}

export interface CallContext {
  readonly now: () => number
  readonly tracks: Pick<Tracks, 'of'>
}

/**
 * Calls a target, after a pause and when there is room.
 * @param pause milliseconds
 * @throws NoRoom
 */
export async function callOne(
  x: X,
  next: Next,
  candidate: Candidate,
  pause: number,
  signal: AbortSignal | undefined,
  { now, tracks }: CallContext,
): Promise<Made> {
  const { target, track } = candidate
  const { gate } = track.upstream
  let inside = false
  /** Nobody waits for it any more. */
  let over = false
  let probe = false
  const aim = (): void => {
    x.setTarget(target)
    if (x.request.model !== target.model) x.request.setModel(target.model)
    x.state.prepare?.(candidate)
  }
  const begin = (): void => {
    inside = true
    track.calls++
    x.state.tried.push(track)
    track.inflight++
    probe = track.health.begin(now())
    aim() // another call may have been made meanwhile
  }
  const enter = async (): Promise<void> => {
    if (pause > 0) await Bun.sleep(pause)
    await gate?.enter(x.peek(Principal)?.account ?? x.ip, x)
    if (over) gate?.leave()
    else begin()
  }
  const done = (): void => {
    over = true
    if (!inside) return
    inside = false
    track.inflight--
    if (probe) track.health.probed()
    gate?.leave()
  }
  let after: Promise<void> | undefined
  if (pause > 0 || gate?.full) {
    after = enter()
    after.catch(() => {}) // `next` may not come to wait for it
  } else {
    void gate?.enter('', x) // there is room: it is in at once
    begin()
  }
  let reply: Reply
  try {
    reply = await (after || signal ? next({ ...(after && { after }), ...(signal && { signal }) }) : next())
  } catch (error) {
    done()
    throw error
  }
  const { attempt } = reply
  const called = attempt && attempt.upstream !== target.upstream ? tracks.of(attempt) : track
  if (!reply.ok) done()
  else {
    called.health.answered(now())
    if (attempt?.firstContentAt !== undefined && x.operation !== 'count_tokens') {
      called.observe(attempt.firstContentAt - attempt.startedAt, now())
    }
  }
  return { candidate, reply, call: { track, called, done } }
}
