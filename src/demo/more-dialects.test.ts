/** The demo in the other dialects, by their SDKs: Responses, legacy Completions, Embeddings and Gemini. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { GoogleGenAI } from '@google/genai'
import OpenAI from 'openai'
import type { ResponseInputItem } from 'openai/resources/responses/responses'
import { type Demo, startDemo } from './server.ts'

let demo: Demo
let openai: OpenAI
let google: GoogleGenAI

beforeAll(() => {
  demo = startDemo({ pace: 0 })
  openai = new OpenAI({ apiKey: 'any', baseURL: `${demo.url}/v1`, maxRetries: 0 })
  google = new GoogleGenAI({ apiKey: 'any', httpOptions: { baseUrl: demo.url } })
})
afterAll(() => demo.stop())

const said = 'Grüße, 世界 👋'
const schema = { type: 'object' as const, properties: { city: { type: 'string' }, note: { type: 'string' } }, required: ['city'] }

describe('responses', () => {
  test('whole and streamed say the same, usage adds up, input_tokens agrees', async () => {
    const whole = await openai.responses.create({ model: 'demo', input: said })
    expect(whole.output_text).toContain(said)
    expect(whole.status).toBe('completed')
    const usage = whole.usage!
    expect(usage.total_tokens).toBe(usage.input_tokens + usage.output_tokens)
    const streamed = await openai.responses.stream({ model: 'demo', input: said }).finalResponse()
    expect(streamed.output_text).toBe(whole.output_text)
    expect(streamed.usage).toEqual(usage)
    expect((await openai.responses.inputTokens.count({ model: 'demo', input: said })).input_tokens).toBe(usage.input_tokens)
  })

  test('a tool is called, then its result is quoted; streamed alike', async () => {
    const tools = [{ type: 'function' as const, name: 'get_weather', parameters: schema, strict: false }]
    const input: ResponseInputItem[] = [{ role: 'user', content: said }]
    const first = await openai.responses.create({ model: 'demo', input, tools })
    const [called] = first.output
    if (called?.type !== 'function_call') throw new Error('no function was called')
    expect([called.name, JSON.parse(called.arguments)]).toEqual(['get_weather', { city: 'Paris' }])
    const streamed = await openai.responses.stream({ model: 'demo', input, tools }).finalResponse()
    expect(streamed.output[0]).toMatchObject({ name: called.name, arguments: called.arguments })
    input.push(called, { type: 'function_call_output', call_id: called.call_id, output: 'sunny' })
    expect((await openai.responses.create({ model: 'demo', input, tools })).output_text).toContain('The tool get_weather answered: "sunny"')
    const none = await openai.responses.create({ model: 'demo', input: said, tools, tool_choice: 'none' })
    expect(none.output_text).toContain(said)
  })

  test('a limit, a schema, and what it does not keep', async () => {
    const short = await openai.responses.create({ model: 'demo', input: said, max_output_tokens: 6 })
    expect([short.status, short.incomplete_details]).toEqual(['incomplete', { reason: 'max_output_tokens' }])
    const format = { type: 'json_schema' as const, name: 'w', schema }
    const json = await openai.responses.create({ model: 'demo', input: said, text: { format } })
    expect(JSON.parse(json.output_text)).toEqual({ city: 'Paris' })
    const failure = await openai.responses.create({ model: 'demo', input: said, previous_response_id: 'resp_1' }).catch((e: unknown) => e)
    expect(failure).toMatchObject({ status: 400, param: 'previous_response_id' })
  })
})

describe('legacy completions', () => {
  test('whole and streamed say the same', async () => {
    const whole = await openai.completions.create({ model: 'demo', prompt: said })
    expect(whole.choices[0]).toMatchObject({ finish_reason: 'stop' })
    expect(whole.choices[0]!.text).toContain(said)
    const options = { stream: true, stream_options: { include_usage: true } } as const
    const chunks = await Array.fromAsync(await openai.completions.create({ model: 'demo', prompt: said, ...options }))
    expect(chunks.map((c) => c.choices[0]?.text ?? '').join('')).toBe(whole.choices[0]!.text)
    expect(chunks.at(-1)!.usage).toEqual(whole.usage!)
    const short = await openai.completions.create({ model: 'demo', prompt: said, max_tokens: 5 })
    expect(short.choices[0]!.finish_reason).toBe('length')
    expect(await openai.completions.create({ model: 'demo', prompt: [1, 2] }).catch((e: unknown) => e)).toMatchObject({ status: 400 })
  })
})

describe('embeddings', () => {
  const embed = async (input: string | string[], more = {}) =>
    (await openai.embeddings.create({ model: 'demo', input, ...more })).data.map((d) => d.embedding)

  test('equal texts have equal vectors of length 1, others have others; base64 and floats agree', async () => {
    const [a, b, c] = await embed(['one', 'two', 'one'])
    expect(a).toEqual(c!)
    expect(a).not.toEqual(b!)
    expect(a).toHaveLength(256)
    expect(Math.hypot(...a!)).toBeCloseTo(1, 5)
    // the SDK asks for base64 unless told otherwise (H18)
    expect(await embed('one', { encoding_format: 'float' })).toEqual([a!])
    expect((await embed('one', { dimensions: 8 }))[0]).toHaveLength(8)
  })

  test.each([{ input: [] }, { input: '' }, { input: [[1, 2]] }, { input: 'x', dimensions: 9999 }])('%j is a mistake', async (body) => {
    const response = await fetch(`${demo.url}/v1/embeddings`, { method: 'POST', body: JSON.stringify({ model: 'demo', ...body }) })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ error: { type: 'invalid_request_error' } })
  })
})

describe('gemini', () => {
  test('whole and streamed say the same, countTokens agrees', async () => {
    const whole = await google.models.generateContent({ model: 'demo', contents: said })
    expect(whole.text).toContain(said)
    expect(whole.candidates![0]!.finishReason as string).toBe('STOP')
    const chunks = await Array.fromAsync(await google.models.generateContentStream({ model: 'demo', contents: said }))
    expect(chunks.map((c) => c.text).join('')).toBe(whole.text!)
    expect(chunks.at(-1)!.usageMetadata).toEqual(whole.usageMetadata!)
    const counted = await google.models.countTokens({ model: 'demo', contents: said })
    expect(counted.totalTokens).toBe(whole.usageMetadata!.promptTokenCount!)
  })

  test('a function is called, then its result is quoted', async () => {
    const tools = [{ functionDeclarations: [{ name: 'get_weather', parametersJsonSchema: schema }] }]
    const first = await google.models.generateContent({ model: 'demo', contents: said, config: { tools } })
    expect(first.functionCalls).toMatchObject([{ name: 'get_weather', args: { city: 'Paris' } }])
    const answered = { functionResponse: { name: 'get_weather', response: { sky: 'blue' } } }
    const contents = [{ role: 'user', parts: [{ text: said }] }, first.candidates![0]!.content!, { role: 'user', parts: [answered] }]
    const second = await google.models.generateContent({ model: 'demo', contents, config: { tools } })
    expect(second.text).toContain('The tool get_weather answered: "{"sky":"blue"}"')
  })

  test('a limit, a schema in capitals, vectors, mistakes', async () => {
    const short = await google.models.generateContent({ model: 'demo', contents: said, config: { maxOutputTokens: 5 } })
    expect(short.candidates![0]!.finishReason as string).toBe('MAX_TOKENS')
    const responseSchema = { type: 'OBJECT', properties: { city: { type: 'STRING' } }, required: ['city'] } as never
    const config = { responseMimeType: 'application/json', responseSchema }
    expect(JSON.parse((await google.models.generateContent({ model: 'demo', contents: said, config })).text!)).toEqual({ city: 'Paris' })
    const vectors = (await google.models.embedContent({ model: 'demo', contents: ['one', 'two'] })).embeddings!
    const same = (await openai.embeddings.create({ model: 'demo', input: 'one', encoding_format: 'float' })).data[0]!.embedding
    expect(vectors[0]!.values).toEqual(same)
    const response = await fetch(`${demo.url}/v1beta/models/gemini-9:generateContent`, { method: 'POST', body: '{}' })
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject({ error: { code: 404, status: 'NOT_FOUND' } })
    const empty = await fetch(`${demo.url}/v1beta/models/demo:generateContent`, { method: 'POST', body: '{}' })
    expect(await empty.json()).toMatchObject({ error: { code: 400, status: 'INVALID_ARGUMENT' } })
  })
})
