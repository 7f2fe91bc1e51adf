import { describe, expect, test } from 'bun:test'
import type { Conversation } from '../conversation.ts'
import { jsonSource } from '../json-source.ts'
import { LossReport } from '../loss.ts'
import { geminiGenerate } from './index.ts'

function read(body: unknown): Conversation & { report: LossReport } {
  const report = new LossReport()
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return { ...geminiGenerate.request!.read(jsonSource(Buffer.from(text))!, report), report }
}
const user = { role: 'user', parts: [{ text: 'Hi' }] }
const weights = ({ extras }: Conversation): string[] => extras.map(({ field, weight }) => `${weight} ${field}`)

describe('contents of Gemini requests', () => {
  test('roles, instruction in every form, both spellings', () => {
    for (const systemInstruction of [
      'Be brief.',
      { text: 'Be brief.' },
      { parts: [{ text: 'Be brief.' }] },
      { role: 'system', parts: [{ text: 'Be brief.' }] },
    ]) {
      for (const body of [
        { contents: [user], systemInstruction },
        { contents: user, system_instruction: systemInstruction },
      ]) {
        expect(read(body).turns).toEqual([
          { role: 'system', content: [{ type: 'text', text: 'Be brief.' }] },
          { role: 'user', content: [{ type: 'text', text: 'Hi', proof: undefined }] },
        ])
      }
    }
    expect(
      read({ contents: [{ parts: [{ text: 'a' }] }, { role: 'model', parts: [{ text: 'b' }] }] }).turns.map((turn) => turn.role),
    ).toEqual(['user', 'assistant'])
    expect(read({ contents: [{ role: 'bot', parts: [] }] }).report.refusal?.field).toBe('contents[0].role')
  })

  test('calls without ids and their responses find each other, in order of their names', () => {
    const { turns } = read({
      contents: [
        user,
        {
          role: 'model',
          parts: [
            { functionCall: { name: 'f', args: { n: 1 } } },
            { function_call: { name: 'g' } },
            { functionCall: { name: 'f', args: {} } },
          ],
        },
        {
          role: 'function',
          parts: [
            { functionResponse: { name: 'g', response: { output: 'G' } } },
            { function_response: { name: 'f', response: { error: 'F1' } } },
            { functionResponse: { name: 'f', response: { a: 1, b: [2] } } },
          ],
        },
      ],
    })
    expect(turns[1]!.content.map((c) => c.type === 'call' && [c.id, c.name, c.arguments])).toEqual([
      ['call_1_0', 'f', '{"n":1}'],
      ['call_1_1', 'g', ''],
      ['call_1_2', 'f', '{}'],
    ])
    expect(turns[2]!.content.map((c) => c.type === 'result' && [c.id, c.error === true, c.content])).toEqual([
      ['call_1_1', false, [{ type: 'text', text: 'G' }]],
      ['call_1_0', true, [{ type: 'text', text: 'F1' }]],
      ['call_1_2', false, [{ type: 'text', text: '{"a":1,"b":[2]}' }]],
    ])
  })

  test('ids where given; a response without one goes to the first open call; arguments keep their spelling', () => {
    const { turns } = read(
      '{"contents":[{"role":"model","parts":[{"functionCall":{"id":"x","name":"f","args":{"n": 1.0}}}]},{"role":"model","parts":[{"functionCall":{"name":"f"}}]},{"parts":[{"functionResponse":{"id":"x","name":"f","response":{"result":[1.0, 2]}}},{"functionResponse":{"name":"f","response":{}}}]}]}',
    )
    expect(turns[0]!.content[0]).toMatchObject({ id: 'x', arguments: '{"n": 1.0}' })
    expect(turns[1]!.content).toMatchObject([
      { id: 'x', content: [{ text: '[1.0, 2]' }] },
      { id: 'call_1_0', content: [{ text: '{}' }] },
    ])
  })

  test('D01: proofs with their maker, pieces of one thought joined, hidden thoughts, the stand-in is none', () => {
    const { turns } = read({
      contents: [
        {
          role: 'model',
          parts: [
            { text: 'think', thought: true },
            { text: 'ing', thought: true },
            { text: '', thought: true, thoughtSignature: 'hg1.anthropic-messages.claude.SIG' },
            { thought: true, thoughtSignature: 'hg1.anthropic-messages.claude.HIDDEN' },
            { text: 'said', thoughtSignature: 'own' },
            { functionCall: { name: 'f' }, thoughtSignature: 'skip_thought_signature_validator' },
          ],
        },
      ],
    })
    expect(turns[0]!.content).toEqual([
      { type: 'reasoning', text: 'thinking', proof: { dialect: 'anthropic-messages', upstream: 'claude', value: 'SIG' } },
      { type: 'reasoning', text: '', redacted: true, proof: { dialect: 'anthropic-messages', upstream: 'claude', value: 'HIDDEN' } },
      { type: 'text', text: 'said', proof: { dialect: 'gemini-generate', upstream: '', value: 'own' } },
      { type: 'call', id: 'call_0_5', name: 'f', kind: 'function', arguments: '', proof: undefined },
    ])
  })

  test('D01: SDKs keep chunks of a stream as contents of their own: one turn, one thought', () => {
    const chunks = [
      { text: 'a', thought: true },
      { text: 'b', thought: true },
      { text: '', thought: true, thoughtSignature: 'hg1.anthropic-messages.claude.SIG' },
      { text: 'said' },
    ]
    const contents = chunks.map((part) => ({ role: 'model', parts: [part] }))
    const { turns } = read({ contents: [user, ...contents, user] })
    expect(turns[1]!.content).toMatchObject([
      { type: 'reasoning', text: 'ab', proof: { value: 'SIG' } },
      { type: 'text', text: 'said' },
    ])
    expect(turns.length).toBe(3)
    expect(geminiGenerate.request!.foreign({ contents: [user, ...contents, user] })).toEqual(['/contents/3', '/contents/2', '/contents/1'])
  })

  test('media: inline in either base64, public addresses, files that only Google has', () => {
    const { turns } = read({
      contents: [
        {
          parts: [
            { inline_data: { mime_type: 'image/png', data: '-_8' } },
            { inlineData: { mimeType: 'application/pdf', data: 'JVBE', displayName: 'a.pdf' } },
            { fileData: { fileUri: 'https://example.org/a.mp3', mimeType: 'audio/mpeg' } },
            { fileData: { fileUri: 'https://generativelanguage.googleapis.com/v1beta/files/x', mimeType: 'image/png' } },
            { fileData: { fileUri: 'gs://bucket/x' } },
          ],
        },
      ],
    })
    expect(turns[0]!.content).toMatchObject([
      { kind: 'image', source: { kind: 'base64', mime: 'image/png', data: '+/8=' } },
      { kind: 'document', source: { kind: 'base64' }, name: 'a.pdf' },
      { kind: 'audio', source: { kind: 'url', url: 'https://example.org/a.mp3', mime: 'audio/mpeg' } },
      { kind: 'image', source: { kind: 'file' } },
      { kind: 'document', source: { kind: 'file', id: 'gs://bucket/x' } },
    ])
  })

  test('what only Gemini has is named', () => {
    const conversation = read({
      contents: [
        {
          parts: [
            { text: 'a', mediaResolution: {} },
            { executableCode: { code: '1' } },
            { fileData: { fileUri: 'https://youtu.be/x' }, videoMetadata: { startOffset: '1s' } },
          ],
        },
      ],
      cachedContent: 'cachedContents/x',
      safetySettings: [{ category: 'C' }],
      labels: { a: 'b' },
      modelArmorConfig: {},
      tools: [{ googleSearch: {}, functionDeclarations: [{ name: 'f', behavior: 'BLOCKING' }] }],
      tool_config: { include_server_side_tool_invocations: true },
      generationConfig: { responseModalities: ['TEXT', 'IMAGE'], mediaResolution: 'LOW' },
    })
    expect(weights(conversation)).toEqual([
      'hint contents[0].parts[0].mediaResolution',
      'hint contents[0].parts[1].executableCode',
      'meaning contents[0].parts[2].videoMetadata',
      'hosted tools[0].googleSearch',
      'hint tools[0].functionDeclarations[0].behavior',
      'hint tool_config.include_server_side_tool_invocations',
      'hint generationConfig.mediaResolution',
      'meaning generationConfig.responseModalities',
      'meaning cachedContent',
      'hint safetySettings',
      'hint modelArmorConfig',
    ])
    expect(conversation.params.metadata).toEqual({ a: 'b' })
  })

  test('odd shapes do not throw', () => {
    for (const body of [
      '{}',
      '{"contents":7}',
      '{"contents":[7,null,{"parts":7},{"parts":[7,{"functionCall":7},{"functionResponse":{}},{"thought":true}]}]}',
      '{"contents":[],"tools":[7,{"functionDeclarations":7}],"generationConfig":[],"toolConfig":{"functionCallingConfig":7},"systemInstruction":7}',
    ]) {
      expect(read(body).source).toBe('gemini-generate')
    }
  })
})

describe('tools and parameters of Gemini requests', () => {
  test('schemas: JSON Schema as sent, Google spelling converted in place, in order', () => {
    const { tools } = read(
      `{"contents":[],"tools":[{"function_declarations":[
        {"name":"a","parametersJsonSchema":{"type":"object", "properties":{"z":{},"a":{"type":["string","null"]}}}},
        {"name":"b","parameters":{"type":"OBJECT","properties":{"z":{"type":"STRING","nullable":true,"enum":["x"],"format":"enum"},"type":{"type":"ARRAY","items":{"type":"INTEGER"},"minItems":"2"}},"propertyOrdering":["z"],"required":["z"]}},
        {"name":"c","description":"no schema"}]}]}`,
    )
    expect(tools[0]!.schema).toBe('{"type":"object", "properties":{"z":{},"a":{"type":["string","null"]}}}')
    expect(tools[1]!.schema).toBe(
      '{"type":"object","properties":{"z":{"type":["string","null"],"enum":["x",null]},"type":{"type":"array","items":{"type":"integer"},"minItems":2}},"required":["z"]}',
    )
    expect(tools[2]).toMatchObject({ name: 'c', schema: undefined, field: 'tools[0].function_declarations[2]' })
  })

  test('tool choice', () => {
    const choice = (functionCallingConfig: unknown) => read({ contents: [], toolConfig: { functionCallingConfig } }).toolChoice
    expect(choice({ mode: 'AUTO' })).toEqual({ type: 'auto' })
    expect(choice({ mode: 'NONE' })).toEqual({ type: 'none' })
    expect(choice({ mode: 'none' })).toEqual({ type: 'none' })
    expect(choice({ mode: 'ANY' })).toEqual({ type: 'required' })
    expect(choice({ mode: 'ANY', allowedFunctionNames: ['f'] })).toEqual({ type: 'tool', name: 'f' })
    expect(choice({ mode: 'ANY', allowed_function_names: ['f', 'g'] })).toEqual({ type: 'allowed', mode: 'required', names: ['f', 'g'] })
    expect(choice({ mode: 'VALIDATED', allowedFunctionNames: ['f'] })).toEqual({ type: 'allowed', mode: 'auto', names: ['f'] })
    expect(choice({})).toBeUndefined()
  })

  test('generation config', () => {
    const { params, names } = read({
      contents: [],
      generation_config: {
        max_output_tokens: 7,
        temperature: 0,
        topP: 0.5,
        topK: 3,
        seed: 5,
        candidateCount: 2,
        stopSequences: ['END'],
        responseLogprobs: true,
        logprobs: 4,
        thinkingConfig: { thinkingLevel: 'LOW', includeThoughts: true },
        responseMimeType: 'application/json',
        responseSchema: { type: 'STRING' },
      },
    })
    expect(params).toEqual({
      maxOutput: 7,
      temperature: 0,
      topP: 0.5,
      topK: 3,
      seed: 5,
      n: 2,
      stop: ['END'],
      logprobs: 4,
      reasoning: { effort: 'low', visible: 'auto' },
      format: { type: 'json_schema', strict: true, schema: '{"type":"string"}' },
    })
    expect(names).toMatchObject({ maxOutput: 'generation_config.max_output_tokens', format: 'generation_config.responseSchema' })
  })

  test('numbers may be strings, as in all JSON of Google; what is none is told', () => {
    const { params, extras } = read({
      contents: [],
      generationConfig: {
        maxOutputTokens: '5',
        temperature: '0.5',
        topP: 'much',
        topK: '1e999',
        seed: {},
        responseLogprobs: true,
        logprobs: '2',
        stopSequences: 'END',
        responseModalities: 'text',
        thinkingConfig: { thinkingBudget: '-1' },
      },
    })
    expect(params).toEqual({
      maxOutput: 5,
      temperature: 0.5,
      logprobs: 2,
      stop: ['END'],
      reasoning: { budget: -1, adaptive: true },
    })
    expect(extras.map(({ field, weight }) => `${weight} ${field}`)).toEqual(
      ['topP', 'topK', 'seed'].map((name) => `hint generationConfig.${name}`),
    )
  })

  test('thinking and answers in JSON', () => {
    const params = (generationConfig: unknown) => read({ contents: [], generationConfig }).params
    expect(params({ thinkingConfig: { thinkingBudget: 0 } }).reasoning).toEqual({ off: true })
    expect(params({ thinkingConfig: { thinkingBudget: -1 } }).reasoning).toEqual({ budget: -1, adaptive: true })
    expect(params({ thinkingConfig: { thinkingBudget: 500, includeThoughts: false } }).reasoning).toEqual({
      budget: 500,
      visible: 'omitted',
    })
    expect(params({ responseMimeType: 'application/json' }).format).toEqual({ type: 'json_object' })
    expect(params({ responseMimeType: 'text/plain' }).format).toEqual({ type: 'text' })
    expect(weights(read({ contents: [], generationConfig: { responseMimeType: 'text/x.enum' } }))).toEqual([
      'meaning generationConfig.responseMimeType',
    ])
  })
})

describe('proofs of others in a native request', () => {
  const foreign = (parts: unknown[]) => geminiGenerate.request!.foreign({ contents: [user, { role: 'model', parts }] } as never)
  const tag = 'hg1.anthropic-messages.claude.x'

  test('a thought goes with its pieces, a text or call keeps its place', () => {
    expect(
      foreign([
        { text: 'own', thought: true, thoughtSignature: 'google' },
        { text: 'a', thought: true },
        { text: 'b', thought: true, thoughtSignature: tag },
        { text: 'said', thought_signature: tag },
        { functionCall: { name: 'f' }, thoughtSignature: tag },
        { functionCall: { name: 'g' }, thoughtSignature: 'google' },
      ]),
    ).toEqual([
      '/contents/1/parts/4/thoughtSignature',
      '/contents/1/parts/3/thought_signature',
      '/contents/1/parts/2',
      '/contents/1/parts/1',
    ])
  })

  test('a content of nothing else goes whole', () => {
    expect(foreign([{ thought: true, thoughtSignature: tag }])).toEqual(['/contents/1'])
    expect(foreign([{ text: 'a', thought: true }])).toEqual([])
  })
})

describe('parts of a request', () => {
  test('texts, tools and every string of a response, with their pointers', () => {
    const parts = geminiGenerate.parts({
      system_instruction: { parts: [{ text: 'S' }] },
      tools: [{ functionDeclarations: [{ name: 'f' }], googleSearch: {} }],
      contents: [
        { parts: [{ text: 'U' }, { text: 'T', thought: true }] },
        { role: 'model', parts: [{ text: 'M' }] },
        { role: 'user', parts: [{ functionResponse: { name: 'f', id: 'i', response: { out: ['a', { 'b/c': 'd' }], n: 1 } } }] },
      ],
    })
    expect(parts.map(({ kind, pointer, text, name, message }) => [kind, pointer, text, name, message])).toEqual([
      ['tool_schema', '/tools/0/functionDeclarations/0', '{"name":"f"}', 'f', -1],
      ['tool_schema', '/tools/0/googleSearch', '{}', 'googleSearch', -1],
      ['system', '/system_instruction/parts/0/text', 'S', undefined, -1],
      ['user', '/contents/0/parts/0/text', 'U', undefined, 0],
      ['assistant', '/contents/1/parts/0/text', 'M', undefined, 1],
      ['tool_result', '/contents/2/parts/0/functionResponse/response/out/0', 'a', 'i', 2],
      ['tool_result', '/contents/2/parts/0/functionResponse/response/out/1/b~1c', 'd', 'i', 2],
    ])
  })

  test('of every role that is translated', () => {
    const contents = ['tool', 'assistant', 'function', 'system'].map((role) => ({ role, parts: [{ text: role }] }))
    expect(geminiGenerate.parts({ contents }).map(({ kind, text }) => [text, kind])).toEqual([
      ['tool', 'user'],
      ['assistant', 'assistant'],
      ['function', 'user'],
      ['system', 'system'],
    ])
    expect(read({ contents }).report.refusal).toBeUndefined()
  })

  test('a request to count may hold the request', () => {
    const body = { generateContentRequest: { contents: [user] } }
    expect(geminiGenerate.parts(body).map((part) => part.pointer)).toEqual(['/generateContentRequest/contents/0/parts/0/text'])
  })
})
