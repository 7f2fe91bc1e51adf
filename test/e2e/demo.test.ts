/**
 * The first minutes of a newcomer: the default config with nothing but Bun, the key and the curl line as printed, and both SDKs with a
 * tool loop against the demo model.
 */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import OpenAI from 'openai'
import type { ChatCompletionMessageParam } from 'openai/resources/chat/completions'
import { envelope, verdictOf } from '../support/client.ts'
import { type GatewayProcess, startGateway } from '../support/gateway.ts'
import { until } from '../support/within.ts'

setDefaultTimeout(30_000)

const home = mkdtempSync(join(tmpdir(), 'headgate-demo-'))
const configPath = join(home, 'config/gateway.yaml')
let gateway: GatewayProcess
let key: string

beforeAll(async () => {
  mkdirSync(join(home, 'config'))
  for (const name of ['gateway.yaml', 'models.yaml']) copyFileSync(join(import.meta.dir, '../../config', name), join(home, 'config', name))
  gateway = await startGateway({ configPath })
  await until(2000, 'the banner is whole', () => gateway.out().includes('curl'))
  key = /sk-hg-\S+/.exec(gateway.out())![0].replace(/"$/, '')
})
afterAll(async () => {
  expect(await gateway.stop()).toBe(0)
  rmSync(home, { recursive: true, force: true })
})

const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } as const
const question = 'What is the weather in Rome?'
const finding = 'It is 31 degrees in Rome.'

describe('the default gateway', () => {
  test('prints where it is, a key that is kept only as a hash, and a curl line that works when pasted', async () => {
    const out = gateway.out()
    for (const part of ['Headgate is up', gateway.url, gateway.adminUrl, 'demo']) expect(out).toContain(part)
    expect(readFileSync(join(home, 'data/keys.json'), 'utf8')).not.toContain(key)
    const line = /curl -N .*/.exec(out)![0]
    if (!Bun.which('curl')) return console.log('curl is not here: the printed line was not run')
    const run = Bun.spawn(['sh', '-c', line], { stdout: 'pipe', stderr: 'ignore', env: { PATH: process.env.PATH ?? '' } })
    const text = await new Response(run.stdout).text()
    expect(await run.exited).toBe(0)
    expect(verdictOf('openai', text)).toBe('success')
    expect(text).toContain('You')
  })

  test('a second start shows no key and lets the first one in', async () => {
    const again = await startGateway({ configPath })
    expect(again.out()).not.toContain('sk-hg-')
    const response = await fetch(`${again.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } })
    expect(((await response.json()) as { data: { id: string }[] }).data.map((m) => m.id)).toEqual(['demo'])
    expect(await again.stop()).toBe(0)
  })

  test('without a key: 401 that says what to do', async () => {
    for (const [family, path] of [
      ['openai', '/v1/chat/completions'],
      ['anthropic', '/v1/messages'],
      ['anthropic', '/anthropic/v1/messages'],
    ] as const) {
      const response = await fetch(gateway.url + path, { method: 'POST', body: '{}' })
      expect(response.status).toBe(401)
      expect(envelope(family, await response.text()).message).toContain('Authorization: Bearer')
    }
  })

  test.each([false, true])('the openai SDK runs a tool loop; stream: %p', async (stream) => {
    const client = new OpenAI({ apiKey: key, baseURL: `${gateway.url}/v1` })
    const tools = [{ type: 'function' as const, function: { name: 'get_weather', parameters: schema } }]
    const messages: ChatCompletionMessageParam[] = [{ role: 'user', content: question }]
    const ask = async () => {
      const body = { model: 'demo', messages, tools }
      return stream ? await client.chat.completions.stream(body).finalChatCompletion() : await client.chat.completions.create(body)
    }
    const [first] = (await ask()).choices
    expect(first!.finish_reason).toBe('tool_calls')
    const [called] = first!.message.tool_calls!
    if (called?.type !== 'function') throw new Error('no function was called')
    expect(called.function.name).toBe('get_weather')
    expect(JSON.parse(called.function.arguments)).toEqual({ city: expect.any(String) })
    messages.push(first!.message, { role: 'tool', tool_call_id: called.id, content: finding })
    const second = await ask()
    expect(second.choices[0]!.finish_reason).toBe('stop')
    expect(second.choices[0]!.message.content).toContain(finding)
    if (!stream) expect(second.usage!.total_tokens).toBe(second.usage!.prompt_tokens + second.usage!.completion_tokens)
  })

  test.each([false, true])('the anthropic SDK runs a tool loop; stream: %p', async (stream) => {
    const client = new Anthropic({ apiKey: key, baseURL: gateway.url })
    const tools = [{ name: 'get_weather', input_schema: schema as unknown as Anthropic.Tool.InputSchema }]
    const messages: Anthropic.MessageParam[] = [{ role: 'user', content: question }]
    const ask = async (): Promise<Anthropic.Message> => {
      const body = { model: 'demo', max_tokens: 500, messages, tools }
      return stream ? await client.messages.stream(body).finalMessage() : await client.messages.create(body)
    }
    const first = await ask()
    expect(first.stop_reason).toBe('tool_use')
    const called = first.content.find((block) => block.type === 'tool_use')!
    expect([called.name, called.input]).toEqual(['get_weather', { city: expect.any(String) }])
    messages.push(
      { role: 'assistant', content: first.content },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: called.id, content: finding }] },
    )
    const second = await ask()
    expect(second.stop_reason).toBe('end_turn')
    expect(second.content.map((block) => (block.type === 'text' ? block.text : '')).join('')).toContain(finding)
    expect(second.usage.output_tokens).toBeGreaterThan(0)
  })

  test('the other APIs of both SDKs, and that of Google, reach the demo model, whole and streamed', async () => {
    const client = new OpenAI({ apiKey: key, baseURL: `${gateway.url}/v1` })
    const response = await client.responses.create({ model: 'demo', input: question })
    expect(response.output_text).toContain(question)
    expect((await client.responses.stream({ model: 'demo', input: question }).finalResponse()).output_text).toBe(response.output_text)
    expect((await client.responses.inputTokens.count({ model: 'demo', input: question })).input_tokens).toBe(response.usage!.input_tokens)
    expect((await client.completions.create({ model: 'demo', prompt: question })).choices[0]!.text).toContain(question)
    const { data } = await client.embeddings.create({ model: 'demo', input: [question, finding, question] })
    expect(data[0]!.embedding).toEqual(data[2]!.embedding)
    expect(data[0]!.embedding).not.toEqual(data[1]!.embedding)
    const google = new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: gateway.url } })
    const whole = await google.models.generateContent({ model: 'demo', contents: question })
    expect(whole.text).toContain(question)
    const chunks = await Array.fromAsync(await google.models.generateContentStream({ model: 'demo', contents: question }))
    expect(chunks.map((chunk) => chunk.text ?? '').join('')).toBe(whole.text!)
    expect((await google.models.countTokens({ model: 'demo', contents: question })).totalTokens).toBeGreaterThan(0)
  })

  test('counting tokens, health, readiness, docs', async () => {
    const client = new Anthropic({ apiKey: key, baseURL: `${gateway.url}/anthropic` })
    expect(
      (await client.messages.countTokens({ model: 'demo', messages: [{ role: 'user', content: question }] })).input_tokens,
    ).toBeGreaterThan(0)
    expect((await client.models.list()).data.map((m) => m.id)).toEqual(['demo'])
    for (const path of ['/health', '/ready', '/docs', '/docs/json'])
      expect([path, (await fetch(gateway.url + path)).status]).toEqual([path, 200])
    for (const path of ['/health', '/ready', '/metrics', '/config'])
      expect([path, (await fetch(gateway.adminUrl + path)).status]).toEqual([path, 200])
    expect(await (await fetch(`${gateway.adminUrl}/config`)).text()).not.toContain(key)
  })

  test('every exchange left one audit line without the key', async () => {
    const path = join(home, 'data/audit.jsonl')
    await until(3000, 'audit lines', () => existsSync(path) && readFileSync(path, 'utf8').split('\n').length > 10)
    expect(readFileSync(path, 'utf8')).not.toContain(key)
  })
})
