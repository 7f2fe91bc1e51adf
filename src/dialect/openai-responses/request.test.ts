/** Requests: what clients of this API send, read and written; and what writers of other dialects' conversations must mind. */

import { describe, expect, test } from 'bun:test'
import type { Json } from '../../plugin/request.ts'
import { capabilitiesOf } from '../capabilities.ts'
import type { CapabilityEdit } from '../capability.ts'
import type { Content, Conversation, Turn } from '../conversation.ts'
import { jsonSource } from '../json-source.ts'
import { writeJson } from '../json-text.ts'
import { LossReport } from '../loss.ts'
import { tagProof, unsigned } from '../proof.ts'
import { ToolNames } from '../tool-names.ts'
import { withMark } from './proof-marks.ts'
import { responsesRequest } from './write.ts'

function read(request: string | { [member: string]: Json }): Conversation & { report: LossReport } {
  const report = new LossReport()
  const text = typeof request === 'string' ? request : JSON.stringify({ model: 'm', ...request })
  return { ...responsesRequest.read(jsonSource(Buffer.from(text))!, report), report }
}

function write(conversation: Partial<Conversation>, edit: CapabilityEdit = {}) {
  const report = new LossReport()
  const full: Conversation = {
    source: 'openai-chat',
    stream: false,
    turns: [user('hi')],
    tools: [],
    params: {},
    names: {},
    extras: [],
    ...conversation,
  }
  const can = capabilitiesOf('openai-responses', 'api.openai.com', 'gpt-5.2', edit)
  const names = new ToolNames(64)
  const written = responsesRequest.write(full, { model: 'gpt-5.2', upstream: 'up', can, toolName: names.of }, report)
  return { report, text: writeJson(written), body: JSON.parse(writeJson(written)) }
}

const text = (words: string): Content => ({ type: 'text', text: words })
const user = (words: string): Turn => ({ role: 'user', content: [text(words)] })
const call = (id: string, more: object = {}): Content => ({ type: 'call', id, name: 'f', kind: 'function', arguments: '{}', ...more })
const result = (id: string, words: string, more: object = {}): Content => ({
  type: 'result',
  id,
  content: [{ type: 'text', text: words }],
  ...more,
})

describe('reading', () => {
  test('C21 H16: what Codex sends', () => {
    const asked = read({
      instructions: 'You code.',
      input: [
        { type: 'message', role: 'developer', id: 'msg_1', content: [{ type: 'input_text', text: 'Be brief.' }] },
        { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Fix it' }] },
        { type: 'reasoning', summary: [{ type: 'summary_text', text: 'Hm.' }], encrypted_content: 'gAAA', content: null },
        { type: 'function_call', name: 'exec_command', arguments: '{"cmd":"ls"}', call_id: 'c1' },
        { type: 'custom_tool_call', name: 'apply_patch', input: '*** Begin Patch', call_id: 'c2' },
        { type: 'function_call', name: 'read', namespace: 'files', arguments: '{}', call_id: 'c3' },
        { type: 'function_call_output', id: 'fco_1', call_id: 'c1', output: 'a.ts' },
        { type: 'custom_tool_call_output', call_id: 'c2', output: [{ type: 'input_text', text: 'done' }] },
        { type: 'web_search_call', id: 'ws_1', status: 'completed' },
      ],
      tools: [
        { type: 'function', name: 'exec_command', description: 'Runs', strict: false, parameters: { type: 'object', properties: {} } },
        { type: 'custom', name: 'apply_patch', format: { type: 'grammar', syntax: 'lark', definition: 'start: x' } },
        { type: 'namespace', name: 'files', description: 'Files', tools: [{ type: 'function', name: 'read', parameters: {} }] },
        { type: 'web_search' },
      ],
      tool_choice: 'auto',
      parallel_tool_calls: true,
      reasoning: { effort: 'medium', summary: 'auto' },
      store: false,
      stream: true,
      include: ['reasoning.encrypted_content'],
      prompt_cache_key: 'key',
      client_metadata: { a: 'b' },
      text: { verbosity: 'low' },
    })
    expect(asked.report.refusal).toBeUndefined()
    expect(asked.turns).toEqual([
      { role: 'system', content: [text('You code.')] },
      { role: 'developer', content: [text('Be brief.')] },
      { role: 'user', content: [text('Fix it')] },
      {
        role: 'assistant',
        content: [
          { type: 'reasoning', text: 'Hm.', proof: { dialect: 'openai-responses', upstream: '', value: 'gAAA' } },
          { type: 'call', id: 'c1', name: 'exec_command', kind: 'function', arguments: '{"cmd":"ls"}' },
          { type: 'call', id: 'c2', name: 'apply_patch', kind: 'custom', arguments: '*** Begin Patch' },
          { type: 'call', id: 'c3', name: 'read', namespace: 'files', kind: 'function', arguments: '{}' },
        ],
      },
      { role: 'user', content: [result('c1', 'a.ts'), result('c2', 'done')] },
    ])
    expect(asked.tools.map(({ kind, name, namespace, field }) => [kind, name, namespace, field])).toEqual([
      ['function', 'exec_command', undefined, 'tools[0]'],
      ['custom', 'apply_patch', undefined, 'tools[1]'],
      ['function', 'read', 'files', 'tools[2].tools[0]'],
    ])
    expect(asked.extras.map(({ field, weight }) => [field, weight])).toEqual([
      ['tools[3]', 'hosted'],
      ['input[8]', 'hint'],
      ['client_metadata', 'hint'],
    ])
    expect(asked.params).toEqual({
      cacheKey: 'key',
      store: false,
      reasoning: { effort: 'medium', visible: 'auto' },
      verbosity: 'low',
    })
    expect([asked.stream, asked.parallelCalls, asked.toolChoice]).toEqual([true, true, { type: 'auto' }])
  })

  test('what lives at the provider is refused by name; a reference to a thought is only dropped', () => {
    for (const [member, value] of Object.entries({
      previous_response_id: 'resp_1',
      conversation: 'c',
      background: true,
      prompt: { id: 'p' },
    })) {
      const { extras } = read({ input: 'hi', [member]: value })
      expect(extras).toMatchObject([{ field: member, weight: 'meaning' }])
    }
    const { extras } = read({
      input: [
        { type: 'item_reference', id: 'rs_1' },
        { type: 'item_reference', id: 'msg_1' },
        { type: 'compaction', encrypted_content: 'x' },
      ],
      background: false,
      previous_response_id: null,
    })
    expect(extras.map(({ field, weight }) => [field, weight])).toEqual([
      ['input[0]', 'hint'],
      ['input[1]', 'meaning'],
      ['input[2]', 'meaning'],
    ])
  })

  test('C24 D08: parts, files, formats and odd shapes', () => {
    const asked = read(
      `{"model":"m","input":[
        {"role":"user","content":[{"type":"input_text","text":"see"},{"type":"input_image","image_url":"data:image/jpg;base64,/9j/AAAA","detail":"low"},
          {"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0="},{"type":"input_file","file_id":"file_1"}]},
        {"role":"assistant","content":[{"type":"refusal","refusal":"no"}]},
        {"role":"user","content":[{"type":"hologram"}]}],
       "tools":[{"type":"function","name":"f","parameters":{"type":"object","properties":{"n":{"maximum":1e400}}},"strict":true}],
       "text":{"format":{"type":"json_schema","name":"out","schema":{"type":"object","a":1.10},"strict":true}},
       "tool_choice":{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"f"},{"type":"mcp"}]},"top_logprobs":2}`,
    )
    expect(asked.turns[0]?.content).toEqual([
      text('see'),
      {
        type: 'media',
        kind: 'image',
        source: { kind: 'base64', mime: 'image/jpeg', data: '/9j/AAAA' },
        field: 'input[0].content[1]',
        detail: 'low',
      },
      {
        type: 'media',
        kind: 'document',
        source: { kind: 'base64', mime: 'application/pdf', data: 'JVBERi0=' },
        field: 'input[0].content[2]',
        name: 'a.pdf',
      },
      { type: 'media', kind: 'document', source: { kind: 'file', id: 'file_1' }, field: 'input[0].content[3]' },
    ])
    expect(asked.turns[1]?.content).toEqual([{ type: 'text', text: 'no', refusal: true }])
    expect(asked.extras).toMatchObject([{ field: 'input[2].content[0]', weight: 'meaning' }])
    // numbers keep their spelling
    expect(asked.tools[0]?.schema).toContain('1e400')
    expect(asked.params.format).toEqual({
      type: 'json_schema',
      name: 'out',
      description: undefined,
      schema: '{"type":"object","a":1.10}',
      strict: true,
    })
    expect(asked.toolChoice).toEqual({ type: 'allowed', mode: 'required', names: ['f'] })
    expect(asked.params.logprobs).toBe(2)
    expect(read({ input: 7 }).report.refusal?.field).toBe('input')
    expect(read({ messages: [] }).report.refusal?.message).toContain('/chat/completions')
    expect(read({ input: [null, 3] }).report.refusal?.field).toBe('input[0]')
  })

  test('D03 C18: proofs come back with what they belong to, and only they leave a native body', () => {
    const of = (dialect: string, value: string) => tagProof({ dialect, upstream: 'up', value })
    const input = [
      { type: 'reasoning', summary: [{ type: 'summary_text', text: 'Hm.' }], encrypted_content: of('anthropic-messages', 's1') },
      { type: 'reasoning', summary: [], encrypted_content: withMark(of('anthropic-messages', 's2'), 'hidden') },
      { type: 'message', role: 'assistant', content: 'Yes' },
      { type: 'reasoning', summary: [], encrypted_content: withMark(of('gemini-generate', 's3'), 'last') },
      { type: 'reasoning', summary: [], encrypted_content: withMark(of('gemini-generate', 's4'), 'next') },
      { type: 'function_call', name: 'f', arguments: '{}', call_id: 'c' },
      { type: 'reasoning', summary: [], encrypted_content: 'own' },
      { type: 'reasoning', summary: [{ type: 'summary_text', text: 'Plain.' }], encrypted_content: unsigned },
    ]
    const proof = (dialect: string, value: string) => ({ dialect, upstream: 'up', value })
    expect(read({ input }).turns[0]?.content).toEqual([
      { type: 'reasoning', text: 'Hm.', proof: proof('anthropic-messages', 's1') },
      { type: 'reasoning', text: '', proof: proof('anthropic-messages', 's2'), redacted: true },
      { type: 'text', text: 'Yes', proof: proof('gemini-generate', 's3') },
      { type: 'call', id: 'c', name: 'f', kind: 'function', arguments: '{}', proof: proof('gemini-generate', 's4') },
      { type: 'reasoning', text: '', proof: { dialect: 'openai-responses', upstream: '', value: 'own' } },
      { type: 'reasoning', text: 'Plain.' },
    ])
    expect(responsesRequest.foreign({ input })).toEqual(['/input/7', '/input/4', '/input/3', '/input/1', '/input/0'])
  })
})

describe('writing', () => {
  test('C08 C09 C11: outputs behind their calls, in their order; what is missing is told, what answers nothing refused', () => {
    const long = 'x'.repeat(80)
    const turns: Turn[] = [
      { role: 'system', content: [text('Be good.')] },
      user('go'),
      { role: 'assistant', content: [text('I go.'), call('a'), call(long), call('c', { kind: 'custom', arguments: 'free' })] },
      { role: 'user', content: [text('and'), result(long, 'two', { error: true })] },
      { role: 'user', content: [result('a', 'one')] },
    ]
    const { body, report } = write({ turns })
    expect(report.refusal).toBeUndefined()
    expect(body.instructions).toBe('Be good.')
    const alias = body.input[3].call_id
    expect(alias.length).toBeLessThanOrEqual(64)
    expect(body.input).toEqual([
      { type: 'message', role: 'user', content: 'go' },
      { type: 'message', role: 'assistant', content: 'I go.' },
      { type: 'function_call', call_id: 'a', name: 'f', arguments: '{}' },
      { type: 'function_call', call_id: alias, name: 'f', arguments: '{}' },
      { type: 'custom_tool_call', call_id: 'c', name: 'f', input: 'free' },
      { type: 'function_call_output', call_id: 'a', output: 'one' },
      { type: 'function_call_output', call_id: alias, output: '[The tool call failed.] two' },
      { type: 'custom_tool_call_output', call_id: 'c', output: expect.stringContaining('no result') },
      { type: 'message', role: 'user', content: 'and' },
    ])
    expect(write({ turns: [user('x'), { role: 'user', content: [result('zz', 'lost')] }] }).report.refusal?.message).toContain('zz')
  })

  test('D03 H16: thoughts go back to their maker alone, and the API is asked to give more of them', () => {
    const proof = (dialect: string, upstream: string) => ({ dialect, upstream, value: 'enc' })
    const thought = (maker: object): Content => ({ type: 'reasoning', text: 'Hm.', proof: maker as never })
    const turns: Turn[] = [
      user('go'),
      {
        role: 'assistant',
        content: [
          thought(proof('openai-responses', 'up')),
          text('Yes'),
          thought(proof('openai-responses', 'other')),
          thought(proof('anthropic-messages', 'up')),
          thought(proof('openai-responses', 'up')),
        ],
      },
      user('on'),
    ]
    const { body } = write({ turns, params: { reasoning: { budget: 9000 } } })
    expect(body.input.slice(1, 3)).toEqual([
      { type: 'reasoning', summary: [{ type: 'summary_text', text: 'Hm.' }], encrypted_content: 'enc' },
      { type: 'message', role: 'assistant', content: 'Yes' },
    ])
    expect(body.input.length).toBe(4) // the last thought leads to nothing: the API rejects such
    expect([body.store, body.include, body.reasoning]).toEqual([
      false,
      ['reasoning.encrypted_content'],
      { effort: 'high', summary: 'auto' },
    ])
    expect(write({ params: { store: true } }).body.store).toBe(true)
    expect(write({ source: 'openai-responses' }).body.store).toBeUndefined()
    expect(write({}, { sampling: true }).body.include).toBeUndefined()
  })

  test('C13 C14 C22: tools, and the choice among them', () => {
    const tool = { kind: 'function', name: 'f', field: 'tools[0]', schema: '{"type":"object","n":1.0}' } as const
    const custom = {
      kind: 'custom',
      name: 'g',
      field: 'tools[1]',
      format: { type: 'grammar', grammar: { syntax: 'lark', definition: 'x' } },
    } as const
    const { body, text: json } = write({ tools: [tool, custom], toolChoice: { type: 'tool', name: 'g' }, parallelCalls: false })
    expect(json).toContain('"n":1.0')
    expect(body.tools).toEqual([
      { type: 'function', name: 'f', parameters: { type: 'object', n: 1 }, strict: false },
      { type: 'custom', name: 'g', format: { type: 'grammar', syntax: 'lark', definition: 'x' } },
    ])
    expect([body.tool_choice, body.parallel_tool_calls]).toEqual([{ type: 'custom', name: 'g' }, false])
    expect(write({ tools: [], toolChoice: { type: 'required' }, parallelCalls: true }).text).not.toContain('tool')
    const gone = write({ tools: [tool], toolChoice: { type: 'tool', name: 'h' }, names: { toolChoice: 'tool_choice' } })
    expect([gone.body.tool_choice, gone.report.dropped]).toEqual([undefined, ['tool_choice']]) // C12
    expect(write({ tools: [{ ...tool, strict: true }] }).body.tools[0].strict).toBe(true)
  })

  test('D05 D08 H11 I08: parameters, and what may not be lost', () => {
    const { body, report } = write({
      source: 'anthropic-messages',
      stream: true,
      params: {
        maxOutput: 1,
        temperature: 1.3,
        topK: 4,
        user: 'u'.repeat(150),
        metadata: { user_id: 'x' },
        serviceTier: 'standard_only',
        format: { type: 'json_schema', schema: '{"type":"object","properties":{},"additionalProperties":false}', strict: true },
        reasoning: { effort: 'max' },
      },
      names: {
        temperature: 'temperature',
        topK: 'top_k',
        maxOutput: 'max_tokens',
        reasoning: 'output_config.effort',
        metadata: 'metadata',
        serviceTier: 'service_tier',
      },
    })
    expect(body).toMatchObject({
      max_output_tokens: 16,
      stream: true,
      text: { format: { type: 'json_schema', name: 'output', schema: { type: 'object', properties: {} }, strict: true } },
      reasoning: { effort: 'xhigh' },
    })
    expect(body.safety_identifier.length).toBe(64)
    expect(report.dropped.toSorted()).toEqual(['max_tokens', 'metadata', 'output_config.effort', 'service_tier', 'temperature', 'top_k'])
    expect(report.refusal).toBeUndefined()
    for (const params of [{ n: 2 }, { stop: ['x'] }, { logitBias: {} }, { logprobs: 1 }]) {
      expect(write({ params }).report.refusal?.field).toBe(Object.keys(params)[0]!)
    }
  })

  test('H14 H19: media, and system texts in mid-conversation', () => {
    const image = { type: 'media', kind: 'image', source: { kind: 'base64', mime: 'image/jpg', data: '/9j/AAAA' }, field: 'f' } as const
    const turns: Turn[] = [
      { role: 'system', content: [text(''), text('One.'), text('Two.')] },
      { role: 'user', content: [text('see'), image] },
      { role: 'system', content: [text('Mind this.')] },
      user('and?'),
    ]
    const { body } = write({ turns })
    expect(body.instructions).toBe('One.\n\nTwo.')
    expect(body.input).toEqual([
      {
        type: 'message',
        role: 'user',
        content: [
          { type: 'input_text', text: 'see' },
          { type: 'input_image', image_url: 'data:image/jpeg;base64,/9j/AAAA', detail: 'auto' },
        ],
      },
      { type: 'message', role: 'system', content: 'Mind this.' },
      { type: 'message', role: 'user', content: 'and?' },
    ])
    expect(write({ turns }, { midSystem: false }).body.input[1]).toMatchObject({ role: 'user', content: '<system>\nMind this.\n</system>' })
    expect(write({ turns }, { images: false }).report.refusal?.field).toBe('f')
  })
})
