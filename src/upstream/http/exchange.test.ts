import { describe, expect, test } from 'bun:test'
import { type HttpCall, httpCall } from '../../../test/support/http-call.ts'
import { answer, rawServer, send } from '../../../test/support/raw-server.ts'
import { createHttpClient } from './client.ts'

const ok = 'HTTP/1.1 200 OK\r\n'

describe('abort', () => {
  test('the server sees it at once; nothing is called afterwards', async () => {
    using server = rawServer(({ socket }) => send(socket, `${ok}transfer-encoding: chunked\r\n\r\n2\r\nab\r\n`))
    const client = createHttpClient()
    const call = httpCall(client, server.url, { on: (event) => event === 'data' && call.request.abort() })
    await call.headed
    const started = performance.now()
    await server.allClosed()
    expect(performance.now() - started).toBeLessThan(500)
    expect(call.calls).toEqual(['head', 'data'])
    expect(client.stats()).toEqual({ open: 0, idle: 0 })
    call.request.abort()
    call.request.pause()
    call.request.resume()
  })

  test('before the connection, in head, while paused, at the end', async () => {
    using server = rawServer(({ socket }) => send(socket, answer('x')))
    const client = createHttpClient()
    const early = httpCall(client, server.url)
    early.request.abort()
    const inHead = httpCall(client, server.url, { on: () => inHead.request.abort() })
    await inHead.headed
    const atEnd = httpCall(client, server.url, { on: (event) => event === 'end' && atEnd.request.abort() })
    await atEnd.over
    expect([early.calls, inHead.calls, atEnd.calls]).toEqual([[], ['head'], ['head', 'data', 'end']])
    expect(client.stats()).toEqual({ open: 1, idle: 1 })
    client.close()
    await server.allClosed()
  })

  test('3,000 aborted streams: no connection stays, memory is flat', async () => {
    const frame = Buffer.from(`800\r\n${'x'.repeat(2048)}\r\n`)
    using server = rawServer(({ socket }) => {
      send(socket, `${ok}transfer-encoding: chunked\r\n\r\n`)
      for (let count = 0; count < 8; count += 1) send(socket, frame)
    })
    const client = createHttpClient()
    const round = async (count: number): Promise<void> => {
      for (let done = 0; done < count; done += 50) {
        const calls = Array.from({ length: 50 }, () =>
          httpCall(client, server.url, { discard: true, on: (event, call) => event === 'data' && call.request.abort() }),
        )
        await Promise.all(calls.map((call) => call.headed))
        await server.allClosed()
      }
      Bun.gc(true)
    }
    await round(500)
    const before = process.memoryUsage.rss()
    await round(2500)
    expect((process.memoryUsage.rss() - before) / 1e6).toBeLessThan(25)
    expect(client.stats()).toEqual({ open: 0, idle: 0 })
  })
})

describe('backpressure', () => {
  test('four paused requests against a flood: what is held stays bounded; resumed they get everything', async () => {
    const total = 40_000_000
    const block = Buffer.alloc(1_000_000, 'flood;')
    const left = new Map<unknown, number>()
    using server = rawServer(() => {}, {
      onBytes(socket) {
        send(socket, `${ok}content-length: ${total}\r\n\r\n`)
        left.set(socket, total)
        const pump = (): void => {
          for (let rest = left.get(socket) ?? 0; rest > 0; ) {
            const written = socket.write(block.subarray(0, Math.min(rest, block.length)))
            if (written <= 0) break
            rest -= written
            left.set(socket, rest)
          }
          if ((left.get(socket) ?? 0) > 0 && socket.readyState === 1) setTimeout(pump, 2)
        }
        pump()
      },
    })
    const client = createHttpClient()
    Bun.gc(true)
    const before = process.memoryUsage.rss()
    const calls = Array.from({ length: 4 }, () =>
      httpCall(client, server.url, { discard: true, on: (event, call) => event === 'head' && call.request.pause() }),
    )
    await Promise.all(calls.map((call) => call.headed))
    await Bun.sleep(20)
    const held = calls.map((call) => call.bytes)
    await Bun.sleep(150)
    expect(calls.map((call) => call.bytes)).toEqual(held)
    for (const bytes of held) expect(bytes).toBeLessThanOrEqual(524_288)
    expect((process.memoryUsage.rss() - before) / 1e6).toBeLessThan(60)
    for (const call of calls) call.request.resume()
    await Promise.all(calls.map((call) => call.over))
    expect(calls.map((call) => call.bytes)).toEqual([total, total, total, total])
    expect(client.stats()).toEqual({ open: 4, idle: 4 })
    client.close()
  })

  test('a FIN while paused loses nothing', async () => {
    using server = rawServer(({ socket }) => {
      send(socket, `${ok}\r\nfirst `)
      setTimeout(() => {
        send(socket, 'second')
        socket.end()
      }, 10)
    })
    const call = httpCall(createHttpClient(), server.url, { on: (event, self) => event === 'head' && self.request.pause() })
    await call.headed
    await Bun.sleep(40)
    expect(call.text()).toBe('first ')
    call.request.resume()
    await call.over
    expect([call.text(), call.delimited]).toEqual(['first second', false])
  })

  test('a request paused from the start waits; its connection is usable afterwards', async () => {
    using server = rawServer(({ socket }) => send(socket, answer('x')))
    const client = createHttpClient()
    const call = httpCall(client, server.url)
    call.request.pause()
    await Bun.sleep(20)
    expect(call.calls).toEqual([])
    call.request.resume()
    await call.over
    const again = httpCall(client, server.url, { on: (event, self) => event === 'data' && self.request.pause() })
    expect((await again.over).text()).toBe('x') // ended in the read that paused it
    expect((await httpCall(client, server.url).over).text()).toBe('x')
    expect(server.connections).toBe(1)
  })
})

test('a callback that throws fails its own request only', async () => {
  using server = rawServer(({ socket }) => send(socket, answer('x')))
  const client = createHttpClient()
  for (const at of ['head', 'data'] as const) {
    const call = await httpCall(client, server.url, {
      on(event) {
        if (event === at) throw new Error('boom')
      },
    }).over
    expect(call.error).toMatchObject({ kind: 'handler', sent: true, answered: true })
    expect(call.error?.message).toContain('boom')
    await server.allClosed()
  }
  for (const at of ['end', 'error'] as const) {
    const call = httpCall(client, at === 'end' ? server.url : 'http://127.0.0.1:1/', {
      on(event) {
        if (event === at) throw new Error('boom')
      },
    })
    expect((await call.over).calls.at(-1)).toBe(at)
  }
  expect((await httpCall(client, server.url).over).text()).toBe('x')
})

test('a pause takes hold at once: a flood brings no more than what one read brought', async () => {
  const size = 16 * 1024 * 1024
  using server = rawServer(({ socket }) => send(socket, `${ok}content-length: ${size}\r\n\r\n${'x'.repeat(size)}`))
  const client = createHttpClient()
  let most = 0
  let atPause = -1
  const call: HttpCall = httpCall(client, server.url, {
    discard: true,
    on: (event) => {
      if (event !== 'data' || atPause >= 0) return
      atPause = call.bytes
      call.request.pause()
      // long enough for the kernel to have much more
      setTimeout(() => {
        most = Math.max(most, call.bytes - atPause)
        atPause = -1
        call.request.resume()
      }, 5)
    },
  })
  await call.over
  expect(call.bytes).toBe(size)
  expect(most).toBeLessThan(1024 * 1024)
})
