/** Fields of the wrong kind, named; what passes; what is certainly too long. */

import { afterAll, describe, expect, test } from 'bun:test'
import { type PluginKit, testPlugin } from 'headgate/testkit'
import validate from './index.ts'

const kits: PluginKit[] = []
afterAll(async () => {
  for (const kit of kits) await kit.close()
})
async function kitOf(config: Readonly<Record<string, unknown>> = {}): Promise<PluginKit> {
  const target = (model: string) => ({ targets: [{ upstream: 'openai', model }] })
  const kit = await testPlugin(validate, {
    with: config,
    models: {
      'test-model': { ...target('test-model'), context: 20 },
      large: { ...target('large'), context: 1000 },
      unknown: target('unknown'),
    },
  })
  kits.push(kit)
  return kit
}
const kit = await kitOf()
const user = { role: 'user', content: 'hi' }
const chat = async (more: object) => {
  const answer = await kit.chat(JSON.stringify({ model: 'test-model', messages: [user], ...more }))
  return { status: answer.status, error: (answer.json as { error?: { param: string; message: string; code: string } }).error }
}
const message = (more: object) => ({ messages: [{ ...user, ...more }] })

describe('a field of the wrong kind', () => {
  test.each([
    ['temperature', { temperature: 'hot' }, '"temperature" must be a number from 0 to 2.'],
    ['temperature', { temperature: 3 }, undefined],
    ['messages', { messages: [] }, undefined],
    ['messages', { messages: null }, undefined],
    ['max_tokens', { max_tokens: 1.5 }, undefined],
    ['stop', { stop: [1] }, '"stop" must be a text or a list of texts.'],
    ['tools', { tools: {} }, undefined],
    ['tool_choice', { tool_choice: 1 }, undefined],
    ['response_format', { response_format: 'json' }, undefined],
    ['models', { models: 'x' }, undefined],
    ['seed', { seed: 0.5 }, undefined],
    ['messages.0.role', message({ role: 'robot' }), undefined],
    ['messages.0.content', message({ content: 7 }), undefined],
    ['messages.0.content', message({ content: null }), undefined],
    ['messages.0.tool_call_id', message({ role: 'tool' }), undefined],
    ['messages.0.content.0.text', message({ content: [{ type: 'text' }] }), undefined],
    ['messages.0.content.0.image_url.url', message({ content: [{ type: 'image_url', image_url: { url: 'chart.png' } }] }), undefined],
    ['messages.0.content.0', message({ content: ['x'] }), undefined],
  ])('%s', async (param, body, said) => {
    const { status, error } = await chat(body)
    expect(status).toBe(400)
    expect(error?.param).toBe(param)
    expect(error?.message).toContain(said ?? JSON.stringify(param))
  })
  test('all of them are told', async () => {
    const { error } = await chat({ temperature: 'hot', top_p: 'x', n: 0 })
    expect(error?.message.match(/must be/g)).toHaveLength(3)
  })
  test('in the other APIs too', async () => {
    const kit = await kitOf()
    expect((await kit.messages(JSON.stringify({ model: 'test-model', messages: [user] }))).body).toContain('max_tokens')
    const answer = await kit.chat(JSON.stringify({ model: 'test-model', messages: 'hi' }))
    expect(answer.status).toBe(400)
  })
})

test('what is not known, absent or null passes', async () => {
  const silent = { role: 'assistant', content: null, tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } }] }
  const parts = [
    { type: 'text', text: 'a' },
    { type: 'hologram' },
    { type: 'image_url', image_url: { url: 'data:image/png;base64,AA==', detail: 'low' } },
  ]
  const answer = await chat({ messages: [{ ...user, content: parts }, silent], temperature: null, odd: 1, stop: ['a'], user: 'u' })
  expect(answer.status).toBe(200)
})

describe('too long', () => {
  const long = 'word '.repeat(50)
  test('certainly: refused with its code', async () => {
    const { status, error } = await chat(message({ content: long }))
    expect([status, error?.code, error?.param]).toEqual([400, 'context_length_exceeded', 'messages'])
    expect(error?.message).toContain('20 tokens')
  })
  test('perhaps: passes', async () => {
    expect((await chat(message({ content: 'w'.repeat(500) }))).status).toBe(200)
    expect((await chat({ ...message({ content: long }), model: 'unknown' })).status).toBe(200)
  })
  test('another model that is named can read it', async () => {
    expect((await chat({ ...message({ content: long }), models: ['large'] })).status).toBe(200)
    expect((await chat({ ...message({ content: long }), models: ['large', 'unknown'] })).status).toBe(200)
  })
})
