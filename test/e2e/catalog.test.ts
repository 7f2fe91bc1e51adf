/** The plugin `catalog` over real HTTP: lists as clients of OpenAI, OpenRouter, LiteLLM, Anthropic and Gemini read them, with and without a key. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { type LocalGateway, startLocalGateway } from '../support/local-gateway.ts'

const keyOf = (name: string) => `sk-hg-${name}-0123456789abcdef0123456789abcdef`
const key = (id: string, more: object = {}) => ({
  id,
  hash: new Bun.CryptoHasher('sha256').update(keyOf(id)).digest('hex'),
  ...more,
})

const config = (catalog: object = {}) =>
  JSON.stringify({
    version: 1,
    mounts: [
      { path: '/v1', api: 'openai' },
      { path: '/', api: 'anthropic' },
      { path: '/', api: 'gemini' },
    ],
    upstreams: {
      openai: { dialect: 'openai', base_url: 'https://api.openai.com/v1', keys: ['a', 'b'] },
      anthropic: { dialect: 'anthropic', base_url: 'https://api.anthropic.com' },
    },
    models: {
      'openai/gpt-4o-mini': {
        name: 'GPT-4o Mini',
        description: 'Fast, low-cost multimodal model.',
        created: '2024-07-18',
        owned_by: 'openai',
        targets: [{ upstream: 'openai', model: 'gpt-4o-mini' }],
        context: 128_000,
        max_output: 16_384,
        price: { input: '0.15', output: '0.60', cache_read: '0.075' },
        tokenizer: 'GPT',
        deprecation: { since: '2026-01-01', sunset: '2099-12-31', link: 'https://example.com/old' },
      },
      'anthropic/claude-sonnet-4': {
        targets: [
          { upstream: 'anthropic', model: 'claude-sonnet-4-20250514' },
          { upstream: 'openai', model: 'sonnet' },
        ],
        price: {
          input: 3,
          output: 15,
          cache_read: '0.30',
          cache_write: '3.75',
          long_context: { above: 200_000, input: 6, output: '22.5' },
        },
        tiers: ['paid'],
      },
      'free/tiny': { targets: [{ upstream: 'openai' }], price: { input: 0, output: 0 }, modalities: { input: ['text'], output: ['text'] } },
      unpriced: { targets: [{ upstream: 'openai', model: 'text-embedding-3-small' }] },
      'other/*': { targets: [{ upstream: 'openai', model: '*' }] },
    },
    plugins: [
      { use: 'auth', with: { keys: [key('paid', { tier: 'paid' }), key('plain'), key('narrow', { models: ['free/*'] })] } },
      {
        use: 'catalog',
        with: {
          providers: { paths: ['/v1/providers'] },
          pricing: { paths: ['/v1/pricing', '/api/prices'], open: true },
          capabilities: { paths: ['/v1/capabilities'] },
          ...catalog,
        },
      },
      { use: 'router' },
    ],
  })

let gateway: LocalGateway
const get = async (path: string, as: string | undefined = 'paid', headers: Record<string, string> = {}) => {
  const response = await fetch(`${gateway.url}${path}`, {
    headers: { ...(as !== '' && { authorization: `Bearer ${keyOf(as)}` }), ...headers },
  })
  return { status: response.status, body: (await response.json()) as Record<string, never> & { data: Record<string, unknown>[] } }
}
const ids = ({ body }: Awaited<ReturnType<typeof get>>) => body.data.map(({ id }) => id)

describe('catalog with its defaults', () => {
  beforeAll(async () => {
    gateway = await startLocalGateway(config())
  })
  afterAll(() => gateway.stop())

  test('a model with all that is known of it, prices per token as texts', async () => {
    const { status, body } = await get('/v1/models')
    expect(status).toBe(200)
    expect(body).toMatchObject({ object: 'list' })
    expect(body.data[0]).toEqual({
      id: 'openai/gpt-4o-mini',
      object: 'model',
      created: 1_721_260_800,
      owned_by: 'openai',
      canonical_slug: 'openai/gpt-4o-mini',
      name: 'GPT-4o Mini',
      description: 'Fast, low-cost multimodal model.',
      context_length: 128_000,
      modalities: { input: ['text', 'image', 'file'], output: ['text'] },
      architecture: {
        modality: 'text+image+file->text',
        input_modalities: ['text', 'image', 'file'],
        output_modalities: ['text'],
        tokenizer: 'GPT',
        instruct_type: null,
      },
      pricing: { prompt: '0.00000015', completion: '0.0000006', input_cache_read: '0.000000075' },
      top_provider: { name: 'openai', context_length: 128_000, max_completion_tokens: 16_384, is_moderated: false },
      per_request_limits: { prompt_tokens: 128_000, completion_tokens: 16_384 },
      supported_parameters: expect.arrayContaining(['temperature', 'tools']),
      is_free: false,
      expiration_date: '2099-12-31',
    })
    expect(body.data[2]).toMatchObject({ id: 'free/tiny', is_free: true, pricing: { prompt: '0', completion: '0' }, expiration_date: null })
    expect(body.data[3]).toMatchObject({ pricing: {}, is_free: false, modalities: { input: ['text'], output: ['embeddings'] } })
  })

  test('twice the same bytes', async () => {
    const one = async () =>
      await (await fetch(`${gateway.url}/v1/models`, { headers: { authorization: `Bearer ${keyOf('paid')}` } })).text()
    expect(await one()).toBe(await one())
  })

  test('one model: an id with a slash, plain and encoded; ids of patterns too; unknown ones are refused', async () => {
    for (const id of ['openai/gpt-4o-mini', 'openai%2Fgpt-4o-mini']) {
      expect((await get(`/v1/models/${id}`)).body).toMatchObject({ id: 'openai/gpt-4o-mini', name: 'GPT-4o Mini' })
    }
    expect((await get('/v1/models/other/thing')).body).toMatchObject({ id: 'other/thing' })
    const { status, body } = await get('/v1/models/openai/gpt-4o-mimi')
    expect(status).toBe(404)
    expect(body).toMatchObject({
      error: { code: 'model_not_found', message: expect.stringContaining('Did you mean "openai/gpt-4o-mini"?') },
    })
  })

  test('endpoints of a model, one for each target, the keys of an upstream together', async () => {
    const { body } = await get('/v1/models/anthropic/claude-sonnet-4/endpoints')
    expect(body.data).toMatchObject({
      id: 'anthropic/claude-sonnet-4',
      endpoints: [
        { provider_name: 'anthropic', pricing: { prompt: '0.000003' } },
        { provider_name: 'openai', model_name: 'anthropic/claude-sonnet-4' },
      ],
    })
  })

  test('callers see what they may use: by tier, and by the globs of their key', async () => {
    expect(ids(await get('/v1/models', 'paid'))).toEqual(['openai/gpt-4o-mini', 'anthropic/claude-sonnet-4', 'free/tiny', 'unpriced'])
    expect(ids(await get('/v1/models', 'plain'))).toEqual(['openai/gpt-4o-mini', 'free/tiny', 'unpriced'])
    expect(ids(await get('/v1/models', 'narrow'))).toEqual(['free/tiny'])
    expect((await get('/v1/models/count', 'paid')).body).toEqual({ count: 4, data: { count: 4 } } as never)
    expect((await get('/v1/models/count', 'narrow')).body).toMatchObject({ count: 1 })
    expect((await get('/v1/models/anthropic/claude-sonnet-4', 'plain')).status).toBe(404)
  })

  test('who may not see a model may not use it either', async () => {
    const ask = (as: string) =>
      fetch(`${gateway.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${keyOf(as)}` },
        body: JSON.stringify({ model: 'anthropic/claude-sonnet-4', messages: [{ role: 'user', content: 'Hi' }] }),
      })
    const refused = await ask('plain')
    expect(refused.status).toBe(403)
    expect(await refused.json()).toMatchObject({
      error: { code: 'permission_denied', message: expect.stringContaining('for callers of the tier paid; yours is none') },
    })
  })

  test('clients of other APIs get the lists of theirs at the same path', async () => {
    const anthropic = await get('/v1/models', 'paid', { 'anthropic-version': '2023-06-01' })
    expect(anthropic.body).toMatchObject({ has_more: false, first_id: 'openai/gpt-4o-mini' })
    expect(anthropic.body.data[0]).toMatchObject({ type: 'model', display_name: 'GPT-4o Mini', created_at: '2024-07-18T00:00:00Z' })
    const gemini = await fetch(`${gateway.url}/v1beta/models`, { headers: { 'x-goog-api-key': keyOf('narrow') } })
    expect(await gemini.json()).toMatchObject({ models: [{ name: 'models/free/tiny' }] })
  })

  test('the SDKs of OpenAI and Anthropic read them', async () => {
    const openai = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: keyOf('paid') })
    const listed: string[] = []
    for await (const model of openai.models.list()) listed.push(model.id)
    expect(listed).toHaveLength(4)
    expect(await openai.models.retrieve('openai/gpt-4o-mini')).toMatchObject({ owned_by: 'openai' })
    const anthropic = new Anthropic({ baseURL: gateway.url, authToken: keyOf('plain'), apiKey: null })
    const names: string[] = []
    for await (const model of anthropic.models.list()) names.push(model.display_name)
    expect(names).toEqual(['GPT-4o Mini', 'free/tiny', 'unpriced'])
  })

  test('an open price list is read without a key, with a good one, and with a bad one; all else needs a key', async () => {
    const open = await get('/api/prices', '')
    expect(open.status).toBe(200)
    expect(open.body).toMatchObject({ object: 'list', currency: 'USD', per: '1M tokens' })
    const [mini, sonnet, free, unpriced] = open.body.data
    expect(mini).toMatchObject({ id: 'openai/gpt-4o-mini', input: 0.15, output: 0.6, cache_read: 0.075, cache_write: null })
    expect(sonnet).toMatchObject({
      input: 3,
      output: 15,
      cache_read: 0.3,
      cache_write: 3.75,
      long_context: { above: 200_000, input: 6, output: 22.5 },
    })
    expect(free).toMatchObject({ input: 0, output: 0, cache_read: 0, cache_write: 0, is_free: true })
    expect(unpriced).toMatchObject({ input: null, output: null, cache_read: null, cache_write: null, is_free: false })
    expect((await get('/v1/pricing', 'narrow')).body.data).toHaveLength(1)
    const bad = await fetch(`${gateway.url}/v1/pricing`, { headers: { authorization: 'Bearer sk-hg-made-up' } })
    expect(bad.status).toBe(200)
    for (const path of ['/v1/models', '/v1/models/free/tiny', '/v1/models/count', '/v1/providers', '/v1/capabilities']) {
      expect([path, (await get(path, '')).status]).toEqual([path, 401])
    }
  })

  test('upstreams, each with what it serves for the caller', async () => {
    const { body } = await get('/v1/providers', 'plain')
    expect(body.data).toEqual([
      { id: 'openai', name: 'openai', slug: 'openai', models: ['openai/gpt-4o-mini', 'free/tiny', 'unpriced'] },
      { id: 'anthropic', name: 'anthropic', slug: 'anthropic', models: [] },
    ])
  })
})

describe('catalog with another style, a markup, and the ends of models', () => {
  beforeAll(async () => {
    const text = config({
      models: { paths: ['/v1/models'], style: 'openrouter', price_per: 'million', open: true },
      markup: 30,
      model_info: { paths: ['/model/info'] },
      providers: { paths: [] },
    })
    gateway = await startLocalGateway(text.replace('"sunset":"2099-12-31"', '"sunset":"2026-02-01"'))
  })
  afterAll(() => gateway.stop())

  test('prices per million tokens, marked up exactly', async () => {
    const { body } = await get('/v1/models', '')
    expect(body.data[0]!.pricing).toEqual({ prompt: '0.195', completion: '0.78', input_cache_read: '0.0975' })
    expect((await get('/v1/pricing', '')).body.data[1]).toMatchObject({ input: 3.9, output: 19.5, cache_write: 4.875 })
  })

  test('capabilities: models that live, with tiers and prices', async () => {
    const { body } = await get('/v1/capabilities')
    expect(body).toMatchObject({ markup_percent: 30 })
    expect(body.data.map(({ id }) => id)).toEqual(['anthropic/claude-sonnet-4', 'free/tiny', 'unpriced'])
    expect(body.data[0]).toMatchObject({
      tiers: ['paid'],
      tier: 'paid',
      price: { currency: 'USD', per: '1M tokens', input: 3.9, output: 19.5 },
    })
    expect(body.data[1]).toMatchObject({ tiers: null, tier: 'all', price: { input: 0, output: 0 } })
  })

  test('as LiteLLM tells it; what has no path is not there', async () => {
    const { body } = await get('/model/info')
    expect(body.data[1]).toMatchObject({
      model_name: 'anthropic/claude-sonnet-4',
      model_info: { mode: 'chat', input_cost_per_token: 0.0000039, output_cost_per_token: 0.0000195, litellm_provider: 'anthropic' },
    })
    expect((await get('/v1/providers')).status).toBe(404)
  })
})

test('style openai says what OpenAI says and no more', async () => {
  gateway = await startLocalGateway(config({ models: { style: 'openai' } }))
  try {
    expect((await get('/v1/models')).body.data[1]).toEqual({
      id: 'anthropic/claude-sonnet-4',
      object: 'model',
      created: 0,
      owned_by: 'anthropic',
    })
  } finally {
    await gateway.stop()
  }
})
