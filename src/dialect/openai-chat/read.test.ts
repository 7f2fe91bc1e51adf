import { describe, expect, test } from 'bun:test'
import type { Conversation } from '../conversation.ts'
import { jsonSource } from '../json-source.ts'
import { LossReport } from '../loss.ts'
import { tagProof } from '../proof.ts'
import { foreignInChat } from './foreign.ts'
import { readChat } from './read.ts'
import { entriesOf } from './reasoning-details.ts'

function read(body: unknown): Conversation & { report: LossReport } {
  const report = new LossReport()
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
  return { ...readChat(jsonSource(bytes)!, report), report }
}
const refusal = (body: unknown) => read(body).report.refusal?.field
const messages = (...list: unknown[]) => read({ model: 'm', messages: list }).turns
const user = { role: 'user', content: 'hi' }

describe('the shape of a body', () => {
  test('H17: a body of the Responses API is told where it belongs', () => {
    const { report } = read({ model: 'm', input: [{ role: 'user', content: 'x' }], tools: [{ type: 'function', name: 'f' }] })
    expect(report.refusal).toMatchObject({ field: 'input' })
    expect(report.refusal?.message).toContain('/responses')
    expect(refusal({ model: 'm' })).toBe('messages')
  })
  test('odd shapes never throw; what can not be understood is named', () => {
    expect(refusal({ messages: [null] })).toBe('messages[0].role')
    expect(refusal({ messages: [{ role: 'robot', content: 'x' }] })).toBe('messages[0].role')
    expect(refusal({ messages: [user], temperature: 'hot' })).toBe('temperature')
    expect(refusal({ messages: [user], tools: [7] })).toBe('tools[0]')
    expect(refusal({ messages: [user], tool_choice: 7 })).toBe('tool_choice')
    expect(refusal({ messages: [user, { role: 'tool', content: 'x' }] })).toBe('messages[1].tool_call_id')
    expect(refusal({ messages: [{ role: 'assistant', tool_calls: [{}] }] })).toBe('messages[0].tool_calls[0]')
    for (const content of [7, {}, null, [null], [[]]]) expect(() => messages({ role: 'user', content })).not.toThrow()
  })
  test('members that nobody knows are told, those that say nothing are not', () => {
    const { extras } = read({
      messages: [{ ...user, x_id: 1, tool_calls: null }],
      x_top: 1,
      y: null,
      z: [],
      audio: { voice: 'v' },
      modalities: ['text'],
    })
    expect(extras.map(({ field, weight }) => [field, weight])).toEqual([
      ['audio', 'meaning'],
      ['messages[0].x_id', 'hint'],
      ['x_top', 'hint'],
    ])
  })
})

describe('messages', () => {
  test('C24: string, parts and bare strings; names and places are kept', () => {
    expect(
      messages(
        {
          role: 'system',
          content: [
            { type: 'text', text: 'a' },
            { type: 'text', text: 'b' },
          ],
        },
        { role: 'developer', content: 'c' },
        { role: 'user', name: 'ann', content: ['d', { type: 'input_text', text: 'e' }] },
        { role: 'system', content: 'mid' },
        {
          role: 'assistant',
          content: [
            { type: 'text', text: 'f' },
            { type: 'refusal', refusal: 'no' },
          ],
          refusal: null,
        },
      ),
    ).toEqual([
      {
        role: 'system',
        content: [
          { type: 'text', text: 'a' },
          { type: 'text', text: 'b' },
        ],
      },
      { role: 'developer', content: [{ type: 'text', text: 'c' }] },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'd' },
          { type: 'text', text: 'e' },
        ],
        name: 'ann',
      },
      { role: 'system', content: [{ type: 'text', text: 'mid' }] },
      {
        role: 'assistant',
        content: [
          { type: 'text', text: 'f' },
          { type: 'text', text: 'no', refusal: true },
        ],
      },
    ])
  })
  test('C08: tool messages in a row are one turn of results; list content stays', () => {
    const turns = messages(
      user,
      {
        role: 'assistant',
        content: null,
        tool_calls: [
          { id: 'a', type: 'function', function: { name: 'f', arguments: '{"x": 1.0}' } },
          { id: 'b', type: 'custom', custom: { name: 'p', input: '*** x' } },
        ],
      },
      {
        role: 'tool',
        tool_call_id: 'a',
        content: [
          { type: 'text', text: '1' },
          { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
        ],
      },
      { role: 'tool', tool_call_id: 'b', content: 'two' },
      { role: 'user', content: 'next' },
    )
    expect(turns[1]?.content).toEqual([
      { type: 'call', id: 'a', name: 'f', kind: 'function', arguments: '{"x": 1.0}' },
      { type: 'call', id: 'b', name: 'p', kind: 'custom', arguments: '*** x' },
    ])
    expect(turns.length).toBe(4)
    expect(turns[2]).toEqual({
      role: 'user',
      content: [
        {
          type: 'result',
          id: 'a',
          content: [
            { type: 'text', text: '1' },
            { type: 'media', kind: 'image', source: { kind: 'base64', mime: 'image/png', data: 'AAAA' }, field: 'messages[2].content[1]' },
          ],
        },
        { type: 'result', id: 'b', content: [{ type: 'text', text: 'two' }] },
      ],
    })
  })
  test('C06 C07: arguments as text, as an object with its own spelling, and none', () => {
    const call = (args: string) => `{"id":"a","type":"function","function":{"name":"f","arguments":${args}}}`
    const read1 = (args: string) => read(`{"messages":[{"role":"assistant","tool_calls":[${call(args)}]}]}`).turns[0]?.content[0]
    expect(read1('"{\\"n\\":1.50}"')).toMatchObject({ arguments: '{"n":1.50}' })
    expect(read1('{"n": 1.50,"z":1,"a":2}')).toMatchObject({ arguments: '{"n": 1.50,"z":1,"a":2}' })
    expect(read1('null')).toMatchObject({ arguments: '' })
  })
  test('C27: null content and null calls are nothing', () => {
    expect(messages({ role: 'assistant', content: null, tool_calls: null, function_call: null })).toEqual([
      { role: 'assistant', content: [] },
    ])
  })
  test('media: data and remote URLs, detail, sound, files by content and by id, vendors’ parts', () => {
    const [turn] = messages({
      role: 'user',
      content: [
        { type: 'image_url', image_url: { url: 'https://x.test/a.png', detail: 'low' } },
        { type: 'input_audio', input_audio: { data: 'QQ==', format: 'mp3' } },
        { type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,QQ==' } },
        { type: 'file', file: { file_id: 'file-1' } },
        { type: 'document_url', document_url: 'https://x.test/a.pdf' },
        { type: 'video_url', video_url: { url: 'data:video/mp4;base64,QQ==' } },
      ],
    })
    expect(turn?.content.map((c) => c.type === 'media' && [c.kind, c.source, c.detail, c.name])).toEqual([
      ['image', { kind: 'url', url: 'https://x.test/a.png' }, 'low', undefined],
      ['audio', { kind: 'base64', mime: 'audio/mp3', data: 'QQ==' }, undefined, undefined],
      ['document', { kind: 'base64', mime: 'application/pdf', data: 'QQ==' }, undefined, 'a.pdf'],
      ['document', { kind: 'file', id: 'file-1' }, undefined, undefined],
      ['document', { kind: 'url', url: 'https://x.test/a.pdf' }, undefined, undefined],
      ['video', { kind: 'base64', mime: 'video/mp4', data: 'QQ==' }, undefined, undefined],
    ])
    const { extras } = read({ messages: [{ role: 'user', content: [{ type: 'hologram' }] }] })
    expect(extras[0]).toMatchObject({ field: 'messages[0].content[0]', weight: 'meaning' })
  })
  test('F04 F05 I05: cache marks on parts, messages, tools and results, with their lifetime', () => {
    const cache_control = { type: 'ephemeral', ttl: '1h' }
    const { turns, tools } = read({
      messages: [
        { role: 'system', content: [{ type: 'text', text: 'a', cache_control }] },
        { role: 'user', content: 'b', cache_control: { type: 'ephemeral' } },
        { role: 'assistant', tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } }] },
        { role: 'tool', tool_call_id: 'c', content: 'd', cache_control },
      ],
      tools: [{ type: 'function', function: { name: 'f' }, cache_control }],
    })
    expect(turns[0]?.content).toEqual([{ type: 'text', text: 'a', cache: { ttl: '1h' } }])
    expect(turns[1]?.content).toEqual([{ type: 'text', text: 'b', cache: {} }])
    expect(turns[3]?.content).toMatchObject([{ type: 'result', cache: { ttl: '1h' } }])
    expect(tools[0]?.cache).toEqual({ ttl: '1h' })
  })
  test('functions of old: calls get ids, and results find them by name', () => {
    const { turns, tools, toolChoice, parallelCalls, names } = read({
      messages: [
        user,
        { role: 'assistant', content: null, function_call: { name: 'f', arguments: '{"a":1}' } },
        { role: 'function', name: 'f', content: 'out' },
      ],
      functions: [{ name: 'f', parameters: { type: 'object' } }],
      function_call: { name: 'f' },
    })
    expect(turns[1]?.content).toEqual([{ type: 'call', id: 'call_function_1', name: 'f', kind: 'function', arguments: '{"a":1}' }])
    expect(turns[2]?.content).toEqual([{ type: 'result', id: 'call_function_1', name: 'f', content: [{ type: 'text', text: 'out' }] }])
    expect(tools).toEqual([{ kind: 'function', name: 'f', description: undefined, schema: '{"type":"object"}', field: 'functions[0]' }])
    expect([toolChoice, names.toolChoice, parallelCalls]).toEqual([{ type: 'tool', name: 'f' }, 'function_call', false])
  })
})

describe('thoughts and proofs', () => {
  const proof = { dialect: 'anthropic-messages', upstream: 'claude', value: 'Sig+/=.x' }
  const tagged = tagProof(proof)
  const thoughts = (message: object) =>
    messages({ role: 'assistant', content: 'x', ...message })[0]?.content.filter((c) => c.type === 'reasoning')

  test('D01 D03: tagged proofs come back to what they were, each with its text', () => {
    expect(
      thoughts({
        reasoning_content: 'AB',
        reasoning_details: [
          { type: 'reasoning.text', text: 'A', signature: tagged, format: 'unknown', index: 0 },
          { type: 'reasoning.encrypted', data: tagged, format: 'unknown', index: 1 },
          { type: 'reasoning.text', text: 'B', signature: tagged, index: 2 },
        ],
      }),
    ).toEqual([
      { type: 'reasoning', text: 'A', proof },
      { type: 'reasoning', text: '', proof, redacted: true },
      { type: 'reasoning', text: 'B', proof },
    ])
  })
  test('a client that keeps the text apart from the proof, or streams both in pieces', () => {
    expect(thoughts({ reasoning_content: 'A', reasoning_details: [{ type: 'reasoning.text', signature: tagged }] })).toEqual([
      { type: 'reasoning', text: 'A', proof },
    ])
    const pieces = [{ text: 'A' }, { text: 'B' }, { text: '', signature: tagged }]
    expect(thoughts({ reasoning_details: pieces })).toEqual([{ type: 'reasoning', text: 'AB', proof }])
    expect(thoughts({ reasoning: 'A' })).toEqual([{ type: 'reasoning', text: 'A' }])
  })
  test('C19: a proof without a tag has no maker that is known, so nobody is given it', () => {
    const [thought] = thoughts({
      reasoning_details: [{ type: 'reasoning.text', text: 'A', signature: 'raw', format: 'anthropic-claude-v1' }],
    })!
    expect(thought).toMatchObject({ text: 'A', proof: { dialect: 'openai-chat', upstream: '' } })
    expect(thought?.type === 'reasoning' && entriesOf(thought.proof!.value, 'A')).toEqual([
      { type: 'reasoning.text', signature: 'raw', format: 'anthropic-claude-v1', text: 'A' },
    ])
  })
  test('C18: thought signatures on calls and texts', () => {
    const extra_content = { google: { thought_signature: tagged } }
    const [turn] = messages({
      role: 'assistant',
      content: 'x',
      extra_content,
      tool_calls: [{ id: 'a', type: 'function', function: { name: 'f', arguments: '{}' }, extra_content }],
    })
    expect(turn?.content).toMatchObject([
      { type: 'text', text: 'x', proof },
      { type: 'call', proof },
    ])
  })
  test('D03: what another dialect made is found in a body that goes natively to a Chat upstream', () => {
    const extra_content = { google: { thought_signature: tagged } }
    const own = { type: 'reasoning.text', text: 'A', signature: 'raw' }
    const body = {
      messages: [
        user,
        { role: 'assistant', reasoning_details: [own, { type: 'reasoning.encrypted', data: tagged }], extra_content },
        { role: 'assistant', reasoning_details: [{ signature: tagged }], tool_calls: [{ id: 'a' }, { id: 'b', extra_content }] },
      ],
    }
    expect(foreignInChat(body)).toEqual([
      '/messages/2/tool_calls/1/extra_content',
      '/messages/2/reasoning_details',
      '/messages/1/extra_content',
      '/messages/1/reasoning_details/1',
    ])
    expect(foreignInChat({ messages: [{ reasoning_details: [own] }, null, 'x'] })).toEqual([])
  })
})

describe('parameters', () => {
  const params = (members: object) => read({ messages: [user], ...members })

  test('D07: of both caps the newer wins, and is named', () => {
    const { params: p, names } = params({ max_completion_tokens: 7, max_tokens: 9 })
    expect([p.maxOutput, names.maxOutput]).toEqual([7, 'max_completion_tokens'])
    expect(params({ max_tokens: 9 }).names.maxOutput).toBe('max_tokens')
  })
  test('stop as a string or a list; values that ask for nothing are absent', () => {
    expect(params({ stop: 'END' }).params.stop).toEqual(['END'])
    expect(params({ stop: ['a', 'b'] }).params.stop).toEqual(['a', 'b'])
    const idle = {
      stop: null,
      n: 1,
      frequency_penalty: 0,
      presence_penalty: 0,
      logit_bias: {},
      logprobs: false,
      seed: null,
      response_format: { type: 'text' },
    }
    expect(params(idle).params).toEqual({})
  })
  test('response_format in all its forms; schemas keep their bytes (I10)', () => {
    const format = (text: string) => read(`{"messages":[],"response_format":${text}}`).params.format
    expect(format('{"type":"json_object"}')).toEqual({ type: 'json_object' })
    expect(format('{"type":"json_schema","json_schema":{"name":"N","strict":true,"schema":{"b":1.0,"a":2}}}')).toEqual({
      type: 'json_schema',
      name: 'N',
      description: undefined,
      schema: '{"b":1.0,"a":2}',
      strict: true,
    })
    expect(format('{"type":"json_object","schema":{"a": 1}}')).toEqual({ type: 'json_schema', schema: '{"a": 1}' })
    expect(read({ messages: [], response_format: { type: 'grammar' } }).extras[0]).toMatchObject({
      field: 'response_format',
      weight: 'meaning',
    })
  })
  test('reasoning in every spelling', () => {
    expect(params({ reasoning_effort: 'high' }).params.reasoning).toEqual({ effort: 'high' })
    expect(params({ reasoning_effort: 'none' }).params.reasoning).toEqual({ effort: 'none', off: true })
    expect(params({ reasoning: { max_tokens: 2000, exclude: true } }).params.reasoning).toEqual({ budget: 2000, visible: 'omitted' })
    expect(params({ reasoning: { enabled: false } }).params.reasoning).toEqual({ off: true })
    expect(params({ thinking: { type: 'enabled', budget_tokens: 4096 } }).params.reasoning).toEqual({ budget: 4096 })
    expect(params({ thinking: { type: 'disabled' } }).params.reasoning).toEqual({ off: true })
  })
  test('the newer name of the user wins; usage in streams, parallel calls, cache key', () => {
    const {
      params: p,
      names,
      parallelCalls,
    } = params({
      user: 'old',
      safety_identifier: 'new',
      stream_options: { include_usage: true, include_obfuscation: true },
      parallel_tool_calls: false,
      prompt_cache_key: 'k',
      logprobs: true,
      top_logprobs: 3,
    })
    expect(p).toEqual({ user: 'new', includeUsage: true, cacheKey: 'k', logprobs: 3 })
    expect([names.user, parallelCalls]).toEqual(['safety_identifier', false])
  })
})

describe('tools', () => {
  const tools = (list: unknown, choice?: unknown) =>
    read({ messages: [user], tools: list, ...(choice !== undefined && { tool_choice: choice }) })

  test('C22 I10: strict and the bytes of schemas; custom tools; flat ones; hosted ones', () => {
    const body =
      '{"messages":[],"tools":[{"type":"function","function":{"name":"a","strict":true,"parameters":{"z":1.0,"a":2}}},' +
      '{"type":"custom","custom":{"name":"b","format":{"type":"text"}}},{"type":"function","name":"c","parameters":{"q":1}},{"type":"web_search"}]}'
    const { tools: list, extras } = read(body)
    expect(list).toMatchObject([
      { kind: 'function', name: 'a', strict: true, schema: '{"z":1.0,"a":2}', field: 'tools[0]' },
      { kind: 'custom', name: 'b', format: { type: 'text' }, field: 'tools[1]' },
      { kind: 'function', name: 'c', schema: '{"q":1}' },
    ])
    expect(extras).toMatchObject([{ field: 'tools[3]', weight: 'hosted' }])
  })
  test('C12 C14: choices in every form', () => {
    const list = [{ type: 'function', function: { name: 'a' } }]
    expect(tools(list, 'any').toolChoice).toEqual({ type: 'required' })
    expect(tools(list, { type: 'custom', custom: { name: 'b' } }).toolChoice).toEqual({ type: 'tool', name: 'b' })
    const allowed = { type: 'allowed_tools', allowed_tools: { mode: 'required', tools: [{ type: 'function', function: { name: 'a' } }] } }
    expect(tools(list, allowed).toolChoice).toEqual({ type: 'allowed', mode: 'required', names: ['a'] })
    const hosted = tools(list, { type: 'web_search' })
    expect([hosted.toolChoice, hosted.extras[0]?.field]).toEqual([undefined, 'tool_choice'])
  })
})
