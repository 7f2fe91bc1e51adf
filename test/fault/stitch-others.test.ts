/** Broken streams that go on for clients of Gemini's API and of legacy Completions, whose streams have no beginning and no items. Real sockets. */

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { dataOf } from '../golden/naive.ts'
import { authPlugin, clientKey } from '../support/gateway-config.ts'
import { type LocalGateway, startLocalGateway } from '../support/local-gateway.ts'

/** A server that streams these frames and keeps what it was asked. */
function streaming(frames: readonly string[]) {
  const asked: unknown[] = []
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      asked.push(await request.json())
      return new Response(frames.join(''), { headers: { 'content-type': 'text/event-stream' } })
    },
  })
  return { url: server.url.origin, asked, stop: () => server.stop(true) }
}
const generated = (text: string, finish?: string) => {
  const candidate = { content: { parts: [{ text }], role: 'model' }, index: 0, ...(finish && { finishReason: finish }) }
  const usageMetadata = { promptTokenCount: 9, candidatesTokenCount: 2, totalTokenCount: 11 }
  return `data: ${JSON.stringify({ candidates: [candidate], usageMetadata, modelVersion: 'gemini-2.5-pro', responseId: 'r1' })}\r\n\r\n`
}
const completed = (text: string, finish: string | null = null) =>
  `data: ${JSON.stringify({ id: 'cmpl-1', object: 'text_completion', created: 1, model: 'x', choices: [{ text, index: 0, logprobs: null, finish_reason: finish }] })}\n\n`

const upstreams = {
  sick: streaming([generated('One '), generated('two')]),
  well: streaming([generated(' three'), generated(' four', 'STOP')]),
  old: streaming([completed('One '), completed('two')]),
  older: streaming([completed(' three'), completed('', 'stop'), 'data: [DONE]\n\n']),
}
let gateway: LocalGateway

beforeAll(async () => {
  const { sick, well, old, older } = upstreams
  const completions = { dialect: 'openai', key: 'k', apis: ['completions'] }
  gateway = await startLocalGateway(
    JSON.stringify({
      version: 1,
      mounts: [
        { path: '/v1', api: 'openai' },
        { path: '/g', api: 'gemini' },
      ],
      upstreams: {
        sick: { dialect: 'gemini', base_url: sick.url, key: 'k' },
        well: { dialect: 'gemini', base_url: well.url, key: 'k' },
        old: { ...completions, base_url: `${old.url}/v1` },
        older: { ...completions, base_url: `${older.url}/v1` },
      },
      models: {
        gemini: { targets: ['sick', 'well'].map((upstream) => ({ upstream, model: 'gemini-2.5-pro' })) },
        instruct: { targets: ['old', 'older'].map((upstream) => ({ upstream, model: 'x' })) },
      },
      plugins: [{ use: 'probe' }, authPlugin, { use: 'router', with: { stitch: true } }],
    }),
  )
})
afterAll(async () => {
  await gateway.stop()
  for (const one of Object.values(upstreams)) await one.stop()
})

async function post(path: string, body: object) {
  const response = await fetch(gateway.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${clientKey}`, 'x-goog-api-key': clientKey },
    body: JSON.stringify(body),
  })
  return { raw: await response.text(), outcome: await gateway.outcome(response.headers.get('x-request-id')!) }
}

interface Chunk {
  readonly candidates?: readonly {
    readonly content: { readonly parts: readonly { readonly text: string }[] }
    readonly finishReason?: string
  }[]
  readonly usageMetadata?: { readonly candidatesTokenCount: number }
  readonly choices?: readonly { readonly text: string; readonly finish_reason: string | null }[]
}

test('Gemini: one text, one finish reason in the last chunk, usage of both there', async () => {
  const body = { contents: [{ role: 'user', parts: [{ text: 'Hi' }] }], generationConfig: { maxOutputTokens: 50 } }
  const { raw, outcome } = await post('/g/v1beta/models/gemini:streamGenerateContent?alt=sse', body)
  const chunks = dataOf(raw).map((data) => JSON.parse(data) as Chunk)
  expect(chunks.map((chunk) => chunk.candidates![0]!.content.parts[0]!.text).join('')).toBe('One two three four')
  expect(chunks.flatMap((chunk) => chunk.candidates![0]!.finishReason ?? [])).toEqual(['STOP'])
  expect(chunks.at(-1)!.usageMetadata!.candidatesTokenCount).toBeGreaterThan(3)
  expect(outcome).toMatchObject({ end: 'finished', attempts: [{ failure: 'truncated' }, { upstream: 'well' }] })
  const { contents, generationConfig } = upstreams.well.asked[0] as {
    contents: { role: string }[]
    generationConfig: { maxOutputTokens: number }
  }
  expect(contents.map((one) => one.role)).toEqual(['user', 'model', 'user'])
  expect(contents[1]).toEqual({ role: 'model', parts: [{ text: 'One two' }] } as object as { role: string })
  expect(generationConfig.maxOutputTokens).toBeLessThan(50)
})

test('Completions: the prompt goes on with the text', async () => {
  const { raw, outcome } = await post('/v1/completions', { model: 'instruct', stream: true, prompt: 'Hi. ', max_tokens: 20 })
  const data = dataOf(raw)
  const chunks = data.filter((one) => one !== '[DONE]').map((one) => JSON.parse(one) as Chunk)
  expect(chunks.flatMap((chunk) => chunk.choices?.[0]?.text ?? []).join('')).toBe('One two three')
  expect(chunks.flatMap((chunk) => chunk.choices?.[0]?.finish_reason ?? [])).toEqual(['stop'])
  expect(data.filter((one) => one === '[DONE]')).toHaveLength(1)
  expect(upstreams.older.asked[0]).toMatchObject({ prompt: 'Hi. One two', model: 'x' })
  expect(outcome.continued).toHaveLength(1)
})

test('neither where several answers or a schema were asked for', async () => {
  for (const generationConfig of [{ candidateCount: 2 }, { responseMimeType: 'application/json' }]) {
    const body = { contents: [{ role: 'user', parts: [{ text: 'Hi' }] }], generationConfig }
    const { outcome } = await post('/g/v1beta/models/gemini:streamGenerateContent?alt=sse', body)
    expect([outcome.end, outcome.attempts.length]).toEqual(['failed', 1])
  }
  const { outcome } = await post('/v1/completions', { model: 'instruct', stream: true, prompt: 'Hi', echo: true })
  expect([outcome.end, outcome.attempts.length]).toEqual(['failed', 1])
})
