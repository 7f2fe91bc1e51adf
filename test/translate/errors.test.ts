/**
 * PROTOCOL §1.7 both ways: what a client of each dialect is told when an upstream of each dialect fails, cell by cell, over real HTTP.
 *
 * Each case is a status (or an error inside a 200) in the upstream's own envelope; each client family has one right answer. In the client's own dialect
 * the body must be the upstream's, byte for byte (529 as well, G02; codes that mean nothing here, G07). The sentence of the upstream is always inside (G05), waits are kept (G01), a rejection of the
 * gateway's own key is never the client's (G08).
 */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { forAll } from '../support/for-all.ts'
import { type LocalGateway, startLocalGateway } from '../support/local-gateway.ts'
import { type ReplayUpstream, startReplay } from '../support/replay-upstream.ts'
import { leastRequest, matrixConfig, type Spoken, spoken } from './dialects.ts'
import { bodyOf, type Fault, familyOf, faults, invalid, unknownModel } from './faults.ts'
import { responsesOpening } from './stage.ts'
import { object, parse } from './told.ts'

setDefaultTimeout(60_000)

let replay: ReplayUpstream
let gateway: LocalGateway
beforeAll(async () => {
  replay = await startReplay()
  gateway = await startLocalGateway(matrixConfig(replay.url))
})
afterAll(async () => {
  await gateway.stop()
  await replay.stop()
})

const overflows: readonly (readonly [upstream: string, sentence: string])[] = [
  ['chat', "This model's maximum context length is 128000 tokens. However, your messages resulted in 200123 tokens."],
  ['responses', 'Your input exceeds the context window of this model. Please adjust your input and try again.'],
  ['messages', 'prompt is too long: 210000 tokens > 200000 maximum'],
  ['messages', 'input length and `max_tokens` exceed context limit: 199000 + 8192 > 200000'],
  ['gemini', 'The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).'],
]

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: string
}

async function ask(client: Spoken, upstream: Spoken, stream: boolean, id: string): Promise<Answer> {
  const model = `${upstream.upstream}-${id}`
  const response = await fetch(gateway.url + client.path(model, stream), {
    method: 'POST',
    headers: client.headers,
    body: leastRequest(client, model, stream),
  })
  return { status: response.status, headers: response.headers, body: await response.text() }
}

/** What an error body of this client's family says, its envelope checked. */
function wordsOf(client: Spoken, { body, headers }: Answer): { readonly message: string; readonly words: unknown } {
  const value = object(parse(body))
  const error = object(value.error)
  expect(error.message).toBeString()
  const message = String(error.message)
  switch (familyOf(client)) {
    case 'anthropic':
      expect(value.type).toBe('error')
      expect(value.request_id).toBe(headers.get('x-request-id'))
      return { message, words: error.type }
    case 'gemini':
      expect(error.code).toBeNumber()
      return { message, words: error.status }
    default:
      expect(Object.keys(error)).toEqual(expect.arrayContaining(['message', 'type', 'param', 'code']))
      return { message, words: [error.type, error.code] }
  }
}

const toldTo = (client: Spoken, told: Fault['told']) => ({
  status: (familyOf(client) === 'anthropic' && told.anthropicStatus) || told.status,
  words: told[familyOf(client)],
})

const json = { 'content-type': 'application/json' }
const cells = spoken.flatMap((client) => spoken.flatMap((upstream) => [false, true].map((stream) => ({ client, upstream, stream }))))
type Cell = (typeof cells)[number]
const nameOf = ({ client, upstream, stream }: Cell) => `${upstream.name} to ${client.name}${stream ? ', streamed' : ''}`
const ofFamily = (a: Spoken, b: Spoken) => familyOf(a) === familyOf(b)

function checkHeaders(answer: Answer): void {
  expect(answer.headers.get('content-type')).toStartWith('application/json')
  expect(answer.headers.get('x-request-id')).toStartWith('req_')
  expect(`${JSON.stringify([...answer.headers])} ${answer.body}`).not.toMatch(/upstream-secret|client-secret/)
}

describe('a status of the upstream', () => {
  for (const fault of faults) {
    test(`${fault.status}, ${fault.name}`, async () => {
      await forAll(cells, nameOf, async (cell) => {
        const { client, upstream, stream } = cell
        const body = JSON.stringify(bodyOf(upstream, fault))
        const id = replay.addReply({ status: fault.status, headers: { ...json, ...fault.headers }, body: Buffer.from(body), stream: false })
        const answer = await ask(client, upstream, stream, id)
        checkHeaders(answer)
        expect(replay.requestsFor(id)).toHaveLength(1) // G12: nobody retries unasked
        for (const [name, value] of Object.entries(fault.headers ?? {}))
          expect(`${name} ${answer.headers.get(name)}`).toBe(`${name} ${value}`)
        if (client === upstream && !fault.always) {
          expect(answer.status).toBe(fault.status)
          expect(answer.body).toBe(body)
          return
        }
        const { message, words } = wordsOf(client, answer)
        expect(message).toContain(fault.sentence)
        const expected = toldTo(client, fault.told)
        // OpenAI's APIs share their words and statuses
        const shared = ofFamily(client, upstream) && !fault.always
        expect(answer.status).toBe(shared ? fault.status : expected.status)
        if (shared) expect(words).toEqual([...fault.openai])
        else expect(words).toEqual(typeof expected.words === 'string' ? expected.words : [...expected.words])
        if (fault.always) expect(answer.headers.get('x-should-retry')).toBe('false')
      })
    })
  }

  test('a wait that Google says in the body is the header of all, and the body of its own clients (G01)', async () => {
    const fault = faults.find((f) => f.status === 429)!
    await forAll(cells, nameOf, async ({ client, upstream, stream }) => {
      const google = familyOf(upstream) === 'gemini'
      const body = JSON.stringify(bodyOf(upstream, fault, '33.2s'))
      const headers = google ? json : { ...json, 'retry-after': '34' }
      const id = replay.addReply({ status: 429, headers, body: Buffer.from(body), stream: false })
      const answer = await ask(client, upstream, stream, id)
      expect(answer.headers.get('retry-after')).toBe('34')
      if (familyOf(client) !== 'gemini') return
      const details = object(object(parse(answer.body)).error).details as { '@type': string; retryDelay?: string }[]
      const info = details.find((detail) => detail['@type'].endsWith('RetryInfo'))
      expect(info?.retryDelay).toBe(google ? '33.2s' : '34s')
    })
  })

  test('a page of a CDN is a short sentence in the envelope of the client (G11)', async () => {
    const page =
      '<!DOCTYPE html><html><head><title>502 Bad Gateway</title><style>p{}</style></head><body><h1>Origin is down</h1></body></html>'
    await forAll(cells, nameOf, async ({ client, upstream, stream }) => {
      const id = replay.addReply({ status: 502, headers: { 'content-type': 'text/html' }, body: Buffer.from(page), stream: false })
      const answer = await ask(client, upstream, stream, id)
      checkHeaders(answer)
      expect(answer.status).toBe(502)
      const { message } = wordsOf(client, answer)
      expect(message).toContain('Origin is down')
      expect(message).not.toContain('<')
    })
  })

  test('shapes of others: detail, a bare text, a list, nothing at all (G11)', async () => {
    const bodies: readonly (readonly [string, string])[] = [
      ['{"detail":"the field is odd"}', 'the field is odd'],
      ['{"detail":[{"loc":["body","x"],"msg":"the field is odd"}]}', 'the field is odd'],
      ['{"error":"the field is odd"}', 'the field is odd'],
      ['{"message":"the field is odd"}', 'the field is odd'],
      ['[{"error":{"code":400,"message":"the field is odd","status":"INVALID_ARGUMENT"}}]', 'the field is odd'],
      ['the field is odd', 'the field is odd'],
      ['', '400'],
    ]
    await forAll(
      cells.flatMap((cell) => bodies.map(([body, sentence]) => ({ ...cell, body, sentence }))),
      (item) => `${nameOf(item)} ${item.body}`,
      async ({ client, upstream, stream, body, sentence }) => {
        const id = replay.addReply({
          status: 400,
          headers: { 'content-type': 'application/octet-stream' },
          body: Buffer.from(body),
          stream: false,
        })
        const answer = await ask(client, upstream, stream, id)
        checkHeaders(answer)
        expect(answer.status).toBe(400)
        const { message, words } = wordsOf(client, answer)
        expect(message).toContain(sentence)
        if (Array.isArray(words)) expect([typeof words[1], words[1]]).not.toContain('number')
      },
    )
  })

  test('an overflow of the context is told in the words on which each client compacts (G06)', async () => {
    const items = overflows.flatMap(([name, sentence]) =>
      cells.filter(({ upstream }) => upstream.name === name).map((cell) => ({ ...cell, sentence })),
    )
    await forAll(items, nameOf, async ({ client, upstream, stream, sentence }) => {
      const fault = { status: 400, sentence, ...invalid }
      const id = replay.addReply({ status: 400, headers: json, body: Buffer.from(JSON.stringify(bodyOf(upstream, fault))), stream: false })
      const answer = await ask(client, upstream, stream, id)
      expect(answer.status).toBe(400)
      const { message, words } = wordsOfAny(client, upstream, answer)
      expect(message).toContain(sentence)
      if (client === upstream) return
      if (familyOf(client) === 'anthropic') expect(message).toContain('prompt is too long')
      else if (familyOf(client) === 'openai') {
        expect(message).toMatch(/context (length|window)/i)
        expect(words).toEqual(['invalid_request_error', 'context_length_exceeded'])
      }
    })
  })
})

/** As `wordsOf`; a body that was forwarded names the upstream's request. */
function wordsOfAny(client: Spoken, upstream: Spoken, answer: Answer): { readonly message: string; readonly words: unknown } {
  if (client !== upstream) return wordsOf(client, answer)
  const error = object(object(parse(answer.body)).error)
  return { message: String(error.message), words: [error.type, error.code] }
}

/** The first frames of a stream that has told something. */
function begun(upstream: Spoken): string {
  switch (upstream.name) {
    case 'chat':
      return `data: ${JSON.stringify({ id: 'c1', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta: { role: 'assistant', content: 'Half an' }, finish_reason: null }] })}\n\n`
    case 'responses':
      return [
        ...responsesOpening,
        { type: 'response.output_text.delta', sequence_number: 3, item_id: 'msg_1', output_index: 0, content_index: 0, delta: 'Half an' },
      ]
        .map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
        .join('')
    case 'messages':
      return [
        {
          type: 'message_start',
          message: {
            id: 'msg_1',
            type: 'message',
            role: 'assistant',
            model: 'm',
            content: [],
            stop_reason: null,
            stop_sequence: null,
            usage: { input_tokens: 3, output_tokens: 1 },
          },
        },
        { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
        { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Half an' } },
      ]
        .map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
        .join('')
    default:
      return `data: ${JSON.stringify({ candidates: [{ content: { role: 'model', parts: [{ text: 'Half an' }] }, index: 0 }], responseId: 'r1', modelVersion: 'm' })}\r\n\r\n`
  }
}

/** The frame by which an upstream says in mid-stream that it failed. */
function failing(upstream: Spoken, fault: Fault): string {
  if (upstream.name === 'responses') {
    const [type, code] = fault.openai
    const error = { type: 'error', code: code ?? type, message: fault.sentence, param: null, sequence_number: 9 }
    return `event: error\ndata: ${JSON.stringify(error)}\n\n`
  }
  const data = `data: ${JSON.stringify(bodyOf(upstream, fault))}\n\n`
  return familyOf(upstream) === 'anthropic' ? `event: error\n${data}` : data
}

const inReply = faults.filter((fault) => [429, 500, 529].includes(fault.status))

describe('an error inside a 200', () => {
  for (const fault of inReply) {
    test(`whole, and as the first frame: ${fault.name} (B07, G03)`, async () => {
      await forAll(cells, nameOf, async ({ client, upstream, stream }) => {
        const text = stream ? failing(upstream, fault) : JSON.stringify(bodyOf(upstream, fault))
        const type = stream ? 'text/event-stream' : 'application/json'
        const id = replay.addReply({ status: 200, headers: { 'content-type': type }, body: Buffer.from(text), stream })
        const answer = await ask(client, upstream, stream, id)
        checkHeaders(answer)
        const { message } = wordsOf(client, answer)
        expect(message).toContain(fault.sentence)
        if (!ofFamily(client, upstream)) expect(answer.status).toBe(toldTo(client, fault.told).status)
        else expect(answer.status).toBeGreaterThanOrEqual(429)
        const [outcome] = gateway.outcomes.get(answer.headers.get('x-request-id')!)!
        expect(outcome?.end).toBe('failed')
      })
    })

    test(`after the first words: ${fault.name} (B08, B09)`, async () => {
      const streams = cells.filter(({ stream }) => stream)
      await forAll(streams, nameOf, async ({ client, upstream }) => {
        const body = begun(upstream) + failing(upstream, fault)
        const id = replay.addReply({ status: 200, headers: { 'content-type': 'text/event-stream' }, body: Buffer.from(body), stream: true })
        const answer = await ask(client, upstream, true, id)
        expect(answer.status).toBe(200)
        const told = client.streamed(answer.body)
        expect(answer.body).toContain('Half an')
        expect(told.error).toContain(fault.sentence)
        expect(told.complete).toBe(false)
        expect(replay.requestsFor(id)).toHaveLength(1) // B09: nothing begins anew
        expect((await gateway.outcome(answer.headers.get('x-request-id')!)).end).toBe('failed')
        if (client === upstream) return
        expect(told.wrong).toEqual([])
        const words = fault.told[familyOf(client)]
        for (const word of typeof words === 'string' ? [words] : words) if (word !== null) expect(answer.body).toContain(`"${word}"`)
      })
    })
  }

  test('null, nothing, a page and a number are no replies (G03, B12)', async () => {
    const bodies = ['null', '', '<html><body>Welcome to nginx</body></html>', '17', '{}', '{"hello":"world"}', '[]']
    await forAll(
      cells.flatMap((cell) => bodies.map((body) => ({ ...cell, body }))),
      (item) => `${nameOf(item)} ${item.body}`,
      async ({ client, upstream, stream, body }) => {
        const type = stream ? 'text/event-stream' : 'application/json'
        const id = replay.addReply({ status: 200, headers: { 'content-type': type }, body: Buffer.from(body), stream: false })
        const answer = await ask(client, upstream, stream, id)
        checkHeaders(answer)
        expect(answer.status).toBe(502)
        wordsOf(client, answer)
      },
    )
  })
})

describe('refusals of the gateway', () => {
  const refusals: readonly (readonly [name: string, body: (model: string) => string, model: string, told: Fault['told']])[] = [
    ['an unknown model', (model) => model, 'no-such-model', unknownModel],
    [
      'broken JSON',
      () => '{"model": ',
      'chat-x',
      { status: 400, openai: ['invalid_request_error', 'invalid_json'], anthropic: 'invalid_request_error', gemini: 'INVALID_ARGUMENT' },
    ],
  ]
  for (const [name, make, model, told] of refusals) {
    test(`${name}, in the shape of each client (G04)`, async () => {
      await forAll(
        spoken.flatMap((client) => [false, true].map((stream) => ({ client, stream }))),
        ({ client, stream }) => `${client.name} ${stream}`,
        async ({ client, stream }) => {
          const body = name === 'broken JSON' ? make(model) : leastRequest(client, model, stream)
          const response = await fetch(gateway.url + client.path(model, stream), { method: 'POST', headers: client.headers, body })
          const answer = { status: response.status, headers: response.headers, body: await response.text() }
          checkHeaders(answer)
          const { words } = wordsOf(client, answer)
          expect({ status: answer.status, words }).toEqual({ ...toldTo(client, told), words: toldTo(client, told).words })
        },
      )
    })
  }

  test('a wrong path, a wrong method and a wrong media type (G04)', async () => {
    const wrongs = [
      { path: '/v1beta/models/x:explode', method: 'POST', headers: { 'x-goog-api-key': 'k' }, family: 'gemini', status: 404 },
      { path: '/v1/messages/x', method: 'POST', headers: { 'anthropic-version': '2023-06-01' }, family: 'anthropic', status: 404 },
      { path: '/v1/chat/nothing', method: 'POST', headers: {}, family: 'openai', status: 404 },
      { path: '/v1/chat/completions', method: 'GET', headers: {}, family: 'openai', status: 405 },
      { path: '/v1/messages', method: 'GET', headers: { 'anthropic-version': '2023-06-01' }, family: 'anthropic', status: 405 },
      { path: '/v1/responses', method: 'GET', headers: {}, family: 'openai', status: 405 },
    ] as const
    for (const { path, method, headers, family, status } of wrongs) {
      const response = await fetch(gateway.url + path, { method, headers: headers as Record<string, string> })
      const answer = { status: response.status, headers: response.headers, body: await response.text() }
      expect(`${path} ${answer.status}`).toBe(`${path} ${status}`)
      wordsOf(spoken.find((s) => familyOf(s) === family)!, answer)
    }
    for (const client of spoken) {
      const response = await fetch(gateway.url + client.path('chat-x', false), {
        method: 'POST',
        headers: { ...client.headers, 'content-type': 'text/plain' },
        body: '{}',
      })
      const answer = { status: response.status, headers: response.headers, body: await response.text() }
      expect(answer.status).toBe(415)
      wordsOf(client, answer)
    }
  })
})
