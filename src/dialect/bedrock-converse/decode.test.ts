import { describe, expect, test } from 'bun:test'
import type { StreamEvent } from '../../plugin/events.ts'
import { frameText, SseReader } from '../sse.ts'
import { bedrockConverse } from './index.ts'

function decode(frames: readonly (readonly [event: string, payload: unknown])[]): StreamEvent[] {
  const decoder = bedrockConverse.decoder('translate')
  const sse = frames.map(([event, payload]) => frameText(event, typeof payload === 'string' ? payload : JSON.stringify(payload))).join('')
  return new SseReader().push(Buffer.from(sse)).flatMap((frame) => decoder.decode(frame))
}
const said = (events: readonly StreamEvent[]) => events.filter((event) => event.type !== 'native')
const delta = (contentBlockIndex: number, body: object) => ['contentBlockDelta', { contentBlockIndex, delta: body }] as const
const start = (contentBlockIndex: number, toolUse: object) => ['contentBlockStart', { contentBlockIndex, start: { toolUse } }] as const

describe('Converse streams', () => {
  test('text without a start, calls with fragments, thoughts and their proofs, usage after the stop', () => {
    const events = decode([
      ['messageStart', { role: 'assistant' }],
      delta(0, { reasoningContent: { text: 'hm' } }),
      delta(0, { reasoningContent: { signature: 'sig' } }),
      ['contentBlockStop', { contentBlockIndex: 0 }],
      delta(1, { reasoningContent: { redactedContent: 'hidden' } }),
      delta(2, { text: 'Hi' }),
      start(3, { toolUseId: 't1', name: 'f' }),
      delta(3, { toolUse: { input: '{"a":' } }),
      delta(3, { toolUse: { input: '1}' } }),
      ['contentBlockStop', { contentBlockIndex: 3 }],
      start(4, { toolUseId: 't2', name: 'g', type: 'tool_use' }),
      ['messageStop', { stopReason: 'tool_use' }],
      [
        'metadata',
        {
          usage: {
            inputTokens: 3,
            outputTokens: 4,
            totalTokens: 16,
            cacheReadInputTokens: 2,
            cacheWriteInputTokens: 7,
            cacheDetails: [{ ttl: '1h', inputTokens: 5 }],
          },
        },
      ],
    ])
    expect(said(events)).toEqual([
      { type: 'start' },
      { type: 'reasoning', text: 'hm', choice: 0 },
      { type: 'reasoning', text: '', choice: 0, signature: 'sig' },
      { type: 'reasoning', text: '', choice: 0, signature: 'hidden', redacted: true },
      { type: 'text', text: 'Hi', choice: 0 },
      { type: 'tool_call', index: 0, choice: 0, id: 't1', name: 'f', arguments: '' },
      { type: 'tool_call', index: 0, choice: 0, arguments: '{"a":' },
      { type: 'tool_call', index: 0, choice: 0, arguments: '1}' },
      { type: 'tool_call', index: 1, choice: 0, id: 't2', name: 'g', arguments: '' },
      { type: 'stop', reason: 'tool_calls', raw: 'tool_use', choice: 0 },
      {
        type: 'usage',
        usage: expect.objectContaining({ inputUncached: 3, cacheRead: 2, cacheWrite1h: 5, cacheWriteOther: 2, outputVisible: 4 }),
      },
    ])
  })

  test("a tool of the provider's own is no call of the client's", () => {
    const events = decode([
      start(0, { toolUseId: 's', name: 'nova_code_interpreter', type: 'server_tool_use' }),
      delta(0, { toolUse: { input: '{"code":1}' } }),
      start(1, { toolUseId: 't', name: 'f' }),
      delta(1, { toolUse: { input: '{}' } }),
    ])
    expect(said(events)).toEqual([
      { type: 'tool_call', index: 0, choice: 0, id: 't', name: 'f', arguments: '' },
      { type: 'tool_call', index: 0, choice: 0, arguments: '{}' },
    ])
  })

  test('B17: an exception in mid-stream is an error with its kind', () => {
    const error = { type: 'error', error: { type: 'rate_limit_error', message: 'Too many tokens' } }
    expect(decode([delta(0, { text: 'a' }), ['error', error]]).at(-1)).toEqual({
      type: 'error',
      kind: 'rate_limit_error',
      message: 'Too many tokens',
    })
    expect(decode([['error', 'gone']])).toEqual([{ type: 'error', kind: 'api_error', message: 'gone' }])
  })

  test('stops: words, the string that was met, new ones are carried', () => {
    const stop = (body: object) => said(decode([['messageStop', body]]))[0]
    expect(stop({ stopReason: 'guardrail_intervened' })).toMatchObject({ reason: 'filter' })
    expect(stop({ stopReason: 'model_context_window_exceeded' })).toMatchObject({ reason: 'length' })
    expect(stop({ stopReason: 'malformed_tool_use' })).toMatchObject({ reason: 'fault' })
    expect(stop({ stopReason: 'brand_new' })).toMatchObject({ reason: 'other', raw: 'brand_new' })
    const met = { stopReason: 'stop_sequence', additionalModelResponseFields: { delta: { stop_sequence: 'END' } } }
    expect(stop(met)).toMatchObject({ reason: 'stop_sequence', sequence: 'END' })
  })

  test('citations with an address, odd frames native, nothing throws', () => {
    const citation = { title: 'T', location: { web: { url: 'https://a' } }, sourceContent: [{ text: 'words' }] }
    expect(said(decode([delta(0, { citation })]))).toEqual([{ type: 'citation', choice: 0, url: 'https://a', title: 'T', cited: 'words' }])
    for (const payload of ['nope', 'null', '7', '[]', '{}', '{"delta":3,"start":[],"usage":{}}']) {
      for (const event of ['messageStart', 'contentBlockStart', 'contentBlockDelta', 'messageStop', 'metadata', 'new']) {
        expect(said(decode([[event, payload]])).every(({ type }) => type === 'start')).toBe(true)
      }
    }
  })

  test('frames pass as received until a hook changes one, then are written anew', () => {
    const frame = new SseReader().push(
      Buffer.from(frameText('contentBlockDelta', '{"contentBlockIndex":0,"delta":{"text":"a"},"p":"x"}')),
    )[0]!
    const before = bedrockConverse.decoder().decode(frame)
    const encoder = bedrockConverse.encoder({ id: 'x', model: 'm', created: 1 })
    expect(encoder.encode(before, { frame, before })).toBe(Buffer.from(frame.raw).toString())
    expect(encoder.encode([{ type: 'text', text: 'b', choice: 0 }], { frame, before })).toContain('"delta":{"text":"b"}')
    expect(encoder.rewriting).toBe(true)
  })
})

describe('whole Converse replies', () => {
  test('G03: errors and other bodies are no replies', () => {
    expect(bedrockConverse.summary(Buffer.from('{"message":"bad model"}'))).toEqual({ valid: false, error: { message: 'bad model' } })
    for (const body of ['null', '[]', '{}', 'x']) expect([body, bedrockConverse.decodeWhole(Buffer.from(body))]).toEqual([body, null])
  })

  test('inputs keep their spelling; text with citations', () => {
    const body = Buffer.from(
      '{"output":{"message":{"role":"assistant","content":[{"toolUse":{"toolUseId":"t","name":"f","input":{"n": 1.0}}},{"citationsContent":{"content":[{"text":"said"}],"citations":[{"location":{"web":{"url":"https://a"}}}]}}]}},"stopReason":"end_turn"}',
    )
    const { events } = bedrockConverse.decodeWhole(body)!
    expect(events.slice(1, 4)).toEqual([
      { type: 'tool_call', index: 0, choice: 0, id: 't', name: 'f', arguments: '{"n": 1.0}' },
      { type: 'text', text: 'said', choice: 0 },
      { type: 'citation', choice: 0, url: 'https://a' },
    ])
  })
})
