/**
 * Throughput: closed loop, all cases of body size and form. Requests per second and CPU per request.
 *
 * Goals are the gateway's, as ratios to the floor measured in the same round.
 */

import { type Bench, inTurn, series, shot, withCandidates } from './bench.ts'
import type { BodySize } from './bodies.ts'
import type { LoadResult } from './load.ts'
import { costOf } from './processes.ts'
import type { Mode } from './replies.ts'
import { type Figure, goals, medianRatio } from './report.ts'
import { median } from './stats.ts'

const cases: readonly (readonly [size: BodySize, mode: Mode, name: string])[] = [
  ['1k', 'whole', '1 KB whole'],
  ['1k', 'burst', '1 KB stream'],
  ['100k', 'whole', '100 KB whole'],
  ['100k', 'burst', '100 KB stream'],
  ['500k', 'whole', '500 KB whole'],
  ['500k', 'burst', '500 KB stream'],
]
const connections = 32

export async function throughput(bench: Bench): Promise<Figure[]> {
  return withCandidates(bench, bench.candidates, {}, async (running) => {
    const figures: Figure[] = []
    for (const [size, mode, name] of cases) {
      bench.say(`throughput, ${name}`)
      const rate = series()
      const cpu = series()
      const peak = series()
      const busy = series()
      const errors = series()
      for (let round = -1; round < bench.lengths.rounds; round++) {
        for (const [candidate, process] of inTurn(running, Math.max(round, 0))) {
          const before = costOf(process.pid)
          const result = await bench.load<LoadResult>({
            do: 'closed',
            shot: shot(process, mode, size),
            connections,
            ms: bench.lengths.closed,
          })
          const after = costOf(process.pid)
          errors.add(candidate, result.errors)
          if (round < 0) continue
          rate.add(candidate, (result.requests / result.ms) * 1000)
          cpu.add(candidate, (after.cpu - before.cpu) / Math.max(result.answered, 1))
          peak.add(candidate, after.peak / 1e6)
          busy.add(candidate, (after.cpu - before.cpu) / result.ms / 10)
        }
      }
      const large = size !== '1k'
      for (const candidate of running.keys()) {
        const own = candidate === 'gateway'
        const base = { scenario: name, candidate }
        figures.push({
          ...base,
          what: 'requests/s',
          value: median(rate.of(candidate)),
          ratio: medianRatio(rate.of(candidate), rate.of('floor')),
          ...(own ? { goal: large ? goals.requestRateLarge : goals.requestRate } : {}),
        })
        figures.push({
          ...base,
          what: 'CPU us/request',
          value: median(cpu.of(candidate)),
          ratio: medianRatio(cpu.of(candidate), cpu.of('floor')),
          ...(own ? { goal: large ? goals.cpuLarge : goals.cpu } : {}),
        })
        figures.push({ ...base, what: 'cores busy, %', value: median(busy.of(candidate)) })
        figures.push({ ...base, what: 'peak RSS MB so far', value: Math.max(...peak.of(candidate)) })
        const failed = errors.of(candidate).reduce((sum, n) => sum + n, 0)
        if (failed > 0) figures.push({ ...base, what: 'failed requests', value: failed, ...(own ? { goal: goals.failures } : {}) })
        if (candidate === 'portkey' && running.has('gateway')) {
          figures.push({
            scenario: name,
            candidate: 'gateway',
            what: 'requests/s over portkey (as ratio)',
            value: median(rate.of('gateway')),
            ratio: medianRatio(rate.of('gateway'), rate.of('portkey')),
            ...(name === cases[0]![2] ? { goal: goals.peerRate } : {}),
          })
        }
      }
    }
    return figures
  })
}
