/**
 * The load generator, a process of its own: takes one job per line of standard input, answers each with one line of JSON.
 *
 * Owns the jobs: `closed` (N connections, each sends again as soon as it is answered), `paced` (a fixed number of requests per
 * second whatever the answers do), and `open`/`count`/`shut` (streams held open). Every job is bounded in number and time.
 */

import { type BodySize, chatBody } from './bodies.ts'
import { type Connection, openConnection, type Timing } from './connection.ts'
import type { Mode } from './replies.ts'
import { modelOf } from './replies.ts'
import { median, percentile } from './stats.ts'

/** What to send where. */
export interface Shot {
  readonly port: number
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly mode: Mode
  readonly size: BodySize
}
export type Job =
  | { readonly do: 'closed'; readonly shot: Shot; readonly connections: number; readonly ms: number }
  | { readonly do: 'paced'; readonly shot: Shot; readonly rate: number; readonly ms: number }
  | { readonly do: 'open'; readonly shot: Shot; readonly streams: number; readonly perSecond: number }
  | { readonly do: 'count' }
  | { readonly do: 'shut' }

/** Times in milliseconds. `first` = to the first byte of the body. */
export interface LoadResult {
  /** Answered with 200 inside the time. */
  requests: number
  /** Answered at all, those after the time too: what CPU time is divided by. */
  answered: number
  errors: number
  ms: number
  p50: number
  p99: number
  first50: number
  first99: number
}
export interface OpenResult {
  opened: number
  errors: number
  first50: number
  first99: number
}
export interface CountResult {
  frames: number
  alive: number
}

const maxConnections = 512
let streams: { connection: Connection; alive: boolean }[] = []

function requestBytes(shot: Shot): Uint8Array {
  const body = chatBody(shot.size, modelOf(shot.mode), shot.mode !== 'whole')
  const headers = { host: '127.0.0.1', 'content-type': 'application/json', ...shot.headers, 'content-length': String(body.length) }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.concat([Buffer.from(`POST ${shot.path} HTTP/1.1\r\n${lines.join('')}\r\n`), body])
}

function summary(timings: readonly Timing[], ms: number, until = Number.POSITIVE_INFINITY): LoadResult {
  const good = timings.filter((t) => t.status === 200 && t.endAt <= until)
  const total = good.map((t) => t.endAt - t.sentAt)
  const first = good.map((t) => t.firstAt - t.sentAt)
  return {
    requests: good.length,
    answered: timings.length,
    errors: timings.filter((t) => t.status !== 200).length,
    ms,
    p50: median(total),
    p99: percentile(total, 0.99),
    first50: median(first),
    first99: percentile(first, 0.99),
  }
}

async function closed(job: Job & { do: 'closed' }): Promise<LoadResult> {
  const request = requestBytes(job.shot)
  const connections = await Promise.all(Array.from({ length: job.connections }, () => openConnection(job.shot.port)))
  const timings: Timing[] = []
  const began = performance.now()
  const until = began + job.ms
  await Promise.all(
    connections.map(
      (connection) =>
        new Promise<void>((resolve) => {
          let failed = 0
          const next = (timing: Timing): void => {
            timings.push(timing)
            if (timing.status !== 200) failed++
            if (timing.endAt >= until || failed > 20) resolve()
            else connection.send(request, next)
          }
          connection.send(request, next)
        }),
    ),
  )
  for (const connection of connections) connection.close()
  return summary(timings, job.ms, until)
}

async function paced(job: Job & { do: 'paced' }): Promise<LoadResult> {
  const request = requestBytes(job.shot)
  const idle = await Promise.all(Array.from({ length: 8 }, () => openConnection(job.shot.port)))
  const all = [...idle]
  const timings: Timing[] = []
  const wanted = Math.floor((job.rate * job.ms) / 1000)
  const began = performance.now()
  let sent = 0
  await new Promise<void>((resolve) => {
    const fire = async (): Promise<void> => {
      let connection = idle.pop()
      if (connection === undefined && all.length < maxConnections) {
        connection = await openConnection(job.shot.port)
        all.push(connection)
      }
      if (connection === undefined) {
        timings.push({ sentAt: 0, firstAt: 0, endAt: 0, status: 0 })
        return
      }
      const used = connection
      used.send(request, (timing) => {
        idle.push(used)
        timings.push(timing)
        if (timings.length >= wanted) resolve()
      })
    }
    const timer = setInterval(() => {
      const due = Math.min(wanted, Math.floor(((performance.now() - began) * job.rate) / 1000))
      while (sent < due) {
        sent++
        void fire()
      }
      if (sent >= wanted) clearInterval(timer)
    }, 1)
    setTimeout(resolve, job.ms + 5000).unref()
  })
  for (const connection of all) connection.close()
  while (timings.length < wanted) timings.push({ sentAt: 0, firstAt: 0, endAt: 0, status: 0 })
  return summary(timings, job.ms)
}

/** Opens streams at a steady pace and answers when each has its first byte, or after 20 s. */
async function open(job: Job & { do: 'open' }): Promise<OpenResult> {
  const request = requestBytes(job.shot)
  const firsts: number[] = []
  let errors = 0
  const began = performance.now()
  const deadline = Promise.withResolvers<void>()
  const timer = setTimeout(deadline.resolve, 20_000 + (job.streams / job.perSecond) * 1000)
  const ready: Promise<void>[] = []
  for (let i = 0; i < job.streams; i++) {
    const wait = began + (i / job.perSecond) * 1000 - performance.now()
    if (wait > 1) await Bun.sleep(wait)
    ready.push(
      openConnection(job.shot.port).then(
        (connection) =>
          new Promise<void>((resolve) => {
            const stream = { connection, alive: true }
            streams.push(stream)
            const done = (): void => {
              stream.alive = false
              resolve()
            }
            connection.send(
              request,
              (timing) => {
                if (timing.firstAt === 0) errors++
                done()
              },
              (timing) => {
                if (timing.status === 200) firsts.push(timing.firstAt - timing.sentAt)
                else errors++
                resolve()
              },
            )
          }),
      ),
    )
  }
  await Promise.race([Promise.all(ready), deadline.promise])
  clearTimeout(timer)
  return { opened: firsts.length, errors: errors, first50: median(firsts), first99: percentile(firsts, 0.99) }
}

function count(): CountResult {
  let frames = 0
  let alive = 0
  for (const stream of streams) {
    frames += stream.connection.frames()
    if (stream.alive) alive++
  }
  return { frames, alive }
}

function shut(): CountResult {
  const result = count()
  for (const stream of streams) stream.connection.close()
  streams = []
  return result
}

async function run(job: Job): Promise<unknown> {
  switch (job.do) {
    case 'closed':
      return closed(job)
    case 'paced':
      return paced(job)
    case 'open':
      return open(job)
    case 'count':
      return count()
    case 'shut':
      return shut()
  }
}

for await (const line of console) console.log(JSON.stringify(await run(JSON.parse(line) as Job)))
process.exit(0)
