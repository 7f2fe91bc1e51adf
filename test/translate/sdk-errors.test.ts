/**
 * Error classes of the openai and anthropic SDKs by what a provider of each dialect answers (PROTOCOL §1.7; G01, G02, G05, G06, G08, G11).
 */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { failureOf } from '../support/model/aborting.ts'
import { type ModelGateway, modelOf, startModelGateway, type Upstream, upstreams } from '../support/model/gateway.ts'

type Errors = { readonly [U in Upstream]: (type: string, message: string, status: number) => object }

/** How each provider puts an error. */
const envelopes: Errors = {
  chat: (type, message) => ({ error: { message, type, param: null, code: null } }),
  responses: (type, message) => ({ error: { message, type, param: null, code: null } }),
  messages: (type, message) => ({ type: 'error', error: { type, message }, request_id: 'req_theirs' }),
  gemini: (type, message, code) => ({ error: { code, message, status: type } }),
}

/** A context overflow in each provider's own words. */
const overflow: { readonly [U in Upstream]: object } = {
  chat: {
    error: {
      message: "This model's maximum context length is 128000 tokens. However, your messages resulted in 130000 tokens.",
      type: 'invalid_request_error',
      param: 'messages',
      code: 'context_length_exceeded',
    },
  },
  responses: {
    error: {
      message: 'Your input exceeds the context window of this model. Please adjust your input and try again.',
      type: 'invalid_request_error',
      param: 'input',
      code: 'context_length_exceeded',
    },
  },
  messages: { type: 'error', error: { type: 'invalid_request_error', message: 'prompt is too long: 210000 tokens > 200000 maximum' } },
  gemini: {
    error: {
      code: 400,
      message: 'The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).',
      status: 'INVALID_ARGUMENT',
    },
  },
}

describe('error classes', () => {
  let at: ModelGateway
  let openai: OpenAI
  let anthropic: Anthropic

  beforeAll(async () => {
    at = await startModelGateway()
    openai = new OpenAI({ apiKey: 'client-secret', baseURL: `${at.url}/v1`, maxRetries: 0, timeout: 10_000 })
    anthropic = new Anthropic({ apiKey: 'client-secret', baseURL: at.url, maxRetries: 0, timeout: 10_000 })
  })
  afterEach(() => expect(at.complaints()).toEqual([]))
  afterAll(() => at.stop())

  describe.each([...upstreams])('of %s', (upstream) => {
    const model = modelOf(upstream)
    const messages = [{ role: 'user' as const, content: 'Hello' }]
    /** Every way in which the two SDKs ask. */
    const asks = {
      chat: (o = openai, stream = false) => o.chat.completions.create({ model, messages, stream }),
      responses: (o = openai, stream = false) => o.responses.create({ model, input: 'Hello', stream }),
    }
    const askClaude = (stream: boolean, a = anthropic) => a.messages.create({ model, max_tokens: 4000, messages, stream })
    let asked = 0
    const answer = (status: number, body: object | string, headers: Record<string, string> = {}, times = 1000) => {
      asked = 0
      at.model.instead = () => {
        if (asked++ >= times) return undefined
        const type = typeof body === 'string' ? 'text/html' : 'application/json'
        return new Response(typeof body === 'string' ? body : JSON.stringify(body), {
          status,
          headers: { 'content-type': type, ...headers },
        })
      }
    }
    const openaiFailures = async () => {
      const failures: unknown[] = []
      for (const ask of Object.values(asks)) for (const stream of [false, true]) failures.push(await failureOf(ask(openai, stream)))
      return failures as InstanceType<typeof OpenAI.APIError>[]
    }
    const claudeFailures = async () =>
      (await Promise.all([failureOf(askClaude(false)), failureOf(askClaude(true))])) as InstanceType<typeof Anthropic.APIError>[]

    test('400 context overflow, in the words and the code on which clients act (G06)', async () => {
      answer(400, overflow[upstream])
      for (const failure of await openaiFailures()) {
        expect(failure).toBeInstanceOf(OpenAI.BadRequestError)
        expect(failure.code).toBe('context_length_exceeded')
        expect(failure.requestID).toStartWith('req_')
      }
      for (const failure of await claudeFailures()) {
        expect(failure).toBeInstanceOf(Anthropic.BadRequestError)
        expect(failure.message).toContain('prompt is too long')
      }
    })

    test.each([
      [400, 'invalid_request_error', 'INVALID_ARGUMENT', OpenAI.BadRequestError, Anthropic.BadRequestError],
      [403, 'permission_error', 'PERMISSION_DENIED', OpenAI.PermissionDeniedError, Anthropic.PermissionDeniedError],
      [404, 'not_found_error', 'NOT_FOUND', OpenAI.NotFoundError, Anthropic.NotFoundError],
      [429, 'rate_limit_error', 'RESOURCE_EXHAUSTED', OpenAI.RateLimitError, Anthropic.RateLimitError],
      [500, 'api_error', 'INTERNAL', OpenAI.InternalServerError, Anthropic.InternalServerError],
      [503, 'overloaded_error', 'UNAVAILABLE', OpenAI.InternalServerError, Anthropic.InternalServerError],
      [529, 'overloaded_error', 'UNAVAILABLE', OpenAI.InternalServerError, Anthropic.InternalServerError],
    ] as const)('%d %s: class, and the provider’s sentence (G05)', async (status, type, google, openaiClass, anthropicClass) => {
      const word = upstream === 'gemini' ? google : type
      answer(status, envelopes[upstream](word, 'The words of the provider.', status))
      for (const failure of await openaiFailures()) {
        expect(failure).toBeInstanceOf(openaiClass)
        expect(failure.message).toContain('The words of the provider.')
        expect(failure.requestID).toStartWith('req_')
      }
      for (const failure of await claudeFailures()) {
        expect(failure).toBeInstanceOf(anthropicClass)
        expect(failure.message).toContain('The words of the provider.')
        expect(failure.requestID).toStartWith('req_')
        if (upstream === 'messages') continue // as it came
        const told = failure.error as { error: { type: string } }
        expect(told.error.type).toBe(type)
        if (type === 'overloaded_error') expect(failure.status as number).toBe(529) // G02
      }
    })

    test('413 to the anthropic SDK', async () => {
      answer(413, envelopes[upstream](upstream === 'messages' ? 'request_too_large' : 'invalid_request_error', 'Request too large', 413))
      for (const failure of await claudeFailures()) {
        expect(failure.status as number).toBe(413)
        expect((failure.error as { error: { type: string } }).error.type).toBe('request_too_large')
      }
    })

    test('our own key rejected is no 401, and not tried again (G08)', async () => {
      answer(401, envelopes[upstream](upstream === 'gemini' ? 'UNAUTHENTICATED' : 'authentication_error', 'bad key', 401))
      const failure = await failureOf(asks.chat(new OpenAI({ apiKey: 'client-secret', baseURL: `${at.url}/v1`, maxRetries: 2 })))
      expect(failure).toBeInstanceOf(OpenAI.InternalServerError)
      expect((failure as { status: number }).status).toBe(502)
      expect(asked).toBe(1)
      asked = 0
      const other = await failureOf(askClaude(false, new Anthropic({ apiKey: 'client-secret', baseURL: at.url, maxRetries: 2 })))
      expect((other as { status: number }).status).toBe(502)
      expect(asked).toBe(1)
    })

    // longer than the SDKs wait by themselves the first time: half a second at most
    test.each([
      ['retry-after-ms', '700', 700],
      ['retry-after', '1', 1000],
    ])('429 with %s: the SDKs wait as told, then go on (G01)', async (header, value, wait) => {
      if (header === 'retry-after' && upstream !== 'messages') return // a second each: one translated and one that is not
      answer(429, envelopes[upstream]('rate_limit_error', 'Slow down', 429), { [header]: value }, 2)
      const retrying = { apiKey: 'client-secret', maxRetries: 1 }
      const started = performance.now()
      const waited = async (ask: PromiseLike<unknown>) => {
        await ask
        return performance.now() - started
      }
      const both = await Promise.all([
        waited(asks.chat(new OpenAI({ ...retrying, baseURL: `${at.url}/v1` }))),
        waited(askClaude(false, new Anthropic({ ...retrying, baseURL: at.url }))),
      ])
      expect(Math.min(...both)).toBeGreaterThanOrEqual(wait - 5)
      expect(asked).toBe(4)
    })

    test('an HTML page of a CDN: its status, no broken JSON (G11)', async () => {
      answer(502, '<html><head><title>502 Bad Gateway</title></head><body><h1>Bad gateway</h1></body></html>')
      for (const failure of await openaiFailures()) {
        expect(failure).toBeInstanceOf(OpenAI.InternalServerError)
        expect(failure.message).toContain('Bad gateway')
        expect(failure.message).not.toContain('<')
      }
      for (const failure of await claudeFailures()) {
        expect(failure).toBeInstanceOf(Anthropic.InternalServerError)
        expect(failure.message).not.toContain('<')
      }
    })
  })

  test('a model that nobody serves: 404 model_not_found', async () => {
    const messages = [{ role: 'user' as const, content: 'Hello' }]
    const failure = await failureOf(openai.chat.completions.create({ model: 'gpt-none', messages }))
    expect(failure).toBeInstanceOf(OpenAI.NotFoundError)
    expect(failure).toMatchObject({ code: 'model_not_found' })
    const other = await failureOf(anthropic.messages.create({ model: 'claude-none', max_tokens: 10, messages }))
    expect(other).toBeInstanceOf(Anthropic.NotFoundError)
    expect(other).toMatchObject({ error: { error: { type: 'not_found_error' } } })
  })
})
