/**
 * What an upstream of another dialect can't be told (PROTOCOL §0.2, §1.4): hints are left out and named, what changes the answer is refused before any call.
 *
 * Over real HTTP, for each client and upstream: the header, the record and the sentence name the client's own field; `on_drop: refuse` makes a 400 of
 * every drop.
 */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { forAll } from '../support/for-all.ts'
import { type LocalGateway, startLocalGateway } from '../support/local-gateway.ts'
import { modelConfig, modelOf, type Upstream } from '../support/model/gateway.ts'
import { type ScriptedModel, startModel } from '../support/model/server.ts'
import { leastRequest, type Spoken, spoken } from './dialects.ts'
import { object, parse } from './told.ts'

setDefaultTimeout(60_000)

let model: ScriptedModel
let gateway: LocalGateway
let strict: LocalGateway
beforeAll(async () => {
  model = startModel()
  gateway = await startLocalGateway(modelConfig(model.url))
  const config = JSON.parse(modelConfig(model.url)) as { upstreams: Record<string, Record<string, unknown>> }
  for (const upstream of Object.values(config.upstreams)) upstream.on_drop = 'refuse'
  strict = await startLocalGateway(JSON.stringify(config))
})
afterAll(async () => {
  await gateway.stop()
  await strict.stop()
  await model.stop()
})

type Name = 'chat' | 'responses' | 'messages' | 'gemini'
interface Field {
  readonly client: Name
  /** Members of the body. */
  readonly add: Readonly<Record<string, unknown>>
  /** What the client calls it. */
  readonly field: string
  /** Upstreams of other dialects that can be told. */
  readonly can?: readonly Name[]
}

const picture = { type: 'object', properties: { a: { type: 'string' } } }
const own = {
  chat: { tools: [{ type: 'function', function: { name: 'look', parameters: picture } }] },
  responses: { tools: [{ type: 'function', name: 'look', parameters: picture }] },
  messages: { tools: [{ name: 'look', input_schema: picture }] },
  gemini: { tools: [{ functionDeclarations: [{ name: 'look', parametersJsonSchema: picture }] }] },
}

/** Without these the answer would be another one, or of another shape. */
const meaning: readonly Field[] = [
  { client: 'chat', add: { n: 2 }, field: 'n', can: ['gemini'] },
  { client: 'chat', add: { logprobs: true, top_logprobs: 3 }, field: 'logprobs' },
  { client: 'chat', add: { logit_bias: { '42': 10 } }, field: 'logit_bias' },
  { client: 'chat', add: { modalities: ['text', 'audio'] }, field: 'modalities' },
  { client: 'chat', add: { audio: { voice: 'x', format: 'wav' } }, field: 'audio' },
  { client: 'chat', add: { prediction: { type: 'content', content: 'x' } }, field: 'prediction' },
  { client: 'chat', add: { web_search_options: {} }, field: 'web_search_options' },
  { client: 'chat', add: { response_format: { type: 'grammar', grammar: 'x' } }, field: 'response_format' },
  { client: 'chat', add: { stop: ['END'] }, field: 'stop', can: ['messages', 'gemini'] },
  { client: 'chat', add: { tools: [{ type: 'web_search' }] }, field: 'tools[0]' },
  {
    client: 'chat',
    add: { messages: [{ role: 'user', content: [{ type: 'file', file: { file_id: 'file-1' } }] }] },
    field: 'messages[0].content[0]',
  },
  { client: 'responses', add: { previous_response_id: 'resp_1' }, field: 'previous_response_id' },
  { client: 'responses', add: { conversation: 'conv_1' }, field: 'conversation' },
  { client: 'responses', add: { background: true }, field: 'background' },
  { client: 'responses', add: { prompt: { id: 'pmpt_1' } }, field: 'prompt' },
  { client: 'responses', add: { include: ['message.output_text.logprobs'] }, field: 'include' },
  { client: 'responses', add: { top_logprobs: 2 }, field: 'top_logprobs' },
  { client: 'responses', add: { tools: [{ type: 'web_search' }] }, field: 'tools[0]' },
  { client: 'responses', add: { tools: [{ type: 'computer_use_preview' }] }, field: 'tools[0]' },
  { client: 'responses', add: { input: [{ type: 'item_reference', id: 'msg_1' }] }, field: 'input[0]' },
  {
    client: 'responses',
    add: { input: [{ role: 'user', content: [{ type: 'input_image', file_id: 'file-1' }] }] },
    field: 'input[0].content[0]',
  },
  { client: 'messages', add: { thread: { type: 'create' } }, field: 'thread' },
  { client: 'messages', add: { mcp_servers: [{ type: 'url', url: 'https://x', name: 'x' }] }, field: 'mcp_servers' },
  { client: 'messages', add: { container: { skills: [] } }, field: 'container' },
  { client: 'messages', add: { tools: [{ type: 'web_search_20250305', name: 'web_search' }] }, field: 'tools[0]' },
  { client: 'messages', add: { inference_geo: 'us' }, field: 'inference_geo' },
  { client: 'messages', add: { stop_sequences: ['END'] }, field: 'stop_sequences', can: ['chat', 'gemini'] },
  {
    client: 'messages',
    add: { messages: [{ role: 'user', content: [{ type: 'document', source: { type: 'file', file_id: 'file_1' } }] }] },
    field: 'messages[0].content[0]',
  },
  { client: 'gemini', add: { generationConfig: { candidateCount: 2 } }, field: 'generationConfig.candidateCount', can: ['chat'] },
  { client: 'gemini', add: { generationConfig: { responseLogprobs: true, logprobs: 2 } }, field: 'generationConfig.responseLogprobs' },
  { client: 'gemini', add: { generationConfig: { responseModalities: ['IMAGE'] } }, field: 'generationConfig.responseModalities' },
  { client: 'gemini', add: { cachedContent: 'cachedContents/1' }, field: 'cachedContent' },
  { client: 'gemini', add: { tools: [{ googleSearch: {} }] }, field: 'tools[0].googleSearch' },
  {
    client: 'gemini',
    add: { contents: [{ role: 'user', parts: [{ fileData: { fileUri: 'https://generativelanguage.googleapis.com/v1beta/files/abc' } }] }] },
    field: 'contents[0].parts[0]',
  },
]

/** The answer means the same without these. */
const hints: readonly Field[] = [
  { client: 'chat', add: { seed: 7 }, field: 'seed', can: ['gemini'] },
  { client: 'chat', add: { service_tier: 'flex' }, field: 'service_tier', can: ['responses'] },
  { client: 'chat', add: { unheard_of: { x: 1 } }, field: 'unheard_of' },
  { client: 'chat', add: { frequency_penalty: 0.5 }, field: 'frequency_penalty' },
  { client: 'chat', add: { prompt_cache_key: 'k' }, field: 'prompt_cache_key', can: ['responses'] },
  { client: 'chat', add: { ...own.chat, tools: [...own.chat.tools, { type: 'web_search' }] }, field: 'tools[1]' },
  {
    client: 'responses',
    add: {
      input: [
        { role: 'user', content: 'Hello' },
        { type: 'item_reference', id: 'rs_1' },
      ],
    },
    field: 'input[1]',
  },
  { client: 'responses', add: { unheard_of: 1 }, field: 'unheard_of' },
  { client: 'responses', add: { service_tier: 'priority' }, field: 'service_tier', can: ['chat'] },
  { client: 'responses', add: { ...own.responses, tools: [...own.responses.tools, { type: 'web_search' }] }, field: 'tools[1]' },
  { client: 'messages', add: { top_k: 5 }, field: 'top_k', can: ['gemini'] },
  { client: 'messages', add: { context_management: { edits: [] } }, field: 'context_management' },
  { client: 'messages', add: { safeguards: { a: 1 } }, field: 'safeguards' },
  { client: 'messages', add: { service_tier: 'standard_only' }, field: 'service_tier' },
  {
    client: 'messages',
    add: { ...own.messages, tools: [...own.messages.tools, { type: 'web_search_20250305', name: 'web_search' }] },
    field: 'tools[1]',
  },
  {
    client: 'gemini',
    add: { safetySettings: [{ category: 'HARM_CATEGORY_HARASSMENT', threshold: 'BLOCK_NONE' }] },
    field: 'safetySettings',
  },
  { client: 'gemini', add: { generationConfig: { topK: 4 } }, field: 'generationConfig.topK', can: ['messages'] },
  { client: 'gemini', add: { unheardOf: true }, field: 'unheardOf' },
]

interface Item extends Field {
  readonly from: Spoken
  readonly to: Spoken
}
const items = (fields: readonly Field[], able = false): Item[] =>
  fields.flatMap((field) => {
    const from = spoken.find((s) => s.name === field.client)!
    const others = spoken.filter((to) => to !== from)
    return others.filter((to) => (field.can ?? []).includes(to.name as Name) === able).map((to) => ({ ...field, from, to }))
  })
const nameOf = ({ from, to, field }: Item) => `${field} of a ${from.name} client to ${to.name}`

async function ask(at: LocalGateway, { from, to, add }: Pick<Item, 'from' | 'to' | 'add'>) {
  const id = modelOf(to.upstream as Upstream)
  const body = JSON.stringify({ ...object(parse(leastRequest(from, id, false))), ...add })
  const before = model.requests.length
  const response = await fetch(at.url + from.path(id, false), { method: 'POST', headers: from.headers, body })
  return { status: response.status, headers: response.headers, body: await response.text(), calls: model.requests.length - before }
}

describe('what changes the answer', () => {
  test('is refused by its name, and no upstream is called', async () => {
    await forAll(
      items(meaning),
      nameOf,
      async (item) => {
        const { status, body, calls } = await ask(gateway, item)
        expect(`${status} ${status === 400 ? '' : body}`).toBe('400 ')
        expect(item.from.whole(body).error).toContain(item.field)
        expect(calls).toBe(0)
      },
      1,
    )
  })

  test('is passed on where the upstream can be told', async () => {
    await forAll(
      items(meaning, true),
      nameOf,
      async (item) => {
        const { status, body, headers } = await ask(gateway, item)
        expect(`${status} ${status === 200 ? '' : body}`).toBe('200 ')
        expect(headers.get('x-gateway-dropped')).toBeNull()
      },
      1,
    )
  })

  test('a refused thread is worded so that the SDK goes on without it', async () => {
    const [chat, , messages] = spoken
    const { body } = await ask(gateway, { from: messages!, to: chat!, add: { thread: { type: 'create' } } })
    expect(object(object(parse(body)).error).details).toMatchObject({ error_code: 'thread_unsupported_request' })
  })

  test("the field is the error's param in OpenAI's shape, and a violation in Google's", async () => {
    const [chat, , messages, gemini] = spoken
    const openai = await ask(gateway, { from: chat!, to: messages!, add: { n: 3 } })
    expect(object(object(parse(openai.body)).error)).toMatchObject({
      param: 'n',
      code: 'unsupported_parameter',
      type: 'invalid_request_error',
    })
    const google = await ask(gateway, { from: gemini!, to: messages!, add: { cachedContent: 'cachedContents/1' } })
    expect(google.body).toContain('"fieldViolations":[{"field":"cachedContent"')
    expect(object(object(parse(google.body)).error)).toMatchObject({ code: 400, status: 'INVALID_ARGUMENT' })
  })
})

describe('hints', () => {
  test('are left out, and named in the header and the record', async () => {
    await forAll(
      items(hints),
      nameOf,
      async (item) => {
        const { status, body, headers, calls } = await ask(gateway, item)
        expect(`${status} ${status === 200 ? '' : body}`).toBe('200 ')
        expect(calls).toBe(1)
        expect(headers.get('x-gateway-dropped')?.split(',')).toContain(item.field)
        const outcome = await gateway.outcome(headers.get('x-request-id')!)
        expect(outcome.dropped).toContain(item.field)
      },
      1,
    )
  })

  test('with on_drop: refuse they are a 400 that names them (each client)', async () => {
    await forAll(
      items(hints),
      nameOf,
      async (item) => {
        const { status, body, calls } = await ask(strict, item)
        expect(`${status} ${status === 400 ? '' : body}`).toBe('400 ')
        expect(item.from.whole(body).error).toContain(`"${item.field}"`)
        expect(calls).toBe(0)
      },
      1,
    )
  })

  test('are passed on where the upstream can be told, with on_drop: refuse too', async () => {
    await forAll(
      items(hints, true),
      nameOf,
      async (item) => {
        const { status, body, headers } = await ask(strict, item)
        expect(`${status} ${status === 200 ? '' : body}`).toBe('200 ')
        expect(headers.get('x-gateway-dropped')).toBeNull()
      },
      1,
    )
  })

  test('a plain request drops nothing between any two dialects', async () => {
    const pairs = spoken.flatMap((from) => spoken.map((to) => ({ from, to, add: {}, field: '', client: from.name as Name })))
    await forAll(
      pairs,
      nameOf,
      async (item) => {
        expect((await ask(strict, item)).status).toBe(200)
        expect((await ask(strict, { ...item, add: own[item.client] })).status).toBe(200)
      },
      1,
    )
  })

  test('null asks for nothing', async () => {
    const nulls: Readonly<Record<Name, readonly string[]>> = {
      chat: 'temperature top_p max_tokens max_completion_tokens stop n seed logprobs top_logprobs logit_bias tools tool_choice parallel_tool_calls response_format user metadata store stream stream_options reasoning_effort service_tier frequency_penalty presence_penalty modalities audio prediction web_search_options functions function_call'.split(
        ' ',
      ),
      responses:
        'instructions temperature top_p max_output_tokens tools tool_choice parallel_tool_calls text reasoning include store previous_response_id conversation background prompt metadata user service_tier truncation stream top_logprobs max_tool_calls prompt_cache_key safety_identifier'.split(
          ' ',
        ),
      messages:
        'system temperature top_p top_k stop_sequences tools tool_choice thinking output_config metadata thread container mcp_servers context_management service_tier stream'.split(
          ' ',
        ),
      gemini: 'systemInstruction tools toolConfig generationConfig safetySettings cachedContent labels'.split(' '),
    }
    const all = spoken.flatMap((from) =>
      spoken.flatMap((to) =>
        to === from
          ? []
          : nulls[from.name as Name].map((field) => ({ from, to, field, client: from.name as Name, add: { [field]: null } })),
      ),
    )
    await forAll(
      all,
      nameOf,
      async (item) => {
        const { status, body } = await ask(strict, item)
        expect(`${status} ${status === 200 ? '' : body}`).toBe('200 ')
      },
      1,
    )
  })

  test('names that no header can hold are told all the same', async () => {
    const [chat, , messages] = spoken
    const { status, headers } = await ask(gateway, { from: chat!, to: messages!, add: { 'naïve→\nx': 1, ['y'.repeat(3000)]: 1, z: 1 } })
    expect(status).toBe(200)
    expect(headers.get('x-gateway-dropped')).toMatch(/^na\?ve\?x,y{200},z$/)
  })
})
