/** The codec by itself: requests there and back, streams there and back, and a stream in which a plugin changed something. */

import { describe, expect, test } from 'bun:test'
import { type DefinedDialect, jsonSource, LossReport, SseReader, writeJson } from 'headgate/dialect'
import type { StreamEvent } from 'headgate/plugin'
import { conformance } from 'headgate/testkit'
import cohere from './index.ts'

conformance(cohere)

const [api] = cohere.dialects as readonly [DefinedDialect]
const { dialect } = api.operations[0]!
const head = { id: 'reply', model: 'command', created: 0 }
const can = { tools: true, images: true, sampling: true, topK: true, penalties: true, seed: true, jsonObject: true, thinkingBudget: true }
const target = {
  model: 'command-a-reasoning',
  upstream: 'cohere',
  can: { ...can, strict: true, reasoningEcho: true, callIds: 'any' } as never,
  toolName: (name: string) => name,
}

function again(body: object) {
  const report = new LossReport()
  const source = jsonSource(Buffer.from(JSON.stringify(body)))!
  const conversation = dialect.request!.read(source, report)
  return { written: JSON.parse(writeJson(dialect.request!.write(conversation, target, report))) as unknown, conversation, report }
}

describe('requests', () => {
  test('there and back', () => {
    const body = {
      model: 'command-a-reasoning',
      stream: true,
      messages: [
        { role: 'system', content: 'Be brief.' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What is it?' },
            { type: 'image_url', image_url: { url: 'https://x.test/a.png' } },
          ],
        },
        {
          role: 'assistant',
          tool_plan: 'I look.',
          tool_calls: [{ id: 'look_1', type: 'function', function: { name: 'look', arguments: '{"n": 1.0}' } }],
        },
        { role: 'tool', tool_call_id: 'look_1', content: 'a cat' },
      ],
      tools: [
        { type: 'function', function: { name: 'look', description: 'Looks', parameters: { type: 'object', properties: { n: {} } } } },
      ],
      tool_choice: 'REQUIRED',
      strict_tools: true,
      max_tokens: 100,
      stop_sequences: ['END'],
      temperature: 0.3,
      p: 0.9,
      k: 5,
      frequency_penalty: 0.1,
      presence_penalty: 0.2,
      seed: 7,
      thinking: { type: 'enabled', token_budget: 512 },
    }
    const { written, report } = again(body)
    expect(written).toEqual(body)
    expect(report.refusal).toBeUndefined()
    expect(report.dropped).toEqual([])
  })

  test('a schema for the output', () => {
    const format = { type: 'json_object', json_schema: { type: 'object', properties: { a: { type: 'number' } } } }
    expect(again({ model: 'm', messages: [], response_format: format }).written).toMatchObject({ response_format: format })
    const tools = [{ type: 'function', function: { name: 'look' } }]
    expect(again({ model: 'm', messages: [], response_format: format, tools }).report.refusal?.field).toBe('response_format')
  })

  test('what no other API knows is told', () => {
    const { conversation } = again({ model: 'm', messages: [], documents: ['a'], safety_mode: 'OFF', priority: 0, citation_options: null })
    expect(conversation.extras).toEqual([
      { field: 'documents', weight: 'meaning' },
      { field: 'safety_mode', weight: 'hint' },
      { field: 'priority', weight: 'hint' },
    ])
  })

  test.each([
    [{ messages: 'x' }, 'messages'],
    [{ messages: [{ role: 'tool' }] }, 'messages[0].tool_call_id'],
    [{ messages: [3] }, 'messages[0].role'],
    [{ messages: [], k: '5' }, 'k'],
  ])('odd shapes are refused by name: %j', (body, field) => {
    expect(again({ model: 'm', ...body }).report.refusal?.field).toBe(field as string)
  })
})

const events: StreamEvent[] = [
  { type: 'start', id: 'c1' },
  { type: 'reasoning', text: 'Hm', choice: 0 },
  { type: 'reasoning', text: '.', choice: 0 },
  { type: 'text', text: 'Let me ', choice: 0 },
  { type: 'text', text: 'look.', choice: 0 },
  { type: 'tool_call', index: 0, choice: 0, arguments: '', id: 'a', name: 'look' },
  { type: 'tool_call', index: 0, choice: 0, arguments: '{"n":' },
  { type: 'tool_call', index: 0, choice: 0, arguments: '1}' },
  { type: 'tool_call', index: 1, choice: 0, arguments: '{}', id: 'b', name: 'listen' },
  { type: 'stop', reason: 'tool_calls', raw: 'TOOL_CALL', choice: 0 },
  {
    type: 'usage',
    usage: {
      source: 'reported',
      inputUncached: 3,
      outputVisible: 4,
      cacheRead: 0,
      cacheWrite5m: 0,
      cacheWrite1h: 0,
      cacheWriteOther: 0,
      reasoning: 0,
      inputAudio: 0,
      outputAudio: 0,
      raw: '{"billed_units":{"input_tokens":3,"output_tokens":4},"tokens":{"input_tokens":3,"output_tokens":4}}',
    },
  },
  { type: 'end' },
]

const framesOf = (text: string) => new SseReader().push(Buffer.from(text))
const decoded = (text: string): StreamEvent[] => {
  const decoder = dialect.decoder()
  return framesOf(text).flatMap((frame) => decoder.decode(frame).filter((event) => event.type !== 'native'))
}

describe('replies', () => {
  test('a stream made of events says the same events', () => {
    const text = dialect.encoder(head).encode(events)
    expect(decoded(text)).toEqual([...events])
    expect(text.match(/event: content-(start|end)/g)).toHaveLength(4)
    expect(dialect.interesting(Buffer.from(text), 0)).toBe(text.indexOf('message-end'))
  })

  test('a whole reply made of events says the same; the plan stands where a plan belongs', () => {
    const text = dialect.encodeWhole(events, head)
    expect(JSON.parse(text).message).toMatchObject({ tool_plan: 'Hm.', content: [{ type: 'text', text: 'Let me look.' }] })
    const whole = dialect.decodeWhole(Buffer.from(text))!
    expect(whole.events.filter((e) => e.type === 'tool_call').map((e) => e.arguments)).toEqual(['{"n":1}', '{}'])
    expect(dialect.summary(Buffer.from(text))).toMatchObject({ valid: true, id: 'c1', stop: 'TOOL_CALL' })
    expect(whole.apply(whole.events.map((event) => [event]))).toEqual(Buffer.from(text))
  })

  test('a whole reply that a plugin changed keeps what events do not tell', () => {
    const body = {
      id: 'r',
      message: { role: 'assistant', content: [{ type: 'text', text: 'hi' }], citations: [{ start: 0 }] },
      finish_reason: 'COMPLETE',
      extra: 1,
    }
    const whole = dialect.decodeWhole(Buffer.from(JSON.stringify(body)))!
    const after = whole.events.map((event) => [event.type === 'text' ? { ...event, text: 'HI' } : event])
    const changed = JSON.parse(Buffer.from(whole.apply(after)).toString())
    expect(changed).toEqual({ ...body, message: { ...body.message, content: [{ type: 'text', text: 'HI' }] } })
  })

  test('a plugin changes a stream in its middle: what went before stays, what follows is well formed', () => {
    const frames = framesOf(dialect.encoder(head).encode(events))
    const decoder = dialect.decoder()
    const encoder = dialect.encoder(head)
    let text = ''
    for (const frame of frames) {
      const before = decoder.decode(frame)
      const after = before.map((event) => (event.type === 'text' ? { ...event, text: event.text.toUpperCase() } : event))
      if (encoder.rewriting || after.some((event, i) => event !== before[i])) text += encoder.encode(after, { frame, before })
      else {
        encoder.observe(frame, before)
        text += Buffer.from(frame.raw).toString()
      }
    }
    expect(decoded(text)).toEqual(events.map((event) => (event.type === 'text' ? { ...event, text: event.text.toUpperCase() } : event)))
    expect(text.match(/event: content-(start|end)/g)).toHaveLength(4)
    expect(text.match(/event: tool-call-(start|end)/g)).toHaveLength(4)
  })

  test('errors: in a stream, in a body, and what is no reply at all', () => {
    const error = { code: 'upstream_error', message: 'broken', requestId: 'req_1' } as const
    expect(decoded(dialect.errorFrames(error))).toEqual([{ type: 'error', kind: 'api_error', message: 'broken' }])
    expect(dialect.readError(500, Buffer.from(dialect.errorBody(error)))).toMatchObject({ message: 'broken' })
    expect(dialect.decodeWhole(Buffer.from('[1]'))).toBeNull()
    expect(dialect.summary(Buffer.from('{"message":"no"}'))).toMatchObject({ valid: false, error: { message: 'no' } })
    expect(decoded('event: odd\ndata: {"type":"odd"}\n\ndata: not json\n\n')).toEqual([])
  })

  test('the texts that plugins look at', () => {
    const messages = [
      { role: 'user', content: [{ type: 'text', text: 'a' }] },
      { role: 'tool', tool_call_id: 'c', content: 'b' },
    ]
    expect(dialect.parts({ messages, tools: [] }).map(({ kind, text, pointer }) => [kind, text, pointer])).toEqual([
      ['user', 'a', '/messages/0/content/0/text'],
      ['tool_result', 'b', '/messages/1/content'],
    ])
  })
})
