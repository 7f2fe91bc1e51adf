/**
 * Streams: CPU per chunk of 200 fast ones, and memory and first-byte time of 2,000 slow ones.
 */

import { type Bench, inTurn, series, shot, withCandidates } from './bench.ts'
import type { Running } from './candidates.ts'
import type { CountResult, OpenResult } from './load.ts'
import { costOf } from './processes.ts'
import { type Figure, goals, medianRatio } from './report.ts'
import { median } from './stats.ts'

const fastStreams = 200

/** 200 streams of 50 chunks of 190 bytes per second each: CPU per chunk. */
export async function chunks(bench: Bench): Promise<Figure[]> {
  return withCandidates(bench, bench.candidates, {}, async (running) => {
    const cpu = series()
    const seen = series()
    const rounds = Math.min(bench.lengths.rounds, 5)
    for (let round = -1; round < rounds; round++) {
      bench.say(`chunks, round ${round + 1} of ${rounds}`)
      for (const [candidate, process] of inTurn(running, Math.max(round, 0))) {
        await bench.load<OpenResult>({ do: 'open', shot: shot(process, 'paced', '1k'), streams: fastStreams, perSecond: 2000 })
        const begin = { ...(await bench.load<CountResult>({ do: 'count' })), cpu: costOf(process.pid).cpu }
        // the general warm-up has no streams that last: their way is compiled in the first round
        await Bun.sleep(round < 0 ? bench.lengths.warm : bench.lengths.chunks)
        const end = { ...(await bench.load<CountResult>({ do: 'count' })), cpu: costOf(process.pid).cpu }
        await bench.load<CountResult>({ do: 'shut' })
        await Bun.sleep(50)
        if (round < 0) continue
        const frames = end.frames - begin.frames
        cpu.add(candidate, (end.cpu - begin.cpu) / Math.max(frames, 1))
        seen.add(candidate, frames / (bench.lengths.chunks / 1000))
      }
    }
    const scenario = `${fastStreams} streams x 50/s`
    return [...running.keys()].flatMap((candidate) => [
      {
        scenario,
        candidate,
        what: 'CPU us/chunk',
        value: median(cpu.of(candidate)),
        ratio: medianRatio(cpu.of(candidate), cpu.of('floor')),
        ...(candidate === 'gateway' ? { goal: goals.chunkCpu } : {}),
      },
      { scenario, candidate, what: 'chunks/s delivered', value: median(seen.of(candidate)) },
    ])
  })
}

/** 2,000 streams of one chunk per second: memory for each open one, time to the first byte. A fresh process for each candidate. */
export async function slowStreams(bench: Bench): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const candidate of bench.candidates) {
    bench.say(`slow streams, ${candidate.name}`)
    const held = await withCandidates(bench, [candidate], { free: true, light: true }, (running) =>
      holdStreams(bench, candidate.name, running.get(candidate.name)!),
    )
    figures.push(...held)
  }
  return figures
}

async function holdStreams(bench: Bench, candidate: string, running: Running): Promise<Figure[]> {
  const streams = bench.lengths.slowStreams
  await Bun.sleep(300)
  const before = costOf(running.pid)
  const opened = await bench.load<OpenResult>({ do: 'open', shot: shot(running, 'slow', '1k'), streams, perSecond: 1000 })
  await Bun.sleep(bench.lengths.slow)
  const during = costOf(running.pid)
  const { alive } = await bench.load<CountResult>({ do: 'shut' })
  const scenario = `${streams} slow streams`
  const figure = (what: string, value: number, goal?: Figure['goal']): Figure => ({
    scenario,
    candidate,
    what,
    value,
    ...(goal ? { goal } : {}),
  })
  return [
    figure('KB per open stream', (during.rss - before.rss) / 1024 / streams, candidate === 'gateway' ? goals.streamMemory : undefined),
    figure('peak RSS MB', during.peak / 1e6),
    figure('first byte p50 ms', opened.first50),
    figure('first byte p99 ms', opened.first99),
    figure('streams not open at the end', streams - alive, candidate === 'gateway' ? goals.failures : undefined),
  ]
}
