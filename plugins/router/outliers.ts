/**
 * Outliers: of several targets of one model, the one that fails or lags far beyond the others is left out for a while.
 *
 * A circuit breaker knows one target; this compares. It needs enough calls of each, and never leaves out more than a share of them, so that a provider-wide
 * bad hour does not leave everything to one. Pure but for the marks on the tracks.
 */

import type { OutlierConfig } from './config.ts'
import type { Track } from './track.ts'

export interface Outlier {
  readonly track: Track
  readonly why: 'errors' | 'latency'
  /** How far off, to choose the worst. */
  readonly by: number
}

/** Finds the outliers among the targets of one model, the worst first. Those left out already are not among them. */
export function findOutliers(peers: readonly Track[], now: number, config: OutlierConfig): Outlier[] {
  const known = peers.flatMap((track) => {
    const { calls, failures } = track.health.counts(now)
    return calls >= config.minimum && track.ejectedUntil <= now ? [{ track, share: failures / calls, ms: track.firstContent }] : []
  })
  if (known.length < 2) return []
  const found: Outlier[] = []
  for (const one of known) {
    const others = known.filter((other) => other !== one)
    const share = one.share - median(others.map((other) => other.share))
    const usual = median(others.flatMap((other) => (other.ms > 0 ? [other.ms] : [])))
    if (share >= config.errors) found.push({ track: one.track, why: 'errors', by: 1 + share })
    else if (usual > 0 && one.ms >= usual * config.latency && one.ms - usual >= leastLag) {
      found.push({ track: one.track, why: 'latency', by: 1 - usual / one.ms })
    }
  }
  return found.sort((a, b) => b.by - a.by)
}

/** Milliseconds below which nobody is called slow. */
const leastLag = 50

/** Leaves outliers of one model out, as many as may be. Gives those that were. */
export function ejectOutliers(peers: readonly Track[], now: number, config: OutlierConfig): readonly Outlier[] {
  const out = peers.filter((track) => track.ejectedUntil > now).length
  const may = Math.floor(peers.length * config.max_share) - out
  if (may <= 0) return []
  const ejected = findOutliers(peers, now, config).slice(0, may)
  for (const { track, why } of ejected) {
    // one that was well for long begins anew
    if (now - track.ejectedUntil > config.max_time) track.ejections = 0
    track.ejectedUntil = now + Math.min(config.time * 2 ** Math.min(track.ejections, 20), config.max_time)
    track.ejections++
    track.health.lastFailure = `outlier: ${why}`
    track.firstContent = 0
  }
  return ejected
}

function median(values: readonly number[]): number {
  if (values.length === 0) return 0
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
