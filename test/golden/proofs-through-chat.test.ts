/**
 * Golden: proofs that Anthropic and Gemini gave in recorded replies, through a Chat client that sends back what it got, and to their maker again.
 *
 * The second turn must hold them bit for bit and in place (D01, C18), and another upstream must not see them at all (D03).
 */

import { describe, expect, test } from 'bun:test'
import { capabilitiesOf } from '../../src/dialect/capabilities.ts'
import type { Dialect } from '../../src/dialect/codec.ts'
import { families } from '../../src/dialect/family.ts'
import { jsonSource } from '../../src/dialect/json-source.ts'
import { openaiChat } from '../../src/dialect/openai-chat/index.ts'
import { SseReader } from '../../src/dialect/sse.ts'
import { ReplyTranslation, translateRequest } from '../../src/dialect/translate.ts'
import type { StreamEvent } from '../../src/plugin/events.ts'
import { dataOf } from './naive.ts'
import { hasRecordings, type Recording, recordings } from './recordings.ts'

// biome-ignore lint/suspicious/noExplicitAny: recorded JSON of unknown shape
type Loose = any

const dialectOf = (name: string): Dialect =>
  Object.values(families)
    .flatMap((family) => family.operations)
    .find((operation) => operation.dialect.name === name)!.dialect
const head = { id: 'golden', model: 'm', created: 1 }
const user = { role: 'user', content: 'go' }
const models: Record<string, [host: string, model: string]> = {
  'anthropic-messages': ['api.anthropic.com', 'claude-sonnet-4-5'],
  'gemini-generate': ['generativelanguage.googleapis.com', 'gemini-3-pro'],
}

/** The second turn as its upstream gets it. */
function secondTurn(maker: string, upstream: string, reply: Loose): Loose {
  const results = (reply.tool_calls ?? []).map((call: Loose) => ({ role: 'tool', tool_call_id: call.id, content: 'done' }))
  const body = Buffer.from(JSON.stringify({ model: 'm', messages: [user, { ...reply, role: 'assistant' }, ...results, user] }))
  const target = { model: 'm', upstream, can: capabilitiesOf(maker, ...models[maker]!), stream: false }
  const { body: written } = translateRequest(jsonSource(body)!, openaiChat.request!, dialectOf(maker).request!, target)
  return JSON.parse(Buffer.from(written).toString())
}

/** What a Chat client keeps of a reply: whole, and of a stream as the SDKs add it up. */
function kept(maker: string, events: readonly StreamEvent[]): Loose[] {
  const can = capabilitiesOf(maker, ...models[maker]!)
  const first = translateRequest(
    jsonSource(Buffer.from(JSON.stringify({ model: 'm', messages: [user] })))!,
    openaiChat.request!,
    dialectOf(maker).request!,
    { model: 'm', upstream: 'maker', can, stream: false },
  )
  const translation = new ReplyTranslation({ dialect: maker, upstream: 'maker' }, first.names, first.conversation, can)
  const told: StreamEvent[] = []
  for (const event of events) translation.pass(event, told)
  const whole = JSON.parse(openaiChat.encodeWhole(told, head)).choices[0].message
  return [whole, added(openaiChat.encoder(head).encode(told))]
}

function added(sse: string): Loose {
  const sum: Loose = { role: 'assistant' }
  for (const data of dataOf(sse)) {
    const delta = data === '[DONE]' ? {} : (JSON.parse(data).choices[0]?.delta ?? {})
    for (const [key, value] of Object.entries<Loose>(delta)) {
      if (key === 'role') continue
      if (key === 'tool_calls') {
        for (const call of value) {
          const had = ((sum.tool_calls ??= [])[call.index] ??= { ...call, function: { name: call.function?.name, arguments: '' } })
          had.function.arguments += call.function?.arguments ?? ''
          had.extra_content ??= call.extra_content
        }
      } else if (typeof value === 'string') sum[key] = (sum[key] ?? '') + value
      else sum[key] = Array.isArray(value) ? [...(sum[key] ?? []), ...value] : value
    }
  }
  return sum
}

function eventsOf(recording: Recording): StreamEvent[] {
  const dialect = dialectOf(recording.dialect)
  if (!recording.stream) return [...(dialect.decodeWhole(Buffer.from(recording.body), 'translate')?.events ?? [])]
  const decoder = dialect.decoder('translate')
  const reader = new SseReader()
  return [...reader.push(Buffer.from(recording.body)), ...reader.end()].flatMap((frame) => decoder.decode(frame))
}

const proofsIn = (events: readonly StreamEvent[]): string[] =>
  events.flatMap((event) => ('signature' in event && event.signature !== undefined && event.signature !== '' ? [event.signature] : []))

for (const maker of ['anthropic-messages', 'gemini-generate']) {
  describe.skipIf(!hasRecordings)(`proofs of ${maker} through a Chat client`, () => {
    const signed = recordings(maker)
      .filter((recording) => recording.status === 200 && /"signature"|"thoughtSignature"|redacted_thinking/.test(recording.body))
      .map((recording) => ({ recording, events: eventsOf(recording) }))
      .filter(
        ({ events }) =>
          proofsIn(events).length > 0 &&
          !events.some((event) => event.type === 'error' || (event.type === 'stop' && event.reason === 'fault')),
      )

    test('C18 D01: come back bit for bit, in order, to their maker', () => {
      expect(signed.length).toBeGreaterThan(20)
      for (const { recording, events } of signed) {
        const proofs = proofsIn(events)
        for (const reply of kept(maker, events)) {
          const text = JSON.stringify(secondTurn(maker, 'maker', reply))
          const found = [...text.matchAll(/"(?:signature|thoughtSignature|data)":"([^"]*)"/g)].map(([, value]) => value!)
          expect([recording.id, found]).toEqual([recording.id, proofs])
        }
      }
    })

    test('D03: go to nobody else', () => {
      for (const { recording, events } of signed) {
        for (const reply of kept(maker, events)) {
          const text = JSON.stringify(secondTurn(maker, 'another', reply))
          const leaked = proofsIn(events).filter((proof) => text.includes(proof))
          expect([recording.id, leaked, text.includes('hg1.')]).toEqual([recording.id, [], false])
        }
      }
    })
  })
}

describe.skipIf(!hasRecordings)('thoughts of anthropic-messages through a Chat client', () => {
  test('D01: the block list of the first turn is that of the second', () => {
    let compared = 0
    for (const recording of recordings('anthropic-messages').filter((one) => one.status === 200 && !one.stream)) {
      const reply: Loose = JSON.parse(recording.body)
      const blocks: Loose[] = reply.content ?? []
      const kinds = blocks.map((block) => block.type)
      if (!kinds.includes('thinking') || kinds.some((kind) => !['thinking', 'redacted_thinking', 'text', 'tool_use'].includes(kind)))
        continue
      // Chat tells no order among text and thoughts: only replies that think first can be compared
      if (kinds.lastIndexOf('thinking') > kinds.findIndex((kind) => kind === 'text' || kind === 'tool_use')) continue
      for (const message of kept('anthropic-messages', eventsOf(recording))) {
        const turn = secondTurn('anthropic-messages', 'maker', message).messages[1]
        const thoughts = (list: Loose[]) => list.filter((block) => block.type.endsWith('thinking'))
        expect([recording.id, thoughts(turn.content)]).toEqual([recording.id, thoughts(blocks)])
        const calls = (list: Loose[]) => list.flatMap((block) => (block.type === 'tool_use' ? [[block.id, block.name, block.input]] : []))
        expect(calls(turn.content)).toEqual(calls(blocks))
      }
      compared++
    }
    expect(compared).toBeGreaterThan(5)
  })
})

describe.skipIf(!hasRecordings)('proofs of openai-chat upstreams through a Messages client', () => {
  test('D01 D03: entries of reasoning_details come back to their maker as they were, and to nobody else', () => {
    const messages = dialectOf('anthropic-messages')
    const can = capabilitiesOf('openai-chat', 'openrouter.ai', 'm')
    let compared = 0
    for (const recording of recordings('openai-chat').filter((one) => one.status === 200)) {
      const events = eventsOf(recording)
      if (proofsIn(events).length === 0) continue
      const first = translateRequest(
        jsonSource(Buffer.from(JSON.stringify({ model: 'm', max_tokens: 9, messages: [user] })))!,
        messages.request!,
        openaiChat.request!,
        { model: 'm', upstream: 'maker', can, stream: false },
      )
      const translation = new ReplyTranslation({ dialect: 'openai-chat', upstream: 'maker' }, first.names, first.conversation, can)
      const told: StreamEvent[] = []
      for (const event of events) translation.pass(event, told)
      const { content } = JSON.parse(messages.encodeWhole(told, head)) as Loose
      const results = content.flatMap((block: Loose) =>
        block.type === 'tool_use' ? [{ type: 'tool_result', tool_use_id: block.id, content: 'x' }] : [],
      )
      const turns = [user, { role: 'assistant', content }, { role: 'user', content: [...results, { type: 'text', text: 'go' }] }]
      for (const upstream of ['maker', 'another']) {
        const { body } = translateRequest(
          jsonSource(Buffer.from(JSON.stringify({ model: 'm', max_tokens: 9, messages: turns })))!,
          messages.request!,
          openaiChat.request!,
          { model: 'm', upstream, can, stream: false },
        )
        const entries: Loose[] = JSON.parse(Buffer.from(body).toString()).messages[1]?.reasoning_details ?? []
        const given = [...recording.body.matchAll(/"(?:signature|data)":\s*"([^"]+)"/g)].map(([, value]) => value!)
        const back = entries.flatMap((entry) => entry.signature ?? entry.data ?? [])
        expect([recording.id, upstream, back]).toEqual([recording.id, upstream, upstream === 'maker' ? given : []])
        if (upstream === 'maker') for (const entry of entries) expect(typeof entry.format).toBe('string')
      }
      compared++
    }
    expect(compared).toBeGreaterThan(5)
  })
})
