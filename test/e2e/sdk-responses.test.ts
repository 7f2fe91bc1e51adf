/**
 * The unmodified `openai` SDK through the real gateway against recorded Responses traffic, whole and streaming.
 *
 * What the SDK gives must be what was recorded; what the upstream got must be what the SDK sent, except the spliced model (F01).
 */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import OpenAI from 'openai'
import type { ResponseCreateParamsNonStreaming } from 'openai/resources/responses/responses'
import { tellResponses } from '../golden/naive.ts'
import { forAll } from '../support/for-all.ts'
import { type GatewayProcess, startGateway } from '../support/gateway.ts'
import { clientKey, gatewayConfig } from '../support/gateway-config.ts'
import { findRecordings, type RecordingEntry, readRecording, replyBytes } from '../support/recordings.ts'
import { modelPrefix, type ReplayUpstream, startReplay } from '../support/replay-upstream.ts'

setDefaultTimeout(60_000)

const entries = findRecordings({ dialect: 'openai-responses', kind: ['exchange', 'response'] })
const of = (stream: boolean, ok: boolean) => (entries ?? []).filter((e) => e.stream === stream && (e.status === 200) === ok)

/** The usual config, with an upstream that has the Responses API; those of other hosts than OpenAI's are not thought to. */
function config(upstream: string): string {
  const usual = JSON.parse(gatewayConfig({ upstream, prefix: modelPrefix }))
  usual.upstreams.openai.apis = ['chat', 'responses']
  usual.models['claude/*'] = { targets: [{ upstream: 'anthropic', model: `${modelPrefix}*` }] }
  return JSON.stringify(usual)
}

describe.skipIf(entries === undefined)('the openai SDK on recorded Responses traffic', () => {
  let replay: ReplayUpstream
  let gateway: GatewayProcess

  beforeAll(async () => {
    replay = await startReplay()
    gateway = await startGateway({ config: config(replay.url) })
  })
  afterAll(async () => {
    expect(await gateway.stop()).toBe(0)
    await replay.stop()
  })

  function sdk(baseURL = `${gateway.url}/v1`): { client: OpenAI; sent: string[] } {
    const sent: string[] = []
    const client = new OpenAI({
      apiKey: clientKey,
      baseURL,
      maxRetries: 0,
      timeout: 20_000,
      fetch: (url, init) => {
        sent.push(String(init?.body))
        return fetch(url, init)
      },
    })
    return { client, sent }
  }

  function prepare(entry: RecordingEntry) {
    const recording = readRecording(entry)
    const id = replay.add(recording)
    return { recording, id, body: { ...(recording.request.body as object), model: `cat/${id}` } as ResponseCreateParamsNonStreaming }
  }

  const post = (body: object) =>
    fetch(`${gateway.url}/v1/responses`, {
      method: 'POST',
      headers: { authorization: `Bearer ${clientKey}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })

  test('F01: whole replies arrive as recorded, requests leave as sent', async () => {
    let count = 0
    await forAll(
      of(false, true),
      (e) => e.id,
      async (entry) => {
        const { recording, id, body } = prepare(entry)
        const { client, sent } = sdk()
        if (body.previous_response_id) {
          // that one was made somewhere else
          const elsewhere = { ...body, stream: false as const, previous_response_id: `resp_elsewhere_${id}` }
          const refused = await client.responses.create(elsewhere).catch((error: unknown) => error)
          expect(refused).toMatchObject({ status: 400, code: 'previous_response_not_found' })
          return
        }
        const {
          output_text: _,
          _request_id,
          ...result
        } = (await client.responses.create({ ...body, stream: false })) as OpenAI.Responses.Response & {
          _request_id?: string
        }
        const { output_text: __, ...recorded } = JSON.parse(Buffer.from(replyBytes(recording)).toString())
        expect(result as object).toEqual(recorded)
        expect(_request_id).toStartWith('req_')
        const [got] = replay.requestsFor(id)
        expect(got?.path).toBe('/v1/responses')
        expect(Buffer.from(got!.body).toString()).toBe(sent[0]!.replace(`"model":"cat/${id}"`, `"model":"${modelPrefix}${id}"`))
        count++
      },
    )
    expect(count).toBeGreaterThan(180)
  })

  test('streams arrive byte for byte, and the SDK makes of them what it makes of the upstream itself', async () => {
    let helped = 0
    await forAll(
      of(true, true),
      (e) => e.id,
      async (entry) => {
        const { recording, id, body } = prepare(entry)
        const response = await post({ ...body, stream: true })
        expect(response.headers.get('content-type')).toStartWith('text/event-stream')
        const bytes = Buffer.from(await response.arrayBuffer()).toString()
        expect(bytes.trimEnd()).toBe(recording.response.sse!.trimEnd())
        const final = (client: OpenAI) =>
          client.responses
            .stream({ ...body, stream: true })
            .finalResponse()
            .then(
              (value) => ({ value: JSON.parse(JSON.stringify(value)) }),
              (error: Error) => ({ error: error.message }),
            )
        const through = await final(sdk().client)
        expect(through as object).toEqual(await final(sdk(`${replay.url}/v1/replay-${id}`).client))
        if ('value' in through) helped++
      },
    )
    expect(helped).toBeGreaterThan(15)
  })

  test('B01: a stream that breaks off before its terminal event is an error, by the SDK and by the record', async () => {
    await forAll(
      of(true, true).slice(0, 20),
      (e) => e.id,
      async (entry) => {
        const { recording, body } = prepare(entry)
        const frames = recording.response.sse!.split('\n\n').filter((frame) => frame.trim() !== '').length
        const done = recording.response.sse!.includes('[DONE]') ? 2 : 1
        const id = replay.add(recording, { stopAfter: { frames: frames - done } })
        const response = await post({ ...body, model: `cat/${id}`, stream: true })
        const told = await response.text()
        if (response.status === 200) {
          expect(told).toContain('event: response.failed')
          expect(told).not.toMatch(/"type": ?"response\.(completed|incomplete)"/)
          expect(tellResponses(told.slice(told.lastIndexOf('event: error'))).error).toBeString()
        } else expect(response.status).toBe(502) // nothing had been said yet
      },
    )
  })

  test('B07: a response that fails at once is an HTTP error with its words', async () => {
    const frame = (type: string, response: object) => `event: ${type}\ndata: ${JSON.stringify({ type, response })}\n\n`
    const error = { code: 'rate_limit_exceeded', message: 'Slow down.' }
    const created = frame('response.created', { id: 'r', status: 'in_progress', output: [], error: null })
    const failed = frame('response.failed', { id: 'r', status: 'failed', output: [], error })
    const stream = replay.addReply({
      status: 200,
      stream: true,
      headers: { 'content-type': 'text/event-stream' },
      body: Buffer.from(created + failed),
    })
    const whole = replay.addReply({
      status: 200,
      stream: false,
      headers: { 'content-type': 'application/json' },
      body: Buffer.from(JSON.stringify({ id: 'r', object: 'response', status: 'failed', output: [], error })),
    })
    for (const [id, asked] of [
      [stream, true],
      [whole, false],
    ] as const) {
      const response = await post({ model: `cat/${id}`, input: 'hi', stream: asked })
      expect(response.status).toBe(429)
      expect(await response.json()).toMatchObject({
        error: { message: expect.stringContaining('Slow down.'), code: 'rate_limit_exceeded' },
      })
    }
  })

  test('B14: a reply of another API comes as a response that repeats what was asked', async () => {
    const [entry] = findRecordings({ dialect: 'anthropic-messages', stream: false, status: 200, kind: 'exchange', limit: 1 }) ?? []
    const id = replay.add(readRecording(entry!))
    const asked = { model: `claude/${id}`, input: 'hi', temperature: 0.5, tools: [{ type: 'function', name: 'f', parameters: {} }] }
    const response = await post(asked)
    expect(response.status).toBe(200)
    const { input: _, model: __, ...repeated } = asked
    expect(await response.json()).toMatchObject({ object: 'response', status: 'completed', ...repeated })
  })

  test('G05: error replies arrive with their status, and their body byte for byte', async () => {
    await forAll(
      of(false, false),
      (e) => e.id,
      async (entry) => {
        const { recording, body } = prepare(entry)
        const response = await post(body)
        expect(response.status).toBe(entry.status)
        expect(await response.json()).toEqual(JSON.parse(Buffer.from(replyBytes(recording)).toString()))
      },
    )
  })
})
