/**
 * Every way an upstream can fail × {stream, whole} × {Chat, Messages}, through real sockets: what the SDK of the client throws, which
 * status and envelope it got, and what the outcome says of the attempt. Prints the table.
 */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import type { Outcome } from '../../src/plugin/index.ts'
import { type BadUpstream, type Misbehaviour, refusedUrl, startBadUpstream } from '../support/bad-upstream.ts'
import { bodyOf, call, envelope, type Family, families, verdictOf } from '../support/client.ts'
import { authPlugin, type ConfigOptions, clientKey, gatewayConfig, routerPlugin, upstreamKeys } from '../support/gateway-config.ts'
import { type LocalGateway, startLocalGateway } from '../support/local-gateway.ts'
import { rawServer } from '../support/raw-server.ts'
import { startReplay } from '../support/replay-upstream.ts'
import { sampleError, sampleText } from '../support/sample-replies.ts'
import { within } from '../support/within.ts'

setDefaultTimeout(60_000)

interface Expected {
  /** Status for [openai, anthropic] clients. */
  readonly status: readonly [number, number]
  /** `none`: the attempt did not fail. */
  readonly failure: string
  readonly code?: string
  /** What a 200 stream says; absent when the status is an error. */
  readonly verdict?: 'success' | 'error-frame'
}
interface Case {
  readonly name: string
  readonly how: Misbehaviour
  readonly stream: Expected
  /** Absent: the same. */
  readonly whole?: Expected
  /** Said to the client. */
  readonly says?: RegExp
  /** The body is the upstream's, byte for byte (G05). */
  readonly verbatim?: boolean
  readonly headers?: Readonly<Record<string, string>>
}

const fails = (status: number | readonly [number, number], failure: string, code?: string): Expected => ({
  status: typeof status === 'number' ? [status, status] : status,
  failure,
  ...(code !== undefined && { code }),
})
const breaks = (failure: string, code = 'upstream_error'): Expected => ({ status: [200, 200], failure, code, verdict: 'error-frame' })
const success: Expected = { status: [200, 200], failure: 'none', verdict: 'success' }
const unreachable = fails(502, 'reset', 'upstream_error')
const status = (n: number, code: string, more: Partial<Case> & { headers?: Record<string, string> } = {}): Case => ({
  name: `status ${n}`,
  how: { do: 'status', status: n, ...(more.headers && { headers: more.headers }) },
  stream: fails(n, 'status', code),
  verbatim: true,
  ...more,
})

const cases: readonly Case[] = [
  { name: 'ok', how: { do: 'ok' }, stream: success },
  { name: 'reset before the head', how: { do: 'close-before-head', by: 'reset' }, stream: unreachable },
  { name: 'closed before the head', how: { do: 'close-before-head', by: 'eof' }, stream: unreachable },
  { name: 'half a head', how: { do: 'half-head' }, stream: unreachable },
  { name: 'garbage', how: { do: 'garbage' }, stream: fails(502, 'bad_reply', 'upstream_bad_reply') },
  { name: 'hangs before the head', how: { do: 'hang-before-head' }, stream: fails(504, 'first_byte_timeout', 'upstream_timeout') },
  { name: 'hangs after the head', how: { do: 'hang-after-head' }, stream: fails(504, 'idle_timeout', 'upstream_timeout') },
  {
    name: 'stalls in mid-stream',
    how: { do: 'hang-mid-stream' },
    stream: breaks('idle_timeout', 'upstream_timeout'),
    whole: fails(504, 'idle_timeout', 'upstream_timeout'),
    says: /fell silent/,
  },
  {
    name: 'own key rejected (401)',
    how: { do: 'status', status: 401 },
    stream: fails(502, 'status', 'upstream_auth'),
    headers: { 'x-should-retry': 'false' },
    says: /own key.*Overloaded/,
  },
  status(404, 'not_found'),
  status(408, 'upstream_timeout'),
  status(429, 'rate_limited', { headers: { 'retry-after': '7' } }),
  status(500, 'upstream_error'),
  status(529, 'overloaded', { headers: { 'x-should-retry': 'true' } }),
  { name: 'HTML 502', how: { do: 'html' }, stream: fails(502, 'status', 'upstream_error'), says: /^(?!.*<).*Bad gateway/s },
  { name: 'error in a 200', how: { do: 'error-in-200' }, stream: fails([503, 529], 'error_in_reply', 'overloaded'), says: /Overloaded/ },
  { name: 'null in a 200', how: { do: 'error-in-200', body: 'null' }, stream: fails(502, 'bad_reply', 'upstream_bad_reply') },
  {
    name: 'error as first frame',
    how: { do: 'first-frame-error' },
    stream: fails([503, 529], 'error_in_reply', 'overloaded'),
    says: /Overloaded/,
  },
  {
    name: 'error after content',
    how: { do: 'error-after-content' },
    stream: breaks('error_in_reply', 'overloaded'),
    whole: fails([503, 529], 'error_in_reply', 'overloaded'),
    says: /Overloaded/,
  },
  {
    name: 'cut before content, complete',
    how: { do: 'cut-before-content', by: 'complete' },
    stream: fails(502, 'empty', 'upstream_bad_reply'),
  },
  { name: 'cut before content, FIN', how: { do: 'cut-before-content', by: 'eof' }, stream: unreachable },
  { name: 'cut before content, RST', how: { do: 'cut-before-content', by: 'reset' }, stream: unreachable },
  {
    name: 'cut after content, complete',
    how: { do: 'cut-after-content', by: 'complete' },
    stream: breaks('truncated'),
    whole: fails(502, 'truncated'),
  },
  { name: 'cut after content, FIN', how: { do: 'cut-after-content', by: 'eof' }, stream: breaks('reset'), whole: fails(502, 'reset') },
  { name: 'JSON for a stream, SSE for a whole (A15)', how: { do: 'wrong-form' }, stream: success },
  { name: 'typed text/plain (A15)', how: { do: 'wrong-type', type: 'text/plain' }, stream: success },
  { name: 'typed application/json (A15)', how: { do: 'wrong-type', type: 'application/json' }, stream: success },
  { name: 'typed text/event-stream (A15)', how: { do: 'wrong-type', type: 'text/event-stream' }, stream: success },
  { name: 'empty 200 (B12)', how: { do: 'empty' }, stream: fails(502, 'empty', 'upstream_bad_reply') },
  { name: 'empty stream (B12)', how: { do: 'empty', stream: true }, stream: fails(502, 'empty', 'upstream_bad_reply') },
  { name: 'less than declared', how: { do: 'length-lie' }, stream: unreachable },
  { name: 'gzip (A07)', how: { do: 'gzip' }, stream: success },
]

const plugins = [{ use: 'probe' }, authPlugin, routerPlugin]
const rows: string[] = []
let bad: BadUpstream
let gateway: LocalGateway

beforeAll(async () => {
  bad = await startBadUpstream()
  gateway = await start({ upstream: bad.url, timeouts: { first_byte: '600ms', idle: '600ms' } })
  // the first call of each SDK loads half of it: not on the clock of a test
  await Promise.all(families.map((family) => bySdk(family, gateway, 'warm-up', true)))
})
afterAll(async () => {
  await gateway.stop()
  await bad.stop()
  console.log(rows.sort().join('\n'))
})

function start(options: ConfigOptions, idle?: number): Promise<LocalGateway> {
  return startLocalGateway(gatewayConfig({ plugins, ...options }), {}, idle)
}

interface Seen {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly outcome: Outcome
  /** Name of what the SDK threw; `-` when it did not. */
  readonly thrown: string
}

/** One call by the family's SDK, and what went over the wire. */
async function bySdk(family: Family, at: LocalGateway, model: string, stream: boolean): Promise<Seen> {
  let wire: Promise<{ status: number; headers: Headers; text: string }> | undefined
  const options = {
    apiKey: clientKey,
    maxRetries: 0,
    fetch: async (url: unknown, init: unknown): Promise<Response> => {
      const response = await fetch(url as string, init as RequestInit)
      const { status, headers } = response
      wire = response
        .clone()
        .text()
        .then((text) => ({ status, headers, text }))
      return response
    },
  }
  const body = JSON.parse(bodyOf(`cat/${model}`, stream))
  const run = async (): Promise<void> => {
    const reply =
      family === 'openai'
        ? await new OpenAI({ ...options, baseURL: `${at.url}/v1` }).chat.completions.create(body)
        : await new Anthropic({ ...options, baseURL: at.url }).messages.create(body)
    if (stream) for await (const _ of reply as unknown as AsyncIterable<object>);
  }
  const thrown = await within(5000, `${model} ${family}`, run()).then(
    () => '-',
    (error: Error) => error.constructor.name,
  )
  const { status, headers, text } = await wire!
  return { status, headers, text, thrown, outcome: await at.outcome(headers.get('x-request-id')!) }
}

/** The SDK's error class for a status. */
function classOf(family: Family, status: number): string {
  if (status === 200) return '-'
  return (family === 'anthropic' && anthropicClasses[status]) || (classes[status] ?? (status >= 500 ? 'InternalServerError' : 'APIError'))
}
const classes: Readonly<Record<number, string>> = { 404: 'NotFoundError', 429: 'RateLimitError' }
const anthropicClasses: Readonly<Record<number, string>> = {
  408: 'RequestTimeoutError',
  504: 'GatewayTimeoutError',
  529: 'OverloadedError',
}

function check(c: Case, family: Family, stream: boolean, seen: Seen): void {
  const expected = stream ? c.stream : (c.whole ?? c.stream)
  const { status, text, outcome, thrown, headers } = seen
  const attempt = outcome.attempts[0]
  const verdict = status === 200 && stream ? verdictOf(family, text) : status === 200 ? 'success' : 'refused'
  rows.push(
    `${c.name.padEnd(42)} ${(stream ? 'stream' : 'whole').padEnd(6)} ${family.padEnd(9)} ${status} ${verdict.padEnd(11)} ${thrown.padEnd(19)} ` +
      `${outcome.end} ${attempt?.failure ?? '-'} ${outcome.code ?? '-'}`,
  )
  expect(status).toBe(expected.status[family === 'openai' ? 0 : 1])
  expect(attempt?.failure ?? 'none').toBe(expected.failure as 'reset')
  expect(outcome.attempts).toHaveLength(1)
  expect(headers.get('request-id')).toBeTruthy()
  if (expected.code !== undefined) expect(outcome.code).toBe(expected.code)
  for (const [name, value] of Object.entries(c.headers ?? {})) expect(headers.get(name)).toBe(value)
  expect(text).not.toContain(upstreamKeys[family])
  if (status !== 200) {
    const said = envelope(family, text)
    if (c.says) expect(said.message).toMatch(c.says)
    if (c.verbatim) expect(text).toBe(sampleError(family === 'openai' ? 'openai-chat' : 'anthropic-messages'))
    expect([outcome.end, outcome.status, outcome.streamState]).toEqual(['failed', status, 'none'])
    expect(thrown).toBe(classOf(family, status))
    return
  }
  expect(headers.get('content-type')).toContain(stream ? 'text/event-stream' : 'application/json')
  if (expected.verdict === 'success') {
    expect([verdict, thrown, outcome.end, outcome.streamState]).toEqual(['success', '-', 'finished', 'completed'])
    expect(outcome.usage).toMatchObject({ source: 'reported', inputUncached: 11, outputVisible: 3 })
    if (stream) expect([...text.matchAll(/(?:"content"|"text"):"([^"]*)"/g)].map((m) => m[1]).join('')).toBe(sampleText)
    else expect(text).toContain(sampleText)
    return
  }
  expect(verdict).toBe('error-frame')
  expect(thrown).toBe('APIError')
  expect(text).not.toContain('[DONE]')
  expect(text).not.toContain('message_stop')
  expect(outcome.end).toBe('failed')
  expect(outcome.streamState).toBe(expected.failure.endsWith('timeout') ? 'timeout' : 'upstream_error')
  if (c.says) expect(text).toMatch(c.says)
}

describe.concurrent('an upstream that fails', () => {
  for (const [i, c] of cases.entries()) {
    test(c.name, async () => {
      bad.forModel(`case${i}`, c.how)
      const runs = families.flatMap((family) => [true, false].map((stream) => ({ family, stream })))
      await Promise.all(runs.map(async ({ family, stream }) => check(c, family, stream, await bySdk(family, gateway, `case${i}`, stream))))
    })
  }

  test('a gzipped 404 (A07)', async () => {
    const replay = await startReplay()
    const at = await start({ upstream: replay.url, prefix: 'replay-' })
    for (const family of families) {
      const body = sampleError(family === 'openai' ? 'openai-chat' : 'anthropic-messages', 'no such model: über')
      const id = replay.addReply(
        { status: 404, headers: { 'content-type': 'application/json' }, body: Buffer.from(body), stream: false },
        { gzip: true },
      )
      for (const stream of [true, false]) {
        const seen = await bySdk(family, at, id, stream)
        expect([seen.status, seen.text, seen.thrown]).toEqual([404, body, 'NotFoundError'])
      }
    }
    await at.stop()
    await replay.stop()
  })

  test('nobody listens', async () => {
    const at = await start({ upstream: await refusedUrl() })
    const c: Case = { name: 'nobody listens', how: { do: 'ok' }, stream: fails(502, 'connect', 'upstream_unreachable') }
    for (const family of families) for (const stream of [true, false]) check(c, family, stream, await bySdk(family, at, 'x', stream))
    await at.stop()
  })

  test('a connection that never opens: connect timeout', async () => {
    // TCP opens, the TLS handshake never gets an answer
    using silent = rawServer(() => {}, { onBytes: () => {} })
    const at = await start({ upstream: silent.url.replace('http:', 'https:'), timeouts: { connect: '200ms' } })
    const c: Case = { name: 'connect timeout', how: { do: 'ok' }, stream: fails(502, 'connect_timeout', 'upstream_unreachable') }
    const began = performance.now()
    for (const family of families) check(c, family, true, await bySdk(family, at, 'x', true))
    expect(performance.now() - began).toBeLessThan(3000)
    await silent.allClosed()
    await at.stop()
  })

  test('total timeout: a stream that never ends is ended, before and after content', async () => {
    const slow = await startBadUpstream()
    slow.forModel('flood', { do: 'flood', frameBytes: 300 })
    slow.forModel('hang', { do: 'hang-before-head' })
    const at = await start({ upstream: slow.url, timeouts: { total: '1500ms' } })
    const late: Case = { name: 'total timeout in mid-stream', how: { do: 'flood' }, stream: breaks('total_timeout', 'upstream_timeout') }
    const early: Case = {
      name: 'total timeout before the head',
      how: { do: 'hang-before-head' },
      stream: fails(504, 'total_timeout', 'upstream_timeout'),
    }
    await Promise.all(
      families.flatMap((family) => [
        bySdk(family, at, 'flood', true).then((seen) => check(late, family, true, seen)),
        bySdk(family, at, 'hang', true).then((seen) => check(early, family, true, seen)),
      ]),
    )
    for (const one of slow.calls) expect(await within(1000, 'the upstream call ends', one.closed)).toBe('peer')
    await at.stop()
    await slow.stop()
  })

  test("without an own key a 401 is the caller's, verbatim", async () => {
    const keyless = await startBadUpstream()
    keyless.always({ do: 'status', status: 401 })
    const at = await start({ upstream: keyless.url, keys: false })
    for (const family of families) {
      const seen = await bySdk(family, at, 'x', false)
      expect([seen.status, seen.thrown]).toEqual([401, 'AuthenticationError'])
    }
    await at.stop()
    await keyless.stop()
  })

  test('A09: 13 s of silence live beyond a listener limit of 4 s: before the head, after it, in mid-stream', async () => {
    const silent = await startBadUpstream()
    silent.forModel('head', { do: 'hang-before-head' })
    silent.forModel('body', { do: 'hang-after-head' })
    silent.forModel('middle', { do: 'hang-mid-stream' })
    const at = await start({ upstream: silent.url, timeouts: { first_byte: '0', idle: '0', total: '0' } }, 4)
    const kinds = families.flatMap((family) => ['head', 'body', 'middle'].map((model) => ({ family, model })))
    const answers = kinds.map(({ family, model }) => call(family, at.url, bodyOf(`cat/${model}`, true)))
    await Promise.all(kinds.map((_, i) => silent.call(i).then((c) => c.held)))
    await Bun.sleep(13_000)
    for (const one of silent.calls) one.release()
    for (const [i, answer] of (await Promise.all(answers)).entries()) {
      expect([kinds[i], answer.status, verdictOf(kinds[i]!.family, answer.text)]).toEqual([kinds[i], 200, 'success'])
    }
    await at.stop()
    await silent.stop()
  })
})
