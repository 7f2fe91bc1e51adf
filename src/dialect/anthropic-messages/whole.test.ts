import { describe, expect, test } from 'bun:test'
import type { StreamEvent } from '../../plugin/events.ts'
import { anthropicCountTokens, anthropicMessages } from './index.ts'

const bytes = (value: unknown): Buffer => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
const reply = (content: object[], more: object = {}) => ({
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'claude',
  content,
  stop_reason: 'end_turn',
  stop_sequence: null,
  usage: { input_tokens: 3, output_tokens: 2 },
  ...more,
})
function edit(body: Buffer, change: (event: StreamEvent) => readonly StreamEvent[]): string {
  const whole = anthropicMessages.decodeWhole(body)!
  return Buffer.from(whole.apply(whole.events.map(change))).toString()
}

describe('G03: what is not a reply', () => {
  test('null, arrays, HTML, empty, broken JSON, other objects', () => {
    for (const bad of ['null', '[]', '<html></html>', '', '{"content":', '{}', '{"content":"x"}']) {
      expect([bad, anthropicMessages.summary(bytes(bad))]).toEqual([bad, { valid: false }])
      expect(anthropicMessages.decodeWhole(bytes(bad))).toBeNull()
    }
  })
  test('B07: an error inside a 200, with its status guessed', () => {
    const error = (type: string) => anthropicMessages.summary(bytes({ type: 'error', error: { type, message: 'm' } }))
    expect(error('overloaded_error')).toEqual({ valid: false, error: { message: 'm', type: 'overloaded_error', status: 529 } })
    expect(
      ['rate_limit_error', 'authentication_error', 'invalid_request_error', 'api_error'].map((type) => error(type).error?.status),
    ).toEqual([429, 401, 400, 500])
  })
})

describe('edits', () => {
  test('the input of a call is told as sent: no number loses its spelling', () => {
    const body = bytes(
      '{"content":[{"type":"text","text":"x"},{"type":"tool_use","id":"a","name":"f","input":{"id": 12345678901234567890,"p":1.50}}],"usage":{"input_tokens":1,"output_tokens":1}}',
    )
    const call = anthropicMessages.decodeWhole(body)!.events.find((event) => event.type === 'tool_call')
    expect(call?.arguments).toBe('{"id": 12345678901234567890,"p":1.50}')
  })
  test('text edited, inserted and dropped; calls dropped and added', () => {
    const body = bytes(
      reply([
        { type: 'text', text: 'a' },
        { type: 'tool_use', id: 't', name: 'f', input: {} },
        { type: 'text', text: 'b' },
      ]),
    )
    const out = JSON.parse(
      edit(body, (event) => {
        if (event.type === 'text')
          return event.text === 'a'
            ? [
                { ...event, text: 'A' },
                { ...event, text: '+' },
              ]
            : []
        if (event.type === 'tool_call') return []
        return event.type === 'stop'
          ? [{ type: 'tool_call', index: 9, choice: 0, id: 'n', name: 'g', arguments: '{"k":1}' }, event]
          : [event]
      }),
    )
    expect(out.content).toEqual([
      { type: 'text', text: 'A+' },
      { type: 'tool_use', id: 'n', name: 'g', input: { k: 1 } },
    ])
    expect(out.usage).toEqual({ input_tokens: 3, output_tokens: 2 })
  })
  test('text inserted into a reply without text, before and after calls', () => {
    const body = bytes(reply([{ type: 'tool_use', id: 't', name: 'f', input: {} }]))
    const out = JSON.parse(edit(body, (event) => (event.type === 'start' ? [event, { type: 'text', text: 'hi', choice: 0 }] : [event])))
    expect(out.content.map((block: { type: string }) => block.type)).toEqual(['tool_use', 'text'])
    const none = JSON.parse(
      edit(bytes(reply([])), (event) => (event.type === 'start' ? [event, { type: 'text', text: 'hi', choice: 0 }] : [event])),
    )
    expect(none.content).toEqual([{ type: 'text', text: 'hi' }])
  })
})

describe('errors', () => {
  test('body and frames', () => {
    const error = { code: 'overloaded', message: 'busy', requestId: 'r1', extra: { tier: 'free' } } as const
    expect(JSON.parse(anthropicMessages.errorBody(error))).toEqual({
      type: 'error',
      error: { type: 'overloaded_error', message: 'busy', tier: 'free' },
      request_id: 'r1',
    })
    expect(anthropicMessages.errorFrames(error)).toStartWith('event: error\ndata: {"type":"error","error":{"type":"overloaded_error"')
  })
})

test('parts: cached in the order tools, system, messages; H14; nested results; documents; odd shapes', () => {
  const body = {
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'U' },
          { type: 'document', source: { type: 'text', data: 'doc' } },
        ],
      },
      { role: 'system', content: 'mid' },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 't', content: [{ type: 'text', text: 'R1' }, { type: 'image' }] },
          { type: 'tool_result', tool_use_id: 'u', content: 'R2' },
        ],
      },
      { role: 'assistant', content: 'A' },
    ],
    system: [
      { type: 'text', text: 'S1', cache_control: { type: 'ephemeral' } },
      { type: 'text', text: 'S2' },
    ],
    tools: [{ name: 'f', input_schema: {} }],
  }
  expect(anthropicMessages.parts(body).map((part) => [part.kind, part.pointer, part.message, part.name, part.cached])).toEqual([
    ['tool_schema', '/tools/0', -1, 'f', true],
    ['system', '/system/0/text', -1, undefined, true],
    ['system', '/system/1/text', -1, undefined, false],
    ['user', '/messages/0/content/0/text', 0, undefined, false],
    ['user', '/messages/0/content/1/source/data', 0, undefined, false],
    ['system', '/messages/1/content', 1, undefined, false],
    ['tool_result', '/messages/2/content/0/content/0/text', 2, 't', false],
    ['tool_result', '/messages/2/content/1/content', 2, 'u', false],
    ['assistant', '/messages/3/content', 3, undefined, false],
  ])
  expect(anthropicMessages.parts({ ...body, cache_control: { type: 'ephemeral' } }).every((part) => part.cached)).toBe(true)
  for (const odd of [
    null,
    7,
    [],
    { messages: [null, 7, { role: 'user', content: [null, { type: 'tool_result', content: null }] }], system: 7, tools: {} },
  ])
    expect(anthropicMessages.parts(odd)).toEqual([])
})

test('count_tokens: a count is a valid reply without usage; errors are seen', () => {
  expect(anthropicCountTokens.summary(bytes({ input_tokens: 5 }))).toEqual({ valid: true })
  expect(anthropicCountTokens.summary(bytes({ type: 'error', error: { type: 'api_error', message: 'm' } })).error?.status).toBe(500)
  expect(anthropicCountTokens.summary(bytes('null'))).toEqual({ valid: false })
  const whole = anthropicCountTokens.decodeWhole(bytes({ input_tokens: 5 }))!
  expect(Buffer.from(whole.apply([[{ type: 'native', data: '{"input_tokens":6}' }]])).toString()).toBe('{"input_tokens":6}')
})
