/** Where the usage that an upstream reports becomes that of its call, once for streams and whole replies. */

import type { Dialect } from '../dialect/codec.ts'
import { saysNothing } from '../plugin/cost.ts'
import type { Attempt, Usage } from '../plugin/outcome.ts'

/**
 * Notes what a call used. Zeros for content come from backends that do not count: nothing is known then (E10), and whoever estimates what nobody reported
 * does so. What gave no content may well have used nothing.
 */
export function noteUsage(attempt: Attempt, usage: Usage | undefined): void {
  if (!usage) return
  const uncounted = attempt.firstContentAt !== undefined && saysNothing(usage)
  attempt.usage = uncounted ? { ...usage, source: 'unknown' } : usage
}

/**
 * Notes what those of several calls used that were answered well, of a request that failed all the same.
 * @param all nothing else was under way: else it is not known what that used
 */
export function noteWasted(attempt: Attempt, dialect: Dialect, answers: Uint8Array, all: boolean): void {
  const { usage } = dialect.summary(answers)
  if (usage) attempt.usage = all || usage.source !== 'reported' ? usage : { ...usage, source: 'partial' }
}
