/** Golden: every recorded reply of Bedrock Converse, and requests for it made of recorded requests of other dialects. */

import { describe, expect, test } from 'bun:test'
import { anthropicMessages } from '../../src/dialect/anthropic-messages/index.ts'
import { bedrockConverse } from '../../src/dialect/bedrock-converse/index.ts'
import { capabilitiesOf } from '../../src/dialect/capabilities.ts'
import type { Dialect } from '../../src/dialect/codec.ts'
import { geminiGenerate } from '../../src/dialect/gemini/index.ts'
import { jsonSource } from '../../src/dialect/json-source.ts'
import { openaiChat } from '../../src/dialect/openai-chat/index.ts'
import { SseReader } from '../../src/dialect/sse.ts'
import { translateRequest } from '../../src/dialect/translate.ts'
import { JsonDocument } from '../../src/json/document.ts'
import type { StreamEvent } from '../../src/plugin/events.ts'
import { inputTokens, outputTokens } from '../../src/plugin/outcome.ts'
import { converseTranscoder } from '../../src/upstream/host/event-stream-sse.ts'
import { Meter } from '../../src/upstream/meter.ts'
import { findRecordings, readRecording, replyBytes } from '../support/recordings.ts'
import { randomFrom, recordings } from './recordings.ts'

// biome-ignore lint/suspicious/noExplicitAny: recorded JSON of unknown shape
type Loose = any

const all = (findRecordings({ dialect: 'bedrock-converse' }) ?? []).map(readRecording)
const streams = all.filter((recording) => recording.stream)
const wholes = all.filter((recording) => !recording.stream && recording.response.body !== undefined)
const head = { id: 'golden', model: 'm', created: 1 }

/** The event stream, cut at random bytes, as frames; and its events. */
function decode(bytes: Uint8Array, seed = ''): { sse: string; events: StreamEvent[] } {
  const random = randomFrom(seed)
  const transcoder = converseTranscoder()
  const reader = new SseReader()
  const decoder = bedrockConverse.decoder('translate')
  const out: Uint8Array[] = []
  const events: StreamEvent[] = []
  for (let from = 0; from < bytes.length; ) {
    const to = Math.min(bytes.length, from + 1 + random(200))
    const sse = transcoder.push(bytes.subarray(from, to))
    out.push(sse)
    for (const frame of reader.push(sse)) events.push(...decoder.decode(frame))
    from = to
  }
  return { sse: Buffer.concat(out).toString(), events }
}

interface Told {
  text: string
  reasoning: string
  signatures: string
  calls: [id: string, name: string, input: unknown][]
  stop: string | undefined
}

function toldBy(events: readonly StreamEvent[]): Told {
  const told: Told = { text: '', reasoning: '', signatures: '', calls: [], stop: undefined }
  const inputs: string[] = []
  for (const event of events) {
    if ('signature' in event) told.signatures += event.signature ?? ''
    if (event.type === 'text') told.text += event.text
    else if (event.type === 'reasoning') told.reasoning += event.text
    else if (event.type === 'stop') told.stop = event.raw
    else if (event.type === 'tool_call') {
      told.calls[event.index] ??= [event.id!, event.name!, undefined]
      inputs[event.index] = (inputs[event.index] ?? '') + event.arguments
    }
  }
  for (const [i, call] of told.calls.entries()) call[2] = JSON.parse(inputs[i] || '{}')
  return told
}

/** The same of recorded messages of a stream, read without our code. */
function tellStream(messages: readonly Loose[]): Told {
  const told: Told = { text: '', reasoning: '', signatures: '', calls: [], stop: undefined }
  const inputs = new Map<number, { call: Told['calls'][number]; text: string }>()
  for (const { headers, payload } of messages) {
    const at = payload.contentBlockIndex
    const use = payload.start?.toolUse
    if (headers[':event-type'] === 'contentBlockStart') inputs.delete(at)
    if (use && (use.type ?? 'tool_use') === 'tool_use') {
      const call: Told['calls'][number] = [use.toolUseId, use.name, {}]
      told.calls.push(call)
      inputs.set(at, { call, text: '' })
    }
    const delta = payload.delta ?? {}
    told.text += delta.text ?? ''
    told.reasoning += delta.reasoningContent?.text ?? ''
    told.signatures += delta.reasoningContent?.signature ?? delta.reasoningContent?.redactedContent ?? ''
    const input = inputs.get(at)
    if (delta.toolUse && input) input.call[2] = parsed((input.text += delta.toolUse.input) || '{}')
    told.stop ??= payload.stopReason
  }
  return told
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function tellWhole(reply: Loose): Told {
  const content: Loose[] = reply.output.message.content
  const of = (pick: (block: Loose) => string | undefined) => content.map((block) => pick(block) ?? '').join('')
  return {
    text: of((block) => block.text),
    reasoning: of((block) => block.reasoningContent?.reasoningText?.text),
    signatures: of((block) => block.reasoningContent?.reasoningText?.signature ?? block.reasoningContent?.redactedContent),
    calls: content
      .filter((block) => block.toolUse && (block.toolUse.type ?? 'tool_use') === 'tool_use')
      .map(({ toolUse }) => [toolUse.toolUseId, toolUse.name, toolUse.input]),
    stop: reply.stopReason,
  }
}

function expectUsage(id: string, events: readonly StreamEvent[], vendor: Loose): void {
  const usage = events.findLast((event) => event.type === 'usage')?.usage
  expect([id, usage === undefined]).toEqual([id, vendor === undefined])
  if (!usage) return
  expect([id, usage.inputUncached, usage.cacheRead, outputTokens(usage)]).toEqual([
    id,
    vendor.inputTokens,
    vendor.cacheReadInputTokens ?? 0,
    vendor.outputTokens,
  ])
  expect(inputTokens(usage) + outputTokens(usage)).toBe(vendor.totalTokens)
}

describe.skipIf(all.length === 0)(`bedrock-converse: ${streams.length} recorded streams`, () => {
  test('B16: cut anywhere, events say what the messages say; usage comes after the stop', () => {
    expect(streams.length).toBeGreaterThan(15)
    let compared = 0
    for (const recording of streams) {
      const { id } = recording
      const { events } = decode(replyBytes(recording), id)
      const messages: Loose[] | undefined = (recording.response as Loose).events
      expect([id, events.filter((event) => event.type === 'stop').length]).toEqual([id, 1])
      if (!messages) continue
      compared++
      expect({ id, ...toldBy(events) }).toEqual({ id, ...tellStream(messages) })
      expectUsage(id, events, messages.find((message) => message.payload.usage)?.payload.usage)
    }
    expect(compared).toBeGreaterThan(10)
  })

  test('the meter says what a full decode says, and finds the stream complete', () => {
    for (const recording of streams) {
      const { sse, events } = decode(replyBytes(recording), recording.id)
      const bytes = Buffer.from(sse)
      const meter = new Meter(bedrockConverse, true)
      const random = randomFrom('converse meter')
      let committed = false
      for (let from = 0; from < bytes.length; ) {
        const to = Math.min(bytes.length, from + 1 + random(600))
        if (committed) meter.look(bytes.subarray(from, to))
        else committed = meter.read(bytes.subarray(from, to))
        from = to
      }
      meter.finish()
      const usage = events.findLast((event) => event.type === 'usage')?.usage
      expect([recording.id, meter.complete, meter.usage]).toEqual([recording.id, true, usage])
    }
  })

  test('B01: a stream that is cut before messageStop is not complete', () => {
    const { sse } = decode(replyBytes(streams[1]!), 'cut')
    const meter = new Meter(bedrockConverse, true)
    meter.read(Buffer.from(sse.slice(0, sse.indexOf('event: messageStop'))))
    meter.finish()
    expect(meter.complete).toBe(false)
  })

  test('written anew from events alone, as stream and as whole reply, it says the same', () => {
    for (const recording of streams) {
      const { events } = decode(replyBytes(recording), recording.id)
      const told = toldBy(events)
      const encoder = bedrockConverse.encoder(head)
      const sse = events.map((event) => encoder.encode([event])).join('')
      const decoder = bedrockConverse.decoder('translate')
      const again = new SseReader().push(Buffer.from(sse)).flatMap((frame) => decoder.decode(frame))
      expect({ id: recording.id, ...toldBy(again) }).toEqual({ id: recording.id, ...told })
      const opened = sse.split('event: contentBlockStart').length
      expect(sse.split('event: contentBlockStop').length).toBeGreaterThanOrEqual(opened)
      const whole = bedrockConverse.decodeWhole(Buffer.from(bedrockConverse.encodeWhole(events, head)))!
      expect({ id: recording.id, ...toldBy(whole.events) }).toEqual({ id: recording.id, ...told })
    }
  })
})

describe.skipIf(all.length === 0)(`bedrock-converse: ${wholes.length} recorded whole replies`, () => {
  test('events say what the reply says', () => {
    expect(wholes.length).toBeGreaterThan(140)
    for (const recording of wholes) {
      const { id } = recording
      const bytes = Buffer.from(replyBytes(recording))
      const reply = recording.response.body as Loose
      const summary = bedrockConverse.summary(bytes)
      const decoded = bedrockConverse.decodeWhole(bytes, 'translate')
      if (recording.response.status !== 200) {
        expect([id, summary.valid, decoded, summary.error?.message]).toEqual([id, false, null, reply.message])
        continue
      }
      expect([id, summary.valid, summary.stop]).toEqual([id, true, reply.stopReason])
      expect({ id, ...toldBy(decoded!.events) }).toEqual({ id, ...tellWhole(reply) })
      expectUsage(id, decoded!.events, reply.usage)
      expect(decoded!.apply(decoded!.events.map((event) => [event]))).toBe(bytes)
      const again = bedrockConverse.decodeWhole(Buffer.from(bedrockConverse.encodeWhole(decoded!.events, head)))!.events
      expect({ id, ...toldBy(again) }).toEqual({ id, ...toldBy(decoded!.events) })
    }
  })

  test('parts of every request point at their texts', () => {
    let seen = 0
    for (const { id, request } of all) {
      if (typeof request.body !== 'object') continue
      const document = new JsonDocument(Buffer.from(JSON.stringify(request.body)))
      for (const part of bedrockConverse.parts(document.value)) {
        const value = document.at(part.pointer)
        expect([id, part.pointer, typeof value === 'string' ? value : JSON.stringify(value)]).toEqual([id, part.pointer, part.text])
        seen++
      }
    }
    expect(seen).toBeGreaterThan(300)
  })
})

describe.skipIf(all.length === 0)('requests of other dialects for Converse', () => {
  const sources: readonly Dialect[] = [anthropicMessages, openaiChat, geminiGenerate]
  for (const source of sources.filter((dialect) => dialect.request)) {
    test(`${source.name}: well-formed, whatever the request`, () => {
      let written = 0
      for (const { id, request } of recordings(source.name)) {
        const body = request === undefined ? undefined : jsonSource(Buffer.from(JSON.stringify(request)))
        if (!body) continue
        const model = 'us.anthropic.claude-sonnet-4-6'
        const can = capabilitiesOf('bedrock-converse', 'bedrock-runtime.us-east-1.amazonaws.com', model)
        const made = translateRequest(body, source.request!, bedrockConverse.request!, { model, upstream: 'aws', can, stream: false })
        if (made.report.refusal) continue
        written++
        const converse: Loose = JSON.parse(Buffer.from(made.body).toString())
        expect([id, faultOf(converse)]).toEqual([id, undefined])
      }
      expect(written).toBeGreaterThan(20)
    })
  }
})

/** What Bedrock would reject, if anything. */
function faultOf({ system, messages, toolConfig }: Loose): string | undefined {
  const documents = new Set<string>()
  let points = 0
  let needsTools = false
  if ((system ?? []).some((block: Loose) => block.text?.trim() === '')) return 'an empty system text'
  if (messages[0]?.role !== 'user') return 'the user does not begin'
  for (const [i, { role, content }] of messages.entries()) {
    if (role === messages[i - 1]?.role) return 'two messages of one speaker'
    if (content.length === 0) return 'an empty message'
    for (const block of content) {
      if (Object.keys(block).length !== 1) return `a block of ${Object.keys(block)}`
      if (block.text?.trim() === '') return 'an empty text'
      if (block.cachePoint) points++
      if (block.toolUse || block.toolResult) needsTools = true
      if (block.toolUse && (typeof block.toolUse.input !== 'object' || !/^[\w-]{1,64}$/.test(block.toolUse.toolUseId))) return 'a bad call'
      if (block.document) {
        if (documents.has(block.document.name) || !/^[A-Za-z0-9()[\] -]+$/.test(block.document.name)) return 'a bad name of a document'
        documents.add(block.document.name)
        if (!content.some((other: Loose) => other.text)) return 'a document without text'
      }
    }
    const made = content.filter((block: Loose) => block.toolUse).map((block: Loose) => block.toolUse.toolUseId)
    const answered = (messages[i + 1]?.content ?? []).slice(0, made.length).map((block: Loose) => block.toolResult?.toolUseId)
    if (JSON.stringify(made) !== JSON.stringify(answered.slice(0, made.length))) return 'calls that are not answered in order'
  }
  if (needsTools && !toolConfig) return 'no tools beside calls'
  const tools: Loose[] = toolConfig?.tools ?? []
  if (tools.some((tool) => tool.toolSpec && tool.toolSpec.inputSchema.json.type !== 'object')) return 'a schema of no object'
  points += [...tools, ...(system ?? [])].filter((block) => block.cachePoint).length
  return points > 4 ? 'too many marks' : undefined
}
