/**
 * The own HTTP client against Bun's fetch: CPU per request and per streamed chunk of the calling process.
 *
 * `bun test/bench/http-client.ts`. The mock upstream is a second process; rounds are interleaved, the median counts. Both
 * sides are reached through what the gateway would write: callbacks here, `await fetch` and a reader loop there.
 */

import { createHttpClient } from '../../src/upstream/http/client.ts'
import { parseUrl } from '../../src/upstream/http/origin.ts'

const requests = 3000
const concurrency = 32
const streams = 100
const chunksPerStream = 100
const rounds = 5
const frame = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"Hello wor"},"finish_reason":null}]}\n\n`

if (process.argv[2] === 'mock') mock()
else await bench()

/** `/whole`: 1 KB answer. `/stream`: frames 5 ms apart, each written alone. Raw sockets, so that it costs little. */
function mock(): void {
  const whole = Buffer.from(
    `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: r\r\ncontent-length: 1024\r\n\r\n${'x'.repeat(1024)}`,
  )
  const head = Buffer.from('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n')
  const chunk = Buffer.from(`${frame.length.toString(16)}\r\n${frame}\r\n`)
  interface State {
    left: number
    timer: ReturnType<typeof setInterval> | undefined
  }
  const listener = Bun.listen<State>({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      open(socket) {
        socket.data = { left: 0, timer: undefined }
      },
      data(socket, bytes) {
        const state = socket.data
        if (state.left === 0) {
          const end = bytes.indexOf('\r\n\r\n') + 4
          const text = bytes.toString('latin1', 0, end)
          if (text.startsWith('POST /stream')) {
            socket.write(head)
            let count = 0
            state.timer = setInterval(() => {
              socket.write(chunk)
              count += 1
              if (count < chunksPerStream) return
              clearInterval(state.timer)
              socket.write('0\r\n\r\n')
            }, 5)
            return
          }
          state.left = Number(/content-length: (\d+)/i.exec(text)?.[1]) - (bytes.length - end)
        } else state.left -= bytes.length
        if (state.left <= 0) {
          state.left = 0
          socket.write(whole)
        }
      },
      close: (socket) => clearInterval(socket.data.timer),
      error() {},
    },
  })
  console.log(listener.port)
}

async function bench(): Promise<void> {
  const child = Bun.spawn([process.execPath, import.meta.path, 'mock'], { stdout: 'pipe' })
  const { value } = await child.stdout.getReader().read()
  const base = `http://127.0.0.1:${Buffer.from(value ?? [])
    .toString()
    .trim()}`
  const client = createHttpClient()
  const headers = new Headers({ authorization: 'Bearer k', 'content-type': 'application/json', 'user-agent': 'bench' })

  const own = (path: string, body: Uint8Array): Promise<number> =>
    new Promise((resolve, reject) => {
      let bytes = 0
      client.request({
        ...parseUrl(base + path),
        method: 'POST',
        headers,
        body: [body],
        connectTimeout: 5000,
        handler: {
          head() {},
          data(chunk) {
            bytes += chunk.length
          },
          end: () => resolve(bytes),
          error: (error) => reject(new Error(error.message)),
        },
      })
    })
  const byFetch = async (path: string, body: Uint8Array): Promise<number> => {
    const response = await fetch(base + path, { method: 'POST', headers, body: body as Uint8Array<ArrayBuffer> })
    const reader = (response.body as ReadableStream<Uint8Array>).getReader()
    let bytes = 0
    for (;;) {
      const { done, value: chunk } = await reader.read()
      if (done) return bytes
      bytes += chunk.length
    }
  }

  const cases: [name: string, units: number, run: (call: typeof own) => Promise<void>][] = []
  for (const size of [1024, 102_400]) {
    const body = Buffer.alloc(size, 'b')
    cases.push([
      `whole, ${size / 1024} KB request, µs CPU per request`,
      requests,
      async (call) => {
        let left = requests
        const worker = async (): Promise<void> => {
          while (left-- > 0) if ((await call('/whole', body)) !== 1024) throw new Error('short answer')
        }
        await Promise.all(Array.from({ length: concurrency }, worker))
      },
    ])
  }
  cases.push([
    `stream, ${frame.length} B frames, µs CPU per chunk`,
    streams * chunksPerStream,
    async (call) => {
      const sizes = await Promise.all(Array.from({ length: streams }, () => call('/stream', Buffer.from('{}'))))
      if (sizes.some((size) => size !== frame.length * chunksPerStream)) throw new Error('short stream')
    },
  ])

  for (const [name, units, run] of cases) {
    const cost: Record<'own' | 'fetch', number[]> = { own: [], fetch: [] }
    for (let round = 0; round <= rounds; round += 1) {
      for (const [kind, call] of [['own', own] as const, ['fetch', byFetch] as const]) {
        const before = process.cpuUsage()
        await run(call)
        const { user, system } = process.cpuUsage(before)
        if (round > 0) cost[kind].push((user + system) / units) // the first round warms up
      }
    }
    const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN
    console.log(`${name}: own ${median(cost.own).toFixed(1)}, fetch ${median(cost.fetch).toFixed(1)}`)
  }
  client.close()
  child.kill()
}
