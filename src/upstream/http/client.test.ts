import { describe, expect, spyOn, test } from 'bun:test'
import { httpCall } from '../../../test/support/http-call.ts'
import { answer, rawServer, send } from '../../../test/support/raw-server.ts'
import { createHttpClient } from './client.ts'

const ok = 'HTTP/1.1 200 OK\r\n'

describe('answers', () => {
  test('every framing, cut at every byte on a real socket (A01)', async () => {
    const texts = [
      { text: answer('hello'), delimited: true },
      { text: `${ok}transfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nt: 1\r\n\r\n`, delimited: true },
      { text: `HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n${answer('hello')}`, delimited: true },
      { text: `${ok}connection: close\r\n\r\nhello`, delimited: false },
    ]
    for (const { text, delimited } of texts) {
      using server = rawServer(({ socket, text: request }) => {
        const cut = Number(/^GET \/(\d+)/.exec(request)?.[1])
        send(socket, text.slice(0, cut))
        setTimeout(() => {
          send(socket, text.slice(cut))
          if (!delimited) socket.end()
        }, 2)
      })
      const client = createHttpClient()
      const cuts = Array.from({ length: text.length - 1 }, (_, index) => index + 1)
      const calls = await Promise.all(cuts.map((cut) => httpCall(client, `${server.url}/${cut}`, { method: 'GET' }).over))
      for (const call of calls) {
        expect(call.text()).toBe('hello')
        expect(call.delimited).toBe(delimited)
        expect(call.calls.filter((name) => name !== 'data')).toEqual(['head', 'end'])
      }
      client.close()
    }
  })

  test('a cut body is an error, not an end (B01)', async () => {
    const cuts = [`${ok}content-length: 9\r\n\r\nhello`, `${ok}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n`, `${ok}content-le`]
    for (const how of ['end', 'terminate'] as const) {
      for (const cut of cuts) {
        using server = rawServer(({ socket }) => {
          send(socket, cut)
          setTimeout(() => socket[how](), 5)
        })
        const call = await httpCall(createHttpClient(), server.url).over
        expect(call.error).toMatchObject({ kind: 'reset', sent: true, answered: true })
      }
    }
  })

  test('a reset is no end of a close-delimited body', async () => {
    using server = rawServer(({ socket }) => {
      send(socket, `${ok}\r\nhello`)
      setTimeout(() => socket.terminate(), 5)
    })
    const call = await httpCall(createHttpClient(), server.url).over
    expect(call.error).toMatchObject({ kind: 'reset', answered: true })
  })

  test('garbage fails at once and closes', async () => {
    using server = rawServer(({ socket }) => send(socket, 'SSH-2.0-x'))
    const call = await httpCall(createHttpClient(), server.url).over
    expect(call.error).toMatchObject({ kind: 'protocol', answered: true })
    await server.allClosed()
  })

  test('a redirect is an answer like any other (H01)', async () => {
    using server = rawServer(({ socket }) => send(socket, 'HTTP/1.1 302 Found\r\nlocation: /other\r\ncontent-length: 0\r\n\r\n'))
    const call = await httpCall(createHttpClient(), server.url).over
    expect([call.status, call.headers.get('location'), server.requests]).toEqual([302, '/other', 1])
  })

  test('chunks may be kept: later reads do not write into them', async () => {
    using server = rawServer(({ socket }) => {
      send(socket, `${ok}transfer-encoding: chunked\r\n\r\n`)
      let count = 0
      const timer = setInterval(() => {
        send(socket, `4\r\n${String(count).padStart(4, '0')}\r\n`)
        count += 1
        if (count < 50) return
        clearInterval(timer)
        send(socket, '0\r\n\r\n')
      }, 1)
    })
    const call = await httpCall(createHttpClient(), server.url).over
    expect(call.text()).toBe(Array.from({ length: 50 }, (_, index) => String(index).padStart(4, '0')).join(''))
  })
})

describe('requests', () => {
  test('head and small body leave as one write, with the client own headers', async () => {
    const reads: string[] = []
    using server = rawServer(() => {}, {
      onBytes(socket, bytes) {
        reads.push(bytes.toString('latin1'))
        send(socket, answer(''))
      },
    })
    const headers: [string, string][] = [
      ['Authorization', 'Bearer k'],
      ['Host', 'evil'],
      ['Content-Length', '99'],
      ['Transfer-Encoding', 'chunked'],
      ['Connection', 'close'],
      ['Expect', '100-continue'],
      ['X-Latin', 'é'],
    ]
    await httpCall(createHttpClient(), `${server.url}/v1/x?y=1#z`, { headers, body: [Buffer.from('{"a"'), Buffer.from(':1}')] }).over
    expect(reads).toEqual([
      `POST /v1/x?y=1 HTTP/1.1\r\nhost: 127.0.0.1:${server.port}\r\nAuthorization: Bearer k\r\nX-Latin: é\r\naccept-encoding: identity\r\ncontent-length: 7\r\n\r\n{"a":1}`,
    ])
  })

  test('accept-encoding of the caller stays; no length on GET without a body', async () => {
    let seen = ''
    using server = rawServer(({ socket, text }) => {
      seen = text
      send(socket, answer(''))
    })
    await httpCall(createHttpClient(), server.url, { method: 'GET', headers: new Headers({ 'accept-encoding': 'gzip' }) }).over
    expect(seen).toBe(`GET / HTTP/1.1\r\nhost: 127.0.0.1:${server.port}\r\naccept-encoding: gzip\r\n\r\n`)
  })

  test('30 MB in segments arrive whole through a slow reader (A16)', async () => {
    const hasher = new Bun.CryptoHasher('sha256')
    let size = 0
    let paused = false
    const segments = [7, 20_000_000, 100, 16_384, 0, 10_000_000].map((length, seed) => Buffer.alloc(length, `segment ${seed};`))
    const total = segments.reduce((sum, segment) => sum + segment.length, 0)
    using server = rawServer(() => {}, {
      onBytes(socket, bytes) {
        hasher.update(size === 0 ? bytes.subarray(bytes.indexOf('\r\n\r\n') + 4) : bytes)
        size += size === 0 ? bytes.length - bytes.indexOf('\r\n\r\n') - 4 : bytes.length
        if (size === total) send(socket, answer('done'))
        if (paused) return
        paused = true
        socket.pause()
        setTimeout(() => socket.resume(), 30)
      },
    })
    const call = await httpCall(createHttpClient(), server.url, { body: segments }).over
    expect(call.text()).toBe('done')
    expect(hasher.digest('hex')).toBe(new Bun.CryptoHasher('sha256').update(Buffer.concat(segments)).digest('hex'))
  })

  test('an answer before the request is out is delivered, and the connection not used again', async () => {
    using server = rawServer(() => {}, {
      onBytes(socket) {
        socket.pause()
        send(socket, 'HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig')
      },
    })
    const client = createHttpClient()
    const call = await httpCall(client, server.url, { body: [Buffer.alloc(30_000_000)] }).over
    expect([call.status, call.text(), call.delimited]).toEqual([413, 'big', true])
    expect(client.stats()).toEqual({ open: 0, idle: 0 })
  })

  test('refuses what would smuggle a header or a request', () => {
    const client = createHttpClient()
    const bad: Parameters<typeof httpCall>[2][] = [
      { headers: [['x', 'a\r\nb: c']] },
      { headers: [['x', 'a\nb']] },
      { headers: [['x', 'a\0']] },
      { headers: [['x', '日本']] },
      { headers: [['x y', 'a']] },
      { headers: [['x:', 'a']] },
      { headers: [['', 'a']] },
      { method: 'GET / HTTP/1.1\r\nx:' },
      { method: 'CONNECT' },
    ]
    for (const options of bad) expect(() => httpCall(client, 'http://127.0.0.1:1/', options)).toThrow(TypeError)
    const handler = { head() {}, data() {}, end() {}, error() {} }
    const origin = { protocol: 'http:', hostname: '127.0.0.1', port: 1, host: 'h', key: 'k' } as const
    for (const path of ['', 'x', '/a b', '/a\r\n', '/é']) {
      expect(() => client.request({ origin, path, method: 'GET', headers: [], body: [], connectTimeout: 0, handler })).toThrow(TypeError)
    }
    expect(client.stats().open).toBe(0)
  })

  test('the message of a refused header does not show its value, which may be a key (H01)', () => {
    expect(() => httpCall(createHttpClient(), 'http://127.0.0.1:1/', { headers: [['authorization', 'Bearer sk-1\n']] })).toThrow(
      /^((?!sk-1).)*$/,
    )
  })
})

describe('connecting', () => {
  test('refused, unknown host: kind connect with the code, nothing sent', async () => {
    const client = createHttpClient()
    const refused = await httpCall(client, 'http://127.0.0.1:1/').over
    expect(refused.error).toMatchObject({ kind: 'connect', sent: false, answered: false })
    expect(refused.error?.message).toContain('ECONNREFUSED')
    const unknown = await httpCall(client, 'http://no-such-host.invalid/').over
    expect(unknown.error?.kind).toBe('connect')
    expect(unknown.error?.message).toMatch(/ENOTFOUND|EAI_AGAIN/)
    expect(client.stats()).toEqual({ open: 0, idle: 0 })
  })

  test('the connect timeout covers the TLS handshake', async () => {
    using server = rawServer(() => {}, { onBytes: () => {} })
    const client = createHttpClient()
    const started = performance.now()
    const call = await httpCall(client, `https://127.0.0.1:${server.port}/`, { connectTimeout: 80 }).over
    expect(call.error).toMatchObject({ kind: 'connect_timeout', sent: false })
    expect(performance.now() - started).toBeWithin(75, 1000)
    await server.allClosed()
    expect(client.stats().open).toBe(0)
  })

  test('no timeout is left running once connected', async () => {
    using server = rawServer(({ socket }) => setTimeout(() => send(socket, answer('late')), 120))
    const call = await httpCall(createHttpClient(), server.url, { connectTimeout: 60 }).over
    expect(call.text()).toBe('late')
  })

  test('nothing is called before request() has returned, and nothing on a closed client but the error', async () => {
    const client = createHttpClient()
    client.close()
    const call = httpCall(client, 'http://127.0.0.1:1/')
    expect(call.calls).toEqual([])
    expect((await call.over).error?.kind).toBe('closed')
  })
})

describe('keep-alive', () => {
  test('one connection serves one after the other, many serve many', async () => {
    using server = rawServer(({ socket }) => send(socket, answer('x')))
    const client = createHttpClient()
    for (let count = 0; count < 20; count += 1) await httpCall(client, server.url).over
    expect([server.connections, server.requests]).toEqual([1, 20])
    await Promise.all(Array.from({ length: 10 }, () => httpCall(client, server.url).over))
    expect(client.stats()).toEqual({ open: 10, idle: 10 })
    client.close()
    expect(client.stats()).toEqual({ open: 0, idle: 0 })
    await server.allClosed()
  })

  test('not after close, a close-delimited body, bytes too many or a promise of under a second', async () => {
    const texts = [
      answer('x', 'connection: close\r\n'),
      `${answer('x')}HTTP/1.1 200 OK\r\n`,
      answer('x', 'keep-alive: timeout=1\r\n'),
      'HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nx',
    ]
    for (const text of texts) {
      using server = rawServer(({ socket }) => send(socket, text))
      const client = createHttpClient()
      expect((await httpCall(client, server.url).over).text()).toBe('x')
      expect(client.stats()).toEqual({ open: 0, idle: 0 })
      await server.allClosed()
    }
  })

  test('an idle connection that closes or says something is gone', async () => {
    for (const misbehave of [(socket: { end(): void }) => socket.end(), (socket: Parameters<typeof send>[0]) => send(socket, 'surprise')]) {
      using server = rawServer(({ socket }) => {
        send(socket, answer('x'))
        setTimeout(() => misbehave(socket), 10)
      })
      const client = createHttpClient()
      await httpCall(client, server.url).over
      expect(client.stats().idle).toBe(1)
      await server.allClosed()
      while (client.stats().open > 0) await Bun.sleep(1)
      expect(client.stats().idle).toBe(0)
    }
  })

  test('a pooled connection that turns out dead: sent once more on a fresh one (A17)', async () => {
    for (const death of ['end', 'terminate'] as const) {
      using server = rawServer(({ socket, index, text }) => {
        if (index === 1) socket[death]()
        else send(socket, answer(text.slice(-4)))
      })
      const client = createHttpClient()
      await httpCall(client, server.url, { body: [Buffer.from('one.')] }).over
      const call = await httpCall(client, server.url, { body: [Buffer.from('two.')] }).over
      expect(call.calls).toEqual(['head', 'data', 'end'])
      expect(call.text()).toBe('two.')
      expect([server.connections, server.requests]).toEqual([2, 3])
      expect(client.stats()).toEqual({ open: 1, idle: 1 })
    }
  })

  test('no second sending on a fresh connection, after a byte of the answer, or twice (A17)', async () => {
    using fresh = rawServer(({ socket }) => socket.end())
    expect((await httpCall(createHttpClient(), fresh.url).over).error).toMatchObject({ kind: 'reset', sent: true, answered: false })
    expect(fresh.requests).toBe(1)

    using begun = rawServer(({ socket, index }) => {
      send(socket, index === 0 ? answer('x') : 'H')
      if (index > 0) setTimeout(() => socket.terminate(), 5)
    })
    const client = createHttpClient()
    await httpCall(client, begun.url).over
    expect((await httpCall(client, begun.url).over).error).toMatchObject({ kind: 'reset', answered: true })
    expect(begun.requests).toBe(2)

    using always = rawServer(({ socket, index }) => (index === 0 ? send(socket, answer('x')) : socket.end()))
    await httpCall(client, always.url).over
    expect((await httpCall(client, always.url).over).error).toMatchObject({ kind: 'reset', sent: true, answered: false })
    expect(always.requests).toBe(3)
  })

  test('no second sending when the server may have worked on it: it died later than a second (A17)', async () => {
    let now = 1000
    const clock = spyOn(performance, 'now').mockImplementation(() => now)
    try {
      using server = rawServer(({ socket, index }) => {
        if (index === 0) return send(socket, answer('x'))
        now += 1500
        socket.terminate()
      })
      const client = createHttpClient()
      await httpCall(client, server.url).over
      expect((await httpCall(client, server.url).over).error).toMatchObject({ kind: 'reset', sent: true, answered: false })
      expect(server.requests).toBe(2)
    } finally {
      clock.mockRestore()
    }
  })

  test('idle time is limited by us and by the server; counts are bounded', async () => {
    let now = 1000
    const clock = spyOn(performance, 'now').mockImplementation(() => now)
    try {
      using server = rawServer(({ socket }) => send(socket, answer('x', 'keep-alive: timeout=5\r\n')))
      const client = createHttpClient({ perOrigin: 2 })
      await httpCall(client, server.url).over
      now += 3999
      await httpCall(client, server.url).over
      expect(server.connections).toBe(1)
      now += 4001
      await httpCall(client, server.url).over
      expect(server.connections).toBe(2)
      await Promise.all(Array.from({ length: 5 }, () => httpCall(client, server.url).over))
      expect(client.stats()).toEqual({ open: 2, idle: 2 })
    } finally {
      clock.mockRestore()
    }
  })
})

test('the sweep closes what has been idle too long; the oldest origin makes room for a new one', async () => {
  using one = rawServer(({ socket }) => send(socket, answer('x')))
  using two = rawServer(({ socket }) => send(socket, answer('x')))
  const client = createHttpClient({ idleTimeout: 40, origins: 1 })
  await Promise.all([httpCall(client, one.url).over, httpCall(client, one.url).over])
  expect(client.stats().idle).toBe(2)
  await httpCall(client, two.url).over
  expect(client.stats()).toEqual({ open: 1, idle: 1 })
  await one.allClosed()
  await two.allClosed()
  expect(client.stats()).toEqual({ open: 0, idle: 0 })
})

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
