/** Golden: Responses in translation. Every recorded request is read and written again, every recorded reply goes through the neutral events and back. */

import { describe, expect, test } from 'bun:test'
import { capabilitiesOf } from '../../src/dialect/capabilities.ts'
import type { WriteTarget } from '../../src/dialect/codec.ts'
import type { Conversation } from '../../src/dialect/conversation.ts'
import { jsonSource } from '../../src/dialect/json-source.ts'
import { writeJson } from '../../src/dialect/json-text.ts'
import { LossReport } from '../../src/dialect/loss.ts'
import { openaiResponses } from '../../src/dialect/openai-responses/index.ts'
import { responsesRequest } from '../../src/dialect/openai-responses/write.ts'
import { unsigned } from '../../src/dialect/proof.ts'
import { SseReader } from '../../src/dialect/sse.ts'
import { ToolNames } from '../../src/dialect/tool-names.ts'
import type { StreamEvent } from '../../src/plugin/events.ts'
import { tellResponses } from './naive.ts'
import { hasRecordings, type Recording, randomFrom, recordings } from './recordings.ts'

// biome-ignore lint/suspicious/noExplicitAny: recorded JSON of unknown shape
type Loose = any

const name = 'openai-responses'
const all = recordings(name)
const head = { id: 'golden', model: 'golden-model', created: 1_700_000_000 }

function target(): WriteTarget {
  const can = { ...capabilitiesOf(name, 'api.openai.com', 'gpt-x'), midSystem: true }
  // recorded proofs bear no upstream's name
  return { model: 'gpt-x', upstream: '', can, toolName: new ToolNames(64).of }
}

function read(request: Loose): { conversation: Conversation; report: LossReport } {
  const report = new LossReport()
  const source = jsonSource(Buffer.from(JSON.stringify(request)))!
  return { conversation: responsesRequest.read(source, report), report }
}

function written(conversation: Conversation): { body: Loose; report: LossReport } {
  const report = new LossReport()
  return { body: JSON.parse(writeJson(responsesRequest.write(conversation, target(), report))), report }
}

/** The items of an input that another model can be told of, in a form that does not depend on how they were spelled. */
function plain(request: Loose): Loose[] {
  const items: Loose[] = typeof request.input === 'string' ? [{ role: 'user', content: request.input }] : request.input
  const told: Loose[] = []
  for (const item of items) {
    const text = (value: Loose): string =>
      typeof value === 'string' ? value : value.map((part: Loose) => part.text ?? part.refusal ?? `<${part.type}>`).join('|')
    switch (item.type ?? 'message') {
      case 'message':
        told.push([item.role, text(item.content)])
        break
      case 'function_call':
      case 'custom_tool_call':
        told.push([item.type, item.call_id, item.name, item.arguments ?? item.input])
        break
      case 'function_call_output':
      case 'custom_tool_call_output':
        told.push([item.type, item.call_id, text(item.output)])
    }
  }
  return told
}

describe.skipIf(!hasRecordings)(`${name}: ${all.length} recorded requests`, () => {
  const requests = all.filter((recording) => recording.request !== undefined && recording.request !== null)

  test('all are read; what they say and ask for survives reading, writing and reading again', () => {
    let compared = 0
    for (const recording of requests) {
      const request = recording.request as Loose
      const { conversation, report } = read(request)
      if (report.refusal) {
        // results of calls that only the provider's store knows
        expect([recording.id, report.refusal.field]).toEqual([recording.id, 'never'])
        continue
      }
      const refused = conversation.extras.find((extra) => extra.weight === 'meaning')
      if (refused || request.temperature < 0) continue
      const { body, report: losses } = written(conversation)
      if (losses.refusal) continue
      compared++
      const again = read(body)
      expect([recording.id, again.report.refusal, again.conversation.extras]).toEqual([recording.id, undefined, []])
      const { tools, toolChoice, params, parallelCalls, stream } = again.conversation
      const schemas = (list: Conversation['tools']) =>
        list.map((tool) => [
          tool.kind,
          tool.namespace ? `${tool.namespace}__${tool.name}` : tool.name,
          tool.description,
          tool.schema && JSON.parse(tool.schema),
          tool.strict,
          tool.format,
        ])
      expect([recording.id, schemas(tools)]).toEqual([recording.id, schemas(conversation.tools)])
      expect([recording.id, toolChoice, parallelCalls, stream]).toEqual([
        recording.id,
        conversation.tools.length > 0 ? conversation.toolChoice : undefined,
        conversation.tools.length > 0 ? conversation.parallelCalls : undefined,
        conversation.stream,
      ])
      expect([recording.id, params]).toEqual([recording.id, conversation.params])
      expect(body.instructions ?? '').toBe(request.instructions || (request.input?.[0]?.role === 'system' ? plain(request)[0][1] : ''))
    }
    expect(compared).toBeGreaterThan(180)
  })

  test('C08: items keep their words and order; outputs follow their calls', () => {
    let compared = 0
    for (const recording of requests) {
      const request = recording.request as Loose
      const { conversation } = read(request)
      if (conversation.extras.some((extra) => extra.weight === 'meaning')) continue
      const { body, report } = written(conversation)
      if (report.refusal) continue
      compared++
      const said = plain(body).filter(([, text]) => text !== '')
      if (body.instructions !== undefined && request.instructions === undefined) said.unshift(['system', body.instructions])
      const wanted = plain(request).filter(([, text]) => text !== '')
      const sorted = (list: Loose[]) => list.map((item) => JSON.stringify(item)).toSorted()
      // neighbours of one speaker may be joined, and unanswered calls get an answer
      const words = (list: Loose[]) => sorted(list.filter((item) => !/_call/.test(item[0]))).join()
      const calls = (list: Loose[]) => list.filter((item) => /_call$/.test(item[0]))
      if (new Set(wanted.map(([role]) => role)).size === wanted.length)
        expect([recording.id, words(said)]).toEqual([recording.id, words(wanted)])
      expect([recording.id, calls(said)]).toEqual([recording.id, calls(wanted)])
      for (const call of calls(said)) {
        const answers = said.filter((item) => /_call_output$/.test(item[0]) && item[1] === call[1])
        expect([recording.id, answers.length]).toEqual([recording.id, 1])
      }
    }
    expect(compared).toBeGreaterThan(180)
  })
})

/** What a list of events says. */
function said(events: readonly StreamEvent[]) {
  const told = {
    text: '',
    reasoning: '',
    proofs: '',
    calls: [] as Loose[],
    cited: [] as Loose[],
    stop: '',
    usage: undefined as Loose,
    media: 0,
  }
  const calls = new Map<number, Loose>()
  for (const event of events) {
    if (event.type === 'text') told.text += event.text
    else if (event.type === 'reasoning') {
      told.reasoning += event.text
      // the mark of a thought without a proof is none (D03)
      if (event.signature !== unsigned) told.proofs += event.signature ?? ''
    } else if (event.type === 'tool_call') {
      let call = calls.get(event.index)
      if (!call) {
        call = { id: event.id, name: event.name, namespace: event.namespace, kind: event.kind ?? 'function', arguments: '' }
        calls.set(event.index, call)
        told.calls.push(call)
      }
      call.arguments += event.arguments
    } else if (event.type === 'citation') told.cited.push([event.url, event.title ?? event.url])
    else if (event.type === 'media') told.media += event.data.length
    else if (event.type === 'stop') told.stop = event.reason
    else if (event.type === 'usage') told.usage = { ...event.usage, raw: undefined, source: undefined }
  }
  for (const call of told.calls) call.arguments ||= call.kind === 'custom' ? '' : '{}'
  return told
}

function decoded(sse: string, cut?: (below: number) => number): StreamEvent[] {
  const reader = new SseReader()
  const decoder = openaiResponses.decoder('translate')
  const bytes = Buffer.from(sse)
  const events: StreamEvent[] = []
  for (let from = 0; from < bytes.length; ) {
    const to = cut ? Math.min(bytes.length, from + 1 + cut(500)) : bytes.length
    for (const frame of reader.push(bytes.subarray(from, to))) events.push(...decoder.decode(frame))
    from = to
  }
  for (const frame of reader.end()) events.push(...decoder.decode(frame))
  return events.filter((event) => event.type !== 'native')
}

/** Through all four ways of writing and reading; they must all say the same. */
function roundTrips(recording: Recording, events: readonly StreamEvent[]): void {
  const wanted = said(events)
  const encoder = openaiResponses.encoder(head)
  const sse = events.map((event) => encoder.encode([event])).join('')
  expect([recording.id, said(decoded(sse, randomFrom(recording.id)))]).toEqual([recording.id, wanted])
  // B14: deltas, done frames and the final response agree
  expect([recording.id, tellResponses(sse).text]).toEqual([recording.id, wanted.text])
  const whole = openaiResponses.encodeWhole(events, head)
  expect([recording.id, said(openaiResponses.decodeWhole(Buffer.from(whole), 'translate')!.events)]).toEqual([recording.id, wanted])
  const final = sse
    .split('\n')
    .filter((line) => /^data: \{"type":"response\.(completed|incomplete)"/.test(line))
    .map((line) => JSON.parse(line.slice(6)).response)
  expect([recording.id, final]).toEqual([recording.id, [JSON.parse(whole)]])
}

describe.skipIf(!hasRecordings)(`${name}: recorded replies through the neutral events`, () => {
  test('B14 B15: streams', () => {
    let count = 0
    for (const recording of all.filter(({ stream, status }) => stream && status === 200)) {
      const events = decoded(recording.body)
      // two recordings are several streams, one behind the other
      if (events.filter((event) => event.type === 'end').length !== 1) continue
      expect([recording.id, said(decoded(recording.body, randomFrom(recording.id)))]).toEqual([recording.id, said(events)])
      count++
      roundTrips(recording, events)
    }
    expect(count).toBeGreaterThan(50)
  })

  test('whole replies', () => {
    let count = 0
    for (const recording of all.filter(({ stream, status }) => !stream && status === 200)) {
      const whole = openaiResponses.decodeWhole(Buffer.from(recording.body), 'translate')!
      if (!whole.events.some((event) => event.type === 'stop')) continue // still runs in the background
      count++
      roundTrips(recording, whole.events)
    }
    expect(count).toBeGreaterThan(200)
  })
})
