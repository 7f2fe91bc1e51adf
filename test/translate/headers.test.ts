/**
 * PROTOCOL §1.8 between dialects, over real HTTP: which headers cross, in both directions, for each client and upstream.
 *
 * What must never cross is the client's credential, in whatever spelling (H01); what names Anthropic's betas goes to Anthropic only (H04, H06). Bodies may
 * come compressed on every path (A08).
 */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { forAll } from '../support/for-all.ts'
import { startLocalGateway } from '../support/local-gateway.ts'
import { type ModelGateway, modelConfig, modelOf, startModelGateway, type Upstream } from '../support/model/gateway.ts'
import { leastRequest, type Spoken, spoken } from './dialects.ts'

setDefaultTimeout(60_000)

let stage: ModelGateway
beforeAll(async () => {
  stage = await startModelGateway()
})
afterAll(() => stage.stop())

const pairs = spoken.flatMap((client) => spoken.map((upstream) => ({ client, upstream })))
type Pair = (typeof pairs)[number]
const nameOf = ({ client, upstream }: Pair) => `${client.name} to ${upstream.name}`
const modelAt = (upstream: Spoken) => modelOf(upstream.upstream as Upstream)
const bare = { 'content-type': 'application/json' }

/** All spellings of a credential, and what proxies and browsers add. */
const secrets = {
  authorization: 'Bearer client-secret-1',
  'x-api-key': 'client-secret-2',
  'api-key': 'client-secret-3',
  'x-goog-api-key': 'client-secret-4',
  cookie: 'session=client-secret-5',
  'proxy-authorization': 'Basic client-secret-6',
  'openai-organization': 'org-client-secret-7',
  'openai-project': 'proj-client-secret-8',
}

function post(
  client: Spoken,
  upstream: Spoken,
  init: { headers?: Record<string, string>; body?: Uint8Array | string; query?: string; stream?: boolean },
) {
  const model = modelAt(upstream)
  const path = client.path(model, init.stream ?? false)
  const url = stage.url + path + (init.query ? `${path.includes('?') ? '&' : '?'}${init.query}` : '')
  return fetch(url, {
    method: 'POST',
    headers: { ...bare, ...init.headers },
    body: (init.body ?? leastRequest(client, model, init.stream ?? false)) as string,
  })
}

/** The one request that the upstream got. */
function received() {
  const [request, ...more] = stage.model.requests
  if (!request || more.length > 0) throw new Error(`the upstream got ${stage.model.requests.length} requests`)
  return request
}

describe('towards the upstream', () => {
  test("the client's credential stays here, however it is spelled (H01, H02)", async () => {
    await forAll(
      pairs,
      nameOf,
      async ({ client, upstream }) => {
        stage.model.clear()
        const response = await post(client, upstream, { headers: secrets, query: 'key=client-secret-9&access_token=client-secret-10' })
        expect(response.status).toBe(200)
        const { headers, search, body } = received()
        expect(`${JSON.stringify([...headers])} ${search} ${JSON.stringify(body)}`).not.toContain('client-secret')
        // H02: one credential, of the kind that the provider takes
        const own = { anthropic: 'x-api-key', gemini: 'x-goog-api-key', openai: 'authorization' }[upstream.dialect.family]
        for (const name of ['authorization', 'x-api-key', 'api-key', 'x-goog-api-key'])
          expect(`${name}: ${headers.get(name)?.replace('Bearer ', '') ?? 'none'}`).toBe(
            `${name}: ${name === own ? 'upstream-secret' : 'none'}`,
          )
      },
      1,
    )
    expect(stage.gateway.log()).not.toContain('client-secret')
  })

  test('what belongs to Anthropic goes to Anthropic only, in one piece each (H03, H04, H06, H08)', async () => {
    const headers = {
      'anthropic-version': '2023-06-01',
      'anthropic-beta': 'context-1m-2025-08-07,unheard-of-2031-01-01',
      'anthropic-dangerous-direct-browser-access': 'true',
      'x-app': 'cli',
      'x-claude-code-session-id': 'abc',
      'x-stainless-lang': 'js',
    }
    await forAll(
      pairs,
      nameOf,
      async ({ client, upstream }) => {
        stage.model.clear()
        const response = await post(client, upstream, { headers, query: client.name === 'messages' ? 'beta=true' : '' })
        expect(response.status).toBe(200)
        const got = received()
        const names = [...got.headers.keys()].filter((name) => name.startsWith('anthropic-'))
        if (upstream.name !== 'messages') {
          expect(names).toEqual([])
          expect(got.search).toBe(upstream.name === 'gemini' ? '' : '')
          return
        }
        expect(got.headers.get('anthropic-version')).toBe('2023-06-01')
        if (client === upstream) {
          expect(got.headers.get('anthropic-beta')).toBe(headers['anthropic-beta'])
          expect(got.search).toBe('?beta=true')
        } else {
          // a client of another API did not ask Anthropic for anything
          expect(names).toEqual(['anthropic-version'])
          expect(got.search).toBe('')
        }
        if (client !== upstream)
          for (const name of ['x-stainless-lang', 'x-claude-code-session-id', 'x-app']) expect(got.headers.get(name)).toBeNull()
      },
      1,
    )
  })

  test('a newer version of the API that a client names is not taken for a translated request', async () => {
    const [chat, , messages] = spoken
    stage.model.clear()
    expect((await post(chat!, messages!, { headers: { 'anthropic-version': '2026-10-21' } })).status).toBe(200)
    expect(received().headers.get('anthropic-version')).toBe('2023-06-01')
  })

  test('traces cross; lengths, codings and hops are made anew', async () => {
    const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    await forAll(
      pairs,
      nameOf,
      async ({ client, upstream }) => {
        stage.model.clear()
        const headers = { traceparent: trace, 'user-agent': 'probe/1', 'x-forwarded-for': '203.0.113.9', 'proxy-foo': 'x', te: 'trailers' }
        expect((await post(client, upstream, { headers })).status).toBe(200)
        const got = received().headers
        expect(got.get('traceparent')).toBe(trace)
        expect(got.get('user-agent')).toBe('probe/1')
        expect(got.get('content-type')).toStartWith('application/json')
        for (const name of ['x-forwarded-for', 'proxy-foo', 'te', 'transfer-encoding'])
          expect(`${name} ${got.get(name)}`).toBe(`${name} null`)
      },
      1,
    )
  })
})

describe('compressed requests (A08)', () => {
  const codings = { gzip: gzipSync, br: brotliCompressSync, deflate: deflateSync, zstd: zstdCompressSync }

  test('zstd, gzip, br and deflate on every path', async () => {
    for (const [coding, compress] of Object.entries(codings)) {
      await forAll(
        pairs,
        (pair) => `${nameOf(pair)} ${coding}`,
        async ({ client, upstream }) => {
          stage.model.clear()
          const plain = leastRequest(client, modelAt(upstream), false)
          const response = await post(client, upstream, { headers: { 'content-encoding': coding }, body: compress(Buffer.from(plain)) })
          expect(`${response.status} ${response.status === 200 ? '' : await response.text()}`).toBe('200 ')
          const got = received()
          expect(got.headers.get('content-encoding')).toBeNull()
          expect(got.asked.prompt).toBe('Hello')
        },
        1,
      )
    }
  })

  test('a bomb, an unknown coding and a broken body are told in the shape of each client', async () => {
    const small = await startLocalGateway(modelConfig(stage.model.url, { server: { body_limit: '1mb' } }))
    try {
      const bomb = zstdCompressSync(Buffer.alloc(64 * 1024 * 1024, 32))
      const wrongs = [
        { coding: 'zstd', body: bomb, status: 413 },
        { coding: 'lzma', body: Buffer.from('{}'), status: 415 },
        { coding: 'zstd', body: Buffer.from('no zstd at all'), status: 400 },
      ]
      for (const client of spoken) {
        for (const { coding, body, status } of wrongs) {
          const response = await fetch(small.url + client.path('m/chat', false), {
            method: 'POST',
            headers: { ...client.headers, 'content-encoding': coding },
            body,
          })
          expect(`${client.name} ${response.status}`).toBe(`${client.name} ${status}`)
          expect(client.whole(await response.text()).error).toBeString()
        }
      }
    } finally {
      await small.stop()
    }
  })
})

describe('towards the client', () => {
  test('each answer has an id, and the limits and waits of its upstream; nothing else of it (H07)', async () => {
    await forAll(
      pairs.flatMap((pair) => [false, true].map((stream) => ({ ...pair, stream }))),
      (item) => `${nameOf(item)} ${item.stream}`,
      async ({ client, upstream, stream }) => {
        stage.model.clear()
        const theirs = {
          'x-request-id': 'req_theirs',
          'x-ratelimit-remaining-requests': '9',
          'anthropic-ratelimit-unified-5h-utilization': '0.4',
          'retry-after': '3',
          'x-should-retry': 'false',
          'set-cookie': 'a=b',
          server: 'theirs',
          'x-internal-host': 'db-7',
        }
        stage.model.instead = (_request, _body) =>
          new Response(JSON.stringify({ error: { message: 'no', type: 'x', code: null } }), {
            status: 429,
            headers: { ...theirs, ...bare },
          })
        const response = await post(client, upstream, { headers: client.headers, stream })
        expect(response.status).toBe(429)
        const own = response.headers.get('x-request-id')
        expect(own).toStartWith('req_')
        expect(own).not.toBe('req_theirs')
        // Anthropic's own id is what its clients report to Anthropic
        expect(response.headers.get('request-id')).toBe(client.name === 'messages' && client === upstream ? 'req_theirs' : own)
        expect(response.headers.get('x-upstream-request-id')).toBe('req_theirs')
        for (const name of [
          'x-ratelimit-remaining-requests',
          'anthropic-ratelimit-unified-5h-utilization',
          'retry-after',
          'x-should-retry',
        ] as const)
          expect(`${name} ${response.headers.get(name)}`).toBe(`${name} ${theirs[name]}`)
        for (const name of ['set-cookie', 'server', 'x-internal-host']) expect(`${name} ${response.headers.get(name)}`).toBe(`${name} null`)
      },
      1,
    )
  })

  test('an answer to a client of another dialect has the id of the gateway where its SDK looks', async () => {
    for (const { client, upstream } of pairs) {
      stage.model.clear()
      const response = await post(client, upstream, { headers: client.headers })
      expect(response.status).toBe(200)
      expect(response.headers.get('x-request-id')).toStartWith('req_')
      expect(response.headers.get('request-id')).toBe(response.headers.get('x-request-id'))
    }
  })

  test('streams are typed and not to be held up by proxies (A13)', async () => {
    for (const { client, upstream } of pairs) {
      stage.model.clear()
      const response = await post(client, upstream, { headers: { ...client.headers, 'accept-encoding': 'gzip, br' }, stream: true })
      const { headers } = response
      expect(headers.get('content-type')).toStartWith('text/event-stream')
      expect(headers.get('content-encoding')).toBeNull()
      expect(headers.get('cache-control')).toBe('no-cache, no-transform')
      expect(headers.get('x-accel-buffering')).toBe('no')
      const told = client.streamed(await response.text())
      expect(told.text).toBe('You said: Hello')
      expect(told.complete).toBe(true)
    }
  })

  test('a request without a word on streams is answered whole (A14)', async () => {
    for (const { client, upstream } of pairs) {
      stage.model.clear()
      const body = JSON.parse(leastRequest(client, modelAt(upstream), false))
      delete body.stream
      const response = await post(client, upstream, { headers: client.headers, body: JSON.stringify(body) })
      expect(response.headers.get('content-type')).toStartWith('application/json')
      expect(client.whole(await response.text()).text).toBe('You said: Hello')
    }
  })
})
