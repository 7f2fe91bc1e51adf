import { expect, test } from 'bun:test'
import type { OutlierConfig } from './config.ts'
import { ejectOutliers } from './outliers.ts'
import { Track } from './track.ts'

const config: OutlierConfig = {
  enabled: true,
  interval: 1000,
  minimum: 10,
  errors: 0.25,
  latency: 4,
  time: 30_000,
  max_time: 120_000,
  max_share: 0.5,
}

/** A target with so many calls and failures, and its time to the first content. */
function track(name: string, calls: number, failures: number, ms = 100, now = 0): Track {
  const upstream = { name, restUntil: 0, lastFailure: undefined, gate: undefined, down: false, checked: undefined }
  const made = new Track(`${name} m`, upstream, 'm', undefined)
  for (let i = 0; i < calls; i++) i < failures ? made.health.failed(now, '500') : made.health.succeeded(now)
  made.observe(ms, now)
  return made
}
const names = (peers: readonly Track[], now = 0, more: Partial<OutlierConfig> = {}) =>
  ejectOutliers(peers, now, { ...config, ...more }).map(({ track: { upstream }, why }) => `${upstream.name} ${why}`)

test('one that fails far more often than its peers is left out for a while', () => {
  const peers = [track('a', 20, 0), track('b', 20, 8), track('c', 20, 1), track('d', 20, 0)]
  expect(names(peers)).toEqual(['b errors'])
  expect(peers.map((peer) => peer.usable(29_999))).toEqual([true, false, true, true])
  expect(peers[1]!.usable(30_000)).toBe(true)
})

test('a share of failures that all have is no outlier', () => {
  expect(names([track('a', 20, 8), track('b', 20, 9), track('c', 20, 7)])).toEqual([])
})

test('one that is far slower than its peers, in share and in milliseconds', () => {
  expect(names([track('a', 20, 0, 100), track('b', 20, 0, 900), track('c', 20, 0, 120)])).toEqual(['b latency'])
  expect(names([track('a', 20, 0, 1), track('b', 20, 0, 9), track('c', 20, 0, 1)])).toEqual([])
})

test('never more than the share of the peers that may be, the worst first', () => {
  const peers = [track('a', 20, 0), track('b', 20, 10), track('c', 20, 15), track('d', 20, 0), track('e', 20, 0)]
  expect(names(peers, 0, { max_share: 0.2 })).toEqual(['c errors'])
  expect(names(peers, 1, { max_share: 0.2 })).toEqual([])
  expect(names(peers, 1, { max_share: 0.4 })).toEqual(['b errors'])
  expect(names([track('a', 20, 0), track('b', 20, 20)], 0, { max_share: 0.4 })).toEqual([])
  expect(names([track('a', 20, 0), track('b', 20, 20)], 0)).toEqual(['b errors'])
})

test('nothing is said of few calls, nor of one that has no peer', () => {
  expect(names([track('a', 9, 9), track('b', 20, 0)])).toEqual([])
  expect(names([track('a', 20, 20)])).toEqual([])
})

test('longer each time, up to the most; one that was well for long begins anew', () => {
  const peers = [track('a', 20, 0), track('b', 20, 20), track('c', 20, 0)]
  const again = (now: number) => {
    for (const peer of peers) for (let i = 0; i < 12; i++) peer === peers[1] ? peer.health.failed(now, '500') : peer.health.succeeded(now)
    expect(names(peers, now)).toEqual(['b errors'])
    return peers[1]!.ejectedUntil - now
  }
  expect([again(0), again(40_000), again(110_000), again(240_000)]).toEqual([30_000, 60_000, 120_000, 120_000])
  expect(again(240_000 + 120_000 + 120_001)).toBe(30_000)
})
