import { describe, expect, test } from 'bun:test'
import { capabilitiesOf } from './capabilities.ts'
import type { Conversation, OutputFormat } from './conversation.ts'
import { writeJson } from './json-text.ts'
import { LossReport } from './loss.ts'
import { writeChat } from './openai-chat/write.ts'
import { openaiResponses } from './openai-responses/index.ts'
import { fitsStrict } from './strict-schema.ts'
import { ToolNames } from './tool-names.ts'

const object = (properties: object, more: object = {}): object => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
  ...more,
})
const word = { type: 'string' }
const fits = (schema: object): boolean => fitsStrict(JSON.stringify(schema))

describe('schemas of strict mode', () => {
  test('closed objects whose properties are all required, at any depth', () => {
    for (const schema of [
      object({}),
      object({ a: word, b: { type: ['integer', 'null'], minimum: 1 } }),
      object({ a: { type: 'array', items: object({ b: { anyOf: [word, { type: 'null' }] } }) } }),
      object({ a: { $ref: '#/$defs/x' } }, { $defs: { x: object({ next: { anyOf: [{ $ref: '#/$defs/x' }, { type: 'null' }] } }) } }),
      object({ a: { type: 'string', enum: ['x'], format: 'date', description: 'd' } }, { $schema: 's', title: 't' }),
    ]) {
      expect([schema, fits(schema)]).toEqual([schema, true])
    }
  })
  test('all others are refused there', () => {
    const open = { type: 'object', properties: { a: word }, required: ['a'] }
    for (const schema of [
      {},
      { type: 'array', items: word },
      object({ a: word }, { anyOf: [word] }),
      open,
      object({ a: word }, { required: [] }),
      object({ a: word }, { required: ['a', 'b'] }),
      object({ a: open }),
      object({ a: { type: 'array', items: open } }),
      object({ a: { type: 'array' } }),
      object({ a: { anyOf: [open, { type: 'null' }] } }),
      object({ a: { $ref: '#/$defs/x' } }, { $defs: { x: open } }),
      object({ a: { $ref: '#', description: 'd' } }),
      object({ a: {} }),
      object({ a: { type: 'object', additionalProperties: word } }),
      object({ a: { type: 'string', minLength: 1 } }),
      object({ a: { type: 'string', format: 'uri' } }),
      object({ a: { oneOf: [word] } }),
    ]) {
      expect([schema, fits(schema)]).toEqual([schema, false])
    }
    expect([fitsStrict(undefined), fitsStrict('{')]).toEqual([false, false])
    let deep: object = word
    for (let i = 0; i < 5000; i++) deep = { type: 'array', items: deep }
    expect(fits(object({ a: deep }))).toBe(false)
  })
})

describe('strictness that the client of another API never asked OpenAI for', () => {
  const base: Conversation = { source: 'gemini-generate', stream: false, turns: [], tools: [], params: {}, names: {}, extras: [] }
  const target = (dialect: string) => {
    const can = capabilitiesOf(dialect, 'api.openai.com', 'gpt-5.1')
    return { model: 'up', upstream: 'here', can, maxOutput: undefined, toolName: new ToolNames(can.toolName).of }
  }
  /** Of both dialects: strictness of the output and of the tool, and what was told. */
  const sent = (part: Partial<Conversation>) =>
    ['openai-chat', 'openai-responses'].map((dialect) => {
      const report = new LossReport()
      const write = dialect === 'openai-chat' ? writeChat : openaiResponses.request!.write
      const body = JSON.parse(writeJson(write({ ...base, ...part }, target(dialect), report)))
      const format = body.response_format?.json_schema ?? body.text?.format
      const [tool] = body.tools ?? []
      return [format?.strict, tool?.strict ?? tool?.function?.strict, report.dropped.join(), report.refusal?.field]
    })
  const asking = (schema: object): Partial<Conversation> => {
    const format: OutputFormat = { type: 'json_schema', strict: true, schema: JSON.stringify(schema) }
    return { params: { format }, names: { format: 'generationConfig.responseSchema' } }
  }
  const optional = object({ a: word, b: word }, { required: ['a'] })
  const tools = (schema: object | undefined) => ({
    source: 'anthropic-messages',
    tools: [{ kind: 'function', name: 'f', strict: true, schema: schema && JSON.stringify(schema), field: 'tools[0]' }] as const,
  })

  test('is written where the schema fits, else the schema is sent without and that is told', () => {
    const both = <T>(one: T): T[] => [one, one]
    expect(sent(asking(object({ a: word })))).toEqual(both([true, undefined, '', undefined]))
    expect(sent(asking(optional))).toEqual(both([false, undefined, 'generationConfig.responseSchema', undefined]))
    expect(sent(tools(object({ a: word })))).toEqual(both([undefined, true, '', undefined]))
    expect(sent(tools(optional))).toEqual(both([undefined, false, 'tools[0].strict', undefined]))
    expect(sent(tools(undefined))).toEqual(both([undefined, false, 'tools[0].strict', undefined]))
  })
  test('a client of OpenAI is taken at its word', () => {
    for (const source of ['openai-chat', 'openai-responses']) {
      expect(sent({ ...asking(optional), source }).map(([format, , dropped]) => [format, dropped])).toEqual([
        [true, ''],
        [true, ''],
      ])
      expect(sent({ ...tools(optional), source }).map(([, tool, dropped]) => [tool, dropped])).toEqual([
        [true, ''],
        [true, ''],
      ])
    }
  })
  test('output that is no object is refused in words that help', () => {
    for (const [, , , refused] of sent(asking({ type: 'array', items: word }))) expect(refused).toBe('generationConfig.responseSchema')
  })
})
