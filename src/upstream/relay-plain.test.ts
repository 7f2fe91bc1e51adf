/** A plain call is handed on as it comes, ends when its client leaves, and does not wait for ever (A09, G01). */

import { describe, expect, test } from 'bun:test'
import { rawServer } from '../../test/support/raw-server.ts'
import { until } from '../../test/support/within.ts'
import { createHttpClient } from './http/client.ts'
import { parseUrl } from './http/origin.ts'
import { PlainCallFailed, relayPlain } from './relay-plain.ts'

const none = { connect: 1000, firstByte: 0, firstToken: 0, idle: 0, total: 0 }
const head = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nset-cookie: a=1\r\n'

function ask(url: string, timeouts = none, signal = new AbortController().signal) {
  const { origin } = parseUrl(url)
  return relayPlain(createHttpClient(), { origin, path: '/x', method: 'GET', headers: [] }, timeouts, signal)
}

describe('a plain call', () => {
  test('status, wanted headers and bytes', async () => {
    using server = rawServer(({ socket }) => void socket.write(`${head}content-length: 7\r\n\r\n{"a":1}`))
    const response = await ask(server.url)
    expect([response.status, response.headers.get('content-type'), response.headers.get('set-cookie')]).toEqual([
      200,
      'application/json',
      null,
    ])
    expect(await response.json()).toEqual({ a: 1 })
  })

  test('large bodies, read slowly, arrive whole', async () => {
    const size = 3 * 1024 * 1024
    const server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response('x'.repeat(size)) })
    const response = await ask(`http://127.0.0.1:${server.port}`)
    let got = 0
    for await (const chunk of response.body!) {
      got += chunk.length
      await Bun.sleep(0)
    }
    expect(got).toBe(size)
    await server.stop(true)
  })

  test('silence before the head, and inside the body, ends it', async () => {
    using silent = rawServer(() => {})
    const failure = await ask(silent.url, { ...none, firstByte: 30 }).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(PlainCallFailed)
    expect((failure as PlainCallFailed).late).toBe(true)
    await silent.allClosed()
    using halted = rawServer(({ socket }) => void socket.write(`${head}content-length: 7\r\n\r\n{"a"`))
    const response = await ask(halted.url, { ...none, idle: 30 })
    expect(await response.text().catch((error: unknown) => error)).toBeInstanceOf(PlainCallFailed)
    await halted.allClosed()
  })

  test('a body that breaks off is no whole body', async () => {
    using server = rawServer(({ socket }) => {
      socket.write(`${head}content-length: 7\r\n\r\n{"a"`)
      socket.end()
    })
    expect(await (await ask(server.url)).text().catch((error: unknown) => error)).toBeInstanceOf(PlainCallFailed)
  })

  test('a client that leaves ends the call, before the head and after', async () => {
    using silent = rawServer(() => {})
    const leaving = new AbortController()
    const asked = ask(silent.url, none, leaving.signal).catch((error: unknown) => error)
    await until(2000, 'the request is there', () => silent.requests > 0 || undefined)
    leaving.abort()
    expect(await asked).toBeInstanceOf(PlainCallFailed)
    await silent.allClosed()
    expect(await ask(silent.url, none, AbortSignal.abort()).catch((error: unknown) => error)).toBeInstanceOf(PlainCallFailed)
    using halted = rawServer(({ socket }) => void socket.write(`${head}content-length: 7\r\n\r\n{"a"`))
    const response = await ask(halted.url)
    await response.body!.cancel()
    await halted.allClosed()
  })

  test('nobody there', async () => {
    expect(await ask('http://127.0.0.1:9').catch((error: unknown) => error)).toBeInstanceOf(PlainCallFailed)
  })
})
