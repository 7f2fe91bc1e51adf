import { describe, expect, test } from 'bun:test'
import type { StreamEvent } from '../../plugin/events.ts'
import { SseReader } from '../sse.ts'
import { geminiGenerate } from './index.ts'

type Purpose = 'relay' | 'translate'

function decode(chunks: readonly unknown[], purpose: Purpose = 'relay'): StreamEvent[] {
  const sse = chunks.map((chunk) => `data: ${typeof chunk === 'string' ? chunk : JSON.stringify(chunk)}\r\n\r\n`).join('')
  const decoder = geminiGenerate.decoder(purpose)
  return new SseReader().push(Buffer.from(sse)).flatMap((frame) => decoder.decode(frame))
}
const part = (...parts: unknown[]) => ({
  candidates: [{ content: { parts, role: 'model' }, index: 0 }],
  responseId: 'r-1',
  modelVersion: 'g',
})
const last = (finishReason: string, usageMetadata?: unknown) => ({ candidates: [{ finishReason, index: 0 }], usageMetadata })
const whole = (body: unknown, purpose: Purpose = 'translate') => geminiGenerate.decodeWhole(Buffer.from(JSON.stringify(body)), purpose)

describe('Gemini streams', () => {
  test('to be translated, the first chunk tells usage before its text: a Messages reply begins with what went in', () => {
    const chunk = (text: string) => ({ ...part({ text }), usageMetadata: { promptTokenCount: 5, totalTokenCount: 6 } })
    const types = (purpose: Purpose) => decode([chunk('a'), chunk('b')], purpose).map((event) => event.type)
    expect(types('translate')).toEqual(['start', 'usage', 'text', 'text', 'usage'])
    expect(types('relay')).toEqual(['start', 'text', 'usage', 'text', 'usage'])
  })

  test('several parts of one chunk; B04: STOP after a call means tool_calls, even chunks later', () => {
    const events = decode([
      part(
        { text: 'hm', thought: true },
        { text: 'Hi' },
        { functionCall: { name: 'a', args: { x: 1 } } },
        { functionCall: { name: 'b', id: 'own' } },
      ),
      part({ text: '' }),
      last('STOP', { promptTokenCount: 5, candidatesTokenCount: 2, thoughtsTokenCount: 4, totalTokenCount: 11 }),
    ])
    expect(events.filter((event) => event.type !== 'native')).toEqual([
      { type: 'start', id: 'r-1', model: 'g' },
      { type: 'reasoning', text: 'hm', choice: 0 },
      { type: 'text', text: 'Hi', choice: 0 },
      { type: 'tool_call', index: 0, choice: 0, id: 'call_r-1_0', name: 'a', arguments: '{"x":1}' },
      { type: 'tool_call', index: 1, choice: 0, id: 'own', name: 'b', arguments: '' },
      { type: 'stop', reason: 'tool_calls', raw: 'STOP', choice: 0 },
      { type: 'usage', usage: expect.objectContaining({ inputUncached: 5, outputVisible: 2, reasoning: 4, source: 'reported' }) },
    ])
  })

  test('C01: arguments keep the spelling that the upstream sent', () => {
    const [, call] = decode([
      '{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"n": 1.0e2, "big":12345678901234567890}}}]}}]}',
    ])
    expect(call).toMatchObject({ arguments: '{"n": 1.0e2, "big":12345678901234567890}' })
  })

  test('ids of calls differ between replies that name themselves and those that do not', () => {
    const ids = (id?: string) =>
      decode([{ ...part({ functionCall: { name: 'f' } }, { functionCall: { name: 'f' } }), responseId: id }]).flatMap((e) =>
        e.type === 'tool_call' ? [e.id!] : [],
      )
    const all = [...ids('one'), ...ids('two'), ...ids(), ...ids()]
    expect(new Set(all).size).toBe(8)
    for (const id of all) expect(id).toMatch(/^[A-Za-z0-9_-]{1,64}$/)
    expect(ids('one')).toEqual(ids('one'))
  })

  test('arguments that arrive value by value are told when the call is complete', () => {
    const events = decode([
      part({ functionCall: { name: 'cook', willContinue: true }, thoughtSignature: 'sig' }),
      part({ functionCall: { partialArgs: [{ jsonPath: '$.dish.name', stringValue: 'La', willContinue: true }], willContinue: true } }),
      part({ functionCall: { partialArgs: [{ jsonPath: '$.dish.name', stringValue: 'sagna' }], willContinue: true } }),
      part({
        functionCall: {
          partialArgs: [
            { jsonPath: '$.steps[1]', numberValue: 2 },
            { jsonPath: "$['a b']", boolValue: false },
          ],
          willContinue: true,
        },
      }),
      part({ functionCall: { partialArgs: [{ jsonPath: '$.__proto__.x', stringValue: 'no' }, { jsonPath: 'odd' }], willContinue: true } }),
      part({ functionCall: {} }),
      part({ functionCall: { name: 'next', args: {} } }),
    ])
    const calls = events.filter((event) => event.type === 'tool_call')
    const first = calls.filter((call) => call.index === 0)
    expect(first[0]).toMatchObject({ name: 'cook', arguments: '', signature: 'sig' })
    expect(JSON.parse(first.map((call) => call.arguments).join(''))).toMatchObject({
      dish: { name: 'Lasagna' },
      steps: [null, 2],
      'a b': false,
    })
    expect(calls.at(-1)).toMatchObject({ index: 1, name: 'next', arguments: '{}' })
    expect(({} as { x?: unknown }).x).toBeUndefined()
  })

  test('a call that never was completed is told with what there is', () => {
    const events = decode([
      part({ functionCall: { name: 'f', partialArgs: [{ jsonPath: '$.a', stringValue: 'b' }], willContinue: true } }),
      last('MAX_TOKENS'),
    ])
    expect(events.slice(-2)).toEqual([
      { type: 'tool_call', index: 0, choice: 0, arguments: '{"a":"b"}' },
      { type: 'stop', reason: 'length', raw: 'MAX_TOKENS', choice: 0 },
    ])
  })

  test('a blocked prompt is a filter; C20 a broken call is a fault; I06 a new word is carried', () => {
    const stop = (chunk: unknown) => decode([chunk]).find((event) => event.type === 'stop')
    expect(stop({ promptFeedback: { blockReason: 'OTHER' } })).toEqual({ type: 'stop', reason: 'filter', raw: 'OTHER', choice: 0 })
    expect(stop(last('MALFORMED_FUNCTION_CALL'))?.reason).toBe('fault')
    expect(stop(last('UNEXPECTED_TOOL_CALL'))?.reason).toBe('fault')
    expect(stop(last('PROHIBITED_CONTENT'))?.reason).toBe('filter')
    expect(stop(last('SOMETHING_NEW'))).toMatchObject({ reason: 'other', raw: 'SOMETHING_NEW' })
    expect(stop(last('FINISH_REASON_UNSPECIFIED'))).toBeUndefined()
  })

  test('E09: a repeated stop is told once, usage again with each chunk, not final before the stop', () => {
    const usage = (n: number) => ({ promptTokenCount: 9, totalTokenCount: 9 + n })
    const events = decode([{ ...part({ text: 'a' }), usageMetadata: usage(1) }, last('STOP', usage(2)), last('STOP', usage(3))])
    expect(events.flatMap((e) => (e.type === 'usage' ? [[e.usage.outputVisible, e.usage.source]] : []))).toEqual([
      [1, 'partial'],
      [2, 'reported'],
      [3, 'reported'],
    ])
    expect(events.filter((event) => event.type === 'stop').length).toBe(1)
  })

  test('usage without figures is none (Vertex); tools and cache have their classes', () => {
    expect(decode([{ ...part({ text: 'a' }), usageMetadata: { trafficType: 'ON_DEMAND' } }]).some((e) => e.type === 'usage')).toBe(false)
    const usageMetadata = {
      promptTokenCount: 10,
      cachedContentTokenCount: 4,
      toolUsePromptTokenCount: 7,
      candidatesTokenCount: 1,
      totalTokenCount: 18,
    }
    expect(decode([last('STOP', usageMetadata)]).find((e) => e.type === 'usage')?.usage).toMatchObject({
      inputUncached: 13,
      cacheRead: 4,
      outputVisible: 1,
    })
  })

  test('B07 B08: errors, as an object and in an array', () => {
    const error = { error: { code: 503, message: 'The model is overloaded.', status: 'UNAVAILABLE' } }
    const told: StreamEvent = { type: 'error', kind: 'UNAVAILABLE', message: 'The model is overloaded.' }
    expect(decode([error])).toEqual([told])
    expect(decode([[error]])).toEqual([told])
  })

  test('odd frames are native, nothing throws', () => {
    for (const odd of ['not json', 'null', '7', '[]', '{}', '{"candidates":[null,7,{"content":3}]}', '{"candidates":{}}']) {
      expect(decode([odd]).every((event) => event.type === 'native' || event.type === 'start')).toBe(true)
    }
    expect(decode(['{"candidates":[{"content":{"parts":[null,{"functionCall":{}},{"text":5}]}}]}']).length).toBeGreaterThan(0)
  })

  test('two candidates are two choices', () => {
    const events = decode([
      {
        candidates: [
          { content: { parts: [{ text: 'a' }] }, index: 1 },
          { content: { parts: [{ text: 'b' }] }, finishReason: 'STOP' },
        ],
      },
    ])
    expect(events.slice(1)).toEqual([
      { type: 'text', text: 'a', choice: 1 },
      { type: 'text', text: 'b', choice: 1 },
      { type: 'stop', reason: 'end', raw: 'STOP', choice: 1 },
    ])
  })
})

describe('what translation needs besides', () => {
  test('D01 C18: signatures on text, calls and thoughts; hidden thoughts', () => {
    const events = decode(
      [
        part({ text: 't', thoughtSignature: 's1' }, { functionCall: { name: 'f', args: {} }, thoughtSignature: 's2' }),
        part({ text: '', thoughtSignature: 's3' }, { thought: true, thoughtSignature: 's4' }),
      ],
      'translate',
    )
    expect(events.slice(1)).toEqual([
      { type: 'text', text: 't', choice: 0, signature: 's1' },
      { type: 'tool_call', index: 0, choice: 0, id: 'call_r-1_0', name: 'f', arguments: '{}', signature: 's2' },
      { type: 'text', text: '', choice: 0, signature: 's3' },
      { type: 'reasoning', text: '', choice: 0, signature: 's4', redacted: true },
    ])
  })

  const grounded = {
    candidates: [
      {
        content: { parts: [{ text: 'Ü: Paris is big. More.' }, { inlineData: { mimeType: 'image/png', data: 'AAAA' } }] },
        finishReason: 'STOP',
        groundingMetadata: {
          groundingChunks: [
            { web: { uri: 'https://a', title: 'A' } },
            { web: { uri: 'https://b' } },
            { retrievedContext: { text: 'no address' } },
          ],
          groundingSupports: [{ segment: { startIndex: 4, endIndex: 17, text: 'Paris is big.' }, groundingChunkIndices: [0, 2, 9] }],
        },
      },
    ],
  }

  test('grounding becomes citations, pictures become media; in a relayed reply they stay native', () => {
    const kinds = (purpose: Purpose) => whole(grounded, purpose)!.events.map((event) => event.type)
    expect(kinds('translate')).toEqual(['start', 'text', 'media', 'citation', 'citation', 'stop', 'end'])
    expect(kinds('relay')).toEqual(['start', 'text', 'native', 'native', 'stop', 'end'])
    const citations = whole(grounded)!.events.filter((event) => event.type === 'citation')
    expect(citations).toEqual([
      { type: 'citation', choice: 0, url: 'https://a', title: 'A', cited: 'Paris is big.' },
      { type: 'citation', choice: 0, url: 'https://b' },
    ])
  })

  test('citations are written with offsets in bytes of the text', () => {
    const again = JSON.parse(geminiGenerate.encodeWhole(whole(grounded)!.events, { id: 'x', model: 'm', created: 1 }))
    expect(again.candidates[0].groundingMetadata).toEqual({
      groundingChunks: [{ web: { uri: 'https://a', title: 'A' } }, { web: { uri: 'https://b' } }],
      groundingSupports: [{ segment: { startIndex: 4, endIndex: 17, text: 'Paris is big.' }, groundingChunkIndices: [0] }],
    })
    expect(again.candidates[0].content.parts[1]).toEqual({ inlineData: { mimeType: 'image/png', data: 'AAAA' } })
  })

  test('G03: what is no reply is told apart', () => {
    for (const body of ['null', '{}', '[]', '"x"', '{"usageMetadata":{}}', 'not json']) {
      expect([body, geminiGenerate.summary(Buffer.from(body)).valid, geminiGenerate.decodeWhole(Buffer.from(body))]).toEqual([
        body,
        false,
        null,
      ])
    }
    const failed = geminiGenerate.summary(Buffer.from('{"error":{"code":429,"message":"slow down","status":"RESOURCE_EXHAUSTED"}}'))
    expect(failed).toMatchObject({ valid: false, error: { message: 'slow down', type: 'RESOURCE_EXHAUSTED', status: 429 } })
  })
})
