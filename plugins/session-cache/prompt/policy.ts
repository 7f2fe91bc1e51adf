/** Which marks one call gets, how long they shall last, and what should be read. Pure: what is known goes in, a choice comes out. */

import type { CacheFacts } from 'headgate/plugin'
import type { Change } from '../watchdog/sent.ts'
import type { Lane } from './lanes.ts'
import { breakEven, type Chances } from './sightings.ts'

/** No text has more tokens than one for two bytes; what is shorter than this is below the provider's minimum for sure. */
const bytesPerToken = 2

export function leastBytes({ minimum }: CacheFacts): number {
  return minimum * bytesPerToken
}

/** `all`: a conversation that goes on. `lead`: only tools and system will come again. `nothing`: a write would not pay. */
export type Worth = 'all' | 'lead' | 'nothing'

/** @param chances asked only where they matter */
export function worthOf(facts: CacheFacts, goesOn: boolean, chances: Chances | undefined): Worth {
  const least = breakEven(facts)
  if (least === 0) return 'all'
  if (least >= 1) return 'nothing'
  // conversations go on in 95 of 100 cases: more than any provider asks for
  if (goesOn || (chances && chances.onward > least)) return 'all'
  return chances && chances.again > least ? 'lead' : 'nothing'
}

/**
 * Whether marks shall ask for the longer lifetime: from the first wait on that outlasted the short one. Measured on hundreds of sessions: writing for an hour
 * from the start costs more than it saves, and so does never doing it.
 * @param gap milliseconds since the last request; absent = not known
 */
export function wantsLong(
  how: 'adaptive' | 'never' | 'always',
  { longLifetime, longName, lifetime }: CacheFacts,
  chosen: boolean,
  gap: number | undefined,
): boolean {
  if (longLifetime === undefined || longName === undefined || how === 'never') return false
  return how === 'always' || chosen || (gap !== undefined && gap > lifetime)
}

/** Tokens that the provider should read: what it had of the last prompt, as far as this one begins with it; 0 when that has expired; undefined = not known. */
export function expectedRead(
  lane: Lane | undefined,
  fresh: boolean,
  now: number,
  change: Change | undefined,
  sameRoute: boolean,
): number | undefined {
  if (!lane) return fresh ? 0 : undefined
  if (lane.cached < 0) return undefined
  if (!sameRoute || now - lane.at > lane.lifetime) return 0
  if (!change) return lane.cached
  return lane.sent.size === 0 ? 0 : Math.floor(lane.cached * Math.min(1, change.before / lane.sent.size))
}

/** What of a prompt the provider has in its cache once the reply is there. */
export function cachedOf(facts: CacheFacts, input: number, read: number, written: number): number {
  if (facts.caching === 'none') return 0
  if (facts.caching === 'marks' || written > 0) return read + written
  return input >= facts.minimum ? input : 0
}
