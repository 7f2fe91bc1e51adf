import { describe, expect, test } from 'bun:test'
import { gzipSync } from 'node:zlib'
import { httpCall } from '../../../test/support/http-call.ts'
import { answer, rawServer, send } from '../../../test/support/raw-server.ts'
import { createHttpClient } from './client.ts'
import { createFetchTransport } from './fetch-transport.ts'
import { parseUrl } from './origin.ts'
import { proxyFor } from './proxy.ts'
import { createTransport } from './select.ts'

describe('parseUrl', () => {
  test('origin, host header, path', () => {
    expect(parseUrl('https://API.example.com/v1/x?a=b#c')).toEqual({
      origin: { protocol: 'https:', hostname: 'api.example.com', port: 443, host: 'api.example.com', key: 'https://api.example.com' },
      path: '/v1/x?a=b',
    })
    expect(parseUrl('http://[::1]:8080')).toEqual({
      origin: { protocol: 'http:', hostname: '::1', port: 8080, host: '[::1]:8080', key: 'http://[::1]:8080' },
      path: '/',
    })
  })
  test('refuses what is not http(s), and credentials', () => {
    for (const url of ['ftp://x/', 'http://user:pw@x/', 'nonsense', '/v1']) expect(() => parseUrl(url)).toThrow(TypeError)
  })
})

test('proxyFor reads the environment as others do', () => {
  const of = (url: string, env: Record<string, string>) => proxyFor(parseUrl(url).origin, env)
  expect(of('https://a.com/', {})).toBeUndefined()
  expect(of('https://a.com/', { HTTP_PROXY: 'http://p:1' })).toBeUndefined()
  expect(of('http://a.com/', { HTTP_PROXY: 'p:1' })).toBe('http://p:1')
  expect(of('https://a.com/', { HTTPS_PROXY: 'http://p:1', https_proxy: 'http://q:1' })).toBe('http://q:1')
  const exempt = (url: string, list: string) => of(url, { HTTPS_PROXY: 'http://p:1', NO_PROXY: list }) === undefined
  expect(exempt('https://api.a.com/', 'b.com, a.com')).toBe(true)
  expect(exempt('https://api.a.com/', '.a.com')).toBe(true)
  expect(exempt('https://api.a.com/', '*.a.com')).toBe(true)
  expect(exempt('https://ba.com/', 'a.com')).toBe(false)
  expect(exempt('https://a.com:8443/', 'a.com:8443')).toBe(true)
  expect(exempt('https://a.com/', 'a.com:8443')).toBe(false)
  expect(exempt('https://[::1]:1/', '::1')).toBe(true)
  expect(exempt('https://[::1]:1/', '[::1]:1')).toBe(true)
  expect(exempt('https://a.com/', '*')).toBe(true)
})

describe('createTransport', () => {
  test('goes through the proxy that the environment names, and not for exempt hosts', async () => {
    const seen: string[] = []
    using proxy = rawServer(({ socket, text }) => {
      seen.push(text.split('\r\n')[0] as string)
      send(socket, answer('by proxy'))
    })
    using direct = rawServer(({ socket }) => send(socket, answer('direct')))
    const transport = createTransport({}, { HTTP_PROXY: proxy.url, NO_PROXY: '127.0.0.1' })
    expect((await httpCall(transport, 'http://upstream.test/v1?x=1', { body: [Buffer.from('{}')] }).over).text()).toBe('by proxy')
    expect((await httpCall(transport, direct.url).over).text()).toBe('direct')
    expect(seen).toEqual(['POST http://upstream.test/v1?x=1 HTTP/1.1'])
    transport.close()
  })
})

for (const [name, make] of Object.entries({ 'own client': createHttpClient, fetch: () => createFetchTransport() })) {
  describe(`any transport: ${name}`, () => {
    test('whole answers, redirects not followed, hop-by-hop and coding headers gone (A07, H01)', async () => {
      using server = rawServer(({ socket }) => {
        const body = gzipSync('hello')
        send(socket, `HTTP/1.1 302 Found\r\nlocation: /x\r\nkeep-alive: timeout=9\r\nconnection: keep-alive, x-hop\r\nx-hop: 1\r\n`)
        send(socket, `content-encoding: gzip\r\ncontent-length: ${body.length}\r\n\r\n`)
        send(socket, body)
      })
      const call = await httpCall(make(), server.url).over
      expect([call.status, call.text(), [...call.headers], call.delimited]).toEqual([302, 'hello', [['location', '/x']], true])
    })
    test('the end of a close-delimited body is told from a framed one (B01)', async () => {
      using server = rawServer(({ socket }) => {
        send(socket, 'HTTP/1.1 200 OK\r\n\r\nhello')
        socket.end()
      })
      const call = await httpCall(make(), server.url).over
      expect([call.text(), call.delimited]).toEqual(['hello', false])
    })
    test('a cut body, a refused connection, an unknown coding', async () => {
      using cut = rawServer(({ socket }) => {
        send(socket, 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n')
        setTimeout(() => socket.end(), 10)
      })
      expect((await httpCall(make(), cut.url).over).error).toMatchObject({ kind: 'reset', sent: true, answered: true })
      expect((await httpCall(make(), 'http://127.0.0.1:1/').over).error).toMatchObject({ kind: 'connect', sent: false, answered: false })
      using unknown = rawServer(({ socket }) => send(socket, answer('x', 'content-encoding: rot13\r\n')))
      expect((await httpCall(make(), unknown.url).over).error).toMatchObject({ kind: 'protocol', answered: true })
    })
    test('pause and resume, abort, a throwing callback', async () => {
      using server = rawServer(({ socket }) => {
        send(socket, 'HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\none')
        setTimeout(() => send(socket, 'two'), 20)
      })
      const transport = make()
      const paused = httpCall(transport, server.url, { on: (event, call) => event === 'data' && call.bytes === 3 && call.request.pause() })
      await paused.headed
      await Bun.sleep(60)
      expect(paused.text()).toBe('one')
      paused.request.resume()
      expect((await paused.over).text()).toBe('onetwo')
      const aborted = httpCall(transport, server.url, { on: (_, call) => call.request.abort() })
      await aborted.headed
      const thrown = await httpCall(transport, server.url, {
        on(event) {
          if (event === 'data') throw new Error('boom')
        },
      }).over
      expect(thrown.error).toMatchObject({ kind: 'handler', answered: true })
      expect(aborted.calls).toEqual(['head'])
      transport.close()
      // The aborted and the failed one are closed; fetch may keep the completed one in its pool.
      while (server.open > (name === 'fetch' ? 1 : 0)) await Bun.sleep(1)
    })
    test('bad headers are refused, and everything after close', async () => {
      const transport = make()
      expect(() => httpCall(transport, 'http://127.0.0.1:1/', { headers: [['x', 'a\r\nb: c']] })).toThrow(TypeError)
      transport.close()
      expect((await httpCall(transport, 'http://127.0.0.1:1/').over).error?.kind).toBe('closed')
    })
  })
}
