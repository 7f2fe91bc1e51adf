import { describe, expect, test } from 'bun:test'
import { capabilitiesOf } from '../capabilities.ts'
import type { CapabilityEdit } from '../capability.ts'
import type { Content, Conversation, Proof, Tool, Turn } from '../conversation.ts'
import { writeJson } from '../json-text.ts'
import { LossReport } from '../loss.ts'
import { ToolNames } from '../tool-names.ts'
import { writeChat } from './write.ts'

// biome-ignore lint/suspicious/noExplicitAny: a written body
type Loose = any

const base: Conversation = { source: 'anthropic-messages', stream: false, turns: [], tools: [], params: {}, names: {}, extras: [] }

function write(part: Partial<Conversation>, edit: CapabilityEdit = {}, maxOutput?: number) {
  const report = new LossReport()
  const can = capabilitiesOf('openai-chat', 'api.openai.com', 'gpt-4o', edit)
  const names = new ToolNames(can.toolName)
  const text = writeJson(writeChat({ ...base, ...part }, { model: 'up', upstream: 'here', can, maxOutput, toolName: names.of }, report))
  const body: Loose = JSON.parse(text)
  return { text, body, messages: body.messages as Loose[], report, dropped: report.dropped, refused: report.refusal?.field }
}
const text = (value: string, more: object = {}): Content => ({ type: 'text', text: value, ...more })
const call = (id: string, name = 'f', more: object = {}): Content => ({
  type: 'call',
  id,
  name,
  kind: 'function',
  arguments: '{}',
  ...more,
})
const result = (id: string, value: string, more: object = {}): Content => ({
  type: 'result',
  id,
  content: [{ type: 'text', text: value }],
  ...more,
})
const turn = (role: Turn['role'], ...content: Content[]): Turn => ({ role, content })
const tool = (name: string, more: Partial<Tool> = {}): Tool => ({ kind: 'function', name, field: 'tools[0]', ...more })
const image = {
  type: 'media',
  kind: 'image',
  source: { kind: 'base64', mime: 'image/jpg', data: '/9j/AA' },
  field: 'messages[0].content[0]',
} as const

describe('system texts', () => {
  test('several are one text, and empty ones none', () => {
    const { messages } = write({ turns: [turn('system', text(''), text('be'), text('good')), turn('user', text('hi'))] })
    expect(messages).toEqual([
      { role: 'system', content: 'be\n\ngood' },
      { role: 'user', content: 'hi' },
    ])
    expect(write({ turns: [turn('system', text(''))] }).messages).toEqual([])
  })
  test('H14: one in mid-conversation keeps its place, marked where the server knows no such thing', () => {
    const turns = [turn('user', text('a')), turn('system', text('b')), turn('user', text('c'))]
    expect(write({ turns }).messages.map((m) => m.role)).toEqual(['user', 'system', 'user'])
    const marked = write({ turns }, { midSystem: false }).messages
    expect(marked[1]).toEqual({ role: 'user', content: '<system>\nb\n</system>' })
  })
  test('developer becomes system only where it is not known; never the other way', () => {
    const turns = [turn('developer', text('a')), turn('system', text('b'))]
    expect(write({ turns }).messages.map((m) => m.role)).toEqual(['developer', 'system'])
    expect(write({ turns }, { developer: false }).messages.map((m) => m.role)).toEqual(['system', 'system'])
  })
  test('F04 F05: marks stay on their blocks where they are understood, else they go', () => {
    const turns = [turn('system', text('a'), text('b', { cache: { ttl: '1h' } }))]
    expect(write({ turns }, { cacheMarks: true }).messages[0].content).toEqual([
      { type: 'text', text: 'a' },
      { type: 'text', text: 'b', cache_control: { type: 'ephemeral', ttl: '1h' } },
    ])
    expect(write({ turns }).messages[0].content).toBe('a\n\nb')
  })
})

describe('calls and results', () => {
  test('C08: results directly behind their calls, in call order, each once; text after them', () => {
    const turns = [
      turn('assistant', text('let me'), call('a'), call('b')),
      turn('user', result('b', 'old'), text('by the way'), result('b', '2')),
      turn('user', result('a', '1')),
    ]
    expect(write({ turns, tools: [tool('f')] }).messages.map((m) => [m.role, m.tool_call_id, m.content])).toEqual([
      ['assistant', undefined, 'let me'],
      ['tool', 'a', '1'],
      ['tool', 'b', '2'],
      ['user', undefined, 'by the way'],
    ])
  })
  test('a missing result is told as an error, one without a call is refused', () => {
    const { messages } = write({ turns: [turn('assistant', call('a')), turn('user', text('go on'))] })
    expect(messages[1]).toMatchObject({ role: 'tool', tool_call_id: 'a' })
    expect(messages[1].content).toStartWith('[The tool call failed.]')
    expect(write({ turns: [turn('user', result('x', '1'))] }).refused).toBeDefined()
  })
  test('C10: pictures of results follow in a user message, after all results', () => {
    const turns = [
      turn('assistant', call('a', 'shot'), call('b')),
      turn('user', { type: 'result', id: 'a', content: [image] }, result('b', 'two'), text('and?')),
    ]
    const { messages } = write({ turns })
    expect(messages.map((m) => m.role)).toEqual(['assistant', 'tool', 'tool', 'user', 'user'])
    expect(messages[3].content).toEqual([
      { type: 'text', text: 'From the result of the tool shot, call a:' },
      { type: 'image_url', image_url: { url: 'data:image/jpeg;base64,/9j/AA' } },
    ])
    expect(write({ turns }, { images: false }).refused).toBe('messages[0].content[0]')
  })
  test('C11: that a tool failed is said in words', () => {
    const turns = [turn('assistant', call('a')), turn('user', result('a', 'no file', { error: true }))]
    expect(write({ turns }).messages[1].content).toBe('[The tool call failed.] no file')
  })
  test('C09: ids are made legal, the same for call and result, and unlike each other', () => {
    const turns = [
      turn('assistant', call('call_abc|fc_1'), call('call_abc|fc_2')),
      turn('user', result('call_abc|fc_2', '2'), result('call_abc|fc_1', '1')),
      turn('assistant', call('call_abc|fc_1')),
      turn('user', result('call_abc|fc_1', '3')),
    ]
    const { messages } = write({ turns }, { callIds: 'alnum9' })
    const ids = messages.flatMap((m) => (m.tool_calls ?? []).map((c: Loose) => c.id))
    for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9]{9}$/)
    expect(new Set(ids).size).toBe(3)
    expect(messages.filter((m) => m.role === 'tool').map((m) => [m.tool_call_id, m.content])).toEqual([
      [ids[0], '1'],
      [ids[1], '2'],
      [ids[2], '3'],
    ])
    expect(write({ turns }, { callIds: 'alnum9' }).text).toBe(write({ turns }, { callIds: 'alnum9' }).text)
  })
  test('C06 C27 C23: no arguments are {}, no text is null, an answer of nothing is left out', () => {
    const turns = [
      turn('assistant', text(''), call('a', 'f', { arguments: '' })),
      turn('user', result('a', '')),
      turn('assistant', text('')),
    ]
    const { messages } = write({ turns })
    expect(messages.length).toBe(2)
    expect(messages[0]).toEqual({
      role: 'assistant',
      content: null,
      tool_calls: [{ id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } }],
    })
  })
  test('C15 C21: long names and namespaces are aliased everywhere; custom calls are wrapped', () => {
    const long = `mcp__${'x'.repeat(80)}`
    const { body, messages } = write({
      tools: [
        tool(long),
        tool('apply_patch', { kind: 'custom', description: 'Patch.', format: { type: 'grammar', syntax: 'lark', definition: 'start: x' } }),
      ],
      toolChoice: { type: 'tool', name: long },
      turns: [
        turn('assistant', call('a', long), call('b', 'apply_patch', { kind: 'custom', arguments: '*** "x"' })),
        turn('user', result('a', '1'), result('b', '2')),
      ],
    })
    const alias = body.tools[0].function.name
    expect(alias.length).toBeLessThanOrEqual(64)
    expect([body.tool_choice.function.name, messages[0].tool_calls[0].function.name]).toEqual([alias, alias])
    expect(JSON.parse(messages[0].tool_calls[1].function.arguments)).toEqual({ input: '*** "x"' })
    expect(body.tools[1].function.parameters.required).toEqual(['input'])
    expect(body.tools[1].function.description).toContain('start: x')
  })
})

describe('thoughts', () => {
  const ours: Proof = {
    dialect: 'openai-chat',
    upstream: 'here',
    value: Buffer.from('{"type":"reasoning.text","signature":"S","format":"f"}').toString('base64url'),
  }
  const theirs: Proof = { dialect: 'anthropic-messages', upstream: 'claude', value: 'SIG' }
  const thinking = (proof: Proof): Turn[] => [
    turn('user', text('q')),
    turn('assistant', { type: 'reasoning', text: 'hmm', proof }, text('a', { proof })),
  ]

  test('D01 D03: a proof goes back to its maker alone; another one’s thought stays out of the prompt', () => {
    expect(write({ turns: thinking(ours) }).messages[1]).toMatchObject({
      reasoning_details: [{ type: 'reasoning.text', signature: 'S', format: 'f', text: 'hmm' }],
      extra_content: { google: { thought_signature: ours.value } },
    })
    const { text: sent } = write({ turns: thinking(theirs) })
    for (const word of ['hmm', 'SIG', 'reasoning', 'extra_content']) expect(sent).not.toContain(word)
    expect(write({ turns: thinking({ ...ours, upstream: 'elsewhere' }) }).text).not.toContain('reasoning')
  })
  test('D02: servers that want it get their reasoning back, on turns with calls only', () => {
    const turns = [
      turn('assistant', { type: 'reasoning', text: 'first' }, call('a')),
      turn('user', result('a', '1')),
      turn('assistant', { type: 'reasoning', text: 'second' }, text('done')),
      turn('user', text('more')),
    ]
    const { messages } = write({ turns }, { reasoningEcho: true })
    expect(messages[0].reasoning_content).toBe('first')
    expect(JSON.stringify(messages)).not.toContain('second')
  })
})

describe('tools', () => {
  test('C13: no tools, no choice among them, and never an empty list', () => {
    const { body } = write({ toolChoice: { type: 'auto' }, parallelCalls: false })
    expect([body.tools, body.tool_choice, body.parallel_tool_calls]).toEqual([undefined, undefined, undefined])
    expect(write({ toolChoice: { type: 'required' }, names: { toolChoice: 'tool_choice' } }).dropped).toEqual(['tool_choice'])
  })
  test('C12: a choice of a tool that is not there goes', () => {
    const { body, dropped } = write({ tools: [tool('a')], toolChoice: { type: 'tool', name: 'web' } })
    expect([body.tool_choice, dropped]).toEqual([undefined, ['tool_choice']])
  })
  test('I10: schemas leave byte for byte; none is an empty object', () => {
    const schema = '{"type":"object","properties":{"z":{"minimum":1.0},"a":{}}}'
    expect(write({ tools: [tool('a', { schema })] }).text).toContain(`"parameters":${schema}`)
    expect(write({ tools: [tool('a')] }).body.tools[0].function.parameters).toEqual({ type: 'object', properties: {} })
  })
  test('C22: strict, parallel calls and forced tools only where they are known, else disclosed', () => {
    const schema = '{"type":"object","properties":{},"additionalProperties":false}'
    const asked = { tools: [tool('a', { strict: true, schema })], parallelCalls: false, toolChoice: { type: 'required' } as const }
    expect(write(asked).body).toMatchObject({
      tools: [{ function: { strict: true } }],
      parallel_tool_calls: false,
      tool_choice: 'required',
    })
    const poor = write(asked, { strict: false, parallelCalls: false, forcedTools: false })
    expect(poor.dropped).toEqual(['tools[0].strict', 'tool_choice', 'parallel_tool_calls'])
    expect(poor.body).toMatchObject({ tool_choice: 'auto' })
    expect(write(asked, { tools: false }).refused).toBe('tools[0]')
  })
  test('allowed tools are the only ones sent', () => {
    const { body } = write({ tools: [tool('a'), tool('b')], toolChoice: { type: 'allowed', mode: 'required', names: ['b'] } })
    expect([body.tools.map((t: Loose) => t.function.name), body.tool_choice]).toEqual([['b'], 'required'])
  })
})

describe('parameters', () => {
  test('D07: one spelling of the cap, and no more than the model has', () => {
    expect(write({ params: { maxOutput: 9 } }).body.max_completion_tokens).toBe(9)
    const old = write({ params: { maxOutput: 90_000 } }, { maxCompletionTokens: false }, 8192).body
    expect([old.max_tokens, old.max_completion_tokens]).toEqual([8192, undefined])
    expect(write({}).body.max_tokens).toBeUndefined()
  })
  test('B20: usage is always asked for on streams, where that is known', () => {
    expect(write({ stream: true }).body).toMatchObject({ stream: true, stream_options: { include_usage: true } })
    expect(write({ stream: true }, { streamUsage: false }).body.stream_options).toBeUndefined()
    expect(write({}).body.stream).toBeUndefined()
  })
  test('D05: hints are dropped and disclosed by the client’s own names; what changes the answer is refused', () => {
    const { body, dropped } = write(
      { params: { temperature: 1, topP: 0.5, topK: 4, seed: 1, cacheKey: 'k' }, names: { topP: 'top_p', topK: 'top_k' } },
      { sampling: false, seed: false, cacheKey: false },
    )
    expect(dropped).toEqual(['temperature', 'top_p', 'top_k', 'seed', 'cacheKey'])
    expect(Object.keys(body)).toEqual(['model', 'messages'])
    expect(write({ params: { n: 2 } }, { n: false }).refused).toBe('n')
    expect(write({ params: { stop: ['x'] }, names: { stop: 'stop_sequences' } }, { stop: false }).refused).toBe('stop_sequences')
    expect(write({ params: { logprobs: 2 } }).body).toMatchObject({ logprobs: true, top_logprobs: 2 })
    expect(write({ params: { temperature: 1, topP: 1 } }, { temperatureWithTopP: false }).dropped).toEqual(['topP'])
  })
  test('D04 I08: effort is the nearest that the model knows, a budget becomes one', () => {
    const effort = (reasoning: object, efforts: readonly string[]) => write({ params: { reasoning } }, { efforts })
    const some = ['low', 'medium', 'high']
    expect(effort({ effort: 'xhigh' }, some).body.reasoning_effort).toBe('high')
    expect(effort({ effort: 'xhigh' }, some).dropped).toEqual(['reasoning'])
    expect(effort({ budget: 9000 }, some)).toMatchObject({ body: { reasoning_effort: 'high' }, dropped: [] })
    expect(effort({ off: true }, ['none', 'low']).body.reasoning_effort).toBe('none')
    expect(effort({ off: true }, some)).toMatchObject({ body: { reasoning_effort: 'low' }, dropped: ['reasoning'] })
    expect(effort({ effort: 'low' }, [])).toMatchObject({ dropped: ['reasoning'] })
    expect(effort({ adaptive: true }, some).body.reasoning_effort).toBeUndefined()
    expect(effort({ off: true }, []).dropped).toEqual([])
  })
  test('H11: users of more than 64 characters are hashed', () => {
    const user = JSON.stringify({ device: 'd'.repeat(150) })
    expect(write({ params: { user } }).body.user).toMatch(/^[0-9a-f]{64}$/)
    expect(write({ params: { user: 'ann' } }).body.user).toBe('ann')
  })
  test('tiers and metadata of another family mean other things', () => {
    expect(write({ params: { serviceTier: 'standard_only', metadata: { a: '1' } } }).dropped).toEqual(['serviceTier', 'metadata'])
    expect(write({ source: 'openai-responses', params: { metadata: { a: '1' } } }).body.metadata).toEqual({ a: '1' })
  })
})

test('a model that refuses to reason beside tools is told not to; without tools it may', () => {
  const can = { reasonsWithTools: false, efforts: ['none', 'low', 'high'] }
  const high = { params: { reasoning: { effort: 'high' } }, names: { reasoning: 'thinking' } } as const
  const beside = write({ ...high, tools: [tool('f')] }, can)
  expect([beside.body.reasoning_effort, beside.dropped]).toEqual(['none', ['thinking']])
  const unasked = write({ tools: [tool('f')] }, can)
  expect([unasked.body.reasoning_effort, unasked.dropped]).toEqual(['none', []])
  expect(write(high, can).body.reasoning_effort).toBe('high')
})

describe('structured output', () => {
  const format = {
    type: 'json_schema',
    name: 'City!',
    schema: '{"type":"object","properties":{},"additionalProperties":false}',
    strict: true,
  } as const
  test('D08: a schema where it is known, else a forced tool, else a refusal', () => {
    expect(write({ params: { format } }).body.response_format).toEqual({
      type: 'json_schema',
      json_schema: { name: 'City_', schema: JSON.parse(format.schema), strict: true },
    })
    const forced = write({ params: { format } }, { jsonSchema: false }).body
    expect(forced.response_format).toBeUndefined()
    expect(forced.tools[0].function).toMatchObject({ name: 'json_output', parameters: { type: 'object' } })
    expect(forced.tool_choice).toEqual({ type: 'function', function: { name: 'json_output' } })
    expect(write({ params: { format }, tools: [tool('a')] }, { jsonSchema: false }).body.tool_choice).toBe('required')
    expect(write({ params: { format }, names: { format: 'output_config' } }, { jsonSchema: false, tools: false }).refused).toBe(
      'output_config',
    )
  })
  test('some JSON: by its own word, by a schema, or refused', () => {
    const some = { format: { type: 'json_object' } as const }
    expect(write({ params: some }).body.response_format).toEqual({ type: 'json_object' })
    expect(write({ params: some }, { jsonObject: false }).body.response_format.type).toBe('json_schema')
    expect(write({ params: some }, { jsonObject: false, jsonSchema: false }).refused).toBe('format')
  })
})

describe('media', () => {
  const media = (more: object) => ({ type: 'media', field: 'here', ...more }) as Content
  const sent = (content: Content, edit?: CapabilityEdit) => write({ turns: [turn('user', text('see'), content)] }, edit)
  test('H19: what it is, not what it was called; text documents become text', () => {
    expect(sent(image).messages[0].content[1].image_url.url).toStartWith('data:image/jpeg;')
    const pdf = media({ kind: 'document', source: { kind: 'base64', mime: 'application/pdf', data: 'JVBERi0x' }, name: 'a.pdf' })
    expect(sent(pdf).messages[0].content[1]).toEqual({
      type: 'file',
      file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,JVBERi0x' },
    })
    const note = media({ kind: 'document', source: { kind: 'text', text: 'hello' }, name: 'a.txt' })
    expect(sent(note, { documents: false }).messages[0].content[1]).toEqual({ type: 'text', text: 'a.txt:\nhello' })
    const sound = media({ kind: 'audio', source: { kind: 'base64', mime: 'audio/mpeg', data: 'QQ==' } })
    expect(sent(sound, { audio: true }).messages[0].content[1].input_audio.format).toBe('mp3')
  })
  test('what can not be shown is refused by its name', () => {
    const at = (source: object, kind = 'document') => sent(media({ kind, source })).refused
    expect(at({ kind: 'file', id: 'file-1' })).toBe('here')
    expect(at({ kind: 'url', url: 'https://x.test/a.pdf' })).toBe('here')
    expect(at({ kind: 'base64', mime: 'video/mp4', data: '' }, 'video')).toBe('here')
    expect(sent(media({ kind: 'image', source: { kind: 'url', url: 'https://x.test/a' } }), { imageUrls: false }).refused).toBe('here')
    expect(sent(media({ kind: 'audio', source: { kind: 'base64', mime: 'audio/wav', data: '' } }), { audio: false }).refused).toBe('here')
  })
})
