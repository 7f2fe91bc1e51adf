/**
 * What the scenarios share: the mock, the load generator, started candidates and the length of a round.
 *
 * Owns their start, readiness and end. Candidates of one scenario run at the same time but are loaded one after the other, in
 * turns that change from round to round, so that a slow minute of the machine hits all of them.
 */

import { type BodySize, chatBody } from './bodies.ts'
import type { Candidate, Running } from './candidates.ts'
import type { Job, Shot } from './load.ts'
import { freeMeasured, type Started, start } from './processes.ts'
import { type Mode, modelOf } from './replies.ts'

export interface Lengths {
  readonly rounds: number
  /** Milliseconds of load of each kind before anything is measured: the JIT compilers need some 40,000 requests. */
  readonly warm: number
  /** Milliseconds of one closed-loop round, of one paced round, of counting stream chunks, of holding slow streams. */
  readonly closed: number
  readonly paced: number
  readonly chunks: number
  readonly slow: number
  readonly slowStreams: number
  readonly coldStarts: number
}
export const fullLengths: Lengths = {
  rounds: 9,
  warm: 4000,
  closed: 500,
  paced: 2000,
  chunks: 2500,
  slow: 2000,
  slowStreams: 2000,
  coldStarts: 5,
}
export const quickLengths: Lengths = {
  rounds: 2,
  warm: 1000,
  closed: 250,
  paced: 500,
  chunks: 800,
  slow: 300,
  slowStreams: 2000,
  coldStarts: 2,
}

export interface Bench {
  readonly lengths: Lengths
  readonly candidates: readonly Candidate[]
  readonly direct: Candidate
  /** The gateway from its sources. */
  readonly fromSource: Candidate
  /** Runs one job of the load generator. */
  load<T>(job: Job): Promise<T>
  /** Says what goes on. */
  say(text: string): void
}

/** Starts the mock upstream and gives its port. */
export async function startMock(): Promise<number> {
  const mock = start(['bun', `${import.meta.dir}/mock.ts`], 'load', { output: 'pipe' })
  const line = await lines(mock).next()
  if (line.done) throw new Error('the mock upstream did not start')
  return (JSON.parse(line.value) as { port: number }).port
}

/** Starts the load generator and gives the function that runs its jobs, one at a time. */
export function startLoad(): Bench['load'] {
  const generator = start(['bun', `${import.meta.dir}/load.ts`], 'load', { output: 'pipe' })
  const answers = lines(generator)
  const input = generator.process.stdin
  if (typeof input !== 'object') throw new Error('the load generator has no input')
  return async <T>(job: Job): Promise<T> => {
    input.write(`${JSON.stringify(job)}\n`)
    input.flush()
    const line = await answers.next()
    if (line.done) throw new Error(`the load generator ended during ${job.do}`)
    return JSON.parse(line.value) as T
  }
}

async function* lines(from: Started): AsyncGenerator<string, undefined> {
  const output = from.process.stdout
  if (!(output instanceof ReadableStream)) return undefined
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of output) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = parts.pop() ?? ''
    yield* parts
  }
  return undefined
}

export function shot(running: Running, mode: Mode, size: BodySize): Shot {
  return { ...running.address(mode), mode, size }
}

/**
 * Waits until a real request gets a 200 with content.
 * @returns milliseconds waited.
 * @throws Error after `limit` milliseconds, with what was seen last.
 */
export async function untilReady(running: Running, limit = 15_000): Promise<number> {
  const { port, path, headers } = running.address('whole')
  const body = chatBody('1k', modelOf('whole'), false)
  const began = performance.now()
  let seen = 'no connection'
  while (performance.now() - began < limit) {
    try {
      const init = { method: 'POST', headers: { ...headers, 'content-type': 'application/json', connection: 'close' }, body }
      const response = await fetch(`http://127.0.0.1:${port}${path}`, init)
      const text = await response.text()
      if (response.status === 200 && text.includes('A plain answer.')) return performance.now() - began
      seen = `${response.status} ${text.slice(0, 300)}`
    } catch {
      // Not listening yet.
    }
    await Bun.sleep(4)
  }
  throw new Error(`not ready after ${limit} ms: ${seen}`)
}

/**
 * Starts all candidates, waits for them, warms them up, runs `body`, ends them.
 *
 * With `free` they may use all cores: where waiting is measured, a compiler thread must not stand in the way of the only core.
 * A `light` warm-up leaves no garbage behind that would hide what memory is used for next.
 */
export async function withCandidates<T>(
  bench: Bench,
  candidates: readonly Candidate[],
  { free = false, light = false }: { free?: boolean; light?: boolean },
  body: (running: ReadonlyMap<string, Running>) => Promise<T>,
): Promise<T> {
  freeMeasured(free)
  const running = new Map(candidates.map((candidate) => [candidate.name, candidate.start()]))
  try {
    for (const one of running.values()) await untilReady(one)
    bench.say(`warming up ${[...running.keys()].join(', ')}`)
    for (const [name, one] of running) {
      if (name === 'direct') continue
      for (const mode of ['whole', 'burst'] as const) {
        await bench.load({ do: 'closed', shot: shot(one, mode, '1k'), connections: light ? 8 : 32, ms: light ? 200 : bench.lengths.warm })
      }
    }
    return await body(running)
  } finally {
    await Promise.all([...running.values()].map((one) => one.stop()))
  }
}

/** The entries of a map in an order that changes with `round`. */
export function inTurn<T>(running: ReadonlyMap<string, T>, round: number): [string, T][] {
  const all = [...running]
  const from = round % all.length
  return [...all.slice(from), ...all.slice(0, from)]
}

/** Lists by name that grow round by round. */
export function series(): { add(name: string, value: number): void; of(name: string): readonly number[] } {
  const lists = new Map<string, number[]>()
  return {
    add(name, value) {
      const list = lists.get(name)
      if (list) list.push(value)
      else lists.set(name, [value])
    },
    of: (name) => lists.get(name) ?? [],
  }
}
