/**
 * Every way an upstream can fail × {whole, stream} × {Chat, Messages, Responses}, with a healthy upstream to go on to and without one: what the client saw,
 * and what was tried. Real sockets, a real gateway. Prints the table; every cell of it is asserted.
 */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import type { Outcome } from '../../src/plugin/index.ts'
import { dataOf } from '../golden/naive.ts'
import { type BadUpstream, type Misbehaviour, refusedUrl, startBadUpstream } from '../support/bad-upstream.ts'
import { authPlugin, clientKey } from '../support/gateway-config.ts'
import { type LocalGateway, startLocalGateway } from '../support/local-gateway.ts'
import { sampleText } from '../support/sample-replies.ts'
import { within } from '../support/within.ts'

setDefaultTimeout(60_000)

const apis = ['chat', 'messages', 'responses'] as const
type Api = (typeof apis)[number]

/** What comes of a fault. `failure` of the first try; `none` = it is none. */
interface Fault {
  readonly name: string
  readonly how: Misbehaviour
  readonly failure: string
  /** Status without another upstream, for OpenAI's and Anthropic's clients. */
  readonly alone: readonly [number, number]
  /** Of a stream content has left by then: 200 and an error frame, whatever else there is (B09). */
  readonly afterContent?: true
  /** The reply is good all the same. */
  readonly good?: true
}
const fault = (
  name: string,
  how: Misbehaviour,
  failure: string,
  alone: number | readonly [number, number],
  more: Partial<Fault> = {},
): Fault => ({
  name,
  how,
  failure,
  alone: typeof alone === 'number' ? [alone, alone] : alone,
  ...more,
})

const faults: readonly Fault[] = [
  fault('refused', { do: 'ok' }, 'connect', 502),
  fault('reset', { do: 'close-before-head', by: 'reset' }, 'reset', 502),
  fault('hang before headers', { do: 'hang-before-head' }, 'first_byte_timeout', 504),
  fault('hang after headers', { do: 'hang-after-head' }, 'idle_timeout', 504),
  fault('401', { do: 'status', status: 401 }, 'status', 502),
  fault('404', { do: 'status', status: 404 }, 'status', 404),
  fault('408', { do: 'status', status: 408 }, 'status', 408),
  fault('429 with Retry-After', { do: 'status', status: 429, headers: { 'retry-after': '7' } }, 'status', 429),
  fault('500', { do: 'status', status: 500 }, 'status', 500),
  fault('529', { do: 'status', status: 529 }, 'status', 529),
  fault('HTML 502', { do: 'html' }, 'status', 502),
  fault('200 + error', { do: 'error-in-200' }, 'error_in_reply', [503, 529]),
  fault('first-frame error', { do: 'first-frame-error' }, 'error_in_reply', [503, 529]),
  fault('cut before content', { do: 'cut-before-content', by: 'reset' }, 'reset', 502),
  fault('cut after content', { do: 'cut-after-content', by: 'complete' }, 'truncated', 502, { afterContent: true }),
  fault('stalled stream', { do: 'hang-mid-stream', frames: 5 }, 'idle_timeout', 504, { afterContent: true }),
  fault('bad JSON', { do: 'error-in-200', body: '{"id": "x", oops' }, 'bad_reply', 502),
  fault('wrong content type', { do: 'wrong-type', type: 'text/plain' }, 'none', 200, { good: true }),
]

/** One model per cell: what one cell has shown of a target is not to help the next. */
const modelOf = (i: number, api: Api, stream: boolean) => `case${i}-${api}-${stream ? 'stream' : 'whole'}`

const rows: string[] = []
let sick: BadUpstream
let well: BadUpstream
let gateway: LocalGateway

beforeAll(async () => {
  sick = await startBadUpstream()
  well = await startBadUpstream()
  for (const [i, { how }] of faults.entries()) {
    for (const api of apis) for (const stream of [false, true]) sick.forModel(modelOf(i, api, stream), how)
  }
  const timeouts = { first_byte: '400ms', idle: '400ms' }
  const upstream = (url: string) => ({
    openai: { dialect: 'openai', base_url: `${url}/v1`, key: 'sk-own', apis: ['chat', 'responses'], timeouts },
    anthropic: { dialect: 'anthropic', base_url: url, key: 'sk-own', timeouts },
  })
  const places = { sick: upstream(sick.url), well: upstream(well.url), nobody: upstream(await refusedUrl()) }
  const at = (...names: (keyof typeof places)[]) => ({
    targets: names.flatMap((name) => ['openai', 'anthropic'].map((family) => ({ upstream: `${name}-${family}`, model: '*' }))),
  })
  const alone = (name: keyof typeof places) => ({
    [`${name}-chat/*`]: { targets: [{ upstream: `${name}-openai`, model: '*' }] },
    [`${name}-responses/*`]: { targets: [{ upstream: `${name}-openai`, model: '*' }] },
    [`${name}-messages/*`]: { targets: [{ upstream: `${name}-anthropic`, model: '*' }] },
  })
  gateway = await startLocalGateway(
    JSON.stringify({
      version: 1,
      upstreams: Object.fromEntries(
        Object.entries(places).flatMap(([name, families]) => Object.entries(families).map(([family, u]) => [`${name}-${family}`, u])),
      ),
      models: { 'sick+well/*': at('sick', 'well'), 'nobody+well/*': at('nobody', 'well'), ...alone('sick'), ...alone('nobody') },
      plugins: [{ use: 'probe' }, authPlugin, { use: 'router', with: { breaker: { enabled: false } } }],
    }),
  )
})
afterAll(async () => {
  await gateway.stop()
  await sick.stop()
  await well.stop()
  const head = `${'fault'.padEnd(21)} ${'api'.padEnd(9)} form   upstreams  client saw            tried`
  console.log([head, ...rows.sort()].join('\n'))
})

interface Seen {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly outcome: Outcome
}

const paths: Readonly<Record<Api, string>> = { chat: '/v1/chat/completions', messages: '/v1/messages', responses: '/v1/responses' }

async function send(api: Api, model: string, stream: boolean, more: object = {}): Promise<Seen> {
  const asked = api === 'responses' ? { input: 'Hello!' } : { max_tokens: 64, messages: [{ role: 'user', content: 'Hello!' }] }
  const auth: Record<string, string> =
    api === 'messages' ? { 'x-api-key': clientKey, 'anthropic-version': '2023-06-01' } : { authorization: `Bearer ${clientKey}` }
  const response = await within(
    10_000,
    `${api} ${model}`,
    fetch(`${gateway.url}${paths[api]}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...auth },
      body: JSON.stringify({ model, stream, ...asked, ...more }),
    }),
  )
  const text = await within(10_000, `${api} ${model} body`, response.text())
  const outcome = await gateway.outcome(response.headers.get('x-request-id')!)
  return { status: response.status, headers: response.headers, text, outcome }
}

/** What a strict client makes of an answer. */
function verdictOf(api: Api, stream: boolean, { status, text }: Seen): string {
  if (status !== 200) return `error ${status}`
  if (!stream) return textOf(api, JSON.parse(text)) === sampleText ? 'whole reply' : 'another reply'
  const frames = dataOf(text)
    .filter((data) => data.trim() !== '[DONE]')
    .map((data) => JSON.parse(data) as Frame)
  const said = frames.map((frame) => deltaOf(api, frame)).join('')
  const failed = frames.some((f) => Boolean(f.error) || f.type === 'error' || f.type === 'response.failed')
  const ended = { chat: text.includes('[DONE]'), messages: text.includes('message_stop'), responses: text.includes('response.completed') }[
    api
  ]
  if (failed) return ended ? 'error and end' : 'stream, then error'
  return ended && said === sampleText && beginnings(api, frames) === 1 ? 'whole stream' : `broken stream: ${said}`
}

interface Frame {
  readonly type?: string
  readonly error?: unknown
  readonly delta?: string | { readonly text?: string }
  readonly choices?: readonly { readonly delta?: { readonly role?: string; readonly content?: string } }[]
}
function deltaOf(api: Api, { type, delta, choices }: Frame): string {
  if (api === 'chat') return choices?.[0]?.delta?.content ?? ''
  if (api === 'responses') return type === 'response.output_text.delta' ? String(delta) : ''
  return type === 'content_block_delta' ? ((delta as { text?: string }).text ?? '') : ''
}
function beginnings(api: Api, frames: readonly Frame[]): number {
  if (api === 'chat') return frames.filter((f) => f.choices?.[0]?.delta?.role !== undefined).length
  return frames.filter((f) => f.type === (api === 'messages' ? 'message_start' : 'response.created')).length
}
function textOf(api: Api, value: unknown): unknown {
  const v = value as {
    choices?: { message: { content: string } }[]
    content?: { text: string }[]
    output?: { content: { text: string }[] }[]
  }
  if (api === 'chat') return v.choices?.[0]?.message.content
  return api === 'messages' ? v.content?.[0]?.text : v.output?.[0]?.content[0]?.text
}

describe.concurrent('a fault', () => {
  for (const [i, f] of faults.entries()) {
    for (const api of apis) {
      for (const stream of [false, true]) {
        const place = f.name === 'refused' ? 'nobody' : 'sick'
        const family = api === 'messages' ? 'anthropic' : 'openai'
        const note = (upstreams: string, seen: Seen, verdict: string) => {
          const tried = seen.outcome.attempts
            .map((a) => `${a.upstream}: ${a.failure === 'status' ? a.status : (a.failure ?? 'ok')}`)
            .join(', ')
          const form = stream ? 'stream' : 'whole'
          rows.push(`${f.name.padEnd(21)} ${api.padEnd(9)} ${form.padEnd(6)} ${upstreams.padEnd(10)} ${verdict.padEnd(21)} ${tried}`)
        }

        test(`${f.name}, ${api}, ${stream ? 'stream' : 'whole'}: with a healthy second upstream`, async () => {
          const seen = await send(api, `${place}+well/${modelOf(i, api, stream)}`, stream)
          const verdict = verdictOf(api, stream, seen)
          note('two', seen, verdict)
          const { outcome } = seen
          const broken = stream && f.afterContent
          expect(verdict).toBe(broken ? 'stream, then error' : stream ? 'whole stream' : 'whole reply')
          const first = { upstream: `${place}-${family}`, failure: f.failure }
          if (f.good) expect(outcome.attempts).toMatchObject([{ upstream: first.upstream, status: 200 }])
          else if (broken) expect(outcome.attempts).toMatchObject([first])
          else expect(outcome.attempts).toMatchObject([first, { upstream: `well-${family}`, status: 200 }])
          expect(outcome.attempts.at(-1)!.failure).toBe(broken ? (f.failure as 'reset') : undefined)
          expect([outcome.end, outcome.upstream]).toEqual([broken ? 'failed' : 'finished', outcome.attempts.at(-1)!.upstream])
          expect(seen.headers.get('x-should-retry')).toBeNull()
          if (!broken) expect(outcome.usage).toMatchObject({ inputUncached: 11, outputVisible: 3 })
        })

        test(`${f.name}, ${api}, ${stream ? 'stream' : 'whole'}: without one`, async () => {
          const seen = await send(api, `${place}-${api}/${modelOf(i, api, stream)}`, stream)
          const verdict = verdictOf(api, stream, seen)
          note('one', seen, verdict)
          const { outcome } = seen
          expect(outcome.attempts).toHaveLength(1)
          expect(outcome.attempts[0]!.failure ?? 'none').toBe(f.failure as 'reset')
          const status = f.alone[family === 'openai' ? 0 : 1]
          if (f.good) expect(verdict).toBe(stream ? 'whole stream' : 'whole reply')
          else if (stream && f.afterContent) expect(verdict).toBe('stream, then error')
          else expect(verdict).toBe(`error ${status}`)
          if (f.name.startsWith('429')) expect(seen.headers.get('retry-after')).toBe('7')
          // only a key that will be refused again keeps the client's SDK from trying again
          if (seen.status !== 200) expect(seen.headers.get('x-should-retry')).toBe(f.name === '401' ? 'false' : null)
        })
      }
    }
  }
})

test('a response that is gone on from stays where it is, though others would answer', async () => {
  sick.forModel('kept', { do: 'ok' })
  const first = await send('responses', 'sick+well/kept', false)
  expect(first.outcome.upstream).toBe('sick-openai')
  const more = { previous_response_id: (JSON.parse(first.text) as { id: string }).id }
  sick.forModel('kept', { do: 'status', status: 500 })
  const second = await send('responses', 'sick+well/kept', false, more)
  expect(second.status).toBe(500)
  expect(second.outcome.attempts.map((a) => a.upstream)).toEqual(['sick-openai'])
})
