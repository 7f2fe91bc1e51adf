/**
 * Calls through hosts that wrap a dialect, in the client's own dialect, with real sockets: Bedrock, Vertex and Azure as servers that check path,
 * signature, token and body as the service would, and answer in its framing.
 */

import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { chunk as claudeChunk, exception } from '../../src/upstream/host/event-stream.fixture.ts'
import { type Answer, bodyOf, call, verdictOf } from '../support/client.ts'
import { type Delivery, deliver } from '../support/delivery.ts'
import { type LocalGateway, startLocalGateway } from '../support/local-gateway.ts'
import { type RawRequest, type RawServer, startRawHttp } from '../support/raw-http.ts'
import { signatureFault } from '../support/verify-sigv4.ts'

setDefaultTimeout(20_000)

interface Answering {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: string | Uint8Array
  readonly how?: Delivery
}

let cloud: RawServer
let gateway: LocalGateway
/** What the service answers; replaced by each test. */
let answer: (request: RawRequest) => Answering = () => ({ body: '' })
const seen: RawRequest[] = []
const json = { 'content-type': 'application/json' }
const keys = { accessKeyId: 'AKIDE2E', secret: 'e2e/secret+key' }

const token = { wanted: 'ya29.good', status: 200, asked: 0 }
const pair = await crypto.subtle.generateKey(
  { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1) },
  true,
  ['sign', 'verify'],
)
const pem = `-----BEGIN PRIVATE KEY-----\n${Buffer.from(await crypto.subtle.exportKey('pkcs8', pair.privateKey)).toString('base64')}\n-----END PRIVATE KEY-----\n`

beforeAll(async () => {
  cloud = await startRawHttp(async (request, connection) => {
    const send = ({ status = 200, headers = json, body, how }: Answering) => {
      const stream = /event-?stream/.test(headers['content-type'] ?? '')
      return deliver(connection, { status, headers, body: Buffer.from(body as string), stream }, how)
    }
    if (request.path === '/oauth/token') {
      token.asked++
      if (token.status !== 200) return send({ status: token.status, body: '{"error":"invalid_grant","error_description":"Key revoked"}' })
      return send({ body: JSON.stringify({ access_token: token.wanted, expires_in: 3600 }) })
    }
    seen.push(request)
    await send(answer(request))
  })
  const account = { type: 'service_account', client_email: 'gw@e2e.test', private_key: pem, token_uri: `${cloud.url}/oauth/token` }
  const bedrock = { region: 'us-west-2', access_key_id: keys.accessKeyId, secret_access_key: keys.secret }
  const vertex = (name: string) => ({ project: 'proj', location: 'us-east5', credentials: JSON.stringify({ ...account, name }) })
  const at = { base_url: cloud.url }
  gateway = await startLocalGateway(
    JSON.stringify({
      version: 1,
      upstreams: {
        bedrock: { dialect: 'anthropic', host: 'bedrock', ...at, bedrock },
        'bedrock-key': { dialect: 'anthropic', host: 'bedrock', ...at, key: 'bedrock-api-key', bedrock: { region: 'us-west-2' } },
        vertex: { dialect: 'anthropic', host: 'vertex', ...at, vertex: vertex('one') },
        revoked: { dialect: 'anthropic', host: 'vertex', ...at, vertex: vertex('two') },
        azure: { dialect: 'openai', host: 'azure', base_url: `${cloud.url}/private`, key: 'azure-key' },
        'azure-old': { dialect: 'openai', host: 'azure', ...at, key: 'azure-key', azure: { api_version: '2024-10-21' } },
      },
      models: {
        sonnet: { targets: [{ upstream: 'bedrock', model: 'us.anthropic.claude-sonnet-4-5-20250929-v1:0' }] },
        profile: {
          targets: [{ upstream: 'bedrock-key', model: 'arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/abc' }],
        },
        opus: { targets: [{ upstream: 'vertex', model: 'claude-opus-4-1@20250805' }] },
        revoked: { targets: [{ upstream: 'revoked', model: 'claude' }] },
        gpt: { targets: [{ upstream: 'azure', model: 'my-deployment' }] },
        'gpt-old': { targets: [{ upstream: 'azure-old', model: 'my-deployment' }] },
      },
      plugins: [{ use: 'probe' }, { use: 'router' }],
    }),
  )
})
afterEach(() => {
  seen.length = 0
  expect(gateway.log()).not.toContain(keys.secret)
  expect(gateway.log()).not.toContain(token.wanted)
})
afterAll(async () => {
  await gateway.stop()
  await cloud.stop()
})

const text = ({ body }: { readonly body: Uint8Array }) => Buffer.from(body).toString()

const message = {
  id: 'msg_bdrk_01',
  type: 'message',
  role: 'assistant',
  model: 'claude-sonnet-4-5-20250929',
  content: [{ type: 'text', text: 'Hello.' }],
  stop_reason: 'end_turn',
  stop_sequence: null,
  usage: { input_tokens: 7, output_tokens: 3 },
}
const events = [
  { type: 'message_start', message: { ...message, content: [], stop_reason: null } },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'ping' },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Hello, “wörld” 🌍' } },
  { type: 'content_block_stop', index: 0 },
  { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 3 } },
  { type: 'message_stop', 'amazon-bedrock-invocationMetrics': { inputTokenCount: 7 } },
]
const sse = (list: readonly { readonly type: string }[]) => list.map((e) => `event: ${e.type}\ndata: ${JSON.stringify(e)}\n\n`).join('')
const eventStream = { 'content-type': 'application/vnd.amazon.eventstream', 'x-amzn-requestid': 'aws-request-1' }

/** Nothing of the client's own leaves, and nothing that the host rejects. */
function clean(request: RawRequest): void {
  for (const name of ['x-api-key', 'anthropic-version', 'anthropic-beta', 'cookie'])
    expect([name, request.headers.get(name)]).toEqual([name, null])
  expect(request.query).not.toContain('beta')
}

function signed(request: RawRequest): void {
  clean(request)
  expect(signatureFault(request, { ...keys, region: 'us-west-2', service: 'bedrock' })).toBeUndefined()
}

const ask = (model: string, stream: boolean, headers: Record<string, string> = {}) =>
  call('anthropic', gateway.url, bodyOf(model, stream), headers)

describe('Bedrock, invoke', () => {
  test('whole: signed, without model and stream, flags inside; the reply byte for byte (F01, H04, H05)', async () => {
    answer = () => ({ body: JSON.stringify(message) })
    const body = '{"model":"sonnet", "max_tokens":6.4e1,"stream":false,"messages":[{"role":"user","content":"Hi \\u00e9"}],"speed":"fast"}'
    const beta = 'interleaved-thinking-2025-05-14,fast-mode-2026-02-01'
    const reply = await call('anthropic', gateway.url, body, { 'anthropic-beta': beta, 'x-amz-target': 'mine', cookie: 'a=b' })
    expect([reply.status, reply.text]).toEqual([200, JSON.stringify(message)])
    const [request] = seen as [RawRequest]
    signed(request)
    expect(request.path).toBe('/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke')
    expect(request.headers.get('x-amz-target')).toBeNull()
    expect(text(request)).toBe(
      '{"max_tokens":6.4e1,"messages":[{"role":"user","content":"Hi \\u00e9"}],"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["interleaved-thinking-2025-05-14"]}',
    )
    expect(await gateway.outcome(reply.id)).toMatchObject({
      end: 'finished',
      usage: { source: 'reported', inputUncached: 7, outputVisible: 3 },
    })
  })

  test.each(['bytes', { seed: 7, pieces: 9 }, undefined] as const)('stream, cut by %p: Anthropic’s own events (A01)', async (cuts) => {
    answer = () => ({
      headers: eventStream,
      body: Buffer.concat(events.map(claudeChunk)),
      ...(cuts && { how: { cuts } }),
    })
    const reply = await ask('sonnet', true)
    expect(reply.text).toBe(sse(events))
    expect(reply.headers.get('content-type')).toStartWith('text/event-stream')
    expect(reply.headers.get('x-upstream-request-id')).toBe('aws-request-1')
    const [request] = seen as [RawRequest]
    signed(request)
    expect(request.path).toEndWith('/invoke-with-response-stream')
    expect(JSON.parse(text(request))).not.toHaveProperty('stream')
    expect(await gateway.outcome(reply.id)).toMatchObject({
      end: 'finished',
      streamState: 'completed',
      usage: { source: 'reported', inputUncached: 7, outputVisible: 3 },
    })
  })

  test('an exception before content is an HTTP error (B07, B17)', async () => {
    answer = () => ({ headers: eventStream, body: Buffer.concat([claudeChunk(events[0]), exception('throttlingException', 'Slow down.')]) })
    const reply = await ask('sonnet', true)
    expect([reply.status, JSON.parse(reply.text)]).toMatchObject([429, { error: { type: 'rate_limit_error', message: 'Slow down.' } }])
  })

  test('an exception after content is an error in the stream (B08, B17)', async () => {
    const body = Buffer.concat([...events.slice(0, 4).map(claudeChunk), exception('modelStreamErrorException', 'It broke.')])
    answer = () => ({ headers: eventStream, body })
    const reply = await ask('sonnet', true)
    expect(verdictOf('anthropic', reply.text)).not.toBe('success')
    expect(reply.text).toEndWith('event: error\ndata: {"type":"error","error":{"type":"api_error","message":"It broke."}}\n\n')
    expect(await gateway.outcome(reply.id)).toMatchObject({ end: 'failed', streamState: 'upstream_error' })
  })

  test('a stream that is cut inside a message is an error (B01)', async () => {
    const whole = Buffer.concat(events.map(claudeChunk))
    answer = () => ({ headers: eventStream, body: whole.subarray(0, whole.length - 3) })
    const reply = await ask('sonnet', true)
    expect(reply.text).toStartWith(sse(events.slice(0, 6)))
    expect(verdictOf('anthropic', reply.text)).not.toBe('success')
    expect(await gateway.outcome(reply.id)).toMatchObject({ end: 'failed' })
  })

  test('damage in the stream is a failure, before and after content', async () => {
    const damaged = (at: number) => {
      const parts = events.map(claudeChunk)
      parts[at]![40]! ^= 1
      return Buffer.concat(parts)
    }
    answer = () => ({ headers: eventStream, body: damaged(0) })
    const early = await ask('sonnet', true)
    expect([early.status, early.text]).toEqual([502, expect.stringContaining('checksum')])
    answer = () => ({ headers: eventStream, body: damaged(5) })
    const late = await ask('sonnet', true)
    expect(late.text).toContain('event: error')
    expect(await gateway.outcome(late.id)).toMatchObject({ end: 'failed' })
  })

  test('counting tokens: wrapped, by the model behind the profile, and answered in Anthropic’s words (H09)', async () => {
    answer = () => ({ body: '{"inputTokens":18}' })
    const reply = await fetch(`${gateway.url}/v1/messages/count_tokens`, {
      method: 'POST',
      headers: { ...json, 'anthropic-version': '2023-06-01' },
      body: '{"model":"sonnet","messages":[{"role":"user","content":"Hi"}]}',
    })
    expect([reply.status, await reply.text()]).toEqual([200, '{"input_tokens":18}'])
    const [request] = seen as [RawRequest]
    signed(request)
    expect(request.path).toBe('/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/count-tokens')
    const { input } = JSON.parse(text(request)) as { input: { invokeModel: { body: string } } }
    expect(JSON.parse(Buffer.from(input.invokeModel.body, 'base64').toString())).toEqual({
      messages: [{ role: 'user', content: 'Hi' }],
      anthropic_version: 'bedrock-2023-05-31',
      max_tokens: 1,
    })
  })

  test('an ARN is encoded once; a key is sent instead of a signature', async () => {
    answer = () => ({ body: JSON.stringify(message) })
    expect((await ask('profile', false)).status).toBe(200)
    const [request] = seen as [RawRequest]
    clean(request)
    expect(request.path).toBe('/model/arn%3Aaws%3Abedrock%3Aus-west-2%3A123456789012%3Aapplication-inference-profile%2Fabc/invoke')
    expect(request.headers.get('authorization')).toBe('Bearer bedrock-api-key')
  })

  test('errors keep their sentence; a rejected signature is ours, not the client’s (G05)', async () => {
    const error = (status: number, type: string, said: string) => () => ({
      status,
      headers: { ...json, 'x-amzn-errortype': `${type}:http://internal.amazon.com/` },
      body: JSON.stringify({ message: said }),
    })
    const told = async (): Promise<readonly [number, string]> => {
      const { status, text: body } = await ask('sonnet', false)
      return [status, (JSON.parse(body) as { error: { message: string } }).error.message]
    }
    answer = error(400, 'ValidationException', 'The provided model identifier is invalid.')
    expect(await told()).toEqual([400, 'The provided model identifier is invalid.'])
    answer = error(400, 'ValidationException', 'Input is too long for requested model.')
    expect(await told()).toEqual([400, expect.stringContaining('prompt is too long')]) // on which clients compact (G06)
    answer = error(429, 'ThrottlingException', 'Too many tokens, please wait.')
    expect(await told()).toEqual([429, 'Too many tokens, please wait.'])
    answer = error(403, 'AccessDeniedException', "You don't have access to the model.")
    expect(await told()).toEqual([403, "You don't have access to the model."])
    answer = error(403, 'InvalidSignatureException', 'The request signature does not match.')
    expect(await told()).toEqual([502, expect.stringContaining('The request signature does not match.')])
    answer = error(424, 'ModelErrorException', 'The model failed.')
    expect((await told())[0]).toBeGreaterThanOrEqual(500)
  })
})

describe('Vertex, Claude', () => {
  const authorized = (request: RawRequest) => {
    clean(request)
    expect(request.headers.get('authorization')).toBe(`Bearer ${token.wanted}`)
  }

  test('many calls at once fetch one token; the body loses its model (F02, H05)', async () => {
    answer = () => ({ body: JSON.stringify(message) })
    const before = token.asked
    const replies = await Promise.all(
      Array.from({ length: 8 }, () => ask('opus', false, { 'anthropic-beta': 'files-api-2025-04-14,context-1m-2025-08-07' })),
    )
    expect(replies.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 200))
    expect(token.asked - before).toBe(1)
    for (const request of seen) {
      authorized(request)
      expect(request.path).toBe('/v1/projects/proj/locations/us-east5/publishers/anthropic/models/claude-opus-4-1@20250805:rawPredict')
      expect(text(request)).toBe(
        '{"max_tokens":64,"stream":false,"messages":[{"role":"user","content":"Hello!"}],"anthropic_version":"vertex-2023-10-16","anthropic_beta":["context-1m-2025-08-07"]}',
      )
    }
  })

  test('stream: passed on as received', async () => {
    answer = () => ({ headers: { 'content-type': 'text/event-stream; charset=utf-8' }, body: sse(events), how: { cuts: { seed: 3 } } })
    const reply = await ask('opus', true)
    expect(reply.text).toBe(sse(events))
    const [request] = seen as [RawRequest]
    authorized(request)
    expect(request.path).toEndWith(':streamRawPredict')
    expect(JSON.parse(text(request))).toMatchObject({ stream: true })
  })

  test('counting names the model in the body', async () => {
    answer = () => ({ body: '{"input_tokens":5}' })
    const reply = await fetch(`${gateway.url}/v1/messages/count_tokens?beta=true`, {
      method: 'POST',
      headers: json,
      body: '{"model":"opus","messages":[]}',
    })
    expect(await reply.text()).toBe('{"input_tokens":5}')
    expect(seen[0]!.path).toEndWith('/models/count-tokens:rawPredict')
    expect(text(seen[0]!)).toBe('{"model":"claude-opus-4-1@20250805","messages":[],"anthropic_version":"vertex-2023-10-16"}')
  })

  test('what the host does not have is refused by name, before any call', async () => {
    const body = '{"model":"opus","max_tokens":1,"messages":[],"mcp_servers":[{"type":"url","url":"https://x","name":"x"}]}'
    const reply = await call('anthropic', gateway.url, body, { 'anthropic-beta': 'mcp-client-2025-04-04' })
    expect([reply.status, reply.text]).toEqual([400, expect.stringContaining('mcp_servers: Vertex does not have the beta feature')])
    expect(seen).toHaveLength(0)
  })

  test('a token that is rejected is our fault', async () => {
    answer = () => ({ status: 401, body: '[{"error":{"code":401,"message":"Invalid credentials.","status":"UNAUTHENTICATED"}}]' })
    const reply = await ask('opus', false)
    expect([reply.status, reply.text]).toEqual([502, expect.stringContaining('Invalid credentials.')])
    expect(reply.headers.get('x-should-retry')).toBe('false')
  })

  test('no token: a clear error, and the endpoint is not asked by every client', async () => {
    token.status = 400
    const before = token.asked
    const replies: Answer[] = []
    for (let i = 0; i < 4; i++) replies.push(await ask('revoked', false))
    token.status = 200
    for (const { status, text: body } of replies) {
      expect([status, body]).toEqual([502, expect.stringContaining('has no credential for the upstream')])
      expect(body).not.toContain('gw@e2e.test') // the operator finds the reason in the log
    }
    expect(token.asked - before).toBe(1)
    expect(seen).toHaveLength(0)
  })
})

describe('Azure OpenAI', () => {
  const filter =
    '{"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0,"content_filter_results":{}}]}'
  const delta = (d: object, more = '') =>
    `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-5","choices":[{"index":0,"delta":${JSON.stringify(d)},"finish_reason":null${more}}]}`
  const stop =
    '{"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-5","choices":[{"index":0,"delta":{},"finish_reason":"stop","content_filter_results":{}}]}'
  const stream = (...data: string[]) => ({
    headers: { 'content-type': 'text/event-stream' },
    body: data.map((one) => `data: ${one}\n\n`).join(''),
  })

  test('v1 paths below the base URL, the key in its header, the deployment in the body', async () => {
    answer = () => ({
      body: '{"id":"c","object":"chat.completion","created":1,"model":"gpt-5","choices":[{"index":0,"message":{"role":"assistant","content":"Hi","refusal":null},"finish_reason":"stop"}]}',
    })
    const reply = await call('openai', gateway.url, bodyOf('gpt', false))
    expect(reply.status).toBe(200)
    const [request] = seen as [RawRequest]
    expect([request.path, request.query]).toEqual(['/private/openai/v1/chat/completions', ''])
    expect(request.headers.get('api-key')).toBe('azure-key')
    expect(request.headers.get('authorization')).toBeNull()
    expect(JSON.parse(text(request))).toMatchObject({ model: 'my-deployment' })
  })

  test('with an API version: paths of deployments', async () => {
    answer = () => stream(delta({ role: 'assistant', content: 'Hi' }), stop, '[DONE]')
    expect((await call('openai', gateway.url, bodyOf('gpt-old', true))).status).toBe(200)
    expect([seen[0]!.path, seen[0]!.query]).toEqual(['/openai/deployments/my-deployment/chat/completions', 'api-version=2024-10-21'])
  })

  test('the first chunk without choices passes, and is no content (B18)', async () => {
    const sent = stream(filter, delta({ role: 'assistant', content: '' }), delta({ content: 'Hi' }), stop, '[DONE]')
    answer = () => sent
    const reply = await call('openai', gateway.url, bodyOf('gpt', true))
    expect(reply.text).toBe(sent.body)
    expect(await gateway.outcome(reply.id)).toMatchObject({ end: 'finished', modelServed: 'gpt-5' })
    answer = () => stream(filter, '{"error":{"message":"Overloaded.","type":"server_error","code":"overloaded"}}')
    expect((await call('openai', gateway.url, bodyOf('gpt', true))).status).toBe(503) // nothing was committed (B07)
  })

  test('a prompt that the filter refuses is told as it is', async () => {
    const refused = '{"error":{"message":"The response was filtered.","type":null,"param":"prompt","code":"content_filter","status":400}}'
    answer = () => ({ status: 400, body: refused })
    const reply = await call('openai', gateway.url, bodyOf('gpt', false))
    expect([reply.status, reply.text]).toEqual([400, refused])
  })
})
