/**
 * Latency: 300 requests per second, open loop, and what a candidate adds to the mock alone and to the floor.
 */

import { type Bench, inTurn, series, shot, withCandidates } from './bench.ts'
import type { BodySize } from './bodies.ts'
import type { LoadResult } from './load.ts'
import type { Mode } from './replies.ts'
import { type Figure, goals } from './report.ts'
import { median } from './stats.ts'

const rate = 300
const cases: readonly (readonly [size: BodySize, mode: Mode, name: string])[] = [
  ['1k', 'whole', '1 KB whole'],
  ['1k', 'burst', '1 KB stream'],
  ['100k', 'whole', '100 KB whole'],
  ['500k', 'whole', '500 KB whole'],
]

export async function latency(bench: Bench): Promise<Figure[]> {
  const candidates = [bench.direct, ...bench.candidates.filter((candidate) => candidate.name !== 'portkey')]
  return withCandidates(bench, candidates, { free: true }, async (running) => {
    const figures: Figure[] = []
    for (const [size, mode, name] of cases) {
      bench.say(`latency at ${rate}/s, ${name}`)
      const times = { p50: series(), p99: series(), first50: series() }
      const errors = series()
      const rounds = Math.min(bench.lengths.rounds, 3)
      for (let round = -1; round < rounds; round++) {
        for (const [candidate, process] of inTurn(running, Math.max(round, 0))) {
          const ms = round < 0 ? 300 : bench.lengths.paced
          const result = await bench.load<LoadResult>({ do: 'paced', shot: shot(process, mode, size), rate, ms })
          if (round < 0) continue
          errors.add(candidate, result.errors)
          for (const key of ['p50', 'p99', 'first50'] as const) times[key].add(candidate, result[key])
        }
      }
      const scenario = `${rate}/s ${name}`
      for (const candidate of running.keys()) {
        const over = (base: string, key: 'p50' | 'p99' | 'first50'): number =>
          median(times[key].of(candidate).map((value, i) => value - (times[key].of(base)[i] ?? Number.NaN)))
        const figure = (what: string, value: number, goal?: Figure['goal']): void => {
          figures.push({ scenario, candidate, what, value, ...(goal ? { goal } : {}) })
        }
        figure('p50 ms', median(times.p50.of(candidate)))
        figure('p99 ms', median(times.p99.of(candidate)))
        if (mode !== 'whole') figure('first byte p50 ms', median(times.first50.of(candidate)))
        if (candidate === 'gateway') {
          figure('p50 ms added to floor', over('floor', 'p50'), size === '1k' ? goals.addedMedian : undefined)
          figure('p99 ms added to floor', over('floor', 'p99'))
          figure('p50 ms added to direct', over('direct', 'p50'))
        }
        const failed = errors.of(candidate).reduce((sum, n) => sum + n, 0)
        if (failed > 0) figure('failed requests', failed, candidate === 'gateway' ? goals.failures : undefined)
      }
    }
    return figures
  })
}
