import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { type Demo, startDemo } from './server.ts'

let demo: Demo
let openai: OpenAI
let anthropic: Anthropic

beforeAll(() => {
  demo = startDemo({ pace: 0 })
  openai = new OpenAI({ apiKey: 'any', baseURL: `${demo.url}/v1`, maxRetries: 0 })
  anthropic = new Anthropic({ apiKey: 'any', baseURL: demo.url, maxRetries: 0 })
})
afterAll(() => demo.stop())

const said = 'Grüße, 世界 👋 and "quotes"'
const weather = {
  type: 'object' as const,
  properties: { city: { type: 'string' }, days: { type: 'integer', minimum: 3 }, note: { type: 'string' } },
  required: ['city', 'days'],
}
const chatTool: OpenAI.ChatCompletionTool = { type: 'function', function: { name: 'get_weather', parameters: weather } }
const antTool: Anthropic.Tool = { name: 'get_weather', input_schema: weather }

describe('chat completions', () => {
  const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: 'user', content: said }]

  test('a whole reply repeats the words and its usage adds up', async () => {
    const reply = await openai.chat.completions.create({ model: 'demo', messages })
    expect(reply.object).toBe('chat.completion')
    expect(reply.id).toStartWith('chatcmpl-')
    const choice = reply.choices[0]!
    expect(choice.message.content).toContain(said)
    expect(choice.finish_reason).toBe('stop')
    const usage = reply.usage!
    expect(usage.prompt_tokens).toBeGreaterThan(5)
    expect(usage.completion_tokens).toBe(Math.ceil(Buffer.byteLength(choice.message.content!) / 4))
    expect(usage.total_tokens).toBe(usage.prompt_tokens + usage.completion_tokens)
  })

  test('a stream carries the same text and usage in OpenAI order', async () => {
    const whole = await openai.chat.completions.create({ model: 'demo', messages })
    const stream = await openai.chat.completions.create({ model: 'demo', messages, stream: true, stream_options: { include_usage: true } })
    const chunks = await Array.fromAsync(stream)
    expect(new Set(chunks.map((c) => c.id)).size).toBe(1)
    expect(chunks[0]!.choices[0]!.delta.role).toBe('assistant')
    expect(chunks.map((c) => c.choices[0]?.delta.content ?? '').join('')).toBe(whole.choices[0]!.message.content!)
    expect(chunks.filter((c) => c.choices[0]?.finish_reason)).toHaveLength(1)
    expect(chunks.at(-1)!.choices).toEqual([])
    expect(chunks.at(-1)!.usage).toEqual(whole.usage!)
    expect(chunks.slice(0, -1).every((c) => c.usage === null)).toBe(true)
  })

  test('B19: no usage in a stream that did not ask for it, and [DONE] last', async () => {
    const response = await post('/v1/chat/completions', { model: 'demo', messages, stream: true })
    const text = await response.text()
    expect(response.headers.get('content-type')).toStartWith('text/event-stream')
    expect(text).not.toContain('"usage"')
    expect(text).toEndWith('data: [DONE]\n\n')
  })

  test('offered tools are called with arguments that fit the schema, then the result is quoted', async () => {
    const runner = openai.chat.completions.stream({ model: 'demo', messages, tools: [chatTool] })
    const first = await runner.finalChatCompletion()
    const choice = first.choices[0]!
    expect(choice.finish_reason).toBe('tool_calls')
    const call = choice.message.tool_calls![0]!
    if (call.type !== 'function') throw new Error('expected a function call')
    expect(call.function.name).toBe('get_weather')
    expect(JSON.parse(call.function.arguments)).toEqual({ city: 'Paris', days: 3 })
    const whole = await openai.chat.completions.create({ model: 'demo', messages, tools: [chatTool] })
    const wholeCall = whole.choices[0]!.message.tool_calls![0]!
    expect(wholeCall.type === 'function' && wholeCall.function).toEqual(call.function)
    const second = await openai.chat.completions.create({
      model: 'demo',
      tools: [chatTool],
      messages: [...messages, choice.message, { role: 'tool', tool_call_id: call.id, content: 'sunny, 24 °C' }],
    })
    expect(second.choices[0]!.message.content).toContain('The tool get_weather answered: "sunny, 24 °C"')
    expect(second.choices[0]!.finish_reason).toBe('stop')
  })

  test('tool_choice: none forbids, a name forces, allowed_tools filters', async () => {
    const other: OpenAI.ChatCompletionTool = { type: 'function', function: { name: 'other' } }
    const tools = [chatTool, other]
    const nameOf = async (tool_choice: OpenAI.ChatCompletionToolChoiceOption): Promise<string | undefined> => {
      const reply = await openai.chat.completions.create({ model: 'demo', messages, tools, tool_choice })
      const call = reply.choices[0]!.message.tool_calls?.[0]
      return call?.type === 'function' ? call.function.name : undefined
    }
    expect(await nameOf('none')).toBeUndefined()
    expect(await nameOf('required')).toBe('get_weather')
    expect(await nameOf({ type: 'function', function: { name: 'other' } })).toBe('other')
    const allowed = [{ type: 'function', function: { name: 'other' } }]
    expect(await nameOf({ type: 'allowed_tools', allowed_tools: { mode: 'auto', tools: allowed } })).toBe('other')
  })

  test('a token limit cuts the text and says so', async () => {
    const reply = await openai.chat.completions.create({ model: 'demo', messages, max_completion_tokens: 6 })
    expect(reply.choices[0]!.finish_reason).toBe('length')
    expect(reply.usage!.completion_tokens).toBeLessThanOrEqual(6)
  })

  test('a JSON schema is obeyed', async () => {
    const response_format = { type: 'json_schema' as const, json_schema: { name: 'w', schema: weather } }
    const reply = await openai.chat.completions.create({ model: 'demo', messages, response_format })
    expect(JSON.parse(reply.choices[0]!.message.content!)).toEqual({ city: 'Paris', days: 3 })
  })

  test('mistakes come back in OpenAI shape', async () => {
    const unknown = await openai.chat.completions.create({ model: 'gpt-9', messages }).catch((e: unknown) => e)
    expect(unknown).toBeInstanceOf(OpenAI.NotFoundError)
    expect((unknown as InstanceType<typeof OpenAI.NotFoundError>).code).toBe('model_not_found')
    for (const body of ['{"model":', '[]', '{"model":"demo"}', '{"model":"demo","messages":[]}', '{"model":"demo","messages":[1]}', '{}']) {
      const response = await post('/v1/chat/completions', body)
      expect(response.status).toBe(400)
      const { error } = (await response.json()) as { error: Record<string, unknown> }
      expect(Object.keys(error).sort()).toEqual(['code', 'message', 'param', 'type'])
    }
    expect((await fetch(`${demo.url}/v1/chat/completions`)).status).toBe(405)
    expect((await fetch(`${demo.url}/nowhere`)).status).toBe(404)
  })
})

describe('messages', () => {
  const messages: Anthropic.MessageParam[] = [{ role: 'user', content: [{ type: 'text', text: said }] }]
  const base = { model: 'demo', max_tokens: 1000, messages }

  test('a whole reply repeats the words, and count_tokens agrees with its usage', async () => {
    const reply = await anthropic.messages.create(base)
    expect(reply.id).toStartWith('msg_')
    expect(textOf(reply)).toContain(said)
    expect(reply.stop_reason).toBe('end_turn')
    const counted = await anthropic.messages.countTokens({ model: 'demo', messages })
    expect(counted.input_tokens).toBe(reply.usage.input_tokens)
  })

  test('a stream carries the same text in Anthropic order, every frame with its event line', async () => {
    const whole = await anthropic.messages.create(base)
    const streamed = await anthropic.messages.stream(base).finalMessage()
    expect(textOf(streamed)).toBe(textOf(whole))
    expect(streamed.usage.output_tokens).toBe(whole.usage.output_tokens)
    const text = await (await post('/v1/messages', { ...base, stream: true })).text()
    const types = text
      .trimEnd()
      .split('\n\n')
      .map((frame) => {
        const [event, data] = frame.split('\n')
        const type = (JSON.parse(data!.slice('data: '.length)) as { type: string }).type
        expect(event).toBe(`event: ${type}`)
        return type
      })
    expect(types.slice(0, 3)).toEqual(['message_start', 'content_block_start', 'ping'])
    expect(types.slice(-3)).toEqual(['content_block_stop', 'message_delta', 'message_stop'])
    expect(new Set(types.slice(3, -3))).toEqual(new Set(['content_block_delta']))
  })

  test('offered tools are called, then the result is quoted', async () => {
    const first = await anthropic.messages.stream({ ...base, tools: [antTool] }).finalMessage()
    expect(first.stop_reason).toBe('tool_use')
    const call = first.content[0]!
    if (call.type !== 'tool_use') throw new Error('expected a tool call')
    expect(call.input).toEqual({ city: 'Paris', days: 3 })
    const second = await anthropic.messages.create({
      ...base,
      tools: [antTool],
      messages: [
        ...messages,
        { role: 'assistant', content: first.content },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: call.id, content: [{ type: 'text', text: 'rain' }] }] },
      ],
    })
    expect(textOf(second)).toContain('The tool get_weather answered: "rain"')
  })

  test('tool_choice: none forbids, a name forces; server tools are never called', async () => {
    const other: Anthropic.Tool = { name: 'other', input_schema: { type: 'object' } }
    const none = await anthropic.messages.create({ ...base, tools: [antTool], tool_choice: { type: 'none' } })
    expect(none.stop_reason).toBe('end_turn')
    const forced = await anthropic.messages.create({ ...base, tools: [antTool, other], tool_choice: { type: 'tool', name: 'other' } })
    expect(forced.content[0]).toMatchObject({ type: 'tool_use', name: 'other', input: {} })
    const server = await anthropic.messages.create({ ...base, tools: [{ type: 'web_search_20250305', name: 'web_search' }] })
    expect(server.stop_reason).toBe('end_turn')
  })

  test('mistakes come back in Anthropic shape', async () => {
    const unknown = await anthropic.messages.create({ ...base, model: 'claude-9' }).catch((e: unknown) => e)
    expect(unknown).toBeInstanceOf(Anthropic.NotFoundError)
    const response = await post('/v1/messages', '{"model":')
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ type: 'error', error: { type: 'invalid_request_error' } })
  })
})

describe('models', () => {
  test('both SDKs list the demo model', async () => {
    expect((await Array.fromAsync(openai.models.list())).map((m) => m.id)).toEqual(['demo'])
    expect((await Array.fromAsync(anthropic.models.list())).map((m) => m.id)).toEqual(['demo'])
    expect((await openai.models.retrieve('demo')).object).toBe('model')
  })
})

describe('pacing and disconnects', () => {
  const body = { model: 'demo', stream: true, messages: [{ role: 'user', content: 'slowly' }] }

  test('words arrive one by one', async () => {
    const slow = startDemo({ pace: { firstTokenMs: 30, tokenMs: 2 } })
    try {
      const started = performance.now()
      const reader = (await post('/v1/chat/completions', body, slow)).body!.getReader()
      let reads = 0
      for (;;) {
        const { done } = await reader.read()
        if (done) break
        if (reads === 0) expect(performance.now() - started).toBeGreaterThan(25)
        reads++
      }
      expect(reads).toBeGreaterThan(10)
    } finally {
      await slow.stop()
    }
  })

  test('a client that leaves ends its stream, and stop() ends the rest', async () => {
    const slow = startDemo({ pace: { firstTokenMs: 0, tokenMs: 60_000 } })
    const leaving = new AbortController()
    const left = await post('/v1/chat/completions', body, slow, leaving.signal)
    await left.body!.getReader().read()
    const stays = await post('/v1/messages', { ...body, max_tokens: 9 }, slow)
    await stays.body!.getReader().read()
    expect(slow.openStreams()).toBe(2)
    leaving.abort()
    const limit = performance.now() + 2000
    while (slow.openStreams() > 1 && performance.now() < limit) await Bun.sleep(5)
    expect(slow.openStreams()).toBe(1)
    await slow.stop()
    expect(slow.openStreams()).toBe(0)
  })
})

function post(path: string, body: unknown, to: Demo = demo, signal?: AbortSignal): Promise<Response> {
  return fetch(to.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...(signal ? { signal } : {}),
  })
}

function textOf(message: Anthropic.Message): string {
  const block = message.content[0]
  return block?.type === 'text' ? block.text : ''
}
