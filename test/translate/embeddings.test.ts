/**
 * Embeddings for the unmodified SDKs of OpenAI and Google from upstreams of other makers, through the real gateway and real sockets.
 *
 * The makers' servers check what they are sent and make each vector out of its text, so that order and values can be told.
 */

import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { GoogleGenAI } from '@google/genai'
import OpenAI from 'openai'
import { type LocalGateway, startLocalGateway } from '../support/local-gateway.ts'
import { signatureFault } from '../support/verify-sigv4.ts'

setDefaultTimeout(20_000)

// biome-ignore lint/suspicious/noExplicitAny: bodies of unknown shape
type Loose = any

const keys = { accessKeyId: 'AKIDE2E', secret: 'e2e/secret+key' }
const vectorOf = (text: string, size = 3) => Array.from({ length: size }, (_, i) => text.length / 7 + i / 10 + (text.charCodeAt(0) || 0))

interface Seen {
  readonly path: string
  readonly body: Loose
}

/** What a server says of a body: its vectors in its own form, or why it refuses. */
const makers: Readonly<Record<string, (body: Loose, path: string) => object>> = {
  gemini({ requests }, path) {
    const model = /models\/(.+):batchEmbedContents$/.exec(path)?.[1]
    if (!model || requests.length > 100) throw new Error('* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch')
    for (const one of requests) if (one.model !== `models/${model}`) throw new Error('the model of a request is another one')
    const values = (one: Loose) => vectorOf(one.content.parts[0].text, one.outputDimensionality)
    return { embeddings: requests.map((one: Loose) => ({ values: values(one) })), usageMetadata: { promptTokenCount: 2 * requests.length } }
  },
  silent: ({ requests }) => ({ embeddings: requests.map((one: Loose) => ({ values: vectorOf(one.content.parts[0].text) })) }),
  vertex({ content, instances, parameters }, path) {
    if (path.endsWith('gemini-embedding-2:embedContent')) return { embedding: { values: vectorOf(content.parts[0].text) } }
    if (!path.endsWith('text-embedding-005:predict') || instances.length !== 1) throw new Error(`no ${path}`)
    const embeddings = { values: vectorOf(instances[0].content, parameters.outputDimensionality), statistics: { token_count: 3 } }
    return { predictions: [{ embeddings }] }
  },
  bedrock({ inputText, texts, dimensions }, path) {
    if (path.includes('titan')) {
      if (inputText === 'bad') throw new Error('Malformed input request: #/inputText: expected minLength: 1')
      return { embedding: vectorOf(inputText, dimensions), inputTextTokenCount: 2 }
    }
    if (texts.length > 96) throw new Error('too many texts')
    return { id: 'c', response_type: 'embeddings_by_type', embeddings: { float: texts.map((text: string) => vectorOf(text)) } }
  },
  cohere({ texts, input_type }, path) {
    if (path !== '/cohere/v2/embed' || input_type !== 'search_document') throw new Error('invalid request')
    const billed_units = { input_tokens: texts.length }
    return { id: 'c', embeddings: { float: texts.map((text: string) => vectorOf(text)) }, meta: { billed_units } }
  },
  openai({ input, dimensions, encoding_format }) {
    const inputs: string[] = typeof input === 'string' ? [input] : input
    const spelled = (vector: number[]) =>
      encoding_format === 'base64' ? Buffer.from(Float32Array.from(vector).buffer).toString('base64') : vector
    const data = inputs.map((text, index) => ({ object: 'embedding', index, embedding: spelled(vectorOf(text, dimensions)) }))
    return { object: 'list', data, model: 'e', usage: { prompt_tokens: 5, total_tokens: 5 } }
  },
}

describe('embeddings', () => {
  const seen: Seen[] = []
  const faults: string[] = []
  let open = 0
  let most = 0
  let server: ReturnType<typeof Bun.serve>
  let gateway: LocalGateway
  let client: OpenAI

  beforeAll(async () => {
    server = Bun.serve({
      port: 0,
      async fetch(request) {
        const url = new URL(request.url)
        const bytes = await request.bytes()
        const body: Loose = JSON.parse(Buffer.from(bytes).toString())
        const path = decodeURIComponent(url.pathname)
        const maker = url.pathname.split('/')[1]!
        const name = maker === 'model' ? 'bedrock' : maker === 'v1' || maker === 'v1beta1' ? 'vertex' : maker
        if (name === 'bedrock') {
          const signed = { method: 'POST', path: url.pathname, query: '', headers: request.headers, body: bytes }
          const fault = signatureFault(signed, { ...keys, region: 'us-west-2', service: 'bedrock' }, Date.now())
          if (fault !== undefined) faults.push(fault)
        }
        seen.push({ path, body })
        most = Math.max(most, ++open)
        await Bun.sleep(2)
        open--
        try {
          const headers = name === 'bedrock' && path.includes('cohere') ? { 'x-amzn-bedrock-input-token-count': '11' } : {}
          return Response.json(makers[name]!(body, path), { headers })
        } catch (error) {
          return Response.json({ message: (error as Error).message, error: { message: (error as Error).message } }, { status: 400 })
        }
      },
    })
    const at = `http://127.0.0.1:${server.port}`
    const model = (upstream: string, model: string) => ({ targets: [{ upstream, model }] })
    gateway = await startLocalGateway(
      JSON.stringify({
        version: 1,
        mounts: [
          { path: '/v1', api: 'openai' },
          { path: '/', api: 'gemini' },
        ],
        upstreams: {
          gemini: { dialect: 'gemini', base_url: `${at}/gemini`, key: 'k' },
          silent: { dialect: 'gemini', base_url: `${at}/silent`, key: 'k' },
          vertex: { dialect: 'gemini', host: 'vertex', base_url: at, vertex: { project: 'p', location: 'global' }, key: 'k' },
          bedrock: {
            dialect: 'anthropic',
            host: 'bedrock',
            base_url: at,
            bedrock: { region: 'us-west-2', access_key_id: keys.accessKeyId, secret_access_key: keys.secret },
          },
          cohere: { dialect: 'openai', base_url: `${at}/cohere/v2`, apis: ['embed'], key: 'k' },
          openai: { dialect: 'openai', base_url: `${at}/openai/v1`, key: 'k' },
          claude: { dialect: 'anthropic', base_url: at, key: 'k' },
        },
        models: {
          gemini: model('gemini', 'gemini-embedding-001'),
          silent: model('silent', 'gemini-embedding-001'),
          'vertex-2': model('vertex', 'gemini-embedding-2'),
          'vertex-005': model('vertex', 'text-embedding-005'),
          titan: model('bedrock', 'amazon.titan-embed-text-v2:0'),
          'titan-1': model('bedrock', 'amazon.titan-embed-text-v1'),
          'bedrock-cohere': model('bedrock', 'cohere.embed-v4:0'),
          cohere: model('cohere', 'embed-v4.0'),
          openai: model('openai', 'text-embedding-3-small'),
          claude: model('claude', 'claude-sonnet-4-6'),
        },
        plugins: [{ use: 'probe' }, { use: 'router' }],
      }),
    )
    client = new OpenAI({ apiKey: 'none', baseURL: `${gateway.url}/v1`, maxRetries: 0, timeout: 10_000 })
  })
  afterEach(() => {
    expect(faults).toEqual([])
    seen.length = 0
    most = 0
  })
  afterAll(async () => {
    await gateway.stop()
    await server.stop(true)
  })

  const texts = (n: number) => Array.from({ length: n }, (_, i) => 'x'.repeat(i % 300) + i)
  const rounded = (vectors: readonly number[][]) => vectors.map((vector) => vector.map(Math.fround))

  test.each(['gemini', 'vertex-2', 'vertex-005', 'titan', 'bedrock-cohere', 'cohere', 'openai'])(
    'H18: of %s are the true vectors, in order, by default and as floats',
    async (model) => {
      const input = texts(5)
      const byDefault = await client.embeddings.create({ model, input })
      const floats = await client.embeddings.create({ model, input, encoding_format: 'float' })
      expect(byDefault.data.map(({ embedding }) => Array.from(embedding))).toEqual(rounded(input.map((text) => vectorOf(text))))
      expect(floats.data.map(({ embedding }) => embedding)).toEqual(input.map((text) => vectorOf(text)))
      expect(floats.data.map(({ index, object }) => [index, object])).toEqual(input.map((_, i) => [i, 'embedding']))
      expect(floats.usage.prompt_tokens).toBeGreaterThan(0)
      expect(floats.usage.total_tokens).toBe(floats.usage.prompt_tokens)
    },
  )

  test.each([
    ['gemini', 250, [100, 100, 50]],
    ['cohere', 200, [96, 96, 8]],
    ['bedrock-cohere', 97, [96, 1]],
    ['titan', 40, Array.from({ length: 40 }, () => 1)],
  ] as const)('%s: %d inputs are several calls, and one reply', async (model, n, sizes) => {
    const input = texts(n)
    const { response, data } = await client.embeddings.create({ model, input, encoding_format: 'float' }).withResponse()
    expect(data.data.map(({ index }) => index)).toEqual(input.map((_, i) => i))
    expect(data.data.map(({ embedding }) => embedding)).toEqual(input.map((text) => vectorOf(text)))
    const size = ({ requests, texts }: Loose) => requests?.length ?? texts?.length ?? 1
    expect(seen.map(({ body }) => size(body)).sort((a, b) => b - a)).toEqual([...sizes])
    expect(most).toBeLessThanOrEqual(8)
    const tokens = { gemini: 500, cohere: 200, 'bedrock-cohere': 22, titan: 80 }[model]
    expect(data.usage).toEqual({ prompt_tokens: tokens, total_tokens: tokens })
    const outcome = await gateway.outcome(response.headers.get('x-request-id')!)
    expect(outcome.usage).toMatchObject({ source: 'reported', inputUncached: tokens })
    expect(outcome.attempts).toHaveLength(1)
  })

  test('dimensions reach the model, or are refused where it has no choice; never dropped', async () => {
    for (const model of ['gemini', 'titan', 'vertex-005', 'openai']) {
      const { data } = await client.embeddings.create({ model, input: 'a', dimensions: 8, encoding_format: 'float' })
      expect(data[0]!.embedding).toEqual(vectorOf('a', 8))
    }
    const error = await client.embeddings.create({ model: 'titan-1', input: 'a', dimensions: 8 }).catch((e) => e)
    expect(error).toBeInstanceOf(OpenAI.BadRequestError)
    expect(error.param).toBe('dimensions')
  })

  test('usage that nobody tells is an estimate, and marked as one', async () => {
    const { response, data } = await client.embeddings.create({ model: 'silent', input: ['Hello, world!', 'Again'] }).withResponse()
    expect(data.usage.prompt_tokens).toBeWithin(3, 12)
    const { usage } = await gateway.outcome(response.headers.get('x-request-id')!)
    expect(usage).toMatchObject({ source: 'estimated', inputUncached: data.usage.prompt_tokens })
  })

  test('what is left out is named', async () => {
    const { response } = await client.embeddings.create({ model: 'gemini', input: 'a', user: 'u' }).withResponse()
    expect(response.headers.get('x-gateway-dropped')).toBe('user')
  })

  test('token ids are refused where the model has another vocabulary', async () => {
    const error = await client.embeddings.create({ model: 'gemini', input: [1, 2, 3] }).catch((e) => e)
    expect(error).toBeInstanceOf(OpenAI.BadRequestError)
    expect([error.param, error.message]).toEqual(['input', expect.stringContaining('token ids')])
    expect(seen).toHaveLength(0)
  })

  test('an error of one call is the answer, in the provider’s own words, and ends the others', async () => {
    const input = [...texts(3), 'bad', ...texts(200)]
    const error = await client.embeddings.create({ model: 'titan', input }).catch((e) => e)
    expect(error).toBeInstanceOf(OpenAI.BadRequestError)
    expect(error.message).toContain('Malformed input request')
    expect(seen.length).toBeLessThan(60)
  })

  test('an upstream without embeddings is a clear 400', async () => {
    const error = await client.embeddings.create({ model: 'claude', input: 'a' }).catch((e) => e)
    expect(error).toBeInstanceOf(OpenAI.BadRequestError)
    expect(error.message).toContain('has no such endpoint')
  })

  describe('for Google’s SDK', () => {
    const google = () => new GoogleGenAI({ apiKey: 'none', httpOptions: { baseUrl: gateway.url } })

    test.each(['openai', 'titan', 'cohere', 'vertex-2', 'gemini'])('of %s', async (model) => {
      const contents = ['one', 'three']
      const { embeddings } = await google().models.embedContent({ model, contents })
      expect(embeddings?.map(({ values }) => values)).toEqual(contents.map((text) => vectorOf(text)))
    })
  })
})
