import { describe, expect, test } from 'bun:test'
import type { Capabilities } from '../capability.ts'
import type { Content, Conversation, Params } from '../conversation.ts'
import { writeJson } from '../json-text.ts'
import { LossReport } from '../loss.ts'
import { missingResult } from '../pair-results.ts'
import { messagesRequest } from './request.ts'
import { call, claude, type Loose, media, model, result, text, tool, turn, user, write } from './write-request.fixture.ts'

describe('turns', () => {
  test('C08 C23: speakers alternate, results come first in call order, empty texts go', () => {
    const { body } = write({
      turns: [
        turn('system', text('s'), text('')),
        user(text('a')),
        user(text('b')),
        model(text(''), call('x'), call('y')),
        user(result('y', { type: 'text', text: '2' })),
        user(result('x', { type: 'text', text: '1' }), text('go on')),
        model(text(' ')),
        user(text('c')),
      ],
    })
    expect(body.system).toEqual([{ type: 'text', text: 's' }])
    expect(body.messages).toEqual([
      {
        role: 'user',
        content: [
          { type: 'text', text: 'a' },
          { type: 'text', text: 'b' },
        ],
      },
      {
        role: 'assistant',
        content: [
          { type: 'tool_use', id: 'x', name: 'f', input: {} },
          { type: 'tool_use', id: 'y', name: 'f', input: {} },
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 'x', content: '1' },
          { type: 'tool_result', tool_use_id: 'y', content: '2' },
          { type: 'text', text: 'go on' },
          { type: 'text', text: 'c' },
        ],
      },
    ])
  })
  test('a call without a result is answered by an error; a result without a call is refused', () => {
    const { body } = write({ turns: [user(text('a')), model(call('x'))] })
    expect(body.messages[2].content).toEqual([{ type: 'tool_result', tool_use_id: 'x', content: missingResult, is_error: true }])
    expect(write({ turns: [user(result('nobody'))] }).refusal?.message).toContain('nobody')
  })
  test('H14: a system text in mid-conversation, as such and as a marked text', () => {
    const turns = [user(text('a')), model(text('b')), turn('developer', text('be brief')), user(text('c'))]
    expect(write({ turns }, { midSystem: true }).body.messages[2]).toEqual({
      role: 'system',
      content: [{ type: 'text', text: 'be brief' }],
    })
    expect(write({ turns }).body.messages[2].content).toEqual([
      { type: 'text', text: '<system>\nbe brief\n</system>' },
      { type: 'text', text: 'c' },
    ])
  })
  test('nothing but system texts, and a prefill that ends in white space', () => {
    expect(write({ turns: [turn('system', text('s'))] }).body.messages).toEqual([{ role: 'user', content: '(start of the conversation)' }])
    expect(write({ turns: [user(text('a')), model(text('so: '))] }).body.messages[1].content).toEqual([{ type: 'text', text: 'so:' }])
  })
  test('C09: ids become legal, alike for call and result, and unique', () => {
    const { body } = write({
      turns: [model(call('call_a|fc_1')), user(result('call_a|fc_1')), model(call('0')), user(result('0')), model(call('0'))],
    })
    const ids = body.messages.flatMap((m: Loose) => m.content.map((b: Loose) => b.id ?? b.tool_use_id))
    expect(ids.every((id: string) => /^[a-zA-Z0-9_-]+$/.test(id))).toBe(true)
    expect([ids[0] === ids[1], ids[2] === ids[3], ids[4] === ids[5], new Set(ids).size]).toEqual([true, true, true, 3])
  })
  test('C06: arguments of all kinds; the spelling of numbers stays', () => {
    const inputs = ['', ' ', '{"n":1.0}', '{broken', '[1]'].map(
      (args) => write({ turns: [model(call('x', args))] }).body.messages[0].content[0].input,
    )
    expect(inputs).toEqual([{}, {}, { n: 1 }, { _raw: '{broken' }, { _raw: '[1]' }])
    const report = new LossReport()
    const target = { model: 'c', upstream: 'u', can: claude, toolName: (name: string) => name }
    const conversation: Conversation = {
      source: 'x',
      stream: true,
      turns: [model(call('x', '{ "n":1.0 }'))],
      tools: [],
      params: {},
      names: {},
      extras: [],
    }
    expect(writeJson(messagesRequest.write(conversation, target, report))).toContain('"input":{ "n":1.0 }')
  })
})

describe('D01: thoughts', () => {
  const thought = (value: string, maker: string, upstream: string, more: object = {}): Content =>
    ({ type: 'reasoning', text: value, proof: { dialect: maker, upstream, value: `sig-${value}` }, ...more }) as Content
  test('go back only to the upstream that vouched for them', () => {
    const { body } = write({
      turns: [
        user(text('q')),
        model(
          thought('mine', 'anthropic-messages', 'up'),
          thought('', 'anthropic-messages', 'up', { redacted: true }),
          thought('elsewhere', 'anthropic-messages', 'other'),
          thought('foreign', 'openai-responses', 'up'),
          { type: 'reasoning', text: 'nobody' },
          text('a'),
        ),
        user(text('r')),
      ],
    })
    expect(body.messages[1].content).toEqual([
      { type: 'thinking', thinking: 'mine', signature: 'sig-mine' },
      { type: 'redacted_thinking', data: 'sig-' },
      { type: 'text', text: 'a' },
    ])
  })
})

describe('media', () => {
  const png = Buffer.from('\x89PNG\r\n\x1a\n0000', 'latin1').toString('base64')
  const pdf = Buffer.from('%PDF-1.4 0000000').toString('base64')
  const sourceOf = (content: Content, can: Partial<Capabilities> = {}) => {
    const { body, refusal } = write({ turns: [user(content)] }, can)
    return refusal?.field ?? body.messages[0].content[0].source ?? body.messages[0].content[0]
  }
  test('H19: pictures under their true type, by URL where the provider fetches', () => {
    expect(sourceOf(media('image', { kind: 'base64', mime: 'image/jpg', data: png }))).toEqual({
      type: 'base64',
      media_type: 'image/png',
      data: png,
    })
    expect(sourceOf(media('image', { kind: 'base64', mime: 'image/jpg', data: 'AAAA' }))).toMatchObject({ media_type: 'image/jpeg' })
    expect(sourceOf(media('image', { kind: 'url', url: 'https://x/y' }))).toEqual({ type: 'url', url: 'https://x/y' })
    const refused = 'messages[0].content[0]'
    expect(sourceOf(media('image', { kind: 'url', url: 'https://x/y' }), { imageUrls: false })).toBe(refused)
    expect(sourceOf(media('image', { kind: 'base64', mime: 'image/bmp', data: 'AAAA' }))).toBe(refused)
    expect(sourceOf(media('image', { kind: 'file', id: 'f' }))).toBe(refused)
    expect(sourceOf(media('image', { kind: 'base64', mime: 'image/png', data: png }), { images: false })).toBe(refused)
    expect(sourceOf(media('audio', { kind: 'base64', mime: 'audio/wav', data: 'AAAA' }))).toBe(refused)
  })
  test('I09: documents', () => {
    expect(sourceOf(media('document', { kind: 'base64', mime: 'application/pdf', data: pdf }))).toEqual({
      type: 'base64',
      media_type: 'application/pdf',
      data: pdf,
    })
    const words = Buffer.from('# héllo').toString('base64')
    expect(sourceOf(media('document', { kind: 'base64', mime: 'text/markdown', data: words }))).toEqual({
      type: 'text',
      media_type: 'text/plain',
      data: '# héllo',
    })
    expect(sourceOf(media('document', { kind: 'text', text: 'x' }, { name: 'n.txt' }), { documents: false })).toEqual({
      type: 'text',
      text: 'n.txt\nx',
    })
    expect(sourceOf(media('document', { kind: 'base64', mime: 'application/zip', data: 'AAAA' }))).toBe('messages[0].content[0]')
  })
  test('C10 C11: inside results, errors said', () => {
    const { body } = write({
      turns: [
        model(call('x')),
        user({
          type: 'result',
          id: 'x',
          error: true,
          content: [{ type: 'text', text: 'see' }, media('image', { kind: 'base64', mime: 'image/png', data: png }) as never],
        }),
      ],
    })
    expect(body.messages[1].content[0]).toMatchObject({ is_error: true, content: [{ type: 'text' }, { type: 'image' }] })
  })
})

describe('tools', () => {
  test('schemas as sent; what none has gets an empty object', () => {
    const { body } = write({
      tools: [
        tool('a', {
          description: 'd',
          schema: '{"type":"object","properties":{"z":{},"a":{}},"additionalProperties":false}',
          strict: true,
        }),
        tool('b'),
        tool('c', { schema: '{"properties":{}}' }),
      ],
    })
    expect(JSON.stringify(body.tools)).toBe(
      '[{"name":"a","description":"d","input_schema":{"type":"object","properties":{"z":{},"a":{}},"additionalProperties":false},"strict":true},' +
        '{"name":"b","input_schema":{"type":"object","properties":{}}},{"name":"c","input_schema":{"properties":{},"type":"object"}}]',
    )
    const open = '{"type":"object","properties":{"n":{"type":"integer","minimum":1}}}'
    expect(write({ tools: [tool('a', { strict: true, schema: open })] }).body.tools[0].input_schema).toEqual({
      type: 'object',
      properties: { n: { type: 'integer', description: '{"minimum":1}' } },
      additionalProperties: false,
    })
    expect(write({ tools: [tool('a', { strict: true, schema: '{}' })] }, { strict: false }).dropped).toEqual(['tools[0].strict'])
    expect(write({ tools: [tool('a')] }, { tools: false }).refusal?.field).toBe('tools')
  })
  test('C13 C14: choices', () => {
    const choice = (toolChoice: Conversation['toolChoice'], parallelCalls?: boolean, can: Partial<Capabilities> = {}) =>
      write({ tools: [tool('a'), tool('b')], toolChoice, ...(parallelCalls !== undefined && { parallelCalls }) }, can).body.tool_choice
    expect(choice({ type: 'required' })).toEqual({ type: 'any' })
    expect(choice({ type: 'tool', name: 'b' })).toEqual({ type: 'tool', name: 'b' })
    expect(choice({ type: 'none' }, false)).toEqual({ type: 'none' })
    expect(choice(undefined, false)).toEqual({ type: 'auto', disable_parallel_tool_use: true })
    expect(choice({ type: 'required' }, true)).toEqual({ type: 'any' })
    expect(choice({ type: 'required' }, undefined, { forcedTools: false })).toEqual({ type: 'auto' })
    expect(write({ toolChoice: { type: 'required' } }).body).not.toContainAnyKeys(['tools', 'tool_choice'])
    expect(write({ tools: [tool('a')], toolChoice: { type: 'tool', name: 'gone' } }).refusal?.field).toBe('tool_choice')
    const allowed = write({ tools: [tool('a'), tool('b')], toolChoice: { type: 'allowed', mode: 'required', names: ['b'] } }).body
    expect([allowed.tools.map((t: Loose) => t.name), allowed.tool_choice]).toEqual([['b'], { type: 'any' }])
  })
  test('C21: a custom tool is a function with one string, in the history too', () => {
    const { body } = write({
      tools: [
        tool('patch', { kind: 'custom', description: 'Edits.', format: { type: 'grammar', syntax: 'lark', definition: 'start: "x"' } }),
      ],
      turns: [model({ type: 'call', id: 'a', name: 'patch', kind: 'custom', arguments: '*** Begin' })],
    })
    expect(body.tools[0].description).toBe('Edits.\n\nThe input must follow this grammar:\nstart: "x"')
    expect(body.tools[0].input_schema.required).toEqual(['input'])
    expect(body.messages[0].content[0].input).toEqual({ input: '*** Begin' })
  })
  test('a history with calls keeps its tools by name', () => {
    const { body } = write({ turns: [model(call('a', '{}', 'old')), user(result('a'))] })
    expect([body.tools, body.tool_choice]).toEqual([[{ name: 'old', input_schema: { type: 'object', properties: {} } }], { type: 'none' }])
  })
})

describe('structured output', () => {
  const schema = '{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}'
  const format = (more: object = {}): Params => ({ format: { type: 'json_schema', schema, ...more } })
  test('D08: native where the model has it, closed and without what the API refuses', () => {
    expect(write({ params: format() }).body.output_config).toEqual({ format: { type: 'json_schema', schema: JSON.parse(schema) } })
    const open = '{"type":"object","properties":{"n":{"type":"integer","minimum":1},"l":{"oneOf":[{"type":"object"}]}}}'
    expect(write({ params: format({ schema: open }) }).body.output_config.format.schema).toEqual({
      type: 'object',
      properties: {
        n: { type: 'integer', description: '{"minimum":1}' },
        l: { anyOf: [{ type: 'object', additionalProperties: false }] },
      },
      additionalProperties: false,
    })
  })
  test('else a forced tool, alone or beside others', () => {
    const alone = write({ params: format() }, { jsonSchema: false })
    expect(alone.body.tools[0]).toMatchObject({ name: 'json_output', input_schema: JSON.parse(schema) })
    expect(alone.body.tool_choice).toEqual({ type: 'tool', name: 'json_output' })
    expect(write({ params: format(), tools: [tool('a')] }, { jsonSchema: false }).body.tool_choice).toEqual({ type: 'any' })
    expect(write({ params: format(), names: { format: 'response_format' } }, { jsonSchema: false, tools: false }).refusal?.field).toBe(
      'response_format',
    )
  })
  test('some JSON: said to the model, and disclosed', () => {
    const { body, dropped } = write({ params: { format: { type: 'json_object' } }, names: { format: 'response_format' } })
    expect(body.system[0].text).toContain('one JSON object')
    expect(dropped).toEqual(['response_format'])
  })
})
