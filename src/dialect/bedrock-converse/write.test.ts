import { describe, expect, test } from 'bun:test'
import { capabilitiesOf } from '../capabilities.ts'
import type { CapabilityEdit } from '../capability.ts'
import type { Content, Conversation, Params, Turn } from '../conversation.ts'
import { writeJson } from '../json-text.ts'
import { LossReport } from '../loss.ts'
import { bedrockConverse } from './index.ts'

// biome-ignore lint/suspicious/noExplicitAny: JSON of our own making
type Loose = any

interface Options {
  readonly model?: string
  readonly can?: CapabilityEdit
}
const sonnet = 'us.anthropic.claude-sonnet-4-5-20250929-v1:0'

function write(
  given: Partial<Conversation>,
  { model = sonnet, can = {} }: Options = {},
): { body: Loose; text: string; report: LossReport } {
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
    upstream: 'aws',
    can: capabilitiesOf('bedrock-converse', 'bedrock', model, can),
    toolName: (name: string) => name,
  }
  const text = writeJson(bedrockConverse.request!.write(conversation, target, report))
  return { body: JSON.parse(text), text, report }
}
const say = (role: Turn['role'], text: string, more: object = {}): Turn => ({ role, content: [{ type: 'text', text, ...more }] })
const call = (id: string, name = 'f', more: object = {}): Content => ({
  type: 'call',
  id,
  name,
  kind: 'function',
  arguments: '{"n": 1.0}',
  ...more,
})
const result = (id: string, text: string, more: object = {}): Content => ({
  type: 'result',
  id,
  content: [{ type: 'text', text }],
  ...more,
})
const file = (mime: string, name?: string): Content => ({
  type: 'media',
  kind: 'document',
  source: { kind: 'base64', mime, data: 'AAAA' },
  name,
  field: 'f',
})
const tool = { kind: 'function', name: 'f', description: '', schema: '{"type":"object", "properties":{}}', field: 'tools[0]' } as const

describe('Converse requests', () => {
  test('system, marked texts, results behind their calls, a tool list for the history alone', () => {
    const { body, text } = write({
      turns: [
        say('system', 'one'),
        say('user', 'go'),
        { role: 'assistant', content: [{ type: 'text', text: ' ' }, call('a'), call('b:1', 'g', { kind: 'custom', arguments: 'raw' })] },
        { role: 'user', content: [result('b:1', 'bad', { error: true })] },
        { role: 'user', content: [result('a', 'ok'), { type: 'text', text: 'more' }] },
        say('system', 'mid'),
      ],
    })
    expect(body.system).toEqual([{ text: 'one' }])
    const [, made, answers] = body.messages
    expect(text).toContain('"input":{"n": 1.0}')
    expect(made.content.map((b: Loose) => [b.toolUse.name, b.toolUse.input])).toEqual([
      ['f', { n: 1 }],
      ['g', { input: 'raw' }],
    ])
    const ids = made.content.map((b: Loose) => b.toolUse.toolUseId)
    expect(answers.content).toEqual([
      { toolResult: { toolUseId: ids[0], content: [{ text: 'ok' }], status: 'success' } },
      { toolResult: { toolUseId: ids[1], content: [{ text: 'bad' }], status: 'error' } },
      { text: 'more' },
      { text: '<system>\nmid\n</system>' },
    ])
    expect(ids[1]).toMatch(/^[\w-]+$/)
    expect(body.toolConfig.tools.map((t: Loose) => t.toolSpec.name)).toEqual(['f', 'g'])
    expect(body.toolConfig.toolChoice).toBeUndefined()
  })

  test('documents: legal names, each once, never without a text; images by format; addresses refused', () => {
    const { body } = write({
      turns: [
        {
          role: 'user',
          content: [file('application/pdf', 'Q3 report (v1).pdf'), file('application/pdf', 'Q3 report (v1).pdf'), file('text/x-python')],
        },
      ],
    })
    expect(body.messages[0].content.map((b: Loose) => b.document && [b.document.format, b.document.name])).toEqual([
      ['pdf', 'Q3 report (v1) pdf'],
      ['pdf', 'Q3 report (v1) pdf 2'],
      ['txt', 'Document'],
      undefined,
    ])
    expect(body.messages[0].content[3].text).toBeString()
    const image = { type: 'media', kind: 'image', field: 'f' } as const
    const png = Buffer.from('\x89PNG\r\n\x1a\n0000', 'latin1').toString('base64')
    const inline: Content = { ...image, source: { kind: 'base64', mime: 'image/jpg', data: png } }
    expect(write({ turns: [{ role: 'user', content: [inline] }] }).body.messages[0].content).toEqual([
      { image: { format: 'png', source: { bytes: png } } },
    ])
    const remote: Content = { ...image, source: { kind: 'url', url: 'https://a' } }
    expect(write({ turns: [{ role: 'user', content: [remote] }] }).report.refusal?.field).toBe('f')
  })

  test('F04 F05: marks become cache points; of too many the last stay', () => {
    const cache = { ttl: '1h' }
    const { body, report } = write({
      tools: [{ ...tool, cache: {} }],
      turns: [
        say('system', 's', { cache: {} }),
        say('user', '1', { cache }),
        say('assistant', '2', { cache: {} }),
        say('user', '3', { cache: {} }),
      ],
    })
    expect(body.toolConfig.tools.length).toBe(1)
    expect(body.system).toEqual([{ text: 's' }, { cachePoint: { type: 'default' } }])
    expect(body.messages[0].content[1]).toEqual({ cachePoint: { type: 'default', ttl: '1h' } })
    expect(report.dropped).toEqual(['cache_control'])
    expect(write({ turns: [say('user', '1', { cache })] }, { can: { cacheMarks: false } }).body.messages[0].content.length).toBe(1)
  })

  test('C12: choices; no way to say none', () => {
    const config = (toolChoice: Conversation['toolChoice'], turns?: Turn[]) =>
      write({ tools: [tool], toolChoice, ...(turns && { turns }) }).body.toolConfig
    expect(config({ type: 'required' }).toolChoice).toEqual({ any: {} })
    expect(config({ type: 'auto' }).toolChoice).toEqual({ auto: {} })
    expect(config({ type: 'tool', name: 'f' }).toolChoice).toEqual({ tool: { name: 'f' } })
    expect(config({ type: 'none' })).toBeUndefined()
    expect(config({ type: 'none' }, [say('user', 'a'), { role: 'assistant', content: [call('a')] }]).tools.length).toBe(1)
    expect(config(undefined).tools[0].toolSpec).toEqual({ name: 'f', inputSchema: { json: { type: 'object', properties: {} } } })
    expect(write({ tools: [tool], toolChoice: { type: 'tool', name: 'gone' } }).report.refusal?.message).toContain('gone')
  })

  test('D01 D03: thoughts go to their maker only', () => {
    const proof = { dialect: 'bedrock-converse', upstream: 'aws', value: 'SIG' }
    const turn = (content: Content[]) => write({ turns: [say('user', 'a'), { role: 'assistant', content }] }).body.messages[1].content
    expect(
      turn([
        { type: 'reasoning', text: 't', proof },
        { type: 'reasoning', text: '', redacted: true, proof },
        { type: 'text', text: 'b' },
      ]),
    ).toEqual([
      { reasoningContent: { reasoningText: { text: 't', signature: 'SIG' } } },
      { reasoningContent: { redactedContent: 'SIG' } },
      { text: 'b' },
    ])
    expect(
      turn([
        { type: 'reasoning', text: 't', proof: { ...proof, upstream: 'other' } },
        { type: 'text', text: 'b ' },
      ]),
    ).toEqual([{ text: 'b' }])
  })

  test('thinking and sampling in the words of each maker', () => {
    const params: Params = { maxOutput: 9000, topK: 5, reasoning: { effort: 'low' }, stop: ['END', ' '] }
    const claude = write({ params, names: { topK: 'top_k' } })
    expect(claude.body).toMatchObject({
      inferenceConfig: { maxTokens: 9000, stopSequences: ['END'] },
      additionalModelRequestFields: { thinking: { type: 'enabled', budget_tokens: 2048 } },
      additionalModelResponseFieldPaths: ['/stop_sequence', '/delta/stop_sequence'],
    })
    expect(claude.report.dropped).toContain('top_k')
    expect(write({ params }, { model: 'us.amazon.nova-pro-v1:0' }).body.additionalModelRequestFields).toEqual({
      inferenceConfig: { topK: 5 },
    })
    expect(write({ params }, { model: 'openai.gpt-oss-120b-1:0' }).body.additionalModelRequestFields).toEqual({ reasoning_effort: 'low' })
    expect(write({ params: { topK: 5 } }).body.additionalModelRequestFields).toEqual({ top_k: 5 })
    expect(
      write({ params: { reasoning: { effort: 'low' } } }, { model: 'us.anthropic.claude-sonnet-4-6' }).body.additionalModelRequestFields,
    ).toEqual({
      thinking: { type: 'adaptive' },
      output_config: { effort: 'low' },
    })
    expect(write({ params: { reasoning: { effort: 'low' } } }, { model: 'meta.llama3' }).report.dropped).toEqual(['reasoning'])
    for (const refused of [{ n: 2 }, { logprobs: 1 }, { logitBias: { 1: 1 } }] satisfies Params[]) {
      expect(write({ params: refused }).report.refusal?.field).toBe(Object.keys(refused)[0]!)
    }
  })

  test('output held to a schema: by a forced tool, in the config where the model can, by words where neither', () => {
    const format = (schema: string): Params => ({ format: { type: 'json_schema', name: 'n', schema } })
    const without = { can: { jsonSchema: false } }
    const forced = write({ params: format('{"type":"object", "properties":{}}') }, without)
    expect(forced.body.toolConfig.toolChoice).toEqual({ tool: { name: 'json_output' } })
    expect(write({ params: format('{"type":"object"}') }, { can: { jsonSchema: true } }).body.outputConfig).toEqual({
      textFormat: { type: 'json_schema', structure: { jsonSchema: { name: 'n', schema: '{"type":"object"}' } } },
    })
    const words = write({ params: format('{"type":"array"}') }, without)
    expect([words.body.system[0].text.includes('{"type":"array"}'), words.report.dropped.length]).toEqual([true, 1])
  })
})
