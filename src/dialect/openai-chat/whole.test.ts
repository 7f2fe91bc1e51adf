import { describe, expect, test } from 'bun:test'
import type { StreamEvent } from '../../plugin/events.ts'
import { openaiChat } from './index.ts'

const bytes = (value: unknown): Buffer => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
const reply = (message: object, more: object = {}) => ({
  id: 'c1',
  object: 'chat.completion',
  created: 5,
  model: 'm1',
  choices: [{ index: 0, message: { role: 'assistant', ...message }, finish_reason: 'stop' }],
  ...more,
})
function edit(body: Buffer, change: (event: StreamEvent) => readonly StreamEvent[]): string {
  const whole = openaiChat.decodeWhole(body)!
  return Buffer.from(whole.apply(whole.events.map(change))).toString()
}

describe('C02: the calls of a whole reply are told apart by their places', () => {
  const ids = { empty: ['', ''], absent: [undefined, undefined], null: [null, null], equal: ['c', 'c'], 'empty behind one': ['c', ''] }
  test.each(Object.entries(ids))('ids: %s', (_, given) => {
    for (const more of [{}, { index: 0 }]) {
      const call = (id: string | null | undefined, x: number) => ({
        ...more,
        ...(id !== undefined && { id }),
        type: 'function',
        function: { name: 'f', arguments: `{"x":${x}}` },
      })
      const body = bytes(reply({ content: null, tool_calls: given.map((id, i) => call(id, i)) }))
      for (const purpose of ['translate', 'relay'] as const) {
        const { events } = openaiChat.decodeWhole(body, purpose)!
        const calls = events.filter((event) => event.type === 'tool_call')
        expect(calls.map((event) => [event.index, event.name, event.arguments])).toEqual([
          [0, 'f', '{"x":0}'],
          [1, 'f', '{"x":1}'],
        ])
        const known = calls.map((event) => event.id).filter((id) => id !== undefined)
        if (purpose === 'translate') expect(known).toEqual([...new Set(known)])
      }
      // a hook may take one of them away; the other one's bytes stay
      const left = JSON.parse(edit(body, (event) => (event.type === 'tool_call' && event.index === 0 ? [] : [event])))
      expect(left.choices[0].message.tool_calls).toEqual([JSON.parse(JSON.stringify(call(given[1], 1)))])
    }
  })
})

describe('G03: what is not a reply', () => {
  test('null, arrays, HTML, empty, broken JSON, other objects', () => {
    for (const bad of ['null', '[]', '<html></html>', '', '{"choices":', '"x"', '7', '{}', '{"choices":{}}']) {
      expect([bad, openaiChat.summary(bytes(bad))]).toEqual([bad, { valid: false }])
      expect(openaiChat.decodeWhole(bytes(bad))).toBeNull()
    }
  })
  test('an error inside a 200, with its status guessed', () => {
    expect(openaiChat.summary(bytes({ error: { message: 'busy', type: 'rate_limit_error' } }))).toEqual({
      valid: false,
      error: { message: 'busy', type: 'rate_limit_error', status: 429 },
    })
    expect(openaiChat.summary(bytes({ error: { message: 'x', code: 502 } })).error?.status).toBe(502)
    expect(openaiChat.summary(bytes(reply({ content: 'x' }, { error: { message: 'half', code: 500 } })))).toMatchObject({
      valid: true,
      error: { message: 'half' },
    })
    expect(
      openaiChat.summary(bytes({ id: 'x', choices: [{ index: 0, error: { message: 'in', code: 429 }, finish_reason: 'error' }] })).error
        ?.status,
    ).toBe(429)
  })
  test('A06: a BOM and white space before the body', () => {
    expect(openaiChat.summary(bytes(`\uFEFF \n${JSON.stringify(reply({ content: 'x' }))}`))).toMatchObject({
      valid: true,
      id: 'c1',
      stop: 'stop',
    })
  })
  test('a large body is read by its spans: decoys inside texts and nested objects do not count', () => {
    const content = '"usage":{"prompt_tokens":999}, "id":"no" '.repeat(5000)
    const usage = { prompt_tokens: 4, completion_tokens: 2, total_tokens: 6 }
    const large = bytes(reply({ content, x: { usage: { prompt_tokens: 1 } } }, { usage, nested: { id: 'no', usage: {} } }))
    expect(large.length).toBeGreaterThan(65536)
    expect(openaiChat.summary(large)).toMatchObject({
      valid: true,
      id: 'c1',
      model: 'm1',
      stop: 'stop',
      usage: { inputUncached: 4, outputVisible: 2 },
    })
    expect(openaiChat.summary(large.subarray(0, large.length - 1))).toEqual({ valid: false })
  })
})

describe('edits', () => {
  test('only the text changes: white space, numbers and unknown members stay', () => {
    const body =
      '{ "id" : "c1",\n "choices":[ {"message":{"content":"a\\u0062","role":"assistant"},"index":0, "x":1.50} ], "n":12345678901234567890 }'
    expect(edit(bytes(body), (event) => (event.type === 'text' ? [{ ...event, text: 'z' }] : [event]))).toBe(body.replace('a\\u0062', 'z'))
  })
  test('text inserted where there is none, a call dropped, a call added, a note', () => {
    const call = (id: string) => ({ id, type: 'function', function: { name: 'f', arguments: '{}' } })
    const body = bytes(reply({ content: null, tool_calls: [call('a'), call('b')] }))
    const out = JSON.parse(
      edit(body, (event) => {
        if (event.type === 'tool_call')
          return event.index === 0 ? [] : [event, { type: 'tool_call', index: 5, choice: 0, id: 'n', name: 'g', arguments: '' }]
        return event.type === 'start' ? [event, { type: 'text', text: 'hi', choice: 0 }, { type: 'note', text: 'x' }] : [event]
      }),
    )
    expect(out.choices[0].message).toEqual({
      role: 'assistant',
      content: 'hi',
      tool_calls: [call('b'), { id: 'n', type: 'function', function: { name: 'g', arguments: '{}' } }],
    })
  })
  test('all calls dropped: the list goes', () => {
    const body = bytes(reply({ content: 'x', tool_calls: [{ id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } }] }))
    expect(JSON.parse(edit(body, (event) => (event.type === 'tool_call' ? [] : [event]))).choices[0].message).toEqual({
      role: 'assistant',
      content: 'x',
    })
  })
  test('an own text replaced from another place', () => {
    const out = edit(bytes(reply({ content: 'secret' })), (event) =>
      event.type === 'text' ? [] : event.type === 'end' ? [{ type: 'text', text: 'safe', choice: 0 }, event] : [event],
    )
    expect(JSON.parse(out).choices[0].message.content).toBe('safe')
  })
  test('a reply nested too deep to edit still loses what a hook took out', () => {
    const deep = `${'['.repeat(300)}${']'.repeat(300)}`
    const body = JSON.stringify(reply({ content: 'secret' })).replace('"created":5', `"created":5,"x":${deep}`)
    const out = edit(bytes(body), (event) => (event.type === 'text' ? [{ ...event, text: 'safe' }] : [event]))
    expect(JSON.parse(out).choices[0].message.content).toBe('safe')
  })
  test('an error put in becomes the reply', () => {
    const out = edit(bytes(reply({ content: 'x' })), (event) =>
      event.type === 'text' ? [{ type: 'error', kind: 'content_filter', message: 'no' }] : [event],
    )
    expect(JSON.parse(out)).toEqual({ error: { message: 'no', type: 'content_filter', param: null, code: null } })
  })
})

describe('errors', () => {
  test('all four keys, extra members inside the error, the upstream words win', () => {
    const base = { code: 'rate_limited', message: 'slow down', requestId: 'r1' } as const
    expect(JSON.parse(openaiChat.errorBody(base))).toEqual({
      error: { message: 'slow down', type: 'rate_limit_error', param: null, code: 'rate_limit_exceeded' },
    })
    expect(
      JSON.parse(
        openaiChat.errorBody({
          ...base,
          param: 'model',
          extra: { limit: 5, message: 'no' },
          upstreamType: 'requests',
          upstreamCode: 'rpm',
        }),
      ),
    ).toEqual({
      error: { message: 'slow down', type: 'requests', param: 'model', code: 'rpm', limit: 5 },
    })
  })
  test('B01 B08: a stream ends with one error frame and no [DONE]', () => {
    const frames = openaiChat.errorFrames({ code: 'upstream_error', message: 'cut', requestId: 'r1' })
    expect(frames).toBe('data: {"error":{"message":"cut","type":"server_error","param":null,"code":"upstream_error"}}\n\n')
  })
})

test('parts: kinds, pointers, names, marks, odd shapes', () => {
  const parts = openaiChat.parts({
    tools: [{ type: 'function', function: { name: 'f', parameters: {} } }, null, { type: 'custom', custom: { name: 'g' } }],
    messages: [
      { role: 'system', content: 'S' },
      { role: 'developer', content: [{ type: 'text', text: 'D' }] },
      7,
      { role: 'user', content: [{ type: 'image_url' }, { type: 'text', text: 'U', prompt_cache_breakpoint: { mode: 'auto' } }] },
      { role: 'assistant', content: null, tool_calls: [] },
      { role: 'tool', tool_call_id: 'c', content: 'T' },
      { role: 'constructor', content: 'no' },
      { content: 'no' },
    ],
  })
  expect(parts.map((part) => [part.kind, part.pointer, part.message, part.name, part.cached])).toEqual([
    ['tool_schema', '/tools/0', -1, 'f', true],
    ['tool_schema', '/tools/2', -1, 'g', true],
    ['system', '/messages/0/content', 0, undefined, true],
    ['system', '/messages/1/content/0/text', 1, undefined, true],
    ['user', '/messages/3/content/1/text', 3, undefined, true],
    ['tool_result', '/messages/5/content', 5, 'c', false],
  ])
  for (const odd of [null, 7, 'x', [], { messages: 'x', tools: 7 }, { messages: [{ role: 'user', content: [null, 7, [], { text: 7 }] }] }])
    expect(openaiChat.parts(odd)).toEqual([])
})
