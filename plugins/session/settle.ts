/**
 * What a settled exchange leaves in its session and lane: where the conversation stands, and what its prompt was billed.
 *
 * Changes what this process knows, and nothing else.
 */

import type { LaneState } from 'headgate/plugin'
import type { Chain } from './chain.ts'
import type { Found } from './identify.ts'

export interface Settled {
  readonly chain: Chain
  readonly now: number
  /** The client was given its answer, to the end. */
  readonly answered: boolean
  /** Input tokens that were billed, where that is known. */
  readonly input: number | undefined
  /** Tokens of the answer that the client was shown. */
  readonly output?: number | undefined
  /** More of what the lane's last exchange was. */
  readonly state?: Omit<LaneState, 'at' | 'units' | 'input'>
}

/** Counted requests that a lane remembers: a conversation is often edited a few turns back. */
const mostAnchors = 4

/** Puts the end of an exchange into its session. */
export function settleSession({ session, lane }: Found, { chain, now, answered, input, output, state }: Settled): void {
  const units = chain.hashes.length - 1
  const hash = chain.hashes[units]!
  session.seen = Math.max(session.seen, now)
  lane.seen = Math.max(lane.seen, now)
  if (session.tail === hash) session.state = answered ? 'answered' : 'broken'
  if (answered) {
    session.answered = hash
    session.answer = output
  }
  if (input === undefined && state === undefined) return
  lane.last = { at: now, units, ...(input !== undefined && { input }), ...state }
  if (input === undefined) return
  lane.anchors = [{ hash, units, input }, ...lane.anchors.filter((other) => other.hash !== hash).slice(0, mostAnchors - 1)]
}
