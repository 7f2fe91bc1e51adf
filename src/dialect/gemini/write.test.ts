import { describe, expect, test } from 'bun:test'
import { capabilitiesOf } from '../capabilities.ts'
import type { CapabilityEdit } from '../capability.ts'
import type { Content, Conversation, Params, ReasoningRequest, Turn } from '../conversation.ts'
import { writeJson } from '../json-text.ts'
import { LossReport } from '../loss.ts'
import { geminiGenerate } from './index.ts'

// biome-ignore lint/suspicious/noExplicitAny: JSON of our own making
type Loose = any

interface Options {
  readonly model?: string
  readonly can?: CapabilityEdit
}

function write(
  given: Partial<Conversation>,
  { model = 'gemini-2.5-flash', can = {} }: Options = {},
): { text: string; body: Loose; report: LossReport } {
  const report = new LossReport()
  const conversation: Conversation = {
    source: 'openai-chat',
    stream: false,
    turns: [say('user', 'Hi')],
    tools: [],
    params: {},
    names: {},
    extras: [],
    ...given,
  }
  const target = {
    model,
    upstream: 'google',
    can: capabilitiesOf('gemini-generate', 'generativelanguage.googleapis.com', model, can),
    toolName: (name: string) => name.replaceAll('.', '_'),
  }
  const text = writeJson(geminiGenerate.request!.write(conversation, target, report))
  return { text, body: JSON.parse(text), report }
}
const say = (role: Turn['role'], text: string): Turn => ({ role, content: [{ type: 'text', text }] })
const call = (id: string, name: string, more: Partial<Content> = {}): Content =>
  ({ type: 'call', id, name, kind: 'function', arguments: '{"n": 1.0}', ...more }) as Content
const result = (id: string, text: string, error = false): Content => ({ type: 'result', id, content: [{ type: 'text', text }], error })
const loop = (content: readonly Content[], ...answers: readonly Content[][]): Turn[] => [
  say('user', 'go'),
  { role: 'assistant', content },
  ...answers.map((a): Turn => ({ role: 'user', content: a })),
]
const own = { dialect: 'gemini-generate', upstream: 'google', value: 'SIG' }

describe('turns', () => {
  test('H14: leading system texts are the instruction, later ones keep their place; speakers alternate', () => {
    const { body } = write({
      turns: [
        say('system', 'one'),
        say('developer', 'two'),
        say('user', 'a'),
        say('system', 'mid'),
        say('user', 'b'),
        say('assistant', 'c'),
      ],
    })
    expect(body.systemInstruction).toEqual({ parts: [{ text: 'one' }, { text: 'two' }] })
    expect(body.contents).toEqual([
      { role: 'user', parts: [{ text: 'a' }, { text: '<system>\nmid\n</system>' }, { text: 'b' }] },
      { role: 'model', parts: [{ text: 'c' }] },
    ])
    expect(write({ turns: [say('system', 'only')] }).body).toEqual({ contents: [{ role: 'user', parts: [{ text: 'only' }] }] })
    expect(write({ turns: [say('assistant', 'first')] }).body.contents.map((c: Loose) => c.role)).toEqual(['user', 'model'])
  })

  test('C08 C06: answers stand first, in the order of the calls; text after; a missing one is made; arguments keep their spelling', () => {
    const turns = loop(
      [call('a', 'f.x'), call('b', 'g', { arguments: '' } as never), call('c', 'h', { arguments: 'broken' } as never)],
      [result('b', 'B')],
      [result('a', '{"k": 1.0}'), { type: 'text', text: 'and?' }],
    )
    const { body, text } = write({ turns })
    expect(text).toContain('"args":{"n": 1.0}')
    expect(body.contents[1].parts.map((p: Loose) => p.functionCall)).toEqual([
      { id: 'a', name: 'f_x', args: { n: 1 } },
      { id: 'b', name: 'g', args: {} },
      { id: 'c', name: 'h', args: { _raw: 'broken' } },
    ])
    expect(body.contents[2].parts).toEqual([
      { functionResponse: { id: 'a', name: 'f_x', response: { k: 1 } } },
      { functionResponse: { id: 'b', name: 'g', response: { result: 'B' } } },
      { functionResponse: { id: 'c', name: 'h', response: { error: expect.any(String) } } },
      { text: 'and?' },
    ])
    expect(write({ turns: [{ role: 'user', content: [result('nobody', 'x')] }] }).report.refusal?.message).toContain('nobody')
  })

  test('C11 C17: errors are said; what looks like a reference is text', () => {
    const { body } = write({ turns: loop([call('a', 'f'), call('b', 'g')], [result('a', 'bad', true), result('b', '{"$ref":"#/x"}')]) })
    expect(body.contents[2].parts.map((p: Loose) => p.functionResponse.response)).toEqual([{ error: 'bad' }, { result: '{"$ref":"#/x"}' }])
  })

  test('C18 D03: signatures go back to their maker, on their own part; all others are left out with their thought', () => {
    const other = { dialect: 'anthropic-messages', upstream: 'claude', value: 'X' }
    const content: Content[] = [
      { type: 'reasoning', text: 'foreign', proof: other },
      { type: 'reasoning', text: 'nobody vouches' },
      { type: 'reasoning', text: 'mine', proof: own },
      { type: 'text', text: 'said', proof: own },
      call('a', 'f', { proof: { ...own, upstream: 'elsewhere' } } as never),
      call('b', 'f', { proof: own } as never),
    ]
    expect(write({ turns: loop(content) }).body.contents[1].parts).toEqual([
      { text: 'mine', thought: true, thoughtSignature: 'SIG' },
      { text: 'said', thoughtSignature: 'SIG' },
      { functionCall: { id: 'a', name: 'f', args: { n: 1 } } },
      { functionCall: { id: 'b', name: 'f', args: { n: 1 } }, thoughtSignature: 'SIG' },
    ])
  })

  test('Gemini 3: the first call of a turn without a signature gets the documented stand-in', () => {
    const signatures = (model: string, content: Content[]) =>
      write({ turns: loop(content) }, { model }).body.contents[1].parts.map((p: Loose) => p.thoughtSignature)
    expect(signatures('gemini-3-flash-preview', [call('a', 'f'), call('b', 'f')])).toEqual(['skip_thought_signature_validator', undefined])
    expect(signatures('gemini-3.1-pro', [call('a', 'f', { proof: own } as never), call('b', 'f')])).toEqual(['SIG', undefined])
    expect(signatures('gemini-2.5-pro', [call('a', 'f')])).toEqual([undefined])
  })

  test('C09: ids that are too long or taken get others, the same for call and answer', () => {
    const id = 'x'.repeat(80)
    const turns = [
      ...loop([call(id, 'f')], [result(id, '1')]),
      { role: 'assistant', content: [call('a', 'f')] } as Turn,
      { role: 'user', content: [result('a', '2')] } as Turn,
      ...loop([call('a', 'f')], [result('a', '3')]).slice(1),
    ]
    const { body } = write({ turns })
    const ids = (name: string) => body.contents.flatMap((c: Loose) => c.parts.flatMap((p: Loose) => (p[name] ? [p[name].id] : [])))
    expect(ids('functionCall')).toEqual(ids('functionResponse'))
    expect(new Set(ids('functionCall')).size).toBe(3)
    expect(ids('functionCall')[0].length).toBeLessThanOrEqual(64)
  })

  test('H19 C10: media inline with their true type; addresses and file ids refused; inside results', () => {
    const png = Buffer.from('\x89PNG\r\n\x1a\n0000', 'latin1').toString('base64')
    const image: Content = {
      type: 'media',
      kind: 'image',
      source: { kind: 'base64', mime: 'image/jpg', data: png },
      field: 'messages[0].content[0]',
    }
    expect(write({ turns: [{ role: 'user', content: [image] }] }).body.contents[0].parts).toEqual([
      { inlineData: { mimeType: 'image/png', data: png } },
    ])
    const sent = (source: Loose, can = {}) => write({ turns: [{ role: 'user', content: [{ ...image, source }] as Content[] }] }, { can })
    const refused = (source: Loose, can = {}) => sent(source, can).report.refusal?.field
    const remote = { kind: 'url', url: 'https://example.org/a.png' }
    expect(sent(remote).body.contents[0].parts).toEqual([{ fileData: { fileUri: remote.url, mimeType: 'image/png' } }])
    expect(refused(remote, { imageUrls: false })).toBe('messages[0].content[0]')
    expect(refused({ kind: 'file', id: 'file-1' })).toBe('messages[0].content[0]')
    const seen = { type: 'result', id: 'a', content: [{ type: 'text', text: 'look' }, image] } as Content
    const answer = (model: string) => write({ turns: loop([call('a', 'f')], [[seen]].flat()) }, { model }).body.contents[2].parts
    expect(answer('gemini-3-pro')[0].functionResponse).toMatchObject({
      response: { result: 'look' },
      parts: [{ inlineData: { mimeType: 'image/png' } }],
    })
    expect(answer('gemini-2.5-pro')).toMatchObject([
      { functionResponse: { response: { result: 'look' } } },
      { text: expect.stringContaining('f') },
      { inlineData: { mimeType: 'image/png' } },
    ])
  })
})

describe('tools', () => {
  const tools: Conversation['tools'] = [
    { kind: 'function', name: 'a.b', description: 'does', schema: '{"type":"object", "$defs":{"x":{"const":1.0}}}', field: 'tools[0]' },
    { kind: 'custom', name: 'patch', description: 'patches', format: { type: 'grammar', definition: 'start: "x"' }, field: 'tools[1]' },
    { kind: 'function', name: 'c', strict: true, field: 'tools[2]' },
  ]

  test('C16 I10: schemas in the text that was sent; custom tools take one string', () => {
    const { body, text, report } = write({ tools })
    expect(text).toContain('"parametersJsonSchema":{"type":"object", "$defs":{"x":{"const":1.0}}}')
    const [first, custom, bare] = body.tools[0].functionDeclarations
    expect(first).toMatchObject({ name: 'a_b', description: 'does' })
    expect(custom.parametersJsonSchema.required).toEqual(['input'])
    expect(custom.description).toContain('start: "x"')
    expect(bare.parametersJsonSchema).toEqual({ type: 'object', properties: {} })
    expect(report.dropped).toEqual(['tools[2].strict'])
    const custom2 = write({ tools, turns: loop([call('a', 'patch', { kind: 'custom', arguments: 'x\n' } as never)]) })
    expect(custom2.body.contents[1].parts[0].functionCall.args).toEqual({ input: 'x\n' })
  })

  test('C12 C13: choices', () => {
    const config = (toolChoice: Conversation['toolChoice'], list = tools) =>
      write({ tools: list, toolChoice }).body.toolConfig?.functionCallingConfig
    expect(config({ type: 'auto' })).toEqual({ mode: 'AUTO' })
    expect(config({ type: 'none' })).toEqual({ mode: 'NONE' })
    expect(config({ type: 'required' })).toEqual({ mode: 'ANY' })
    expect(config({ type: 'tool', name: 'a.b' })).toEqual({ mode: 'ANY', allowedFunctionNames: ['a_b'] })
    expect(config({ type: 'required' }, [])).toBeUndefined()
    expect(write({ tools, toolChoice: { type: 'tool', name: 'gone' } }).report.refusal?.message).toContain('gone')
    const some = write({ tools, toolChoice: { type: 'allowed', mode: 'auto', names: ['c'] } }).body
    expect(some.tools[0].functionDeclarations.map((f: Loose) => f.name)).toEqual(['c'])
    expect(write({ tools, parallelCalls: false, names: { parallelCalls: 'parallel_tool_calls' } }).report.dropped).toContain(
      'parallel_tool_calls',
    )
  })

  test('output held to a schema: by the config, or by a forced tool', () => {
    const params: Params = { format: { type: 'json_schema', schema: '{"type":"object", "properties":{}}' } }
    expect(write({ params }).text).toContain(
      '"responseMimeType":"application/json","responseJsonSchema":{"type":"object", "properties":{}}',
    )
    const { body } = write({ params }, { can: { jsonSchema: false } })
    expect(body.tools[0].functionDeclarations[0].name).toBe('json_output')
    expect(body.toolConfig.functionCallingConfig).toEqual({ mode: 'ANY', allowedFunctionNames: ['json_output'] })
    expect(write({ params: { format: { type: 'json_object' } } }).body.generationConfig).toEqual({ responseMimeType: 'application/json' })
  })
})

describe('parameters', () => {
  test('mapped, clamped, dropped and refused', () => {
    const { body, report } = write({
      params: {
        maxOutput: 9,
        temperature: 3,
        topP: 0.5,
        topK: 4,
        seed: 1,
        stop: ['x'],
        n: 2,
        cacheKey: 'k',
        user: 'u',
        verbosity: 'low',
        store: true,
        metadata: { a: 'b' },
      },
      names: { temperature: 'temperature', cacheKey: 'prompt_cache_key' },
    })
    expect(body.generationConfig).toEqual({
      maxOutputTokens: 9,
      temperature: 2,
      topP: 0.5,
      topK: 4,
      seed: 1,
      stopSequences: ['x'],
      candidateCount: 2,
    })
    expect([...report.dropped].sort()).toEqual(['metadata', 'prompt_cache_key', 'store', 'temperature', 'user', 'verbosity'])
    expect(report.refusal).toBeUndefined()
    for (const params of [{ stop: ['1', '2', '3', '4', '5', '6'] }, { logitBias: { 1: 2 } }, { logprobs: 2 }] satisfies Params[]) {
      expect(write({ params }).report.refusal?.field).toBe(Object.keys(params)[0]!)
    }
    expect(write({ params: { n: 2 } }, { can: { n: false } }).report.refusal?.field).toBe('n')
    expect(write({}).body).not.toHaveProperty('generationConfig')
  })

  test('D04 I08: levels where the model knows them, else budgets', () => {
    const thinking = (reasoning: ReasoningRequest, model: string, params: Params = {}) => {
      const { body, report } = write({ params: { ...params, reasoning }, names: { reasoning: 'reasoning_effort' } }, { model })
      return [body.generationConfig?.thinkingConfig, report.dropped.length > 0]
    }
    const three = 'gemini-3-flash-preview'
    expect(thinking({ effort: 'low' }, three)).toEqual([{ thinkingLevel: 'LOW', includeThoughts: true }, false])
    expect(thinking({ effort: 'max' }, three)).toEqual([{ thinkingLevel: 'HIGH', includeThoughts: true }, true])
    expect(thinking({ budget: 1500, visible: 'omitted' }, three)).toEqual([{ thinkingLevel: 'LOW', includeThoughts: false }, false])
    expect(thinking({ off: true }, three)).toEqual([{ thinkingLevel: 'MINIMAL', includeThoughts: false }, true])
    expect(thinking({ adaptive: true }, three)).toEqual([{ includeThoughts: true }, false])
    const two = 'gemini-2.5-flash'
    expect(thinking({ effort: 'medium' }, two)).toEqual([{ thinkingBudget: 8192, includeThoughts: true }, false])
    expect(thinking({ budget: 99999 }, two)).toEqual([{ thinkingBudget: 24576, includeThoughts: true }, false])
    expect(thinking({ effort: 'high' }, two, { maxOutput: 1000 })).toEqual([{ thinkingBudget: 999, includeThoughts: true }, false])
    expect(thinking({ effort: 'high' }, two, { maxOutput: 5 })).toEqual([undefined, true])
    expect(thinking({ adaptive: true }, two)).toEqual([{ thinkingBudget: -1, includeThoughts: true }, false])
    expect(thinking({ effort: 'none' }, two)).toEqual([{ thinkingBudget: 0 }, false])
    expect(thinking({ off: true }, 'gemini-2.5-pro')).toEqual([{ thinkingBudget: 128, includeThoughts: false }, true])
    expect(thinking({ effort: 'low' }, 'gemini-2.0-flash')).toEqual([undefined, true])
    expect(thinking({ off: true }, 'gemini-2.0-flash')).toEqual([undefined, false])
  })
})
