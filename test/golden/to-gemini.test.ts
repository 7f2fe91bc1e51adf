/**
 * Golden: every recorded request of every dialect, written for Gemini, keeps to what that API demands; and proofs that Anthropic gave, through a
 * Gemini client that sends back what it got, reach their maker again.
 */

import { describe, expect, test } from 'bun:test'
import { anthropicMessages } from '../../src/dialect/anthropic-messages/index.ts'
import { capabilitiesOf } from '../../src/dialect/capabilities.ts'
import type { Dialect } from '../../src/dialect/codec.ts'
import { geminiGenerate } from '../../src/dialect/gemini/index.ts'
import { jsonSource } from '../../src/dialect/json-source.ts'
import { openaiChat } from '../../src/dialect/openai-chat/index.ts'
import { openaiResponses } from '../../src/dialect/openai-responses/index.ts'
import { SseReader } from '../../src/dialect/sse.ts'
import { ReplyTranslation, translateRequest } from '../../src/dialect/translate.ts'
import { JsonDocument } from '../../src/json/document.ts'
import type { StreamEvent } from '../../src/plugin/events.ts'
import { dataOf } from './naive.ts'
import { hasRecordings, type Recording, recordings } from './recordings.ts'

// biome-ignore lint/suspicious/noExplicitAny: recorded JSON of unknown shape
type Loose = any

/** What is wrong with a body; empty when nothing is. */
function faults(body: Loose, model: string): string[] {
  const wrong: string[] = []
  let calls: string[] = []
  let before: Loose
  if (body.contents[0]?.role !== 'user') wrong.push('the user does not begin')
  for (const { role, parts } of body.contents) {
    if (role === before) wrong.push('C08: one speaker twice')
    before = role
    if (parts.length === 0) wrong.push('C23: an empty content')
    const answers = parts.filter((part: Loose) => part.functionResponse)
    const names = answers.map((part: Loose) => `${part.functionResponse.name}/${part.functionResponse.id}`)
    const first = parts.slice(0, names.length)
    if (String(names) !== String(calls) || first.some((part: Loose) => !part.functionResponse))
      wrong.push('C08: answers do not fit the calls')
    calls = []
    for (const part of parts) {
      if (part.text === '' && !part.thoughtSignature) wrong.push('C23: an empty text')
      const data = Object.keys(part).filter((key) => key !== 'thoughtSignature' && key !== 'thought')
      if (data.length !== 1) wrong.push(`a part of ${data}`)
      if (part.thoughtSignature && part.thoughtSignature !== 'skip_thought_signature_validator') wrong.push('D03: a proof of somebody else')
      const response = part.functionResponse?.response
      if (part.functionResponse && (typeof response !== 'object' || Array.isArray(response))) wrong.push('an answer that is no object')
      if (!part.functionCall) continue
      const { name, args, id } = part.functionCall
      if (typeof args !== 'object' || args === null || Array.isArray(args)) wrong.push('C07: arguments that are no object')
      if (!/^[A-Za-z_][\w.:-]{0,63}$/.test(name)) wrong.push(`C15: name ${name}`)
      if (calls.length === 0 && model.includes('-3') && !part.thoughtSignature) wrong.push('a call without a signature')
      calls.push(`${name}/${id}`)
    }
  }
  if (calls.length > 0) wrong.push('C08: calls without answers')
  const declared = body.tools?.[0].functionDeclarations
  if (declared?.length === 0) wrong.push('C13: no tools')
  if (body.toolConfig && !declared) wrong.push('C13: a choice without tools')
  const config = body.generationConfig ?? {}
  if (config.stopSequences?.length > 5) wrong.push('too many stop strings')
  if (config.thinkingConfig?.thinkingBudget !== undefined && config.thinkingConfig.thinkingLevel) wrong.push('a budget and a level')
  if (config.thinkingConfig?.thinkingBudget >= config.maxOutputTokens) wrong.push('D04: the budget is no smaller than the cap')
  if (config.temperature > 2) wrong.push('I08: temperature')
  return wrong
}

const dialects: readonly Dialect[] = [openaiChat, openaiResponses, anthropicMessages]

for (const from of dialects) {
  describe.skipIf(!hasRecordings)(`${from.name} to gemini-generate`, () => {
    for (const model of ['gemini-2.5-pro', 'gemini-3-flash-preview']) {
      test(`each recorded request, for ${model}`, () => {
        const can = capabilitiesOf('gemini-generate', 'generativelanguage.googleapis.com', model)
        let written = 0
        for (const { id, request } of recordings(from.name)) {
          const source = jsonSource(Buffer.from(JSON.stringify(request ?? null)))
          if (!source) continue
          const target = { model, upstream: 'google', can, stream: false }
          const { body, report } = translateRequest(source, from.request!, geminiGenerate.request!, target)
          if (report.refusal) {
            expect([id, report.refusal.field, report.refusal.message]).not.toContain('')
            continue
          }
          written++
          expect([id, faults(JSON.parse(Buffer.from(body).toString()), model)]).toEqual([id, []])
        }
        expect(written).toBeGreaterThan(150)
      })
    }
  })
}

const head = { id: 'golden', model: 'm', created: 1 }
const user = { role: 'user', parts: [{ text: 'go' }] }
const claude = 'claude-sonnet-4-5'
const can = capabilitiesOf('anthropic-messages', 'api.anthropic.com', claude)

function toClaude(body: Loose, upstream: string) {
  const source = jsonSource(Buffer.from(JSON.stringify(body)))!
  return translateRequest(source, geminiGenerate.request!, anthropicMessages.request!, { model: claude, upstream, can, stream: false })
}

function eventsOf(recording: Recording): readonly StreamEvent[] {
  if (!recording.stream) return anthropicMessages.decodeWhole(Buffer.from(recording.body), 'translate')?.events ?? []
  const decoder = anthropicMessages.decoder('translate')
  return new SseReader().push(Buffer.from(`${recording.body}\n\n`)).flatMap((frame) => decoder.decode(frame))
}

/** What a Gemini client keeps of a reply: the content of a whole one, the contents of a stream's chunks one after another. */
function kept(events: readonly StreamEvent[]): Loose[][] {
  const first = toClaude({ contents: [user] }, 'maker')
  const translation = new ReplyTranslation({ dialect: 'anthropic-messages', upstream: 'maker' }, first.names, first.conversation, can)
  const told: StreamEvent[] = []
  for (const event of events) translation.pass(event, told)
  const whole = JSON.parse(geminiGenerate.encodeWhole(told, head)).candidates[0].content
  const streamed = dataOf(geminiGenerate.encoder(head).encode(told)).flatMap((data) => JSON.parse(data).candidates[0].content.parts)
  return [[whole], [{ role: 'model', parts: streamed }]]
}

describe.skipIf(!hasRecordings)('proofs of anthropic-messages through a Gemini client', () => {
  const signed = recordings('anthropic-messages').filter(
    (recording) =>
      recording.status === 200 && /"signature|redacted_thinking/.test(recording.body) && !/server_tool_use|"error"/.test(recording.body),
  )

  test('D01: the thoughts of the first turn are those of the second, for their maker and nobody else', () => {
    let compared = 0
    for (const recording of signed) {
      const events = eventsOf(recording)
      const proofs = events.flatMap((e) => (e.type === 'reasoning' && e.signature ? [e.signature] : []))
      if (proofs.length === 0 || events.some((event) => event.type === 'error')) continue
      for (const contents of kept(events)) {
        const answers = contents.flatMap((content) =>
          content.parts.flatMap((part: Loose) =>
            part.functionCall ? [{ functionResponse: { name: part.functionCall.name, response: { result: 'x' } } }] : [],
          ),
        )
        const body = { contents: [user, ...contents, { role: 'user', parts: [...answers, ...user.parts] }] }
        const again = JSON.parse(Buffer.from(toClaude(body, 'maker').body).toString())
        const blocks: Loose[] = again.messages.flatMap((message: Loose) => (message.role === 'assistant' ? message.content : []))
        const thoughts = blocks.filter((block) => block.type === 'thinking' || block.type === 'redacted_thinking')
        expect([recording.id, thoughts.map((block) => block.signature ?? block.data)]).toEqual([recording.id, proofs])
        const thinking = events.map((event) => (event.type === 'reasoning' && !event.redacted ? event.text : '')).join('')
        expect([recording.id, thoughts.map((block) => block.thinking ?? '').join('')]).toEqual([recording.id, thinking])
        const other = Buffer.from(toClaude(body, 'another').body).toString()
        expect([recording.id, /hg1\.|aGcxL/.test(other), other.includes('"thinking":"')]).toEqual([recording.id, false, false])
        // natively to Google: all of it is taken out
        const document = new JsonDocument(Buffer.from(JSON.stringify(body)))
        for (const pointer of geminiGenerate.request!.foreign(document.value)) document.remove(pointer)
        const left = Buffer.from(document.output()).toString()
        expect([recording.id, /hg1\.|aGcxL/.test(left), left.includes('"thought":true')]).toEqual([recording.id, false, false])
        compared++
      }
    }
    expect(compared).toBeGreaterThan(20)
  })
})
