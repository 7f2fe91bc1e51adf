/** Where each host wants a call, for every dialect that it serves; held against recorded calls of real clients. */

import { describe, expect, test } from 'bun:test'
import { findRecordings, readRecording } from '../../../test/support/recordings.ts'
import { bareSurroundings, startTokenServer } from '../credential/token-server.fixture.ts'
import { parseUrl } from '../http/origin.ts'
import { azureHost } from './azure.ts'
import { bedrockHost } from './bedrock.ts'
import { createHost } from './create.ts'
import { editHeaders, type HostCall, HostError, type UpstreamHost } from './host.ts'
import { vertexHost } from './vertex.ts'

const call = (dialect: string, more: Partial<HostCall> = {}): HostCall => ({
  operation: 'chat',
  dialect,
  model: 'm',
  stream: false,
  headers: new Headers(),
  body: Buffer.from('{}'),
  ...more,
})
const pathOf = (host: UpstreamHost, dialect: string, more: Partial<HostCall> = {}) => host.prepare(call(dialect, more)).path
const vertex = (location = 'us-east5') => vertexHost({ project: 'p', location }, undefined)
const bedrock = bedrockHost({ region: 'us-east-1' }, undefined)

describe('Azure', () => {
  test.each([
    ['openai-chat', '/openai/v1/chat/completions', '/openai/deployments/m%20x/chat/completions?api-version=v'],
    ['openai-responses', '/openai/v1/responses', '/openai/responses?api-version=v'],
    ['openai-responses-compact', '/openai/v1/responses/compact', '/openai/v1/responses/compact'],
    ['openai-completions', '/openai/v1/completions', '/openai/deployments/m%20x/completions?api-version=v'],
    ['openai-embeddings', '/openai/v1/embeddings', '/openai/deployments/m%20x/embeddings?api-version=v'],
  ])('%s', (dialect, v1, old) => {
    expect(pathOf(azureHost(undefined, undefined), dialect, { model: 'm x' })).toBe(v1)
    expect(pathOf(azureHost('v', undefined), dialect, { model: 'm x' })).toBe(old)
  })

  test('signs in with Entra, and again after a rejection', async () => {
    let n = 0
    let at = 0
    const server = startTokenServer(() => ({ access_token: `t${++n}`, expires_in: 3600 }))
    const around = bareSurroundings({ AZURE_AUTHORITY_HOST: server.url }, {}, () => at)
    const entra = { tenant: 't', client_id: 'c', client_secret: 's' }
    const host = createHost({ host: 'azure', keyed: false, azure: { entra } }, around)
    const { origin } = parseUrl('https://r.openai.azure.com')
    const authorize = () => host.authorize({ method: 'POST', origin, path: '/', headers: new Headers(), body: Buffer.alloc(0), now: at })
    expect(await authorize()).toEqual({ set: [['authorization', 'Bearer t1']] })
    expect(authorize()).toEqual({ set: [['authorization', 'Bearer t1']] }) // at once: no promise
    at += 60_000
    expect(host.adapter!(call('openai-chat'))!.head(401, new Headers())).toEqual({ status: 401 })
    expect(await authorize()).toEqual({ set: [['authorization', 'Bearer t2']] })
    await server.stop()
  })
})

describe('Vertex', () => {
  const base = '/projects/p/locations/us-east5'
  test.each([
    ['gemini', {}, `/v1beta1${base}/publishers/google/models/m:generateContent`],
    ['gemini', { stream: true }, `/v1beta1${base}/publishers/google/models/m:streamGenerateContent?alt=sse`],
    ['gemini-count-tokens', { operation: 'count_tokens' }, `/v1beta1${base}/publishers/google/models/m:countTokens`],
    ['gemini', { operation: 'embeddings' }, `/v1beta1${base}/publishers/google/models/m:embedContent`],
    ['gemini', { model: 'endpoints/123' }, `/v1beta1${base}/endpoints/123:generateContent`],
    ['gemini', { model: 'models/..%2Fx' }, `/v1beta1${base}/publishers/google/models/..%252Fx:generateContent`],
    ['gemini', { model: 'models/../x' }, `/v1beta1${base}/publishers/google/models/..%2Fx:generateContent`],
    ['anthropic-messages', { stream: true, model: 'c@1' }, `/v1${base}/publishers/anthropic/models/c@1:streamRawPredict`],
    ['openai-chat', {}, `/v1${base}/endpoints/openapi/chat/completions`],
  ] as [string, Partial<HostCall>, string][])('%s %p', (dialect, more, path) => {
    expect(pathOf(vertex(), dialect, more)).toBe(path)
  })
})

describe('Bedrock', () => {
  test.each([
    ['bedrock-converse', {}, '/model/m/converse'],
    ['bedrock-converse', { stream: true }, '/model/m/converse-stream'],
    ['bedrock-converse', { operation: 'count_tokens', model: 'eu.anthropic.c-v1:0' }, '/model/anthropic.c-v1%3A0/count-tokens'],
    ['anthropic-messages', { stream: true, model: 'a:b/c' }, '/model/a%3Ab%2Fc/invoke-with-response-stream'],
    ['anthropic-messages', { model: 'a%3Ab%2Fc' }, '/model/a%3Ab%2Fc/invoke'],
    ['anthropic-messages', { model: '50%off' }, '/model/50%25off/invoke'],
  ] as [string, Partial<HostCall>, string][])('%s %p', (dialect, more, path) => {
    expect(pathOf(bedrock, dialect, more)).toBe(path)
  })

  test('the profile of a user moves into the body', () => {
    const headers = new Headers({ 'anthropic-user-profile-id': 'up_1' })
    const { body, headers: edit } = bedrock.prepare(call('anthropic-messages', { headers }))
    expect(Buffer.from(body).toString()).toBe('{"anthropic_version":"bedrock-2023-05-31","user_profile_id":"up_1"}')
    expect(edit!.remove).toContain('anthropic-user-profile-id')
  })

  test('counting by Converse takes what is counted', () => {
    const body = Buffer.from('{"messages":[ ],"system":[],"inferenceConfig":{"maxTokens":1},"additionalModelRequestFields":{"a":1}}')
    const prepared = bedrock.prepare(call('bedrock-converse', { operation: 'count_tokens', body }))
    expect(Buffer.from(prepared.body).toString()).toBe(
      '{"input":{"converse":{"messages":[ ],"system":[],"additionalModelRequestFields":{"a":1}}}}',
    )
  })

  test('AWS_BEARER_TOKEN_BEDROCK comes before the chain, not before what the config names', async () => {
    const env = bareSurroundings({ AWS_BEARER_TOKEN_BEDROCK: 'from-env' })
    const request = {
      method: 'POST',
      origin: parseUrl('https://x.test').origin,
      path: '/',
      headers: new Headers(),
      body: Buffer.alloc(0),
      now: 0,
    }
    const authorize = async (bedrock: { access_key_id?: string; secret_access_key?: string }) =>
      JSON.stringify(await createHost({ host: 'bedrock', keyed: false, bedrock: { region: 'r', ...bedrock } }, env).authorize(request))
    expect(await authorize({})).toContain('Bearer from-env')
    expect(await authorize({ access_key_id: 'AK', secret_access_key: 'SK' })).toContain('Credential=AK/')
  })
})

test('a dialect that a host does not serve is said to be so', () => {
  const wrong: [UpstreamHost, string][] = [
    [azureHost(undefined, undefined), 'gemini'],
    [vertex(), 'openai-responses'],
    [bedrock, 'openai-chat'],
  ]
  for (const [host, dialect] of wrong) expect(() => host.prepare(call(dialect))).toThrow(HostError)
  expect(() => bedrock.prepare(call('openai-chat', { operation: 'count_tokens' }))).toThrow(HostError)
})

test('no name of a model leads elsewhere', () => {
  const old = azureHost('v', undefined)
  for (const model of ['..', '.', '', '\ud800']) {
    expect(() => bedrock.prepare(call('bedrock-converse', { model }))).toThrow(HostError)
    expect(() => old.prepare(call('openai-chat', { model }))).toThrow(HostError)
  }
  for (const model of ['endpoints/../../../../other', 'publishers//x'])
    expect(() => pathOf(vertex(), 'gemini', { model })).toThrow(HostError)
  expect(pathOf(bedrock, 'bedrock-converse', { model: '../../x;y?z#' })).toBe('/model/..%2F..%2Fx%3By%3Fz%23/converse')
})

test('Vertex reads flags in the header, but some only in the body (H05)', () => {
  const headers = new Headers({ 'anthropic-beta': 'context-1m-2025-08-07,context-management-2025-06-27,web-search-2025-03-05' })
  const prepared = vertex().prepare(call('anthropic-messages', { headers }))
  expect(JSON.parse(Buffer.from(prepared.body).toString()).anthropic_beta).toEqual([
    'context-1m-2025-08-07',
    'context-management-2025-06-27',
  ])
  expect(editHeaders(headers, prepared.headers!).get('anthropic-beta')).toBe('context-management-2025-06-27')
  expect(prepared.dropped).toEqual(['web-search-2025-03-05'])
})

test('header edits remove, then set, and leave the original as it is', () => {
  const headers = new Headers({ a: '1', b: '2' })
  expect([...editHeaders(headers, { remove: ['a', 'x'], set: [['b', '3']] })]).toEqual([['b', '3']])
  expect(headers.get('a')).toBe('1')
})

const exchanges = findRecordings({
  kind: 'exchange',
  dialect: ['bedrock-converse', 'bedrock-invoke-anthropic', 'bedrock-count-tokens', 'gemini-generate', 'gemini-count-tokens'],
})?.map(readRecording)

test.skipIf(!exchanges)('recorded calls went where these hosts would send them (needs ../shared/recordings)', () => {
  let checked = 0
  for (const { dialect, request, stream } of exchanges!) {
    if (/(^|-)aiplatform\.googleapis\.com$/.test(request.host)) {
      const [, project, location, model, verb] = /\/projects\/([^/]+)\/locations\/([^/]+)\/publishers\/google\/models\/([^:]+):(\w+)$/.exec(
        request.path,
      )!
      const host = vertexHost({ project: project!, location: location! }, undefined)
      const operation = verb === 'countTokens' ? 'count_tokens' : 'generate'
      const path = pathOf(host, 'gemini', { operation, model: model!, stream })
      expect(path.split('?')[0]).toBe(request.path)
      checked++
    } else if (request.host.startsWith('bedrock-runtime.')) {
      const [, id, action] = /^\/model\/([^/]+)\/([^/]+)$/.exec(request.path)!
      const operation = action === 'count-tokens' ? 'count_tokens' : 'chat'
      const of = dialect === 'bedrock-invoke-anthropic' ? 'anthropic-messages' : 'bedrock-converse'
      const path = pathOf(bedrock, of, { operation, model: decodeURIComponent(id!), stream })
      if (operation === 'chat') expect(path).toBe(`/model/${encodeURIComponent(decodeURIComponent(id!))}/${action}`)
      checked++
    }
  }
  expect(checked).toBeGreaterThan(150)
})

const invoked = exchanges?.filter(({ dialect }) => dialect === 'bedrock-invoke-anthropic')

test.skipIf(!invoked)('recorded bodies for invoke are what a Messages body becomes (needs ../shared/recordings)', () => {
  expect(invoked!.length).toBeGreaterThan(0)
  for (const { request } of invoked!) {
    const { anthropic_version: _, anthropic_beta: __, ...rest } = request.body as Record<string, unknown>
    const sent = { model: 'claude', stream: false, ...rest }
    const { body } = bedrock.prepare(call('anthropic-messages', { body: Buffer.from(JSON.stringify(sent)) }))
    expect(JSON.parse(Buffer.from(body).toString())).toEqual({ ...rest, anthropic_version: 'bedrock-2023-05-31' })
  }
})
