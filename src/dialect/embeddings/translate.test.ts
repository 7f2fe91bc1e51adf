import { describe, expect, test } from 'bun:test'
import { bedrockEmbeddings } from '../bedrock-embeddings/index.ts'
import type { Dialect } from '../codec.ts'
import { cohereEmbed } from '../cohere-embed/index.ts'
import { geminiBatchEmbed, geminiEmbedContent } from '../gemini/index.ts'
import { jsonSource } from '../json-source.ts'
import { openaiEmbeddings } from '../openai-embeddings/index.ts'
import { callsOf, translateEmbeddings } from './translate.ts'

function translate(from: Dialect, to: Dialect, body: object, model: string, host?: string) {
  const source = jsonSource(Buffer.from(JSON.stringify(body)))!
  const made = translateEmbeddings(source, from.embeddings!, to.embeddings!, { model, host })
  return { ...made, calls: made.report.refusal ? [] : callsOf(made.body).map((call) => JSON.parse(Buffer.from(call).toString())) }
}
const toTitan = (body: object, model = 'amazon.titan-embed-text-v2:0') => translate(openaiEmbeddings, bedrockEmbeddings, body, model)
const texts = (n: number) => Array.from({ length: n }, (_, i) => `t${i}`)

describe('from OpenAI', () => {
  test('to Gemini: one call for up to a hundred inputs, several above', () => {
    const { calls, report } = translate(
      openaiEmbeddings,
      geminiBatchEmbed,
      { input: 'a', dimensions: 8, user: 'u' },
      'gemini-embedding-001',
    )
    expect(calls).toEqual([
      { requests: [{ model: 'models/gemini-embedding-001', content: { parts: [{ text: 'a' }] }, outputDimensionality: 8 }] },
    ])
    expect(report.dropped).toEqual(['user'])
    const many = translate(openaiEmbeddings, geminiBatchEmbed, { input: texts(250) }, 'g')
    expect(many.calls.map(({ requests }) => requests.length)).toEqual([100, 100, 50])
    expect(
      many.calls.flatMap(({ requests }) => requests.map((r: { content: { parts: { text: string }[] } }) => r.content.parts[0]!.text)),
    ).toEqual(texts(250))
  })
  test('to Gemini: what the vectors are for, where the model has a word for it', () => {
    const body = { input: 'a', input_type: 'search_query' }
    expect(translate(openaiEmbeddings, geminiBatchEmbed, body, 'gemini-embedding-001').calls[0].requests[0].taskType).toBe(
      'RETRIEVAL_QUERY',
    )
    const second = translate(openaiEmbeddings, geminiBatchEmbed, body, 'gemini-embedding-2')
    expect(second.calls[0].requests[0]).not.toHaveProperty('taskType')
    expect(second.report.dropped).toEqual(['input_type'])
  })
  test('to Vertex: one input per call, the older models by instances', () => {
    const { calls } = translate(openaiEmbeddings, geminiEmbedContent, { input: ['a', 'b'], dimensions: 8 }, 'gemini-embedding-2', 'vertex')
    expect(calls).toEqual(['a', 'b'].map((text) => ({ content: { parts: [{ text }] }, outputDimensionality: 8 })))
    const older = translate(
      openaiEmbeddings,
      geminiEmbedContent,
      { input: ['a', 'b'], input_type: 'query' },
      'text-embedding-005',
      'vertex',
    )
    expect(older.calls).toEqual(
      ['a', 'b'].map((content) => ({ instances: [{ content, task_type: 'RETRIEVAL_QUERY' }], parameters: { autoTruncate: false } })),
    )
  })
  test('to Titan: one input per call; dimensions only where the model has a choice', () => {
    expect(toTitan({ input: ['a', 'b'], dimensions: 256 }).calls).toEqual([
      { inputText: 'a', dimensions: 256 },
      { inputText: 'b', dimensions: 256 },
    ])
    expect(toTitan({ input: 'a', dimensions: 256 }, 'amazon.titan-embed-text-v1').report.refusal?.field).toBe('dimensions')
    expect(toTitan({ input: 'a' }, 'amazon.titan-embed-text-v1').calls).toEqual([{ inputText: 'a' }])
    const image = toTitan({ input: 'a', dimensions: 256 }, 'amazon.titan-embed-image-v1')
    expect(image.calls).toEqual([{ inputText: 'a', embeddingConfig: { outputEmbeddingLength: 256 } }])
  })
  test('to Nova', () => {
    const { calls } = toTitan({ input: 'a', dimensions: 256, input_type: 'query' }, 'us.amazon.nova-2-multimodal-embeddings-v1:0')
    const params = { embeddingPurpose: 'TEXT_RETRIEVAL', embeddingDimension: 256, text: { value: 'a', truncationMode: 'NONE' } }
    expect(calls).toEqual([{ taskType: 'SINGLE_EMBEDDING', singleEmbeddingParams: params }])
  })
  test('to Cohere, there and on Bedrock: 96 texts per call, and what they are for', () => {
    const rest = { embedding_types: ['float'], truncate: 'NONE' }
    const one = translate(openaiEmbeddings, cohereEmbed, { input: 'a', dimensions: 256, input_type: 'query' }, 'embed-v4.0')
    expect(one.calls).toEqual([{ model: 'embed-v4.0', texts: ['a'], input_type: 'search_query', output_dimension: 256, ...rest }])
    const hosted = toTitan({ input: texts(100) }, 'us.cohere.embed-v4:0')
    expect(hosted.calls).toMatchObject([
      { texts: texts(100).slice(0, 96) },
      { texts: texts(100).slice(96), input_type: 'search_document', ...rest },
    ])
    expect(toTitan({ input: 'a', dimensions: 3 }, 'cohere.embed-english-v3').report.refusal?.field).toBe('dimensions')
  })
  test('a model of an unknown maker is refused', () => {
    expect(toTitan({ input: 'a' }, 'arn:aws:bedrock:eu-west-1:1:application-inference-profile/x').report.refusal?.field).toBe('model')
  })
  test('token ids are refused elsewhere, and so is nothing, and too much', () => {
    for (const to of [geminiBatchEmbed, bedrockEmbeddings, cohereEmbed]) {
      expect(translate(openaiEmbeddings, to, { input: [1, 2] }, 'amazon.titan-embed-text-v1').report.refusal?.field).toBe('input')
    }
    expect(toTitan({ input: [] }).report.refusal?.message).toContain('nothing to embed')
    expect(toTitan({ input: texts(2049) }).report.refusal?.message).toContain('2048')
  })
  test('the estimate counts texts and token ids', () => {
    const usage = toTitan({ input: ['Hello, world!', 'one two three'] }).estimate()
    expect(usage).toMatchObject({ source: 'estimated' })
    expect(usage.inputUncached).toBeWithin(4, 12)
    expect(toTitan({ input: [1, 2, 3] }).estimate().inputUncached).toBe(3)
  })
})

describe('from Gemini', () => {
  const content = (...parts: string[]) => ({ parts: parts.map((text) => ({ text })) })

  test('one content is one input, whatever its parts', () => {
    const body = { content: content('a', 'b'), taskType: 'CLUSTERING', outputDimensionality: 8, title: 't' }
    const { calls, report } = translate(geminiEmbedContent, openaiEmbeddings, body, 'm')
    expect(calls).toEqual([{ model: 'm', input: 'a\nb', dimensions: 8 }])
    expect(report.dropped).toEqual(['taskType', 'title'])
  })
  test('a batch is a list', () => {
    const requests = ['a', 'b'].map((text) => ({ model: 'models/x', content: content(text), taskType: 'CLUSTERING' }))
    expect(translate(geminiBatchEmbed, openaiEmbeddings, { requests }, 'm').calls).toEqual([{ model: 'm', input: ['a', 'b'] }])
    const [call] = translate(geminiBatchEmbed, cohereEmbed, { requests }, 'embed-v4.0').calls
    expect(call).toMatchObject({ texts: ['a', 'b'], input_type: 'clustering' })
  })
  test('what is no text, and a batch of several kinds, are refused', () => {
    const picture = { content: { parts: [{ text: 'a' }, { inlineData: { mimeType: 'image/png', data: '' } }] } }
    expect(translate(geminiEmbedContent, openaiEmbeddings, picture, 'm').report.refusal?.field).toBe('content')
    expect(translate(geminiEmbedContent, openaiEmbeddings, {}, 'm').report.refusal?.field).toBe('content')
    const mixed = { requests: [{ content: content('a'), taskType: 'CLUSTERING' }, { content: content('b') }] }
    expect(translate(geminiBatchEmbed, openaiEmbeddings, mixed, 'm').report.refusal?.field).toBe('requests')
  })
})
