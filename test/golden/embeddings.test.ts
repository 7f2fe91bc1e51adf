/** Codecs of embeddings over recorded traffic: every reply gives its true vectors, in both forms, and every request of Gemini survives a round. */

import { describe, expect, test } from 'bun:test'
import { bedrockEmbeddings } from '../../src/dialect/bedrock-embeddings/index.ts'
import type { Dialect } from '../../src/dialect/codec.ts'
import { cohereEmbed } from '../../src/dialect/cohere-embed/index.ts'
import { geminiBatchEmbed, geminiEmbedContent } from '../../src/dialect/gemini/index.ts'
import { jsonSource } from '../../src/dialect/json-source.ts'
import { writeJson } from '../../src/dialect/json-text.ts'
import { LossReport } from '../../src/dialect/loss.ts'
import { openaiEmbeddings } from '../../src/dialect/openai-embeddings/index.ts'
import { hasRecordings, type Recording, recordings } from './recordings.ts'

// biome-ignore lint/suspicious/noExplicitAny: recorded bodies of unknown shape
type Loose = any

const head = (form: string) => ({ id: 'x', model: 'm', created: 0, request: { encoding_format: form } })
const decode32 = (text: string) =>
  Array.from({ length: Buffer.from(text, 'base64').length / 4 }, (_, i) => Buffer.from(text, 'base64').readFloatLE(4 * i))

/** The vectors of a recorded reply, read without any of the codecs. */
function trueVectors({ body }: Recording): number[][] {
  const reply: Loose = JSON.parse(body)
  if (reply.data) return reply.data.map((one: Loose) => (typeof one.embedding === 'string' ? decode32(one.embedding) : one.embedding))
  if (Array.isArray(reply.embedding)) return [reply.embedding]
  if (reply.embedding) return [reply.embedding.values]
  const list = reply.embeddings.float ?? reply.embeddings
  return list.map((one: Loose) => (Array.isArray(one) ? one : (one.values ?? one.embedding)))
}

describe.skipIf(!hasRecordings)('recorded embeddings', () => {
  test.each([
    ['openai-embeddings', openaiEmbeddings],
    ['gemini-embed', geminiBatchEmbed],
    ['cohere-embed', cohereEmbed],
    ['bedrock-invoke-embed', bedrockEmbeddings],
  ] as [string, Dialect][])('H18: %s: vectors are the true ones, as base64 and as floats', (name, dialect) => {
    const good = recordings(name).filter(({ status }) => status === 200)
    expect(good.length).toBeGreaterThan(3)
    for (const recording of good) {
      const bytes = Buffer.from(recording.body)
      const vectors = trueVectors(recording)
      const { events } = dialect.decodeWhole(bytes, 'translate')!
      const [base64, float] = ['base64', 'float'].map((form): Loose => JSON.parse(openaiEmbeddings.encodeWhole(events, head(form))))
      expect(float.data.map((one: Loose) => one.embedding)).toEqual(vectors)
      expect(base64.data.map((one: Loose) => decode32(one.embedding))).toEqual(vectors.map((vector) => vector.map(Math.fround)))
      expect(float.data.map((one: Loose) => one.index)).toEqual(vectors.map((_, i) => i))
      expect(dialect.summary(bytes).valid).toBe(true)
      if (name === 'openai-embeddings') continue
      // two replies as one
      const twice = dialect.decodeWhole(Buffer.from(`[${recording.body},${recording.body}]`), 'translate')!
      const usage = dialect.summary(bytes).usage
      expect(twice.events.filter((event) => event.type === 'embedding')).toHaveLength(2 * vectors.length)
      expect(twice.events.find((event) => event.type === 'usage')?.usage.inputUncached).toBe(usage && 2 * usage.inputUncached)
    }
  })

  test('errors are read in their own words', () => {
    for (const [name, dialect] of [['cohere-embed', cohereEmbed]] as const) {
      for (const { status, body } of recordings(name)) {
        if (status === 200) continue
        expect(dialect.readError(status, Buffer.from(body)).message).toBe(JSON.parse(body).message)
      }
    }
  })

  test('requests of Gemini survive a round through the neutral form', () => {
    let seen = 0
    for (const { request } of recordings('gemini-embed')) {
      const asked = request as Loose
      const dialect = asked.requests ? geminiBatchEmbed : geminiEmbedContent
      const report = new LossReport()
      const read = dialect.embeddings!.read(jsonSource(Buffer.from(JSON.stringify(asked)))!, report)
      const model = asked.requests?.[0].model ?? 'gemini-embedding-2'
      const [written] = dialect.embeddings!.write(read, { model }, report)
      // the second generation takes no task type, though some send it one
      const dropped = asked.requests?.[0].taskType !== undefined && /embedding-2/.test(model)
      expect(report.dropped).toEqual(dropped ? ['taskType'] : [])
      const expected = dropped ? { requests: asked.requests.map(({ taskType: _, ...one }: Loose) => one) } : asked
      expect(JSON.parse(writeJson(written))).toEqual(expected)
      seen++
    }
    expect(seen).toBeGreaterThan(8)
  })

  test('Bedrock’s bodies have the members that recorded ones have', () => {
    for (const { request, id } of recordings('bedrock-invoke-embed')) {
      const asked = request as Loose
      const text = asked.inputText ?? asked.texts?.[0] ?? asked.singleEmbeddingParams.text.value
      const model = asked.texts
        ? 'cohere.embed-v4:0'
        : asked.inputText
          ? 'amazon.titan-embed-text-v2:0'
          : 'amazon.nova-2-multimodal-embeddings-v1:0'
      const names = { inputs: 'input', dimensions: 'd', purpose: 'p', user: 'u' }
      const [written] = bedrockEmbeddings.embeddings!.write({ inputs: [{ text }], names, extras: [] }, { model }, new LossReport())
      const made: Loose = JSON.parse(writeJson(written))
      const known = new Set([...Object.keys(asked), 'embedding_types'])
      expect([id, Object.keys(made).filter((key) => !known.has(key))]).toEqual([id, []])
      if (asked.singleEmbeddingParams) expect(Object.keys(made.singleEmbeddingParams)).toEqual(Object.keys(asked.singleEmbeddingParams))
    }
  })
})
