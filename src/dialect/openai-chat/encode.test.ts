import { describe, expect, test } from 'bun:test'
import type { StreamEvent } from '../../plugin/events.ts'
import type { StreamEncoder } from '../codec.ts'
import { SseReader } from '../sse.ts'
import { chatDecoder } from './decode.ts'
import { chatEncoder } from './encode.ts'

const head = { id: 'req1', model: 'asked', created: 99 }

/** Sends frames through an encoder as the pipeline does, with `edit` as the hooks. */
function relay(text: string, edit: (event: StreamEvent) => readonly StreamEvent[], encoder: StreamEncoder = chatEncoder(head)): string[] {
  const decoder = chatDecoder()
  return new SseReader().push(Buffer.from(text)).map((frame) => {
    const before = decoder.decode(frame)
    const after = before.flatMap(edit)
    if (!encoder.rewriting && after.length === before.length && after.every((event, i) => event === before[i])) {
      encoder.observe(frame, before)
      return Buffer.from(frame.raw).toString()
    }
    return encoder.encode(after, { frame, before })
  })
}
const json = (frame: string | undefined) => JSON.parse(frame!.replace(/^data: /, ''))
const role =
  'data: {"id":"c1", "created":7,"model":"m1","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n'

describe('one edited frame', () => {
  test('only the text changes: spacing, number spelling, escapes and unknown fields stay', () => {
    const frame =
      'data: {"choices" : [ {"index":0,"delta":{"content":"caf\\u00e9"},"logprobs":null,"p":1.0e2} ],"id":"c1","extra":12345678901234567890}  \n\n'
    expect(relay(frame, (event) => (event.type === 'text' ? [{ ...event, text: 'tea' }] : [event]))).toEqual([
      frame.replace('caf\\u00e9', 'tea'),
    ])
    const plain = 'data: {"id":"c1","choices":[{"delta":{"content":"a\\"b"},"index":0}],"n":1.0}\n\n'
    expect(relay(plain, (event) => (event.type === 'text' ? [{ ...event, text: 'x' }] : [event]))).toEqual([plain.replace('a\\"b', 'x')])
  })
  test('a frame whose text was dropped is not sent; role and finish frames are', () => {
    const text = 'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
    const last = 'data: {"choices":[{"index":0,"delta":{"content":"!"},"finish_reason":"stop"}]}\n\n'
    const both = role.replace('"content":""', '"content":"x"')
    const out = relay(both + text + last, (event) => (event.type === 'text' ? [] : [event]))
    expect(out[0]).toBe(role)
    expect(out[1]).toBe('')
    expect(json(out[2]).choices[0]).toEqual({ index: 0, delta: { content: '' }, finish_reason: 'stop' })
  })
  test('B19: a usage-only chunk whose usage was dropped is not sent; beside a finish it becomes null', () => {
    const usage = '"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}'
    const drop = (event: StreamEvent) => (event.type === 'usage' ? [] : [event])
    expect(relay(`${role}data: {"choices":[],${usage}}\n\n`, drop)[1]).toBe('')
    expect(json(relay(`${role}data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],${usage}}\n\n`, drop)[1]).usage).toBeNull()
  })
  test('mirrors of a text change with it', () => {
    const frame =
      'data: {"id":"c","choices":[{"index":0,"text":"key","delta":{"content":"key","reasoning":"why","reasoning_details":[{"type":"reasoning.text","text":"why"}]}}]}\n\n'
    const [out] = relay(frame, (event) => (event.type === 'text' || event.type === 'reasoning' ? [{ ...event, text: '*' }] : [event]))
    expect(out).not.toContain('key')
    expect(out).not.toContain('why')
  })
  test('text inserted behind the text of a finish frame stands before the finish', () => {
    const last = 'data: {"id":"c1","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n'
    const [out] = relay(last, (event) => (event.type === 'text' ? [event, { ...event, text: 'b' }] : [event]))
    expect(json(out).choices[0].delta.content).toBe('ab')
  })
  test('an inserted frame has id, model and created of the stream; a note is a comment', () => {
    const last = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    const out = relay(role + last, (event) =>
      event.type === 'stop' ? [{ type: 'note', text: 'a\nb' }, { type: 'text', text: 'z', choice: 0 }, event] : [event],
    )
    const [note, inserted, finish] = out[1]!.split('\n\n')
    expect(note).toBe(': a b')
    expect(json(inserted)).toMatchObject({
      id: 'c1',
      model: 'm1',
      created: 7,
      object: 'chat.completion.chunk',
      choices: [{ index: 0, delta: { content: 'z' }, finish_reason: null }],
    })
    expect(`${finish}\n\n`).toBe(last)
  })
  test('frames without events are forwarded, also while rewriting', () => {
    const comment = ': OPENROUTER PROCESSING\n\n'
    const encoder = chatEncoder(head)
    const [frame] = new SseReader().push(Buffer.from(comment))
    expect(encoder.encode([], { frame: frame!, before: [] })).toBe(comment)
    expect(encoder.encode([{ type: 'note', text: 'x' }], { frame: frame!, before: [] })).toBe(`: x\n\n${comment}`)
  })
  test('a frame nested too deep to edit still loses what a hook took out', () => {
    const deep = `${'['.repeat(300)}${']'.repeat(300)}`
    const frame = `data: {"id":"c1","choices":[{"index":0,"delta":{"content":"secret \\u0041"}}],"x":${deep}}\n\n`
    const [out] = relay(role + frame, (event) => (event.type === 'text' ? [{ ...event, text: 'safe' }] : [event])).slice(1)
    expect(out).not.toContain('secret')
    expect(json(out).choices[0].delta.content).toBe('safe')
  })
})

describe('tool calls', () => {
  const call = (index: number, id: string) =>
    `data: {"id":"c1","choices":[{"index":0,"delta":{"tool_calls":[{"index":${index},"id":"${id}","type":"function","function":{"name":"f","arguments":""}}]}}]}\n\n`
  const args = (index: number, text: string) =>
    `data: {"id":"c1","choices":[{"index":0,"delta":{"tool_calls":[{"index":${index},"function":{"arguments":${JSON.stringify(text)}}}]}}]}\n\n`

  test('C05: a dropped call leaves no gap, later frames are rewritten', () => {
    const encoder = chatEncoder(head)
    const stream = role + call(0, 'a') + args(0, '{}') + call(1, 'b') + args(1, '{"x":1}')
    const out = relay(stream, (event) => (event.type === 'tool_call' && event.index === 0 ? [] : [event]), encoder)
    expect(encoder.rewriting).toBe(true)
    expect(out.slice(1)).toEqual(['', '', call(0, 'b'), args(0, '{"x":1}')])
  })
  test('an inserted call takes a place of its own and pushes later ones back', () => {
    const stream = role + call(0, 'a') + args(0, '{}')
    const out = relay(stream, (event) =>
      event.type === 'start' ? [event, { type: 'tool_call', index: 0, choice: 0, id: 'new', name: 'g', arguments: '{"k":1}' }] : [event],
    )
    expect(out.join('').match(/"index":(\d),"id":"(\w+)"/g)).toEqual(['"index":0,"id":"new"', '"index":1,"id":"a"'])
    expect(out[2]).toBe(args(1, '{}'))
  })
  test('a call held back and given out whole later', () => {
    let held = ''
    const stream = role + call(0, 'a') + args(0, '{"x"') + args(0, ':1}')
    const out = relay(stream, (event) => {
      if (event.type !== 'tool_call') return [event]
      held += event.arguments
      return held.endsWith('}') ? [{ type: 'tool_call', index: 0, choice: 0, id: 'a', name: 'f', arguments: held }] : []
    })
    expect(out.slice(1, 3)).toEqual(['', ''])
    expect(json(out[3]).choices[0].delta.tool_calls).toEqual([
      { index: 0, function: { arguments: '{"x":1}', name: 'f' }, id: 'a', type: 'function' },
    ])
  })
})

describe('from events alone', () => {
  const all = (events: readonly StreamEvent[], identity = head) => {
    const encoder = chatEncoder(identity)
    const text = events.map((event) => encoder.encode([event])).join('')
    return text.split('\n\n').filter(Boolean)
  }
  test('order of PROTOCOL 1.6, B20: role, text, call without arguments first, finish, usage, [DONE]', () => {
    const usage = {
      source: 'reported',
      inputUncached: 3,
      cacheRead: 0,
      cacheWrite5m: 0,
      cacheWrite1h: 0,
      cacheWriteOther: 0,
      outputVisible: 2,
      reasoning: 0,
      inputAudio: 0,
      outputAudio: 0,
    } as const
    const events: StreamEvent[] = [
      { type: 'text', text: 'Hi', choice: 0 },
      { type: 'tool_call', index: 4, choice: 0, id: 'a', name: 'f', arguments: '{}' },
      { type: 'usage', usage },
      { type: 'stop', reason: 'tool_calls', raw: 'tool_use', choice: 0 },
      { type: 'end' },
    ]
    const frames = all(events, { ...head, includeUsage: true } as typeof head)
    const chunks = frames.slice(0, -1).map(json)
    expect(chunks.map((chunk) => chunk.choices[0]?.delta ?? chunk.usage.total_tokens)).toEqual([
      { role: 'assistant', content: '' },
      { content: 'Hi' },
      { tool_calls: [{ index: 0, id: 'a', type: 'function', function: { name: 'f', arguments: '' } }] },
      { tool_calls: [{ index: 0, function: { arguments: '{}' } }] },
      {},
      5,
    ])
    expect(chunks.at(-2).choices[0].finish_reason).toBe('tool_calls')
    expect(new Set(chunks.map((chunk) => `${chunk.id} ${chunk.created} ${chunk.model}`))).toEqual(new Set(['chatcmpl-req1 99 asked']))
    expect(frames.at(-1)).toBe('data: [DONE]')
    expect(all(events).some((frame) => frame.includes('usage'))).toBe(false)
  })
  test('C04: a call is held until its name is known', () => {
    const frames = all([
      { type: 'tool_call', index: 0, choice: 0, id: 'a', arguments: '{"x"' },
      { type: 'tool_call', index: 0, choice: 0, name: 'f', arguments: ':1}' },
      { type: 'end' },
    ])
    expect(frames.slice(1, 3).map((frame) => json(frame).choices[0].delta.tool_calls[0].function)).toEqual([
      { name: 'f', arguments: '' },
      { arguments: '{"x":1}' },
    ])
  })
  test('B08 I01: after an error comes nothing, no finish and no [DONE]', () => {
    const frames = all([
      { type: 'text', text: 'a', choice: 0 },
      { type: 'error', kind: 'overloaded_error', message: 'busy' },
      { type: 'end' },
    ])
    expect(json(frames.at(-1))).toEqual({ error: { message: 'busy', type: 'overloaded_error', param: null, code: null } })
  })
  test('native events of other dialects have no place', () => {
    expect(all([{ type: 'native', event: 'content_block_stop', data: '{"type":"content_block_stop","index":0}' }])).toEqual([])
  })
  test('a hook may end a forwarded stream; the rest is swallowed', () => {
    const encoder = chatEncoder(head)
    const text = 'data: {"id":"c1","choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
    const out = relay(
      role + text + text,
      (event) => (event.type === 'text' ? [{ type: 'stop', reason: 'filter', raw: '', choice: 0 }, { type: 'end' }] : [event]),
      encoder,
    )
    expect(out[1]).toContain('"finish_reason":"content_filter"')
    expect(out[1]).toEndWith('data: [DONE]\n\n')
    expect(out[2]).toBe('')
    expect(encoder.rewriting).toBe(true)
  })
})
