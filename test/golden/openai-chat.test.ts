/** Golden: every recorded Chat request through the neutral conversation and back, and every recorded reply as translation sees it. */

import { describe, expect, test } from 'bun:test'
import { capabilitiesOf } from '../../src/dialect/capabilities.ts'
import type { Conversation } from '../../src/dialect/conversation.ts'
import { jsonSource } from '../../src/dialect/json-source.ts'
import { writeJson } from '../../src/dialect/json-text.ts'
import { LossReport } from '../../src/dialect/loss.ts'
import { openaiChat } from '../../src/dialect/openai-chat/index.ts'
import { SseReader } from '../../src/dialect/sse.ts'
import type { StreamEvent } from '../../src/plugin/events.ts'
import { dataOf, tellChat } from './naive.ts'
import { hasRecordings, randomFrom, recordings } from './recordings.ts'

// biome-ignore lint/suspicious/noExplicitAny: recorded JSON of unknown shape
type Loose = any

const all = recordings('openai-chat')
const head = { id: 'golden', model: 'golden-model', created: 1_700_000_000, includeUsage: true }
const request = openaiChat.request!
const target = {
  model: 'target-model',
  upstream: 'golden',
  can: capabilitiesOf('openai-chat', 'api.openai.com', 'gpt-4o', {
    cacheMarks: true,
    topK: true,
    reasoningEcho: true,
    efforts: ['none', 'minimal', 'low', 'medium', 'high', 'xhigh'],
  }),
  toolName: (name: string) => name,
}

function read(body: unknown): { conversation: Conversation; report: LossReport } {
  const report = new LossReport()
  return { conversation: request.read(jsonSource(Buffer.from(JSON.stringify(body)))!, report), report }
}

/** What the model is told, read naively: speaker and words, pictures as their beginning. Neighbours of one speaker are one. */
function said(body: Loose): [string, string][] {
  const out: [string, string][] = []
  for (const { role, content, tool_call_id } of body.messages as Loose[]) {
    const parts: Loose[] = typeof content === 'string' ? [content] : (content ?? [])
    const words = parts.map((part) => {
      if (typeof part === 'string') return part
      if (part.type === 'text') return part.text
      const source = part.image_url?.url ?? part.input_audio?.data ?? part.file?.file_data ?? part.document_url
      return `<${part.type === 'document_url' ? 'file' : part.type} ${String(source).slice(-40)}>`
    })
    const who = role === 'tool' ? `tool ${tool_call_id}` : role
    const last = out.at(-1)
    const text = words.join('').replace(/\s+/g, ' ')
    if (last?.[0] === who && role !== 'tool') last![1] += text
    else if (text !== '' || role === 'tool') out.push([who, text])
  }
  return out
}

const calls = (body: Loose): Loose[] =>
  body.messages.flatMap((m: Loose) => m.tool_calls ?? []).map((c: Loose) => [c.id, c.function.name, c.function.arguments])

/** Members that leave under the name they came by. */
const kept = ['temperature', 'top_p', 'seed', 'stop', 'reasoning_effort', 'prompt_cache_key', 'service_tier', 'user', 'tool_choice']

describe.skipIf(!hasRecordings)(`openai-chat requests: ${all.length}`, () => {
  const exchanges = all.filter((recording) => recording.request !== undefined && recording.request !== null)
  const round = exchanges.map((recording) => {
    const { conversation, report } = read(recording.request)
    const written: Loose = JSON.parse(writeJson(request.write(conversation, target, report)))
    return { recording, body: recording.request as Loose, conversation, report, written }
  })

  test('C08 C24 F04: read and written again, the model is told the same', () => {
    let compared = 0
    for (const { recording, body, report, written } of round) {
      expect([recording.id, written.model, written.stream ?? false]).toEqual([recording.id, 'target-model', body.stream ?? false])
      if (report.refusal) continue // what only its provider has: below
      compared++
      expect([recording.id, said(written)]).toEqual([recording.id, said(body)])
      expect([recording.id, calls(written)]).toEqual([recording.id, calls(body)])
      const marks = (value: Loose) => JSON.stringify(value).split('"cache_control"').length
      if (!JSON.stringify(body).includes('prompt_cache_breakpoint'))
        expect([recording.id, marks(written)]).toEqual([recording.id, marks(body)])
    }
    expect(compared).toBeGreaterThan(330)
  })

  test('I10 C22: tools keep names, order, strictness and every byte of their schemas', () => {
    for (const { recording, body, written, report } of round) {
      if (report.refusal) continue
      const tools = (body.tools ?? []).filter((tool: Loose) => tool.function)
      expect((written.tools ?? []).map((tool: Loose) => tool.function.name)).toEqual(tools.map((tool: Loose) => tool.function.name))
      for (const [i, tool] of tools.entries()) {
        const { parameters = { type: 'object', properties: {} }, description, strict } = tool.function
        const now = written.tools[i].function
        expect([recording.id, JSON.stringify(now.parameters), now.description, now.strict]).toEqual([
          recording.id,
          JSON.stringify(parameters),
          description || undefined,
          strict ?? undefined,
        ])
      }
    }
  })

  test('D07: parameters arrive', () => {
    for (const { recording, body, written, report } of round) {
      if (report.refusal) continue
      for (const member of kept) {
        if (member === 'tool_choice' && !written.tools) continue
        if (body[member] === 'default' || (member === 'reasoning_effort' && body.reasoning)) continue
        if (body[member] === 'any' || body[member] < 0) continue // Mistral's word for `required`; a temperature that is clamped
        const was = member === 'stop' && typeof body.stop === 'string' ? [body.stop] : (body[member] ?? undefined)
        expect([recording.id, member, written[member]]).toEqual([recording.id, member, was])
      }
      expect(written.max_completion_tokens).toBe(body.max_completion_tokens ?? body.max_tokens ?? undefined)
      expect(written.response_format ?? { type: 'text' }).toEqual(body.response_format ?? { type: 'text' })
      expect(written.n).toBe(body.n === 1 ? undefined : (body.n ?? undefined))
    }
  })

  test('nothing is lost in silence: members that are not written again are extras', () => {
    const known = new Set([
      ...kept,
      'model',
      'messages',
      'stream',
      'stream_options',
      'tools',
      'max_tokens',
      'response_format',
      'n',
      'reasoning',
    ])
    for (const { recording, body, conversation, written } of round) {
      for (const member in body) {
        if (known.has(member) || written[member] !== undefined || body[member] === null || body[member] === false) continue
        if (member === 'thinking' || member === 'parallel_tool_calls') continue // understood; the default says nothing
        const told = conversation.extras.some(({ field }) => field === member)
        expect([recording.id, member, told]).toEqual([recording.id, member, true])
      }
    }
  })

  test('only what one provider has is refused', () => {
    const fields = new Set(round.flatMap(({ report }) => (report.refusal ? [report.refusal.field.replace(/\d+/g, 'N')] : [])))
    for (const field of fields) expect(field).toMatch(/^messages\[N\]\.content\[N\]$|^tool_call_id$|^messages$/)
  })

  test('D01 C19: no recorded proof is given to another upstream', () => {
    for (const { recording, written } of round) {
      const text = JSON.stringify(written)
      expect([recording.id, text.includes('reasoning_details'), text.includes('thought_signature')]).toEqual([recording.id, false, false])
    }
  })
})

function eventsOf(sse: string, cut?: (below: number) => number): StreamEvent[] {
  const bytes = Buffer.from(sse)
  const reader = new SseReader()
  const decoder = openaiChat.decoder('translate')
  const events: StreamEvent[] = []
  for (let from = 0; from < bytes.length; ) {
    const to = cut ? Math.min(bytes.length, from + 1 + cut(200)) : bytes.length
    for (const frame of reader.push(bytes.subarray(from, to))) events.push(...decoder.decode(frame))
    from = to
  }
  for (const frame of reader.end()) events.push(...decoder.decode(frame))
  return events
}

interface Sum {
  text: string
  reasoning: string
  refusal: string
  calls: Record<string, string>
  kinds: Record<string, string | undefined>
  proofs: string[]
  citations: string[]
  media: string[]
  stop: string | undefined
  usage: unknown
  ended: boolean
  error: string | undefined
}

/** Events of choice 0 added up. `proofs` with the thought that each closes. */
function sumOf(events: readonly StreamEvent[]): Sum {
  const sum: Sum = {
    text: '',
    reasoning: '',
    refusal: '',
    calls: {},
    kinds: {},
    proofs: [],
    citations: [],
    media: [],
    stop: undefined,
    usage: undefined,
    ended: false,
    error: undefined,
  }
  let thought = ''
  const ids: string[] = []
  for (const event of events) {
    if ('choice' in event && event.choice !== 0) continue
    if (event.type === 'text') {
      if (event.refusal) sum.refusal += event.text
      else sum.text += event.text
      if (event.signature !== undefined) sum.proofs.push(`text ${event.signature}`)
    } else if (event.type === 'reasoning') {
      sum.reasoning += event.text
      thought += event.text
      if (event.signature === undefined) continue
      sum.proofs.push(`${event.redacted === true} ${thought} ${event.signature}`)
      thought = ''
    } else if (event.type === 'tool_call') {
      if (event.id !== undefined || event.name !== undefined) ids[event.index] ??= `${event.id} ${event.name}`
      const key = ids[event.index]!
      sum.calls[key] = (sum.calls[key] ?? '') + event.arguments
      if (event.signature !== undefined) sum.proofs.push(`call ${key} ${event.signature}`)
      if (event.kind !== undefined) sum.kinds[key] = event.kind
    } else if (event.type === 'citation') sum.citations.push(`${event.url} ${event.title ?? ''}`)
    else if (event.type === 'media') sum.media.push(event.mime + event.data)
    else if (event.type === 'stop') sum.stop = event.reason
    else if (event.type === 'usage') sum.usage = { ...event.usage, raw: undefined, source: undefined }
    else if (event.type === 'error') sum.error = event.message
    else if (event.type === 'end') sum.ended = true
  }
  for (const key in sum.calls) if (sum.calls[key] === '') sum.calls[key] = '{}'
  return sum
}

/** What our own writing adds or can't carry: a stop where there was none, proofs of the maker in our own entries. */
const comparable = ({ proofs: _, citations, ...sum }: Sum): unknown => ({
  ...sum,
  citations: citations.map((c) => c.split(' ')[0]),
  stop: sum.stop ?? (Object.keys(sum.calls).length > 0 ? 'tool_calls' : 'end'),
})

describe.skipIf(!hasRecordings)('openai-chat replies, as translation sees them', () => {
  const streams = all.filter((recording) => recording.stream)
  const wholes = all.filter((recording) => !recording.stream && recording.status === 200)

  test('A01: streams cut anywhere say what a naive reading says', () => {
    expect(streams.length).toBeGreaterThan(30)
    for (const recording of streams) {
      const events = eventsOf(recording.body, randomFrom(recording.id))
      expect(events).toEqual(eventsOf(recording.body))
      expect(events.some((event) => event.type === 'native')).toBe(false)
      const sum = sumOf(events)
      const told = tellChat(recording.body)
      // one server tells its thoughts in `reasoning_details` alone
      const detailed = dataOf(recording.body).flatMap((data) =>
        data.trim() === '[DONE]' ? [] : (JSON.parse(data).choices?.[0]?.delta?.reasoning_details ?? []),
      )
      const thoughts = told.reasoning || detailed.map((detail: Loose) => detail.text ?? '').join('')
      const refusals = dataOf(recording.body).map((data) =>
        data.trim() === '[DONE]' ? '' : (JSON.parse(data).choices?.[0]?.delta?.refusal ?? ''),
      )
      expect([recording.id, sum.text, sum.reasoning, sum.refusal, sum.ended, sum.error]).toEqual([
        recording.id,
        told.text,
        thoughts,
        refusals.join(''),
        told.ended,
        told.error,
      ])
      expect(Object.entries(sum.calls)).toEqual(told.calls.map((call) => [`${call.id} ${call.name}`, call.arguments || '{}']))
    }
  })

  test('streams written anew, as a stream and as a whole, say the same', () => {
    for (const recording of streams) {
      const events = eventsOf(recording.body)
      const before = sumOf(events)
      if (before.error !== undefined || !before.ended) continue
      const encoder = openaiChat.encoder(head)
      const sse = events.map((event) => encoder.encode([event])).join('')
      expect([recording.id, comparable(sumOf(eventsOf(sse)))]).toEqual([recording.id, comparable(before)])
      const whole = openaiChat.decodeWhole(Buffer.from(openaiChat.encodeWhole(events, head)), 'translate')!
      expect([recording.id, comparable(sumOf(whole.events))]).toEqual([recording.id, comparable(before)])
      expect(sumOf(eventsOf(sse)).proofs.length).toBe(before.proofs.length)
      // one finish, one usage chunk, dense indices, one id
      const chunks = dataOf(sse)
        .filter((data) => data !== '[DONE]')
        .map((data): Loose => JSON.parse(data))
      expect(new Set(chunks.map((chunk) => chunk.id)).size).toBe(1)
      expect(chunks.filter((chunk) => chunk.choices[0]?.finish_reason && chunk.choices[0].index === 0).length).toBe(1)
      expect(chunks.filter((chunk) => chunk.usage).length).toBe(before.usage ? 1 : 0)
    }
  })

  test('whole replies say what they hold, and the same when written anew', () => {
    for (const recording of wholes) {
      const { events } = openaiChat.decodeWhole(Buffer.from(recording.body), 'translate')!
      const sum = sumOf(events)
      const message: Loose = JSON.parse(recording.body).choices[0].message
      const transcript = message.audio?.transcript ?? ''
      const content: string =
        typeof message.content === 'string'
          ? message.content
          : (message.content ?? []).map((part: Loose) => (part.type === 'text' ? part.text : '')).join('')
      expect([recording.id, sum.text, sum.refusal]).toEqual([recording.id, content || transcript, message.refusal ?? ''])
      const plain = message.reasoning_content || message.reasoning
      if (plain) expect([recording.id, sum.reasoning.replace(/\s/g, '')]).toEqual([recording.id, plain.replace(/\s/g, '')])
      expect(sum.citations.length).toBe((message.annotations ?? []).filter((a: Loose) => a.type === 'url_citation').length)
      const details: Loose[] = message.reasoning_details ?? []
      expect(sum.proofs.length).toBe(details.filter((detail) => detail.signature || detail.data).length)
      const again = openaiChat.decodeWhole(Buffer.from(openaiChat.encodeWhole(events, head)), 'translate')!
      expect([recording.id, comparable(sumOf(again.events))]).toEqual([recording.id, comparable(sum)])
      const sse = openaiChat.encoder(head).encode(events)
      expect([recording.id, comparable(sumOf(eventsOf(sse)))]).toEqual([recording.id, comparable(sum)])
    }
  })
})
