import { describe, expect, test } from 'bun:test'
import { factsOf } from './facts.ts'
import { readUnit } from './read-unit.ts'

const piecesOf = (dialect: string, message: unknown) => readUnit(dialect, Buffer.from(JSON.stringify(message)))
const text = 'some text'

describe('results of', () => {
  test.each([
    ['Chat, a string', 'openai-chat', { role: 'tool', tool_call_id: 'a', content: text }, 'a', [['/content', text]], undefined],
    [
      'Chat, parts',
      'openai-chat',
      { role: 'tool', tool_call_id: 'a', content: [{ type: 'text', text }] },
      'a',
      [['/content/0/text', text]],
      undefined,
    ],
    ['Chat, of old', 'openai-chat', { role: 'function', name: 'f', content: text }, undefined, [['/content', text]], undefined],
    [
      'Messages, a picture among them',
      'anthropic-messages',
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'a', content: [{ type: 'text', text }, { type: 'image' }] }] },
      'a',
      [['/content/0/content/0/text', text]],
      'media',
    ],
    [
      'Messages, an error',
      'anthropic-messages',
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'a', content: text, is_error: true }] },
      'a',
      [['/content/0/content', text]],
      'error',
    ],
    ['Responses', 'openai-responses', { type: 'function_call_output', call_id: 'a', output: text }, 'a', [['/output', text]], undefined],
    [
      'Responses, a custom tool',
      'openai-responses',
      { type: 'custom_tool_call_output', call_id: 'a', output: [{ type: 'input_text', text }] },
      'a',
      [['/output/0/text', text]],
      undefined,
    ],
    [
      'Responses, a shell',
      'openai-responses',
      { type: 'shell_call_output', call_id: 'a', output: [{ stdout: text, stderr: 'e', outcome: { type: 'exit' } }] },
      'a',
      [
        ['/output/0/stdout', text],
        ['/output/0/stderr', 'e'],
      ],
      undefined,
    ],
    [
      'Gemini',
      'gemini-generate',
      { role: 'user', parts: [{ functionResponse: { id: 'a', name: 'f', response: { output: text, more: [{ 'a/b': 'deep' }] } } }] },
      'a',
      [
        ['/parts/0/functionResponse/response/output', text],
        ['/parts/0/functionResponse/response/more/0/a~1b', 'deep'],
      ],
      undefined,
    ],
    [
      'Gemini, an error',
      'gemini-generate',
      { role: 'user', parts: [{ functionResponse: { name: 'f', response: { error: text } } }] },
      undefined,
      [['/parts/0/functionResponse/response/error', text]],
      'error',
    ],
    [
      'Converse',
      'bedrock-converse',
      { role: 'user', content: [{ toolResult: { toolUseId: 'a', content: [{ text }, { json: { b: 1 } }] } }] },
      'a',
      [['/content/0/toolResult/content/0/text', text]],
      undefined,
    ],
  ] as const)('%s', (_, dialect, message, id, texts, skip) => {
    const [piece, ...rest] = piecesOf(dialect, message)
    expect(rest).toEqual([])
    if (piece?.kind !== 'result') throw new Error('no result')
    expect(piece.result.id).toBe(id as string)
    expect(piece.result.texts.map((one) => [one.pointer, one.text])).toEqual(texts as never)
    expect(piece.result.skip).toBe(skip)
  })

  test('bytes that are no text in UTF-8 are not read: they would come back as others', () => {
    const bytes = Buffer.from(JSON.stringify({ role: 'tool', tool_call_id: 'a', content: 'caf?' }))
    bytes[bytes.indexOf('?')] = 0xe9
    expect(readUnit('openai-chat', bytes)).toEqual([])
  })
  test.each([
    ['null'],
    ['[]'],
    ['"text"'],
    ['{'],
    ['{"role":"tool","content":{"a":1}}'],
    ['{"role":"user","content":[null,1,"x",{"type":"tool_result"}]}'],
  ])('odd shapes are skipped: %s', (body) => {
    for (const dialect of ['openai-chat', 'anthropic-messages', 'openai-responses', 'gemini-generate', 'bedrock-converse'])
      for (const piece of readUnit(dialect, Buffer.from(body))) if (piece.kind === 'result') expect(piece.result.texts).toEqual([])
  })
})

describe('what a call says', () => {
  const facts = factsOf({ api: ['my_*'] })
  const of = (tool: string, input: object) => facts({ tool, input: input as never }, undefined)
  test.each([
    ['Read', { file_path: '/a.ts' }, { kind: 'file', path: '/a.ts', read: { path: '/a.ts', part: '' } }],
    ['Read', { file_path: '/a.ts', offset: 5 }, { kind: 'file', read: { path: '/a.ts', part: 'offset=5' } }],
    ['Edit', { file_path: '/a.ts', old_string: 'x' }, { kind: 'file', path: '/a.ts' }],
    ['Bash', { command: 'make test' }, { kind: 'shell', command: 'make test' }],
    ['exec_command', { cmd: "sed -n '1,80p' src/a.ts" }, { kind: 'shell', read: { path: 'src/a.ts', part: "sed -n '1,80p' src/a.ts" } }],
    ['shell', { command: ['bash', '-lc', 'cat a.ts'] }, { kind: 'shell', command: 'cat a.ts', read: { path: 'a.ts', part: '' } }],
    ['run_it', { script: 'x' }, { kind: 'shell' }],
    ['mcp__db__query', { sql: 'select' }, { kind: 'api' }],
    ['my_reader', { path: 'a' }, { kind: 'api' }],
    ['get_order', { id: 7 }, { kind: 'api' }],
  ])('%s %j', (tool, input, expected) => {
    expect(of(tool, input)).toMatchObject(expected)
  })
  test('of a result without its call nothing is known, so it is no data', () => {
    expect(facts(undefined, undefined)).toEqual({ tool: '', kind: 'shell' })
    expect(of('Bash', { command: 'cat a | head' }).read).toBeUndefined()
    expect(of('Bash', { command: 'cat a > b' }).read).toBeUndefined()
  })
})
