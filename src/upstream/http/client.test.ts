import { describe, expect, test } from 'bun:test'
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
