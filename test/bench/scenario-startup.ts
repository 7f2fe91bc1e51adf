/**
 * Start: time from starting the process to the first 200 with content, and memory of the idle process. The goals are for the gateway
 * from its sources; the bundle that `bun start` runs stands beside it.
 */

import { type Bench, series, untilReady } from './bench.ts'
import { costOf, freeMeasured } from './processes.ts'
import { type Figure, goals } from './report.ts'
import { median } from './stats.ts'

export async function startup(bench: Bench): Promise<Figure[]> {
  const candidates = [...bench.candidates, bench.fromSource]
  freeMeasured(true)
  const time = series()
  const idle = series()
  for (let round = 0; round < bench.lengths.coldStarts; round++) {
    bench.say(`cold starts, round ${round + 1} of ${bench.lengths.coldStarts}`)
    for (const candidate of candidates) {
      const began = performance.now()
      const running = candidate.start()
      try {
        await untilReady(running)
        time.add(candidate.name, performance.now() - began)
        if (round > 0) continue
        await Bun.sleep(1000)
        idle.add(candidate.name, costOf(running.pid).rss / 1e6)
      } finally {
        await running.stop()
      }
    }
  }
  return candidates.flatMap(({ name }) => {
    const own = name === 'gateway from source'
    const first: Figure = { scenario: 'start', candidate: name, what: 'first 200, ms', value: median(time.of(name)) }
    const memory: Figure = { scenario: 'start', candidate: name, what: 'idle RSS MB', value: median(idle.of(name)) }
    return own
      ? [
          { ...first, goal: goals.coldStart },
          { ...memory, goal: goals.idleMemory },
        ]
      : [first, memory]
  })
}
