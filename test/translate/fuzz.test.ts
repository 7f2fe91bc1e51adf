/**
 * Translation over random input: requests that nobody would send, conversations of every shape, and replies in every order.
 *
 * No reader may throw, whatever a client sends; between any two dialects the texts, calls, results and their order survive; and whatever
 * events an upstream's reply consists of, each client's stream keeps to the rules of its dialect (PROTOCOL §1.6, B05, B06, B14, C02, C05).
 */

import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import fc from 'fast-check'
import { capabilitiesOf } from '../../src/dialect/capabilities.ts'
import type { Dialect } from '../../src/dialect/codec.ts'
import type { Conversation } from '../../src/dialect/conversation.ts'
import { estimateTokens } from '../../src/dialect/estimate.ts'
import { families } from '../../src/dialect/family.ts'
import { jsonSource } from '../../src/dialect/json-source.ts'
import { writeJson } from '../../src/dialect/json-text.ts'
import { LossReport } from '../../src/dialect/loss.ts'
import { ReplyTranslation, translateRequest } from '../../src/dialect/translate.ts'
import type { StreamEvent } from '../../src/plugin/events.ts'
import type { Json } from '../../src/plugin/request.ts'
import { droppedHeader } from '../../src/runtime/dropped.ts'
import { TranslatedEvents } from '../../src/upstream/translated-events.ts'
import { leastRequest, spoken } from './dialects.ts'
import { type Gist, gistOf, someConversation } from './some-conversation.ts'
import { someGarbage } from './some-garbage.ts'
import { meantBy, someReply } from './some-reply.ts'

setDefaultTimeout(120_000)
fc.configureGlobal({ includeErrorInReport: true })

const runs = Number(process.env.HEADGATE_FUZZ_RUNS ?? 300)
const translatable = Object.values(families)
  .flatMap((family) => family.operations)
  .map((operation) => operation.dialect)
  .filter((dialect, i, all) => dialect.request !== undefined && all.indexOf(dialect) === i)
/** Counts are asked for with the bodies of these. */
const readers = translatable.filter((dialect) => dialect.name !== 'bedrock-converse' && !dialect.name.endsWith('-tokens'))
const conversing = readers.filter((dialect) => dialect.name !== 'openai-completions')

const canOf = (dialect: Dialect) => ({ ...capabilitiesOf(dialect.name, 'api.openai.com', 'any'), imageUrls: true })

function targetOf(dialect: Dialect, stream = false) {
  return { model: 'm', upstream: 'u', can: canOf(dialect), maxOutput: 4096, stream }
}

describe('requests that nobody would send', () => {
  for (const dialect of readers) {
    test(`${dialect.name}: no reader throws, and no writer on what it read`, () => {
      fc.assert(
        fc.property(someGarbage(dialect.name), (body) => {
          const bytes = Buffer.from(JSON.stringify(body))
          dialect.parts(body as Json)
          dialect.request!.foreign(body as Json)
          const source = jsonSource(bytes)!
          estimateTokens(dialect.request!.read(source, new LossReport()), 'm')
          for (const to of translatable) {
            const made = translateRequest(source, dialect.request!, to.request!, targetOf(to))
            const { refusal, dropped } = made.report
            expect(droppedHeader(dropped)).toMatch(/^[\x21-\x7e]*$/)
            if (refusal) {
              expect(refusal.message).not.toBe('')
            } else expect(JSON.parse(Buffer.from(made.body).toString())).toBeObject()
          }
        }),
        { numRuns: runs },
      )
    })
  }
})

describe('conversations', () => {
  const pairs = conversing.flatMap((from) => conversing.map((to) => ({ from, to })))

  function writeIn(dialect: Dialect, conversation: Conversation): { text: string; report: LossReport } {
    const report = new LossReport()
    const written = dialect.request!.write(conversation, { ...targetOf(dialect), toolName: (name) => name }, report)
    return { text: writeJson(written), report }
  }

  for (const { from, to } of pairs) {
    test(`${from.name} to ${to.name}: texts, calls, results and their order`, () => {
      fc.assert(
        fc.property(someConversation, (conversation) => {
          const sent = writeIn(from, conversation)
          expect(sent.report.refusal).toBeUndefined()
          const source = jsonSource(Buffer.from(sent.text))!
          const made = translateRequest(source, from.request!, to.request!, targetOf(to))
          expect(made.report.refusal).toBeUndefined()
          const arrived = to.request!.read(jsonSource(made.body)!, new LossReport())
          const expected: Gist = gistOf(conversation)
          expect(gistOf(arrived)).toEqual(expected)
          const { maxOutput } = conversation.params
          if (maxOutput !== undefined) expect(arrived.params.maxOutput).toBe(maxOutput)
        }),
        { numRuns: Math.ceil(runs / 3) },
      )
    })
  }
})

describe('replies', () => {
  const head = { id: 'x1', model: 'm', created: 1_790_000_000, includeUsage: true }

  for (const client of spoken) {
    test(`${client.name}: a stream of any events keeps to the dialect`, () => {
      fc.assert(
        fc.property(someReply, (events) => {
          const encoder = client.dialect.encoder(head)
          let text = ''
          for (const event of events) text += encoder.encode([event])
          const told = client.streamed(text)
          const meant = meantBy(events)
          expect(told.wrong).toEqual([])
          expect(told.error).toBeUndefined()
          expect(told.complete).toBe(true)
          expect(told.text).toBe(meant.text)
          expect(told.reasoning.replace(/\s/g, '')).toBe(meant.reasoning.replace(/\s/g, ''))
          expect(told.calls.map(({ name, args }) => ({ name, args }))).toEqual(meant.calls)
          expect(new Set(told.calls.map((call) => call.id)).size).toBe(meant.calls.length)
          expect(told.stop).toBe(meant.stop)
          if (meant.usage) expect(told.usage).toEqual(meant.usage)
        }),
        { numRuns: runs },
      )
    })

    test(`${client.name}: a whole reply of any events says the same`, () => {
      fc.assert(
        fc.property(someReply, (events) => {
          const told = client.whole(client.dialect.encodeWhole(events, head))
          const meant = meantBy(events)
          expect(told.wrong).toEqual([])
          expect(told.text).toBe(meant.text)
          expect(told.reasoning.replace(/\s/g, '')).toBe(meant.reasoning.replace(/\s/g, ''))
          expect(told.calls.map(({ name, args }) => ({ name, args }))).toEqual(meant.calls)
          expect(told.stop).toBe(meant.stop)
          if (meant.usage) expect(told.usage).toEqual(meant.usage)
        }),
        { numRuns: runs },
      )
    })

    test(`${client.name}: a stream that stops anywhere is not complete, and can be ended with an error (B01, B08)`, () => {
      fc.assert(
        fc.property(someReply, fc.nat(), (events, n) => {
          const stop = events.findIndex((event) => event.type === 'stop')
          const encoder = client.dialect.encoder(head)
          const error = { code: 'upstream_error', message: 'It broke.', requestId: 'req_1' } as const
          let text = ''
          for (const event of events.slice(0, n % (stop + 1))) text += encoder.encode([event])
          expect(client.streamed(text).complete).toBe(false)
          text += encoder.failure?.(error) ?? client.dialect.errorFrames(error)
          const told = client.streamed(text)
          expect(told.complete).toBe(false)
          expect(told.error).toBe('It broke.')
          expect(told.wrong).toEqual([])
        }),
        { numRuns: runs },
      )
    })
  }

  for (const upstream of spoken) {
    for (const client of spoken.filter((other) => other !== upstream)) {
      test(`${upstream.name} to ${client.name}: what was said in one dialect is told in the other, however it was cut (A01)`, () => {
        const least = jsonSource(Buffer.from(leastRequest(client, 'm', true)))!
        fc.assert(
          fc.property(someReply, fc.integer({ min: 1, max: 200 }), (events, size) => {
            const sent = Buffer.from(upstream.dialect.encoder(head).encode(events))
            const made = translateRequest(least, client.dialect.request!, upstream.dialect.request!, targetOf(upstream.dialect, true))
            const can = canOf(upstream.dialect)
            const maker = { dialect: upstream.dialect.name, upstream: 'u' }
            const source = new TranslatedEvents(upstream.dialect, new ReplyTranslation(maker, made.names, made.conversation, can))
            const encoder = client.dialect.encoder(head)
            const arrived: StreamEvent[] = []
            for (let at = 0; at < sent.length; at += size) arrived.push(...source.push(sent.subarray(at, at + size)))
            arrived.push(...source.end())
            // Gemini's streams end without a word, for which the relay stands in
            if (arrived.at(-1)?.type !== 'end') arrived.push({ type: 'end' })
            let text = ''
            for (const event of arrived) text += encoder.encode([event])
            const told = client.streamed(text)
            const meant = meantBy(events)
            expect(told.wrong).toEqual([])
            expect(told.complete).toBe(true)
            expect(told.text).toBe(meant.text)
            expect(told.reasoning.replace(/\s/g, '')).toBe(meant.reasoning.replace(/\s/g, ''))
            expect(told.calls.map(({ name, args }) => ({ name, args }))).toEqual(meant.calls)
            expect(told.stop).toBe(meant.stop)
            if (meant.usage) expect(told.usage).toEqual(meant.usage)
          }),
          { numRuns: Math.ceil(runs / 3) },
        )
      })
    }
  }
})
