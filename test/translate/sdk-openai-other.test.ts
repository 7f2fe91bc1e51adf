/** The unmodified `openai` SDK: embeddings, legacy completions and models (PROTOCOL §1.9, H18). */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import OpenAI from 'openai'
import { type ModelGateway, modelOf, startModelGateway, upstreams } from '../support/model/gateway.ts'
import { vectorOf } from '../support/model/others.ts'

describe('the openai SDK, other endpoints', () => {
  let at: ModelGateway
  let client: OpenAI

  beforeAll(async () => {
    at = await startModelGateway()
    client = new OpenAI({ apiKey: 'client-secret', baseURL: `${at.url}/v1`, maxRetries: 0, timeout: 10_000 })
  })
  afterEach(() => expect(at.complaints()).toEqual([]))
  afterAll(() => at.stop())

  test('embeddings: base64, which the SDK asks for by itself, and floats are the same vectors (H18)', async () => {
    const input = ['alpha', 'beta', 'gamma']
    const model = modelOf('openai')
    const usual = await client.embeddings.create({ model, input })
    const floats = await client.embeddings.create({ model, input, encoding_format: 'float' })
    for (const reply of [usual, floats]) {
      expect(reply.data.map((item) => item.index)).toEqual([0, 1, 2])
      expect(reply.data.map((item) => [...item.embedding])).toEqual(input.map(vectorOf))
      expect(reply.usage).toEqual({ prompt_tokens: 8, total_tokens: 8 })
    }
  })

  describe.each(['openai', ...upstreams] as const)('completions to %s', (upstream) => {
    const model = modelOf(upstream)

    test('whole', async () => {
      const reply = await client.completions.create({ model, prompt: 'Hello there', max_tokens: 50 })
      expect(reply.object).toBe('text_completion')
      expect(reply.choices).toMatchObject([{ index: 0, text: 'You said: Hello there', finish_reason: 'stop' }])
      expect(reply.usage).toMatchObject({ prompt_tokens: 120, completion_tokens: 30, total_tokens: 150 })
    })

    test('streamed', async () => {
      const stream = await client.completions.create({
        model,
        prompt: 'Hello there',
        stream: true,
        stream_options: { include_usage: true },
      })
      const chunks: OpenAI.Completion[] = []
      for await (const chunk of stream) chunks.push(chunk)
      expect(chunks.every((chunk) => chunk.object === 'text_completion')).toBe(true)
      const choices = chunks.flatMap((chunk) => chunk.choices)
      expect(choices.map((choice) => choice.text).join('')).toBe('You said: Hello there')
      expect(choices.filter((choice) => choice.finish_reason).map((choice) => choice.finish_reason)).toEqual(['stop'])
      expect(chunks.filter((chunk) => chunk.usage).map((chunk) => chunk.usage!.total_tokens)).toEqual([150])
    })
  })

  test('models.list and retrieve of an id with a slash', async () => {
    const ids: string[] = []
    for await (const model of client.models.list()) ids.push(model.id)
    expect(ids.toSorted()).toEqual(['m/chat', 'm/gemini', 'm/messages', 'm/openai', 'm/responses'])
    expect(await client.models.retrieve('m/gemini')).toMatchObject({ id: 'm/gemini', object: 'model' })
    await expect(client.models.retrieve('m/none').then()).rejects.toThrow('m/none')
  })
})
