/** The published API of a gateway that tells costs and checks fields, row by row, on its preset as shipped. */

import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import OpenAI from 'openai'
import { type Stand, startStand } from '../stand.ts'
import { framesOf } from '../support.ts'

setDefaultTimeout(30_000)
let stand: Stand
const generous = { limits: [{ window: '1m', requests: 100_000 }] }
beforeAll(async () => {
  stand = await startStand('solrouter', { usd: '100', fields: generous })
})
afterAll(() => stand?.stop())
beforeEach(() => stand.model.clear())

const chat = '/ai/chat/completions'
/** The page's curl. */
const hello = { model: 'openai/gpt-4o-mini', messages: [{ role: 'user', content: 'Hello!' }] }
const haiku = { model: 'openai/gpt-4o-mini', stream: true, messages: [{ role: 'user', content: 'Write a haiku about latency.' }] }
const failing =
  (status: number, error: object = { message: 'boom', type: 'server_error' }) =>
  () =>
    Response.json({ error }, { status })
const weather = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'Returns the current weather for a city',
    parameters: { type: 'object', properties: { city: { type: 'string', description: 'City name' } }, required: ['city'] },
  },
}
/** A reply of an upstream of OpenAI's kind, with other members. */
const completion = (choice: object, usage: object = { prompt_tokens: 24, completion_tokens: 19, total_tokens: 43 }) =>
  Response.json({
    id: 'chatcmpl_1',
    object: 'chat.completion',
    created: 1,
    model: 'whatever',
    choices: [{ index: 0, message: { role: 'assistant', content: 'a' }, finish_reason: 'stop', ...choice }],
    usage,
  })

describe('SOLR-1', () => {
  test('SOLR-1: keys, chat, completions, models and one of them by its encoded id', async () => {
    expect(stand.key).toStartWith('sr_')
    const answer = await stand.ask(chat, { body: hello, headers: { accept: 'application/json' } })
    expect([answer.status, answer.json.choices[0].message.content]).toEqual([200, 'You said: Hello!'])
    const tagline = await stand.ask('/ai/completions', {
      body: {
        model: 'openai/gpt-3.5-turbo-instruct',
        prompt: 'Write a short tagline for a fast API router.',
        max_tokens: 32,
        temperature: 0.7,
      },
    })
    expect(tagline.json).toMatchObject({
      object: 'text_completion',
      model: 'openai/gpt-3.5-turbo-instruct',
      choices: [{ index: 0, finish_reason: 'stop' }],
    })
    expect((await stand.ask('/ai/models')).json.data).toBeArray()
    for (const id of ['openai%2Fgpt-4o-mini', 'openai/gpt-4o-mini'])
      expect((await stand.ask(`/ai/models/${id}`)).json).toMatchObject({ id: 'openai/gpt-4o-mini' })
  })
  test('SOLR-1: the SDK of the page', async () => {
    const client = new OpenAI({ baseURL: `${stand.url}/ai`, apiKey: stand.key })
    const completion = await client.chat.completions.create({
      model: 'openai/gpt-4o-mini',
      messages: [
        { role: 'system', content: 'You are a concise assistant.' },
        { role: 'user', content: 'Write a one-sentence summary of API gateways.' },
      ],
    })
    expect(completion.choices[0]!.message.content).toContain('API gateways')
    expect(completion.usage).toMatchObject({ prompt_tokens: 120, cost: expect.any(Number) })
  })
  test('SOLR-1: the fetch of the page', async () => {
    const data = (
      await stand.ask(chat, {
        body: { model: 'anthropic/claude-sonnet-4', messages: [{ role: 'user', content: 'Explain what tool calling is.' }] },
      })
    ).json
    expect(data).toMatchObject({ object: 'chat.completion', model: 'anthropic/claude-sonnet-4' })
  })
})

describe('SOLR-2', () => {
  const full = {
    ...hello,
    max_tokens: 100,
    max_completion_tokens: 100,
    temperature: 0.7,
    top_p: 0.9,
    n: 1,
    stop: ['END'],
    presence_penalty: 0.5,
    frequency_penalty: -0.5,
    tools: [weather],
    tool_choice: 'auto',
    response_format: { type: 'text' },
    seed: 7,
    user: 'user-1',
  }
  test('SOLR-2: every field of the page is passed on', async () => {
    expect((await stand.ask(chat, { body: full })).status).toBe(200)
    const { model: _m, ...rest } = full
    expect(stand.model.requests[0]!.body).toMatchObject({ ...rest, model: 'gpt-4o-mini' })
    for (const more of [
      { stop: 'END' },
      { tool_choice: { type: 'function', function: { name: 'get_weather' } } },
      { stream: false },
      { models: [], route: 'fallback' },
    ])
      expect((await stand.ask(chat, { body: { ...full, ...more } })).status).toBe(200)
  })
  test('SOLR-2: a field of the wrong kind is 422 and named', async () => {
    const wrong: Record<string, unknown> = {
      temperature: 'hot',
      messages: 'hi',
      max_tokens: '10',
      max_completion_tokens: -1,
      top_p: 'x',
      n: 'two',
      stop: 7,
      presence_penalty: 'x',
      frequency_penalty: 9,
      tools: {},
      tool_choice: 3,
      response_format: 'json',
      seed: 'x',
      user: 5,
      models: 'x',
      route: 3,
      stream: 'yes',
      model: 7,
    }
    for (const [param, value] of Object.entries(wrong)) {
      const { status, json } = await stand.ask(chat, { body: { ...full, [param]: value } })
      expect([param, status, json.error.param, json.error.code]).toEqual([param, 422, param, 'invalid_request_error'])
      expect(json.error.message).toContain(param)
    }
    const astray = await stand.ask(chat, { body: { ...full, route: 'astray' } })
    expect([astray.status, astray.json.error.param]).toEqual([422, 'route'])
    const noMessages = await stand.ask(chat, { body: { model: hello.model } })
    expect([noMessages.status, noMessages.json.error.param]).toEqual([422, 'messages'])
    expect(stand.model.requests).toHaveLength(0)
  })
  test('SOLR-2: unknown fields are passed on, not dropped', async () => {
    await stand.ask(chat, { body: { ...hello, min_p: 0.05, future: { a: [1] } } })
    expect(stand.model.requests[0]!.body).toMatchObject({ min_p: 0.05, future: { a: [1] } })
  })
})

test('SOLR-3: a chain of models; the reply names the one that answered, the record each try', async () => {
  stand.model.instead = (_, body) => (body.model === 'gpt-4o-mini' ? failing(500)() : undefined)
  const body = { ...hello, models: ['openai/gpt-4o', 'anthropic/claude-sonnet-4'], route: 'fallback' }
  const answer = await stand.ask(chat, { body })
  expect([answer.status, answer.json.model]).toEqual([200, 'openai/gpt-4o'])
  expect(stand.model.requests[0]!.body).not.toContainAnyKeys(['models', 'route'])
  const { out } = await stand.headgate('audit', 'show', answer.headers.get('x-request-id')!, '-o', 'json')
  const attempts = (JSON.parse(out) as { attempts: { model: string; status: number }[] }).attempts
  expect(attempts.map(({ model, status }) => [model, status])).toEqual([
    ['gpt-4o-mini', 500],
    ['gpt-4o', 200],
  ])
  stand.model.instead = (_, body) => (String(body.model).startsWith('gpt') ? failing(503)() : undefined)
  const third = await stand.ask(chat, { body: { ...body, stream: true } })
  for (const frame of framesOf(third.text).slice(0, -1)) expect(JSON.parse(frame).model).toBe('anthropic/claude-sonnet-4')
})

describe('SOLR-4', () => {
  const blocks = [
    { type: 'text', text: 'What is shown in this image?' },
    { type: 'image_url', image_url: { url: 'https://example.com/chart.png', detail: 'high' } },
    { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } },
    { type: 'input_audio', input_audio: { data: 'UklGRg==', format: 'wav' } },
    { type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,JVBERi0=' } },
  ]
  test('SOLR-4: message fields and content blocks reach the upstream as sent', async () => {
    const messages = [
      { role: 'system', content: 'x', name: 'rules' },
      { role: 'user', name: 'ann', content: blocks },
    ]
    expect((await stand.ask(chat, { body: { model: 'openai/gpt-4o', messages } })).status).toBe(200)
    expect(stand.model.requests[0]!.body.messages).toEqual(messages)
  })
  test('SOLR-4: pictures and files reach an upstream of another API', async () => {
    const messages = [{ role: 'user', content: blocks.filter(({ type }) => type !== 'input_audio') }]
    expect((await stand.ask(chat, { body: { model: 'anthropic/claude-sonnet-4', messages } })).status).toBe(200)
    const sent = JSON.stringify(stand.model.requests[0]!.body.messages)
    for (const part of ['https://example.com/chart.png', 'iVBORw0KGgo=', 'JVBERi0=']) expect(sent).toContain(part)
  })
  test.each(['openai/gpt-4o-mini', 'anthropic/claude-sonnet-4', 'google/gemini-2.0-flash-exp'])(
    'SOLR-4: tool calls and their results, %s',
    async (model) => {
      stand.model.args = { get_weather: { city: 'Berlin' } }
      const ask = { model, messages: [{ role: 'user', content: "What's the weather in Berlin?" }] as unknown[], tools: [weather] }
      const called = await stand.ask(chat, { body: ask })
      const [choice] = called.json.choices
      expect([choice.finish_reason, choice.message.tool_calls[0].type, choice.message.tool_calls[0].function.name]).toEqual([
        'tool_calls',
        'function',
        'get_weather',
      ])
      expect(JSON.parse(choice.message.tool_calls[0].function.arguments)).toEqual({ city: 'Berlin' })
      stand.model.proofs = false
      const result = { role: 'tool', tool_call_id: choice.message.tool_calls[0].id, content: '{"temperature_c":18,"condition":"Cloudy"}' }
      const said = await stand.ask(chat, { body: { ...ask, messages: [...ask.messages, choice.message, result] } })
      expect(said.json.choices[0].message.content).toContain('18')
      expect(stand.model.problems).toEqual([])
    },
  )
  test('SOLR-4: the conversation with a tool result as the page writes it', async () => {
    const messages = [
      { role: 'user', content: "What's the weather in Berlin?" },
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 'call_123', type: 'function', function: { name: 'get_weather', arguments: '{"city":"Berlin"}' } }],
      },
      { role: 'tool', tool_call_id: 'call_123', content: '{"temperature_c":18,"condition":"Cloudy"}' },
    ]
    const said = await stand.ask(chat, { body: { model: 'openai/gpt-4o-mini', messages, tools: [weather] } })
    expect([said.status, said.json.choices[0].message.content]).toEqual([200, expect.stringContaining('Cloudy')])
  })
  test('SOLR-4: response_format json_object and json_schema', async () => {
    const schema = {
      type: 'object',
      properties: { invoice_number: { type: 'string' }, total: { type: 'number' }, currency: { type: 'string' } },
      required: ['invoice_number', 'total', 'currency'],
      additionalProperties: false,
    }
    for (const model of ['openai/gpt-4o-mini', 'anthropic/claude-sonnet-4']) {
      const body = {
        model,
        messages: [{ role: 'user', content: 'Extract invoice information.' }],
        response_format: { type: 'json_schema', json_schema: { name: 'invoice', schema } },
      }
      const answer = await stand.ask(chat, { body })
      expect(Object.keys(JSON.parse(answer.json.choices[0].message.content))).toEqual(['invoice_number', 'total', 'currency'])
    }
    await stand.ask(chat, { body: { ...hello, response_format: { type: 'json_object' } } })
    expect(stand.model.requests.at(-1)!.body.response_format).toEqual({ type: 'json_object' })
  })
})

describe('SOLR-5', () => {
  // 24 × 0.15 + 19 × 0.60 per million
  test('SOLR-5: usage.cost, a number exact to the price list', async () => {
    stand.model.instead = () => completion({})
    const { text, json } = await stand.ask(chat, { body: hello })
    expect(json.usage).toMatchObject({ prompt_tokens: 24, completion_tokens: 19, total_tokens: 43, cost: 0.000015 })
    expect(text).toContain('"cost":0.000015')
  })
  test("SOLR-5: in the stream's final chunk, unasked", async () => {
    for (const [model, cost] of [
      ['openai/gpt-4o-mini', (120 * 0.15 + 30 * 0.6) / 1e6],
      ['anthropic/claude-sonnet-4', (120 * 3 + 30 * 15) / 1e6],
    ] as const) {
      const frames = framesOf((await stand.ask(chat, { body: { ...haiku, model } })).text)
      expect(frames.at(-1)).toBe('[DONE]')
      const last = JSON.parse(frames.at(-2)!)
      expect(last.usage).toMatchObject({ prompt_tokens: 120, completion_tokens: 30, total_tokens: 150 })
      expect(last.usage.cost).toBeCloseTo(cost, 12)
    }
  })
  test('SOLR-5: 0 for free models', async () => {
    const free = { ...hello, model: 'google/gemini-2.0-flash-exp' }
    expect((await stand.ask(chat, { body: free })).json.usage.cost).toBe(0)
    expect(JSON.parse(framesOf((await stand.ask(chat, { body: { ...free, stream: true } })).text).at(-2)!).usage.cost).toBe(0)
  })
  test('SOLR-5: in embeddings, where only input is priced, and with the name that was asked for', async () => {
    const { json } = await stand.ask('/ai/embeddings', { body: { model: 'openai/gpt-4o-mini', input: 'a' } })
    expect(json.model).toBe('openai/gpt-4o-mini')
    expect(json.usage).toEqual({ prompt_tokens: 8, total_tokens: 8, cost: 0.0000012 })
    expect(json.data[0].embedding).toHaveLength(8)
  })
  test('SOLR-5: in completions too', async () => {
    const { json } = await stand.ask('/ai/completions', { body: { model: 'openai/gpt-3.5-turbo-instruct', prompt: 'a' } })
    expect(json.usage.cost).toBeNumber()
  })
})

test('SOLR-6: finish_reason is one of four words, whatever the upstream says', async () => {
  const said: Record<string, string> = {
    eos: 'stop',
    end_turn: 'stop',
    stop_sequence: 'stop',
    max_tokens: 'length',
    MAX_TOKENS: 'length',
    function_call: 'tool_calls',
    tool_use: 'tool_calls',
    SAFETY: 'content_filter',
    refusal: 'content_filter',
    length: 'length',
  }
  for (const [raw, word] of Object.entries(said)) {
    stand.model.instead = (_, body) => {
      if (!body.stream) return completion({ finish_reason: raw })
      const chunk = (delta: object, finish_reason: string | null) =>
        `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason }] })}\n\n`
      return new Response(`${chunk({ content: 'a' }, null)}${chunk({}, raw)}data: [DONE]\n\n`, {
        headers: { 'content-type': 'text/event-stream' },
      })
    }
    expect([raw, (await stand.ask(chat, { body: hello })).json.choices[0].finish_reason]).toEqual([raw, word])
    const reasons = framesOf((await stand.ask(chat, { body: haiku })).text)
      .filter((frame) => frame !== '[DONE]')
      .flatMap((frame) => JSON.parse(frame).choices.map((choice: { finish_reason: unknown }) => choice.finish_reason))
    expect([raw, reasons.filter((reason) => reason !== null)]).toEqual([raw, [word]])
  }
})

test('SOLR-7: the fields of a model', async () => {
  const { json } = await stand.ask('/ai/models/openai%2Fgpt-4o-mini')
  expect(structuredClone(json)).toMatchObject({
    id: 'openai/gpt-4o-mini',
    name: 'GPT-4o Mini',
    context_length: 128000,
    modalities: { input: ['text', 'image'], output: ['text'] },
    description: 'Fast, low-cost multimodal model.',
    top_provider: { name: 'openai', context_length: 128000, max_completion_tokens: 16384 },
    architecture: { tokenizer: 'o200k_base', input_modalities: ['text', 'image'], output_modalities: ['text'] },
    per_request_limits: { prompt_tokens: 128000, completion_tokens: 16384 },
    canonical_slug: 'openai/gpt-4o-mini',
    is_free: false,
    expiration_date: null,
  })
  // to the letter of the page
  expect(json.pricing).toEqual({ prompt: '0.15', completion: '0.60' })
  const listed = (await stand.ask('/ai/models')).json.data as { id: string; is_free: boolean }[]
  expect(listed.find(({ id }) => id === json.id)).toEqual(json)
  expect(listed.find(({ id }) => id === 'google/gemini-2.0-flash-exp')!.is_free).toBe(true)
})

describe('SOLR-9', () => {
  test('SOLR-9: a prompt, or several', async () => {
    const model = 'openai/gpt-3.5-turbo-instruct'
    expect((await stand.ask('/ai/completions', { body: { model, prompt: 'one' } })).json.choices).toHaveLength(1)
    const sent: unknown[] = []
    stand.model.instead = (_request, body) => {
      sent.push(body.prompt)
      const choices = [0, 1].map((index) => ({ index, text: `said ${index}`, logprobs: null, finish_reason: 'stop' }))
      return Response.json({ id: 'cmpl-1', object: 'text_completion', created: 1, model, choices })
    }
    const several = await stand.ask('/ai/completions', { body: { model, prompt: ['one', 'two'] } })
    expect(several.json.choices.map(({ text }: { text: string }) => text)).toEqual(['said 0', 'said 1'])
    expect(sent).toEqual([['one', 'two']])
    expect((await stand.ask('/ai/completions', { body: { model, prompt: 7 } })).json.error.param).toBe('prompt')
  })
  test('SOLR-9: streaming', async () => {
    const frames = framesOf(
      (await stand.ask('/ai/completions', { body: { model: 'openai/gpt-3.5-turbo-instruct', prompt: 'one', stream: true } })).text,
    )
    expect(frames.at(-1)).toBe('[DONE]')
    for (const frame of frames.slice(0, -1))
      expect(JSON.parse(frame)).toMatchObject({ object: 'text_completion', model: 'openai/gpt-3.5-turbo-instruct' })
    const chunks = frames.slice(0, -1).map((frame) => JSON.parse(frame).choices[0])
    expect(chunks.map((choice) => choice?.text ?? '').join('')).toBe('You said: one')
    expect(chunks.findLast((choice) => choice !== undefined).finish_reason).toBe('stop')
  })
})
