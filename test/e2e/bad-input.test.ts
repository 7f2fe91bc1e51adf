/**
 * Hostile and mistaken input, through raw sockets where HTTP clients would not send it: each gets a clear refusal in the caller's own
 * dialect with a request id, and the gateway lives on.
 */

import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { existsSync } from 'node:fs'
import net from 'node:net'
import { type BadUpstream, startBadUpstream } from '../support/bad-upstream.ts'
import {
  type Answer,
  answerOf,
  bodyOf,
  call,
  endpointOf,
  envelope,
  type Family,
  families,
  headersOf,
  verdictOf,
} from '../support/client.ts'
import { type GatewayProcess, startGateway } from '../support/gateway.ts'
import { authPlugin, clientKey, gatewayConfig } from '../support/gateway-config.ts'
import { within } from '../support/within.ts'

setDefaultTimeout(30_000)
const MB = 1024 * 1024

let bad: BadUpstream
let gateway: GatewayProcess
let rssBefore = 0
beforeAll(async () => {
  bad = await startBadUpstream()
  gateway = await startGateway({ config: gatewayConfig({ upstream: bad.url, plugins: [authPlugin, { use: 'router' }] }) })
  await lives()
  if (existsSync('/proc/self/status')) rssBefore = gateway.rss()
})
afterEach(lives)
afterAll(async () => {
  if (rssBefore > 0) {
    const grown = gateway.rss() - rssBefore
    console.log(`bad input: RSS grew by ${(grown / MB).toFixed(0)} MB`)
    expect(grown).toBeLessThan(300 * MB)
  }
  expect(gateway.err()).not.toContain('"level":"error"')
  expect(await gateway.stop()).toBe(0)
  await bad.stop()
})

/** A good request of each family still works. */
async function lives(): Promise<void> {
  for (const family of families) {
    const answer = await within(3000, 'a good request', call(family, gateway.url, bodyOf('cat/known', true)))
    expect([answer.status, verdictOf(family, answer.text)]).toEqual([200, 'success'])
  }
}

function refused(family: Family, answer: Answer, status: number, says: RegExp): void {
  expect([answer.status, answer.text.slice(0, 300)]).toEqual([status, expect.stringMatching(says)])
  envelope(family, answer.text)
  expect(answer.headers.get('content-type')).toContain('application/json')
  expect(answer.id).toStartWith('req_')
  expect(answer.headers.get('request-id')).toBeTruthy()
  expect(answer.text).not.toContain(clientKey)
}

const post = (family: Family, body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
  call(family, gateway.url, body, headers)

describe.each(families)('bodies: %s', (family) => {
  const start = '{"model":"cat/known","max_tokens":9,"messages":[]'
  test.each<[string, string, number, RegExp]>([
    ['an open brace', '{', 400, /JSON/],
    ['cut in a value', '{"model":', 400, /JSON/],
    ['cut in a string', '{"model":"cat/kno', 400, /JSON/],
    ['a word', 'nope', 400, /JSON/],
    ['single quotes', "{'model':'cat/known'}", 400, /JSON/],
    ['a comma too many', `${start},}`, 400, /JSON/],
    ['a brace too many', `${start}}}`, 400, /JSON/],
    ['two values', `${start}}${start}}`, 400, /JSON/],
    ['a NUL', '\u0000', 400, /JSON/],
    ['a raw line break in a string', '{"model":"cat/\nknown"}', 400, /JSON/],
    ['nothing', '', 400, /empty|no body/i],
    ['white space', ' \n ', 400, /empty|JSON/i],
    ['a list', '[]', 400, /object/],
    ['a string', '"hello"', 400, /object/],
    ['a number', '17', 400, /object/],
    ['null', 'null', 400, /object/],
    ['1,000 levels', `{"model":"cat/known","x":${'['.repeat(1000)}${']'.repeat(1000)}}`, 400, /nest|deep/],
    ['100,000 levels, never closed', `{"model":"cat/known","x":${'[{"a":'.repeat(50_000)}`, 400, /nest|deep|JSON/],
    ['no model', '{"messages":[]}', 400, /model/],
    ['a model that is a number', '{"model":7,"messages":[]}', 400, /model/],
    ['a model that is null', '{"model":null,"messages":[]}', 400, /model/],
    ['two models', '{"model":"cat/known","messages":[],"model":"cat/other"}', 400, /more than once/],
    ['two models, one escaped', '{"model":"cat/known","messages":[],"mod\\u0065l":"cat/other"}', 400, /more than once/],
    ['a stream that is a string', `${start},"stream":"yes"}`, 400, /stream/],
    ['a stream that is a number', `${start},"stream":1}`, 400, /stream/],
    ['an unknown model', '{"model":"kat/known","messages":[]}', 404, /kat\/known.*cat\/known/],
    ['a model of 100,000 characters', `{"model":"${'m'.repeat(100_000)}","messages":[]}`, 404, /does not serve/],
    ['a model that is __proto__', '{"model":"__proto__","messages":[]}', 404, /does not serve/],
  ])('%s', async (_, body, status, says) => refused(family, await post(family, body), status, says))

  test('bytes that are not UTF-8', async () => {
    const bytes = Buffer.concat([Buffer.from('{"model":"cat/known","messages":[],"x":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')])
    const answer = await post(family, Uint8Array.from(bytes))
    expect([200, 400]).toContain(answer.status) // either is clear; a crash is not
  })

  test('33 MB with a length', async () => refused(family, await post(family, 'x'.repeat(33 * MB)), 413, /32 MB/))

  test('33 MB in chunks', async () => {
    let sent = 0
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (sent >= 33 * MB) return controller.close()
        sent += MB
        controller.enqueue(new Uint8Array(MB).fill(120))
      },
    })
    refused(family, await call(family, gateway.url, body), 413, /32 MB/)
  })

  test('30 MB are fine', async () => {
    const text = JSON.stringify({ model: 'cat/known', max_tokens: 9, messages: [{ role: 'user', content: 'x'.repeat(30 * MB) }] })
    expect((await post(family, text)).status).toBe(200)
  })

  test.each([undefined, 'text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'x'.repeat(5000)])(
    'content type %p',
    async (type) => {
      const { 'content-type': _, ...headers } = headersOf(family)
      const body = new TextEncoder().encode(bodyOf('cat/known', false))
      const response = await fetch(endpointOf(family, gateway.url), {
        method: 'POST',
        headers: { ...headers, ...(type !== undefined && { 'content-type': type }) },
        body,
      })
      refused(family, await answerOf(response), 415, /application\/json/)
    },
  )

  test.each(['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])('method %s', async (method) => {
    const response = await fetch(endpointOf(family, gateway.url), { method, headers: headersOf(family) })
    expect(response.headers.get('allow')).toBe('POST')
    refused(family, await answerOf(response), 405, /POST/)
  })

  test('HEAD', async () => {
    const response = await fetch(endpointOf(family, gateway.url), { method: 'HEAD', headers: headersOf(family) })
    expect(response.status).toBe(405)
    expect(await response.text()).toBe('')
  })

  test.each([
    '/nope',
    '/v1',
    '/v1/messages/nope',
    '/v1/chat/completions/',
    '/anthropic/v1/messages/',
    '/v1/chat/completions/nope',
    '/anthropic/v1/nope',
    '/%00',
    '/%zz',
  ])('path %s', async (path) => {
    const response = await fetch(gateway.url + path, { method: 'POST', headers: headersOf(family), body: '{}' })
    const answer = await answerOf(response)
    expect(answer.status).toBe(404)
    expect(answer.id).toStartWith('req_')
    envelope(path.includes('/messages') || path.includes('/anthropic') || family === 'anthropic' ? 'anthropic' : 'openai', answer.text)
  })

  test.each<[string, Record<string, string>, RegExp]>([
    ['none', {}, /Authorization: Bearer/],
    ['unknown', { authorization: 'Bearer sk-hg-unknown' }, /not known/],
    ['another scheme', { authorization: `Basic ${btoa(`user:${clientKey}`)}` }, /Bearer/],
    ['no scheme', { authorization: clientKey }, /Bearer/],
    ['empty', { authorization: 'Bearer ' }, /empty|No API key/],
    ['empty x-api-key', { 'x-api-key': '' }, /empty|No API key/],
    ['two that disagree', { authorization: `Bearer ${clientKey}`, 'x-api-key': 'sk-hg-other' }, /different API keys/],
    ['one that is huge', { authorization: `Bearer ${'k'.repeat(10_000)}` }, /too long/],
    ['one with a space', { 'x-api-key': 'sk-hg a b' }, /characters/],
    ['one that is another in a list', { authorization: `Bearer ${clientKey}, Bearer other` }, /more than once/],
    ['a wrong key as a query', {}, /not known/],
  ])('credentials: %s', async (name, headers, says) => {
    const version: Record<string, string> = family === 'anthropic' ? { 'anthropic-version': '2023-06-01' } : {}
    const response = await fetch(`${endpointOf(family, gateway.url)}${name.includes('query') ? '?key=sk-hg-wrong' : ''}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...version, ...headers },
      body: bodyOf('cat/known', false),
    })
    expect(response.headers.get('www-authenticate')).toBe('Bearer')
    refused(family, await answerOf(response), 401, says)
  })

  test('two Authorization headers', async () => {
    const body = bodyOf('cat/known', false)
    for (const second of [clientKey, 'other']) {
      const answer = await exchange(request(family, body, [`authorization: Bearer ${clientKey}`, `authorization: Bearer ${second}`], false))
      expect(answer).toStartWith('HTTP/1.1 401')
      expect(envelope(family, answer.slice(answer.indexOf('\r\n\r\n') + 4)).message).toContain('more than once')
    }
  })
})

/** A request as text. */
function request(family: Family, body: string, lines: readonly string[] = [], withKey = true, first?: string, host = 'gateway'): string {
  const path = new URL(endpointOf(family, gateway.url)).pathname
  const key = withKey ? [family === 'openai' ? `authorization: Bearer ${clientKey}` : `x-api-key: ${clientKey}`] : []
  const version = family === 'anthropic' ? ['anthropic-version: 2023-06-01'] : []
  const head = [first ?? `POST ${path} HTTP/1.1`, `host: ${host}`, 'content-type: application/json', ...version, ...key, ...lines]
  return `${head.join('\r\n')}\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
}

function connect(): net.Socket {
  const socket = net.connect(Number(new URL(gateway.url).port), '127.0.0.1')
  socket.on('error', () => {})
  return socket
}

/** Sends bytes, and gives what came back until the connection was closed. */
function exchange(bytes: string): Promise<string> {
  const socket = connect()
  let text = ''
  socket.on('data', (data) => {
    text += data.toString()
  })
  socket.write(bytes)
  return within(5000, 'the gateway closes the connection', new Promise((resolve) => socket.once('close', () => resolve(text))))
}

describe('the wire', () => {
  const good = bodyOf('cat/known', false)

  test('header bombs are refused', async () => {
    for (const lines of [[`x-bomb: ${'x'.repeat(40_000)}`], Array.from({ length: 1500 }, (_, i) => `x-${i}: 1`)]) {
      const answer = await exchange(request('openai', good, lines))
      expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /)
      expect(answer).not.toContain('Hello there')
    }
  })

  test('things that are not HTTP', async () => {
    for (const bytes of [
      '\u0016\u0003\u0001\u0002\u0000\u0001\u0000',
      'GARBAGE\r\n\r\n',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      '\r\n\r\n\r\n',
      'POST /v1/messages HTTP/1.1\r\n\r\n',
    ]) {
      expect(await exchange(bytes)).toMatch(/^HTTP\/1\.1 400 /)
    }
  })

  test('smuggling: two lengths, length and chunks', async () => {
    for (const lines of [['content-length: 5'], ['transfer-encoding: chunked']]) {
      const answer = await exchange(request('openai', good, lines))
      expect(answer).toMatch(/^HTTP\/1\.1 400 /)
    }
  })

  test('garbage pipelined behind a good request spoils its own connection only', async () => {
    const answer = await exchange(`${request('openai', good).replace('connection: close\r\n', '')}\u0000\u0001GARBAGE\r\n\r\n`)
    expect(answer).toMatch(/^HTTP\/1\.1 (200|400) /)
  })

  test.each(families)('HTTP/1.0 and short or odd hosts are served: %s', async (family) => {
    const path = new URL(endpointOf(family, gateway.url)).pathname
    expect(await exchange(request(family, good, [], true, `POST ${path} HTTP/1.0`))).toMatch(/ 200 /)
    for (const host of ['gw', 'gw:80', 'a', 'xn--bcher-kva.example:8787', '[::1]:1'])
      expect(await exchange(request(family, good, [], true, undefined, host))).toMatch(/ 200 /)
  })

  test('paths that climb find nothing', async () => {
    for (const path of [
      '/../../../../etc/passwd',
      '/docs/assets/../../../package.json',
      '/docs/assets/..%2f..%2f..%2fpackage.json',
      '/docs/assets/%2e%2e/%2e%2e/package.json',
      '/v1/..;/config',
    ]) {
      const answer = await exchange(`GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`)
      expect([path, answer]).toEqual([path, expect.stringMatching(/^HTTP\/1\.1 40[0-9] /)])
      for (const leak of ['root:', '"dependencies"', 'upstreams']) expect(answer).not.toContain(leak)
    }
  })

  test('a slow sender holds nobody else', async () => {
    const text = request('openai', good)
    const sockets = Array.from({ length: 20 }, connect)
    let at = 0
    for (const socket of sockets) socket.write(text.slice(0, 5))
    const timer = setInterval(() => {
      at++
      for (const socket of sockets) socket.write(text[5 + at]!)
    }, 100)
    for (let i = 0; i < 5; i++) {
      const began = performance.now()
      await lives()
      expect(performance.now() - began).toBeLessThan(1000)
    }
    clearInterval(timer)
    for (const socket of sockets) socket.destroy()
  })
})
