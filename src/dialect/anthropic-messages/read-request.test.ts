import { describe, expect, test } from 'bun:test'
import type { Json } from '../../plugin/request.ts'
import type { Content, Conversation } from '../conversation.ts'
import { jsonSource } from '../json-source.ts'
import { LossReport } from '../loss.ts'
import { tagProof } from '../proof.ts'
import { messagesRequest } from './request.ts'

function read(body: object | string): Conversation & { refusal: LossReport['refusal'] } {
  const report = new LossReport()
  const text = typeof body === 'string' ? body : JSON.stringify({ model: 'm', max_tokens: 9, messages: [], ...body })
  return { ...messagesRequest.read(jsonSource(Buffer.from(text))!, report), refusal: report.refusal }
}
const extrasOf = (body: object) => read(body).extras.map(({ field, weight }) => `${weight} ${field}`)
const said = (role: string, ...content: object[]): { messages: object[] } => ({ messages: [{ role, content }] })
const contentOf = (role: string, ...content: object[]): readonly Content[] => read(said(role, ...content)).turns[0]?.content ?? []

describe('turns', () => {
  test('H14: system texts keep their place, blocks stay blocks', () => {
    const { turns } = read({
      system: [
        { type: 'text', text: 'a' },
        { type: 'text', text: 'b', cache_control: { type: 'ephemeral', ttl: '1h' } },
      ],
      messages: [
        { role: 'user', content: 'hi' },
        { role: 'system', content: 'mode: brief' },
        { role: 'assistant', content: [{ type: 'text', text: 'ok' }] },
      ],
    })
    expect(turns).toEqual([
      {
        role: 'system',
        content: [
          { type: 'text', text: 'a' },
          { type: 'text', text: 'b', cache: { ttl: '1h' } },
        ],
      },
      { role: 'user', content: [{ type: 'text', text: 'hi' }] },
      { role: 'system', content: [{ type: 'text', text: 'mode: brief' }] },
      { role: 'assistant', content: [{ type: 'text', text: 'ok' }] },
    ])
  })
  test("F03: the client's attribution is no part of the prompt", () => {
    const line = 'x-anthropic-billing-header: cc_version=9.9.9; cc_entrypoint=cli'
    expect(
      read({
        system: [
          { type: 'text', text: line },
          { type: 'text', text: 'be good' },
        ],
      }).turns[0]?.content,
    ).toEqual([{ type: 'text', text: 'be good' }])
    expect(read({ system: line }).turns).toEqual([])
    expect(read({ system: `${line}\n\nbe good` }).turns[0]?.content).toEqual([{ type: 'text', text: 'be good' }])
    // a user may talk about it
    expect(contentOf('user', { type: 'text', text: line })).toHaveLength(1)
  })
  test('an unknown role is refused, odd shapes are skipped', () => {
    expect(read({ messages: [{ role: 'tool', content: 'x' }] }).refusal?.field).toBe('messages[0].role')
    expect(read({ system: 7, messages: [{ role: 'user', content: null }], tools: [null, 3], tool_choice: null }).refusal).toBeUndefined()
    expect(() => read('{"messages":[1,null,"x",{"role":"user","content":[1,null,{"type":"image"},{}]}],"thinking":"x"}')).not.toThrow()
  })
})

describe('blocks', () => {
  test('C10: pictures and documents in every form, inside results too', () => {
    const image = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } }
    const content = contentOf(
      'user',
      image,
      { type: 'image', source: { type: 'url', url: 'https://x/y.png' } },
      { type: 'document', title: 'T', source: { type: 'file', file_id: 'f1' } },
      { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'words' } },
      { type: 'document', source: { type: 'content', content: [{ type: 'text', text: 'p1' }, { type: 'text', text: 'p2' }, image] } },
      {
        type: 'tool_result',
        tool_use_id: 'a',
        is_error: true,
        content: [{ type: 'text', text: 'r' }, image, { type: 'tool_reference', tool_name: 'g' }],
      },
      { type: 'search_result', title: 'S', source: 'https://s', content: [{ type: 'text', text: 'found' }] },
    )
    expect(content.map((c) => (c.type === 'media' ? [c.kind, c.source.kind, c.field, c.name] : c.type))).toEqual([
      ['image', 'base64', 'messages[0].content[0]', undefined],
      ['image', 'url', 'messages[0].content[1]', undefined],
      ['document', 'file', 'messages[0].content[2]', 'T'],
      ['document', 'text', 'messages[0].content[3]', undefined],
      ['document', 'text', 'messages[0].content[4]', undefined],
      ['image', 'base64', 'messages[0].content[4]', undefined],
      'result',
      'text',
    ])
    expect(content[4]).toMatchObject({ source: { text: 'p1\n\np2' } })
    expect(content[6]).toMatchObject({ id: 'a', error: true, content: [{ text: 'r' }, { kind: 'image' }, { text: 'g' }] })
    expect(content[7]).toMatchObject({ text: 'S\nhttps://s\nfound' })
  })
  test('I10 C07: the input of a call keeps its spelling; one sent as a string is taken as it is', () => {
    const text =
      '{"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{ "z":1.0, "a":12345678901234567890 }}]}]}'
    expect(read(text).turns[0]?.content[0]).toMatchObject({ arguments: '{ "z":1.0, "a":12345678901234567890 }' })
    expect(contentOf('assistant', { type: 'tool_use', id: 'a', name: 'f', input: '{"x":1}' })[0]).toMatchObject({ arguments: '{"x":1}' })
  })
  test('D01: thoughts with their proofs; what nobody vouches for has none', () => {
    const tag = (dialect: string, value: string) => tagProof({ dialect, upstream: 'up', value })
    const content = contentOf(
      'assistant',
      { type: 'thinking', thinking: 'a', signature: 'SIG' },
      { type: 'thinking', thinking: 'b', signature: tag('openai-responses', 'ENC') },
      { type: 'thinking', thinking: 'c', signature: tag('', '') },
      { type: 'thinking', thinking: '', signature: '' },
      { type: 'redacted_thinking', data: 'RED' },
      { type: 'redacted_thinking', data: tag('openai-responses', 'ENC2') },
    )
    expect(content).toEqual([
      { type: 'reasoning', text: 'a', proof: { dialect: 'anthropic-messages', upstream: '', value: 'SIG' } },
      { type: 'reasoning', text: 'b', proof: { dialect: 'openai-responses', upstream: 'up', value: 'ENC' } },
      { type: 'reasoning', text: 'c' },
      { type: 'reasoning', text: '', redacted: true, proof: { dialect: 'anthropic-messages', upstream: '', value: 'RED' } },
      { type: 'reasoning', text: '', redacted: true, proof: { dialect: 'openai-responses', upstream: 'up', value: 'ENC2' } },
    ])
  })
  test('C18: a tagged empty thought is the proof of the call behind it, a hidden Gemini one that of the text before it', () => {
    const signature = (value: string) => tagProof({ dialect: 'gemini-generate', upstream: 'g', value })
    const content = contentOf(
      'assistant',
      { type: 'text', text: 'so' },
      { type: 'redacted_thinking', data: signature('T') },
      { type: 'thinking', thinking: '', signature: signature('C') },
      { type: 'tool_use', id: 'a', name: 'f', input: {} },
      { type: 'tool_use', id: 'b', name: 'f', input: {} },
    )
    expect(content.map((c) => [c.type, 'proof' in c ? c.proof?.value : undefined])).toEqual([
      ['text', 'T'],
      ['call', 'C'],
      ['call', undefined],
    ])
  })
  test("C26: what the provider's own tools did is left out; an unknown block of the user's is refused", () => {
    expect(
      extrasOf(
        said(
          'assistant',
          { type: 'server_tool_use', id: 's', name: 'web_search', input: {} },
          { type: 'web_search_tool_result', tool_use_id: 's' },
        ),
      ),
    ).toEqual(['hint messages[0].content[0]', 'hint messages[0].content[1]'])
    expect(extrasOf(said('user', { type: 'container_upload', file_id: 'f' }))).toEqual(['meaning messages[0].content[0]'])
    expect(extrasOf(said('assistant', { type: 'novel' }))).toEqual(['hint messages[0].content[0]'])
    expect(contentOf('assistant', { type: 'compaction', content: 'Until now: …' })).toEqual([{ type: 'text', text: 'Until now: …' }])
  })
  test('members that nobody else knows are named, empty ones are not', () => {
    expect(extrasOf(said('user', { type: 'text', text: 'x', citations: [], novel: 1 }))).toEqual(['hint messages[0].content[0].novel'])
    expect(
      extrasOf(said('user', { type: 'document', context: 'c', citations: { enabled: true }, source: { type: 'text', data: 'x' } })),
    ).toEqual(['hint messages[0].content[0].context', 'hint messages[0].content[0].citations'])
  })
})

describe('F04 F05: cache marks', () => {
  test('on blocks, tools, calls and results', () => {
    const mark = { cache_control: { type: 'ephemeral' } }
    const { turns, tools } = read({
      tools: [{ name: 'f', input_schema: {}, cache_control: { type: 'ephemeral', ttl: '1h' } }],
      messages: [
        { role: 'assistant', content: [{ type: 'tool_use', id: 'a', name: 'f', input: {}, ...mark }] },
        {
          role: 'user',
          content: [
            { type: 'tool_result', tool_use_id: 'a', content: 'x', ...mark },
            { type: 'text', text: 'y', ...mark },
          ],
        },
      ],
    })
    expect(tools[0]?.cache).toEqual({ ttl: '1h' })
    expect(turns.flatMap((turn) => turn.content.map((c) => ('cache' in c ? c.cache : undefined)))).toEqual([{}, {}, {}])
  })
  test('one on the request stands for one on its last block', () => {
    const { turns } = read({
      cache_control: { type: 'ephemeral', ttl: '1h' },
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'a' },
            { type: 'text', text: ' ' },
          ],
        },
      ],
    })
    expect(turns[0]?.content).toEqual([
      { type: 'text', text: 'a', cache: { ttl: '1h' } },
      { type: 'text', text: ' ' },
    ])
  })
})

describe('tools', () => {
  test('functions are read as sent, typed tools belong to the provider', () => {
    const text =
      '{"tools":[{"name":"f","description":"d","input_schema":{"type":"object","properties":{"b":{},"a":{}}},"strict":true,"defer_loading":true},' +
      '{"type":"web_search_20250305","name":"web_search"},{"type":"custom","name":"g","input_schema":{},"eager_input_streaming":true,"allowed_callers":["direct"]}]}'
    const { tools, extras } = read(text)
    expect(tools).toEqual([
      {
        kind: 'function',
        name: 'f',
        description: 'd',
        schema: '{"type":"object","properties":{"b":{},"a":{}}}',
        strict: true,
        field: 'tools[0]',
      },
      { kind: 'function', name: 'g', schema: '{}', field: 'tools[2]' },
    ])
    expect(extras.map(({ field, weight }) => [field, weight])).toEqual([
      ['tools[1]', 'hosted'],
      ['tools[].defer_loading', 'hint'],
      ['tools[].eager_input_streaming', 'hint'],
    ])
  })
  test('C14 C12: choices; one that names a tool of the provider goes with it', () => {
    const choice = (tool_choice: Json, more: object = {}) => {
      const { toolChoice, parallelCalls, extras } = read({ tools: [{ type: 'bash_20250124', name: 'bash' }], tool_choice, ...more })
      return [toolChoice, parallelCalls, extras.slice(1).map((extra) => extra.field)]
    }
    expect(choice({ type: 'any', disable_parallel_tool_use: true })).toEqual([{ type: 'required' }, false, []])
    expect(choice({ type: 'none' })).toEqual([{ type: 'none' }, undefined, []])
    expect(choice({ type: 'tool', name: 'f' })).toEqual([{ type: 'tool', name: 'f' }, undefined, []])
    expect(choice({ type: 'tool', name: 'bash' })).toEqual([undefined, undefined, ['tool_choice']])
  })
})

describe('parameters', () => {
  test('each with the name that the client gave it', () => {
    const { params, names, stream } = read({
      stream: true,
      max_tokens: 100,
      temperature: 0.5,
      top_p: 0.9,
      top_k: 4,
      stop_sequences: ['a', 'b'],
      service_tier: 'auto',
      metadata: { user_id: '{"device_id":"d"}' },
      output_config: { effort: 'xhigh', format: { type: 'json_schema', schema: { type: 'object' } } },
      thinking: { type: 'adaptive', display: 'omitted' },
    })
    expect(stream).toBe(true)
    expect(params).toEqual({
      maxOutput: 100,
      temperature: 0.5,
      topP: 0.9,
      topK: 4,
      stop: ['a', 'b'],
      serviceTier: 'auto',
      user: '{"device_id":"d"}',
      reasoning: { adaptive: true, effort: 'xhigh', visible: 'omitted' },
      format: { type: 'json_schema', strict: true, schema: '{"type":"object"}' },
    })
    expect(names).toEqual({
      maxOutput: 'max_tokens',
      temperature: 'temperature',
      topP: 'top_p',
      topK: 'top_k',
      stop: 'stop_sequences',
      serviceTier: 'service_tier',
      user: 'metadata.user_id',
      reasoning: 'thinking',
      format: 'output_config.format',
    })
  })
  test('thinking', () => {
    const thinking = (value: object) => read({ thinking: value }).params.reasoning
    expect(thinking({ type: 'enabled', budget_tokens: 31999 })).toEqual({ budget: 31999, visible: 'auto' })
    expect(thinking({ type: 'adaptive', display: 'summarized' })).toEqual({ adaptive: true, visible: 'auto' })
    expect(thinking({ type: 'disabled' })).toEqual({ off: true })
    expect(read({ output_config: { effort: 'low' } }).params.reasoning).toEqual({ effort: 'low' })
  })
  test('a thread is refused in the words that make the SDK go on without it', () => {
    const { extras } = read({ thread: { type: 'create' } })
    expect(extras).toMatchObject([
      {
        field: 'thread',
        weight: 'unsupported',
        details: { error_code: 'thread_unsupported_request', unsupported: ['model'] },
      },
    ])
  })
  test('what is not known is a hint; what the provider runs or decides is not', () => {
    expect(
      extrasOf({
        safeguards: {},
        context_management: { edits: [] },
        betas: [],
        novel: null,
        mcp_servers: [{ name: 'x' }],
        container: 'c',
        inference_geo: 'us',
        output_config: { task_budget: { total: 1 } },
        metadata: { user_id: 'u', other: 1 },
        anthropic_version: 'v',
      }).sort(),
    ).toEqual(
      [
        'hint metadata.other',
        'hint output_config.task_budget',
        'hosted mcp_servers',
        'hosted container',
        'meaning inference_geo',
        'hint safeguards',
        'hint context_management',
      ].sort(),
    )
  })
})

test('proofs of other makers are found, last first; a message of nothing else goes whole', () => {
  const tagged = tagProof({ dialect: 'gemini-generate', upstream: 'g', value: 'x' })
  const body = {
    messages: [
      { role: 'user', content: 'hi' },
      {
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: 'a', signature: tagged },
          { type: 'text', text: 'b' },
          { type: 'redacted_thinking', data: tagged },
        ],
      },
      { role: 'assistant', content: [{ type: 'thinking', thinking: 'a', signature: 'own' }] },
      { role: 'assistant', content: [{ type: 'thinking', thinking: '', signature: tagged }] },
    ],
  }
  expect(messagesRequest.foreign(body)).toEqual(['/messages/3', '/messages/1/content/2', '/messages/1/content/0'])
})
