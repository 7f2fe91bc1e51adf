/**
 * The unmodified `@anthropic-ai/sdk` through the real gateway against recorded Messages traffic, whole and streaming.
 *
 * What the SDK gives must be what was recorded; what the upstream got must be what the SDK sent, except the spliced model (F01), under
 * the gateway's own key, with the client's beta flags and query (H03, H04, H08).
 */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import Anthropic from '@anthropic-ai/sdk'
import { dataOf, tellMessages } from '../golden/naive.ts'
import { forAll } from '../support/for-all.ts'
import { type GatewayProcess, startGateway } from '../support/gateway.ts'
import { clientKey, gatewayConfig, upstreamKeys } from '../support/gateway-config.ts'
import { findRecordings, type RecordingEntry, readRecording, replyBytes } from '../support/recordings.ts'
import { type CapturedRequest, modelPrefix, type ReplayUpstream, startReplay } from '../support/replay-upstream.ts'

setDefaultTimeout(60_000)

const entries = findRecordings({ dialect: 'anthropic-messages', kind: ['exchange', 'response'] })
const of = (stream: boolean, ok: boolean) => (entries ?? []).filter((e) => e.stream === stream && (e.status === 200) === ok)
const betas = ['prompt-caching-2024-07-31', 'made-up-2099-01-01']
const counts = { whole: 0, streamed: 0, helper: 0, errors: 0, toolCalls: 0, bytes: 0 }

/** The parts of both `messages` and `beta.messages` that are used here, loosely typed: the bodies are recorded, not written. */
interface Messages {
  create(body: object): Promise<object>
  stream(body: object): { finalMessage(): Promise<object> }
}

describe.skipIf(entries === undefined)('the anthropic SDK on recorded traffic', () => {
  let replay: ReplayUpstream
  let gateway: GatewayProcess

  beforeAll(async () => {
    replay = await startReplay()
    gateway = await startGateway({ config: gatewayConfig({ upstream: replay.url, prefix: modelPrefix }) })
  })
  afterAll(async () => {
    expect(await gateway.stop()).toBe(0)
    await replay.stop()
    const { whole, streamed, helper, errors, toolCalls, bytes } = counts
    console.log(
      `anthropic-messages: ${whole} recordings whole, ${streamed} streamed, ${helper} by the stream helper, ${errors} errors; ` +
        `${toolCalls} tool calls; ${bytes} request bytes compared`,
    )
  })

  /** A client whose every request is kept. */
  function sdk(baseURL = gateway.url): { client: Anthropic; sent: Sent[]; replies: Headers[] } {
    const sent: Sent[] = []
    const replies: Headers[] = []
    const client = new Anthropic({
      apiKey: clientKey,
      baseURL,
      maxRetries: 0,
      timeout: 20_000,
      fetch: async (url, init) => {
        sent.push({
          body: String(init?.body),
          query: new URL(String(url)).search.slice(1),
          headers: new Headers(init?.headers as Headers),
        })
        const response = await fetch(url as string, init as RequestInit)
        replies.push(response.headers)
        return response
      },
    })
    return { client, sent, replies }
  }

  const isBeta = (entry: RecordingEntry) => readRecording(entry).request.query.beta === 'true'
  const api = (client: Anthropic, beta: boolean): Messages => (beta ? client.beta.messages : client.messages) as unknown as Messages

  function prepare(entry: RecordingEntry) {
    const recording = readRecording(entry)
    const id = replay.add(recording)
    const beta = isBeta(entry)
    const body = { ...(recording.request.body as object), model: `cat/${id}`, ...(beta && { betas }) }
    return { recording, id, body, beta }
  }

  function checkUpstream(id: string, sent: readonly Sent[], beta: boolean) {
    const got = replay.requestsFor(id).filter((r) => r.path === '/v1/messages')
    expect(got).toHaveLength(sent.length)
    for (const [i, request] of got.entries()) {
      const { body, query, headers } = sent[i]!
      const expected = body.replace(`"model":"cat/${id}"`, `"model":"${modelPrefix}${id}"`)
      expect(expected).not.toBe(body)
      expect(Buffer.from(request.body).toString()).toBe(expected)
      expect(request.headers.get('x-api-key')).toBe(upstreamKeys.anthropic)
      expect(request.headers.get('authorization')).toBeNull()
      expect(JSON.stringify(request.headerLines)).not.toContain(clientKey)
      // H03: one line, one value
      expect(valuesOf(request, 'anthropic-version')).toEqual([headers.get('anthropic-version') ?? '2023-06-01'])
      // H04, H08
      expect(request.headers.get('anthropic-beta')).toBe(headers.get('anthropic-beta'))
      expect(request.query).toBe(query)
      if (beta) expect(request.headers.get('anthropic-beta')).toBe(betas.join(','))
      counts.bytes += request.body.length
    }
  }

  test('whole replies: the message, its tool calls and usage as recorded', async () => {
    await forAll(
      of(false, true),
      (e) => e.id,
      async (entry) => {
        const { recording, id, body, beta } = prepare(entry)
        const { client, sent, replies } = sdk()
        const message = (await api(client, beta).create(body)) as Anthropic.Message
        const recorded = JSON.parse(Buffer.from(replyBytes(recording)).toString())
        expect(message as object).toEqual(recorded)
        expect(message.stop_reason).toBe(recorded.stop_reason)
        expect(message.usage).toEqual(recorded.usage)
        for (const [i, block] of message.content.entries()) {
          if (block.type !== 'tool_use') continue
          expect([block.id, block.name, block.input]).toEqual([recorded.content[i].id, recorded.content[i].name, recorded.content[i].input])
          counts.toolCalls++
        }
        expect(replies[0]!.get('request-id')).toBeTruthy()
        expect(replies[0]!.get('x-request-id')).toStartWith('req_')
        checkUpstream(id, sent, beta)
        counts.whole++
      },
    )
    expect(counts.whole).toBeGreaterThanOrEqual(60)
  })

  test('streams: every event as recorded, by create and by the stream helper', async () => {
    await forAll(
      of(true, true).filter((e) => !spliced(e)),
      (e) => e.id,
      async (entry) => {
        const { recording, id, body, beta } = prepare(entry)
        const { client, sent, replies } = sdk()
        const events: object[] = []
        for await (const event of (await api(client, beta).create({ ...body, stream: true })) as AsyncIterable<object>) events.push(event)
        const recorded = dataOf(recording.response.sse!)
          .map((data) => JSON.parse(data) as { type: string })
          .filter((event) => event.type !== 'ping')
        expect(events).toEqual(recorded)
        expect(replies[0]!.get('content-type')).toStartWith('text/event-stream')
        expect(replies[0]!.get('x-request-id')).toStartWith('req_')
        counts.streamed++

        const through = await helperResult(api(client, beta), body)
        const direct = await helperResult(api(sdk(`${replay.url}/replay-${id}`).client, beta), body)
        // a last frame without its blank line ends well here only: the gateway mends it
        if ('result' in direct || 'error' in through) expect(through).toEqual(direct)
        if ('result' in through) {
          const told = tellMessages(recording.response.sse!)
          const message = through.result
          const text = message.content.map((block) => (block.type === 'text' ? block.text : '')).join('')
          expect(text).toBe(told.text)
          expect(message.stop_reason as string).toBe(told.stops[0]!)
          const calls = message.content.flatMap((block) => (block.type === 'tool_use' ? [block] : []))
          expect(calls.map((c) => [c.id, c.name, c.input])).toEqual(told.calls.map((c) => [c.id, c.name, JSON.parse(c.arguments || '{}')]))
          expect(message.usage.output_tokens).toBe(told.usage.output_tokens)
          expect(message.content.map((block) => block.type as string)).toEqual(told.blocks)
          counts.toolCalls += calls.length
          counts.helper++
        }
        checkUpstream(id, sent, beta)
      },
    )
    expect(counts.streamed).toBeGreaterThanOrEqual(30)
    expect(counts.helper).toBeGreaterThanOrEqual(20)
  })

  test('B22: a recorded stream with a second message in it throws', async () => {
    for (const entry of of(true, true).filter(spliced)) {
      const { body, beta } = prepare(entry)
      const reading = (async () => {
        for await (const _ of (await api(sdk().client, beta).create({ ...body, stream: true })) as AsyncIterable<object>);
      })()
      await expect(reading).rejects.toThrow('second message')
    }
  })

  test('G05: error replies arrive with their status, and their body byte for byte', async () => {
    await forAll(
      of(false, false),
      (e) => e.id,
      async (entry) => {
        const { recording, id, body, beta } = prepare(entry)
        const { client, sent } = sdk()
        const error = await api(client, beta)
          .create(body)
          .then(
            () => undefined,
            (e: unknown) => e,
          )
        expect(error).toBeInstanceOf(Anthropic.BadRequestError)
        const { status, error: said } = error as InstanceType<typeof Anthropic.APIError>
        expect(status).toBe(entry.status as 400)
        expect(said).toEqual(recording.response.body as object)
        const { betas: _, ...plain } = body as { betas?: unknown }
        const text = JSON.stringify({ ...plain, stream: true })
        const raw = await fetch(`${gateway.url}/anthropic/v1/messages${beta ? '?beta=true' : ''}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'x-api-key': clientKey, ...(beta && { 'anthropic-beta': betas.join(',') }) },
          body: text,
        })
        sent.push({ body: text, query: beta ? 'beta=true' : '', headers: new Headers(beta ? { 'anthropic-beta': betas.join(',') } : {}) })
        expect(raw.status).toBe(entry.status)
        expect(await raw.text()).toBe(Buffer.from(replyBytes(recording)).toString())
        checkUpstream(id, sent, beta)
        counts.errors++
      },
    )
    expect(counts.errors).toBeGreaterThan(0)
  })

  test('count_tokens passes through', async () => {
    const body = Buffer.from('{"input_tokens":2095, "context_management": {"original_input_tokens": 9007199254740993}}')
    const id = replay.addReply({ status: 200, headers: { 'content-type': 'application/json' }, body, stream: false })
    const { client, sent } = sdk()
    const counted = await client.messages.countTokens({ model: `cat/${id}`, messages: [{ role: 'user', content: 'How long is this?' }] })
    expect(counted.input_tokens).toBe(2095)
    const betaCounted = await client.beta.messages.countTokens({ model: `cat/${id}`, messages: [{ role: 'user', content: 'x' }], betas })
    expect(betaCounted.input_tokens).toBe(2095)
    const [plain, withBeta] = replay.requestsFor(id)
    expect(plain!.path).toBe('/v1/messages/count_tokens')
    expect(Buffer.from(plain!.body).toString()).toBe(sent[0]!.body.replace(`"cat/${id}"`, `"${modelPrefix}${id}"`))
    expect(withBeta!.query).toBe(sent[1]!.query)
    expect(withBeta!.headers.get('anthropic-beta')).toContain('made-up-2099-01-01')
    const raw = await fetch(`${gateway.url}/v1/messages/count_tokens?beta=true`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': clientKey },
      body: JSON.stringify({ model: `cat/${id}`, messages: [] }),
    })
    expect(await raw.text()).toBe(body.toString())
    expect(replay.requestsFor(id)[2]!.query).toBe('beta=true')
  })

  test('H01, H03: a bearer token works too, and never leaves; a doubled version becomes one', async () => {
    const entry = of(false, true)[0]!
    const id = replay.add(readRecording(entry))
    const headers = new Headers({ 'content-type': 'application/json', authorization: `Bearer ${clientKey}`, 'x-api-key': clientKey })
    headers.append('anthropic-version', '2023-06-01')
    headers.append('anthropic-version', '2023-06-01')
    headers.append('cookie', `token=${clientKey}`)
    const response = await fetch(`${gateway.url}/v1/messages`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ model: `cat/${id}`, messages: [] }),
    })
    expect(response.status).toBe(200)
    expect(await response.text()).toBe(Buffer.from(replyBytes(readRecording(entry))).toString())
    const [request] = replay.requestsFor(id)
    expect(JSON.stringify(request!.headerLines)).not.toContain(clientKey)
    expect(valuesOf(request!, 'anthropic-version')).toEqual(['2023-06-01'])
    expect(request!.headerLines.filter(([name]) => /^(x-api-key|authorization)$/i.test(name))).toHaveLength(1)
  })
})

interface Sent {
  readonly body: string
  readonly query: string
  readonly headers: Headers
}

/** Two streams in one: a proxy's retry, joined by mistake. */
function spliced(entry: RecordingEntry): boolean {
  const ids = dataOf(readRecording(entry).response.sse!).map((data) => (JSON.parse(data) as { message?: { id?: string } }).message?.id)
  return new Set(ids.filter((id) => id !== undefined)).size > 1
}

/** The values of all header lines of this name, as they came. */
function valuesOf(request: CapturedRequest, name: string): string[] {
  return request.headerLines.filter(([n]) => n.toLowerCase() === name).map(([, value]) => value)
}

/** What the helper's final message is, or the error it ends with. */
async function helperResult(messages: Messages, body: object): Promise<{ result: Anthropic.Message } | { error: string }> {
  try {
    return { result: (await messages.stream(body).finalMessage()) as Anthropic.Message }
  } catch (error) {
    return { error: (error as Error).message }
  }
}
