/**
 * The unmodified `openai` SDK through the real gateway against recorded Chat Completions traffic, whole and streaming.
 *
 * What the SDK gives must be what was recorded; what the upstream got must be what the SDK sent, except the spliced model (F01).
 */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import OpenAI from 'openai'
import type {
  ChatCompletionChunk,
  ChatCompletionCreateParamsNonStreaming,
  ChatCompletionCreateParamsStreaming,
} from 'openai/resources/chat/completions'
import { dataOf, tellChat } from '../golden/naive.ts'
import { forAll } from '../support/for-all.ts'
import { type GatewayProcess, startGateway } from '../support/gateway.ts'
import { clientKey, gatewayConfig, upstreamKeys } from '../support/gateway-config.ts'
import { findRecordings, type RecordingEntry, readRecording, replyBytes } from '../support/recordings.ts'
import { modelPrefix, type ReplayUpstream, startReplay } from '../support/replay-upstream.ts'

setDefaultTimeout(60_000)

const entries = findRecordings({ dialect: 'openai-chat', kind: ['exchange', 'response'] })
const of = (stream: boolean, ok: boolean) => (entries ?? []).filter((e) => e.stream === stream && (e.status === 200) === ok)
/** Recorded streams that are no success: an error in mid-stream, or no finish reason (B03). */
const unsuccessful = (e: RecordingEntry) => e.features.includes('mid_stream_error') || e.features.includes('finish_reason_missing')
const counts = { whole: 0, streamed: 0, helper: 0, errors: 0, unsuccessful: 0, toolCalls: 0, bytes: 0 }

describe.skipIf(entries === undefined)('the openai SDK on recorded traffic', () => {
  let replay: ReplayUpstream
  let gateway: GatewayProcess

  beforeAll(async () => {
    replay = await startReplay()
    gateway = await startGateway({ config: gatewayConfig({ upstream: replay.url, prefix: modelPrefix }) })
  })
  afterAll(async () => {
    expect(await gateway.stop()).toBe(0)
    await replay.stop()
    const { whole, streamed, helper, errors, unsuccessful, toolCalls, bytes } = counts
    console.log(
      `openai-chat: ${whole} recordings whole, ${streamed} streamed, ${helper} by the stream helper, ${unsuccessful} unsuccessful streams, ${errors} errors; ` +
        `${toolCalls} tool calls; ${bytes} request bytes compared`,
    )
  })

  /** A client whose every request body is kept. */
  function sdk(baseURL = `${gateway.url}/v1`): { client: OpenAI; sent: string[]; replies: Headers[] } {
    const sent: string[] = []
    const replies: Headers[] = []
    const client = new OpenAI({
      apiKey: clientKey,
      baseURL,
      maxRetries: 0,
      timeout: 20_000,
      fetch: async (url, init) => {
        sent.push(String(init?.body))
        const response = await fetch(url, init)
        replies.push(response.headers)
        return response
      },
    })
    return { client, sent, replies }
  }

  function prepare(entry: RecordingEntry) {
    const recording = readRecording(entry)
    const id = replay.add(recording)
    const body = { ...(recording.request.body as object), model: `cat/${id}` }
    return { recording, id, body }
  }

  /** F01, H01: the bytes of the client with another model, under the gateway's own key. */
  function checkUpstream(id: string, sent: readonly string[]) {
    const got = replay.requestsFor(id)
    expect(got).toHaveLength(sent.length)
    for (const [i, request] of got.entries()) {
      const expected = sent[i]!.replace(`"model":"cat/${id}"`, `"model":"${modelPrefix}${id}"`)
      expect(expected).not.toBe(sent[i]!)
      expect(Buffer.from(request.body).toString()).toBe(expected)
      expect(request.path).toBe('/v1/chat/completions')
      expect(request.headers.get('authorization')).toBe(`Bearer ${upstreamKeys.openai}`)
      expect(JSON.stringify(request.headerLines)).not.toContain(clientKey)
      counts.bytes += request.body.length
    }
  }

  test('whole replies: the object, its tool calls and usage as recorded', async () => {
    await forAll(
      of(false, true),
      (e) => e.id,
      async (entry) => {
        const { recording, id, body } = prepare(entry)
        const { client, sent } = sdk()
        const result = await client.chat.completions.create(body as ChatCompletionCreateParamsNonStreaming)
        const recorded = JSON.parse(Buffer.from(replyBytes(recording)).toString())
        expect(result).toEqual(recorded)
        for (const [i, choice] of (recorded.choices ?? []).entries()) {
          const message = result.choices[i]!.message
          expect(message.content).toEqual(choice.message.content)
          expect(result.choices[i]!.finish_reason).toBe(choice.finish_reason)
          for (const [k, call] of (choice.message.tool_calls ?? []).entries()) {
            const got = message.tool_calls![k]!
            expect(got.id).toBe(call.id)
            if (got.type !== 'function') continue
            expect(got.function.name).toBe(call.function.name)
            expect(parsed(got.function.arguments)).toEqual(parsed(call.function.arguments))
            counts.toolCalls++
          }
        }
        expect(result._request_id).toStartWith('req_')
        checkUpstream(id, sent)
        counts.whole++
      },
    )
    expect(counts.whole).toBeGreaterThanOrEqual(60)
  })

  test('streams: every chunk as recorded, by create and by the stream helper', async () => {
    await forAll(
      of(true, true).filter((e) => !unsuccessful(e)),
      (e) => e.id,
      async (entry) => {
        const { recording, id, body } = prepare(entry)
        const { client, sent, replies } = sdk()
        const chunks: ChatCompletionChunk[] = []
        const params = { ...body, stream: true } as ChatCompletionCreateParamsStreaming
        for await (const chunk of await client.chat.completions.create(params)) chunks.push(chunk)
        const recorded = dataOf(recording.response.sse!)
          .filter((data) => data.trim() !== '[DONE]')
          .map((data) => withFinishReasons(JSON.parse(data)))
        expect(chunks as object[]).toEqual(recorded)
        expect(replies[0]!.get('x-request-id')).toStartWith('req_')
        expect(replies[0]!.get('content-type')).toStartWith('text/event-stream')
        counts.streamed++

        // the helper adds up; it must add up to the same as on the upstream's own wire
        const through = await helperResult(client, body)
        const direct = await helperResult(sdk(`${replay.url}/v1/replay-${id}`).client, body)
        expect(through).toEqual(direct)
        if ('result' in through) {
          const told = tellChat(recording.response.sse!)
          const [choice] = through.result.choices
          // content in parts (Mistral) is beyond the helper: it must still be as confused as on the upstream's own wire
          if (!inParts(chunks)) expect(choice!.message.content ?? '').toBe(told.text)
          expect(choice!.finish_reason as string).toBe(told.stops[0]!)
          const calls = (choice!.message.tool_calls ?? []).flatMap((call) => (call.type === 'function' ? [call] : []))
          expect(calls.map((c) => [c.id, c.function.name, parsed(c.function.arguments)])).toEqual(
            told.calls.map((c) => [c.id, c.name, parsed(c.arguments)]),
          )
          if (told.usage && through.result.usage) expect(through.result.usage as object).toEqual(told.usage)
          counts.toolCalls += calls.length
          counts.helper++
        }
        checkUpstreamOf(id, sent)
      },
    )
    expect(counts.streamed).toBeGreaterThanOrEqual(40)
    expect(counts.helper).toBeGreaterThanOrEqual(20)
  })

  /** The same for a replay that was also called directly. */
  function checkUpstreamOf(id: string, sent: readonly string[]) {
    const got = replay.requestsFor(id).filter((r) => r.path === '/v1/chat/completions')
    expect(got).toHaveLength(sent.length)
    for (const [i, request] of got.entries()) {
      expect(Buffer.from(request.body).toString()).toBe(sent[i]!.replace(`"model":"cat/${id}"`, `"model":"${modelPrefix}${id}"`))
      counts.bytes += request.body.length
    }
  }

  test('B01, B03: recorded streams that were no success throw', async () => {
    await forAll(
      of(true, true).filter(unsuccessful),
      (e) => e.id,
      async (entry) => {
        const { body, recording } = prepare(entry)
        const { client } = sdk()
        const seen: unknown[] = []
        const reading = (async () => {
          for await (const chunk of await client.chat.completions.create({ ...body, stream: true } as ChatCompletionCreateParamsStreaming))
            seen.push(chunk)
        })()
        const error = await reading.then(
          () => undefined,
          (e: unknown) => e,
        )
        expect(error).toBeInstanceOf(OpenAI.APIError)
        const told = tellChat(recording.response.sse!)
        if (told.error !== undefined) expect((error as Error).message).toContain(told.error)
        counts.unsuccessful++
      },
    )
    expect(counts.unsuccessful).toBeGreaterThan(0)
  })

  test('G05: error replies arrive with their status, and their body byte for byte', async () => {
    await forAll(
      of(false, false),
      (e) => e.id,
      async (entry) => {
        const { recording, id, body } = prepare(entry)
        const { client, sent } = sdk()
        const error = await client.chat.completions.create(body as ChatCompletionCreateParamsNonStreaming).then(
          () => undefined,
          (e: unknown) => e,
        )
        expect(error).toBeInstanceOf(entry.status === 404 ? OpenAI.NotFoundError : OpenAI.BadRequestError)
        const recorded = recording.response.body as { error: { message: string; code?: string | null; type: string } }
        const { status, message, code, requestID } = error as InstanceType<typeof OpenAI.APIError>
        expect(status as number).toBe(entry.status)
        expect(message).toBe(`${entry.status} ${recorded.error.message}`)
        expect(code ?? null).toBe(recorded.error.code ?? null)
        expect(requestID).toStartWith('req_')
        for (const stream of [false, true]) {
          const raw = await fetch(`${gateway.url}/v1/chat/completions`, {
            method: 'POST',
            headers: { 'content-type': 'application/json', authorization: `Bearer ${clientKey}` },
            body: JSON.stringify({ ...body, stream }),
          })
          sent.push(JSON.stringify({ ...body, stream }))
          expect(raw.status).toBe(entry.status)
          expect(await raw.text()).toBe(Buffer.from(replyBytes(recording)).toString())
        }
        checkUpstream(id, sent)
        counts.errors++
      },
    )
    expect(counts.errors).toBeGreaterThanOrEqual(10)
  })

  test('H01: client credentials of no spelling arrive upstream', async () => {
    const id = replay.add(readRecording(of(false, true)[0]!))
    const secrets = { cookie: `session=${clientKey}`, 'proxy-authorization': `Basic ${clientKey}`, 'x-forwarded-for': '10.1.2.3' }
    const keys = { authorization: `Bearer ${clientKey}`, 'x-api-key': clientKey, 'api-key': clientKey, 'x-goog-api-key': clientKey }
    const response = await fetch(`${gateway.url}/v1/chat/completions?key=${clientKey}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'openai-organization': 'org-client',
        'openai-project': 'proj-client',
        'x-stainless-lang': 'js',
        ...keys,
        ...secrets,
      },
      body: JSON.stringify({ model: `cat/${id}`, messages: [] }),
    })
    expect(response.status).toBe(200)
    const [request] = replay.requestsFor(id)
    const wire = JSON.stringify([request!.headerLines, request!.query, request!.path])
    for (const secret of [clientKey, 'org-client', 'proj-client', '10.1.2.3']) expect(wire).not.toContain(secret)
    expect(request!.headerLines.filter(([name]) => name.toLowerCase() === 'authorization')).toHaveLength(1)
    expect(request!.headers.get('x-stainless-lang')).toBe('js')
    expect(JSON.stringify([...response.headers])).not.toContain(upstreamKeys.openai)
  })
})

/** What the helper's final completion is, or the error it ends with. */
async function helperResult(client: OpenAI, body: object) {
  try {
    const result = await client.chat.completions
      .stream({ ...body, stream: true } as ChatCompletionCreateParamsStreaming)
      .finalChatCompletion()
    return { result }
  } catch (error) {
    return { error: (error as Error).message }
  }
}

/** The SDK puts a null where a chunk has no finish reason. */
function withFinishReasons(chunk: { choices?: { finish_reason?: string | null }[] }): object {
  for (const choice of chunk.choices ?? []) choice.finish_reason ??= null
  return chunk
}

function inParts(chunks: readonly ChatCompletionChunk[]): boolean {
  return chunks.some((chunk) => chunk.choices.some((choice) => Array.isArray(choice.delta.content)))
}

/** JSON as a value where it is JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
