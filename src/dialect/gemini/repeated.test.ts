import { describe, expect, test } from 'bun:test'
import { promptUnits } from '../../json/prompt-units.ts'
import type { Conversation } from '../conversation.ts'
import { jsonSource } from '../json-source.ts'
import { LossReport } from '../loss.ts'
import { geminiBatchEmbed, geminiEmbedContent, geminiGenerate } from './index.ts'

function read(body: unknown): Conversation & { report: LossReport } {
  const report = new LossReport()
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return { ...geminiGenerate.request!.read(jsonSource(Buffer.from(text))!, report), report }
}

describe('one value for a list, as in the samples of Google for curl', () => {
  const alone = {
    system_instruction: { parts: { text: 'S' } },
    tools: { function_declarations: { name: 'f', parameters: { type: 'object', properties: { n: { maximum: null } } } } },
    contents: { parts: { text: 'U' } },
  }
  const spelled = JSON.stringify(alone).replace('null', '1.50')

  test('nothing of it is lost, and nothing of its spelling', () => {
    const { turns, tools, extras, report } = read(spelled)
    expect(turns).toEqual([
      { role: 'system', content: [{ type: 'text', text: 'S' }] },
      { role: 'user', content: [{ type: 'text', text: 'U', proof: undefined }] },
    ])
    expect(tools.map(({ name, schema }) => [name, schema])).toEqual([['f', '{"type":"object","properties":{"n":{"maximum":1.50}}}']])
    expect([extras, report.refusal]).toEqual([[], undefined])
  })
  test('also of calls and their results', () => {
    const turns = read(
      '{"contents":[{"role":"model","parts":{"functionCall":{"name":"f","args":{"a":1.0}}}},' +
        '{"role":"user","parts":{"functionResponse":{"name":"f","response":{"b":2.0}}}}]}',
    ).turns
    expect(turns.map(({ content }) => content)).toMatchObject([
      [{ type: 'call', name: 'f', arguments: '{"a":1.0}' }],
      [{ type: 'result', name: 'f', content: [{ type: 'text', text: '{"b":2.0}' }] }],
    ])
  })
  test('contents that are no contents are refused, not left out', () => {
    expect(read({ contents: 'Hi' }).report.refusal?.field).toBe('contents[0].role')
  })
  test('plugins see it, with pointers that lead to it', () => {
    const parts = geminiGenerate.parts(JSON.parse(spelled))
    expect(parts.map(({ kind, pointer, text }) => [kind, pointer, kind === 'tool_schema' ? '' : text])).toEqual([
      ['tool_schema', '/tools/function_declarations', ''],
      ['system', '/system_instruction/parts/text', 'S'],
      ['user', '/contents/parts/text', 'U'],
    ])
    const instruction = { contents: [{ parts: { text: 'U' } }], systemInstruction: [{ text: 'S' }, 'T'] }
    expect(geminiGenerate.parts(instruction).map(({ pointer }) => pointer)).toEqual([
      '/systemInstruction/0/text',
      '/systemInstruction/1',
      '/contents/0/parts/text',
    ])
    expect(read(instruction).turns[0]?.content).toMatchObject([{ text: 'S' }, { text: 'T' }])
  })
  test('where its pieces lie is found', () => {
    const bytes = Buffer.from(spelled)
    const units = promptUnits(bytes, geminiGenerate.prompt!)
    expect(units.map(({ kind, message, start, end }) => [kind, message, bytes.toString('utf8', start, end)])).toEqual([
      ['tools', -1, JSON.stringify(alone.tools).replace('null', '1.50')],
      ['system', -1, '{"parts":{"text":"S"}}'],
      ['message', 0, '{"parts":{"text":"U"}}'],
    ])
  })
  test('embeddings: of a content and of a batch', () => {
    const one = { content: { parts: { text: 'U' } } }
    const batch = { requests: one }
    const inputs = (dialect: typeof geminiEmbedContent, body: object) =>
      dialect
        .embeddings!.read(jsonSource(Buffer.from(JSON.stringify(body)))!, new LossReport())
        .inputs.map((input) => 'text' in input && input.text)
    expect([inputs(geminiEmbedContent, one), inputs(geminiBatchEmbed, batch)]).toEqual([['U'], ['U']])
    const { embeddings } = geminiEmbedContent
    const sized = jsonSource(Buffer.from(JSON.stringify({ ...one, outputDimensionality: '8' })))!
    expect(embeddings!.read(sized, new LossReport()).dimensions).toBe(8)
    expect(geminiEmbedContent.parts(one).map(({ pointer }) => pointer)).toEqual(['/content/parts/text'])
    expect(geminiBatchEmbed.parts(batch).map(({ pointer }) => pointer)).toEqual(['/requests/content/parts/text'])
    expect(geminiBatchEmbed.modelNames!(batch, 'm')).toEqual([['/requests/model', 'models/m']])
  })
})
