import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type LocalGateway, startLocalGateway } from '../../test/support/local-gateway.ts'

const models = {
  'openai/gpt-x': { targets: [{ upstream: 'u', model: 'gpt-x' }], context: 1000, max_output: 100 },
  'claude-y': { targets: [{ upstream: 'u' }] },
  'other:free': { targets: [{ upstream: 'u' }] },
  'pattern/*': { targets: [{ upstream: 'u', model: '*' }] },
}

/** The members of three shapes. */
interface Body {
  readonly object?: string
  readonly data: readonly { readonly id: string }[]
  readonly last_id?: string
  readonly models: readonly { readonly name: string }[]
  readonly nextPageToken?: string
}

describe('one path, three kinds of callers', () => {
  let gateway: LocalGateway
  beforeAll(async () => {
    gateway = await startLocalGateway(
      JSON.stringify({
        version: 1,
        mounts: [
          { path: '/v1', api: 'openai' },
          { path: '/', api: 'anthropic' },
          { path: '/', api: 'gemini' },
        ],
        upstreams: { u: { dialect: 'openai', base_url: 'http://127.0.0.1:9/v1' } },
        models,
        plugins: [{ use: 'router' }],
      }),
    )
  })
  afterAll(() => gateway.stop())

  const get = async (path: string, headers: Record<string, string> = {}) => {
    const response = await fetch(gateway.url + path, { headers })
    return { status: response.status, body: (await response.json()) as Body }
  }
  const anthropic = { 'anthropic-version': '2023-06-01' }
  const gemini = { 'x-goog-api-key': 'k' }
  const ids = ['openai/gpt-x', 'claude-y', 'other:free']

  test('a list without a header is OpenAI’s, of exact ids', async () => {
    const { status, body } = await get('/v1/models')
    expect(status).toBe(200)
    expect(body.object).toBe('list')
    expect(body.data.map((m) => m.id)).toEqual(ids)
    expect(body.data[0]).toMatchObject({ object: 'model', owned_by: 'u' })
  })

  test('with anthropic-version it is Anthropic’s, in pages (H10)', async () => {
    const first = (await get('/v1/models?limit=2', anthropic)).body
    expect(first).toMatchObject({ has_more: true, first_id: 'openai/gpt-x', last_id: 'claude-y' })
    expect(first.data[0]).toMatchObject({
      type: 'model',
      id: 'openai/gpt-x',
      display_name: 'openai/gpt-x',
      max_input_tokens: 1000,
    })
    const second = (await get(`/v1/models?limit=2&after_id=${String(first.last_id)}`, anthropic)).body
    expect(second).toMatchObject({ has_more: false, first_id: 'other:free', last_id: 'other:free' })
    expect((await get('/v1/models?limit=1000', anthropic)).body).toMatchObject({ has_more: false })
    const back = (await get('/v1/models?limit=1&before_id=other:free', anthropic)).body
    expect(back).toMatchObject({ has_more: true, first_id: 'claude-y', last_id: 'claude-y' })
    expect((await get('/v1/models?before_id=claude-y', anthropic)).body).toMatchObject({ has_more: false, last_id: 'openai/gpt-x' })
    expect((await get('/v1/models?before_id=openai/gpt-x', anthropic)).body).toMatchObject({ has_more: false, data: [], last_id: null })
    expect((await get('/v1/models?limit=-3', anthropic)).body).toMatchObject({ has_more: false })
  })

  test('with x-goog-api-key it is Gemini’s, on both versions of its path', async () => {
    for (const path of ['/v1/models', '/v1beta/models']) {
      const { models } = (await get(path, gemini)).body
      expect(models.map((m) => m.name)).toEqual(ids.map((id) => `models/${id}`))
      expect(models[0]).toMatchObject({
        inputTokenLimit: 1000,
        outputTokenLimit: 100,
        supportedGenerationMethods: ['generateContent', 'countTokens'],
      })
    }
    const page = (await get('/v1beta/models?pageSize=2')).body
    expect(page.models).toHaveLength(2)
    const rest = (await get(`/v1beta/models?pageSize=2&pageToken=${page.nextPageToken}`)).body
    expect(rest.models).toEqual([expect.objectContaining({ name: 'models/other:free' })])
    expect(rest.nextPageToken).toBeUndefined()
  })

  test('one model, its id plain or encoded; those of a pattern too', async () => {
    for (const id of ['openai/gpt-x', 'openai%2Fgpt-x', 'other:free', 'pattern/anything']) {
      expect((await get(`/v1/models/${id}`)).body).toMatchObject({ id: decodeURIComponent(id), object: 'model' })
      expect((await get(`/v1/models/${id}`, anthropic)).body).toMatchObject({ id: decodeURIComponent(id), type: 'model' })
      expect((await get(`/v1beta/models/${id}`, gemini)).body).toMatchObject({ name: `models/${decodeURIComponent(id)}` })
    }
  })

  test('a model that is not there is refused in the caller’s dialect, with the nearest one', async () => {
    const openai = await get('/v1/models/openai/gpt-y')
    expect(openai).toMatchObject({
      status: 404,
      body: { error: { code: 'model_not_found', message: expect.stringContaining('openai/gpt-x') } },
    })
    expect(await get('/v1/models/nope', anthropic)).toMatchObject({
      status: 404,
      body: { type: 'error', error: { type: 'not_found_error' } },
    })
    expect(await get('/v1beta/models/nope', gemini)).toMatchObject({
      status: 404,
      body: { error: { code: 404, status: 'NOT_FOUND' } },
    })
  })
})
