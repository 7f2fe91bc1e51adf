/**
 * A gateway that takes batches from three keys, in front of a provider that speaks Chat Completions and Messages and remembers each call.
 *
 * Every test starts a gateway of its own; the provider is one for the file.
 */

import { type LocalGateway, startLocalGateway } from './local-gateway.ts'
import { until } from './within.ts'

export const keyOf = (name: string) => `sk-hg-${name}-0123456789abcdef0123456789abcdef`
const hashOf = (name: string) => new Bun.CryptoHasher('sha256').update(keyOf(name)).digest('hex')

/** What the plain shape answers, all of it together. */
export interface Told {
  readonly id: string
  readonly status: string
  readonly ended_at: number | null
  readonly results_url: string
  readonly request_counts: Readonly<Record<string, number>>
  readonly has_more: boolean
  readonly complete: boolean
  readonly next_after: number | null
  readonly data: readonly {
    readonly index: number
    readonly custom_id: string
    readonly status: string
    readonly response: {
      readonly status_code: number
      readonly request_id: string
      readonly body: {
        readonly choices: readonly { readonly message: { readonly content: string } }[]
        readonly error: { readonly code: string }
      }
    }
  }[]
  readonly error: { readonly code: string; readonly param: string | null }
}

export interface StartOptions {
  /** Config of `batch`. */
  readonly batch?: object
  /** Plugins between it and the router. */
  readonly plugins?: readonly object[]
  /** End of the key `one`. */
  readonly expires?: string
}

const chatReply = (said: string) => ({
  id: 'c',
  object: 'chat.completion',
  created: 1,
  model: 'm',
  choices: [{ index: 0, message: { role: 'assistant', content: `re: ${said}` }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 5, completion_tokens: 10, total_tokens: 15 },
})
const messageReply = (said: string) => ({
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'm',
  content: [{ type: 'text', text: `re: ${said}` }],
  stop_reason: 'end_turn',
  stop_sequence: null,
  usage: { input_tokens: 5, output_tokens: 10 },
})

export type BatchStage = ReturnType<typeof batchStage>

/** Starts the provider. */
export function batchStage() {
  const calls: { readonly said: string; readonly body: string; readonly headers: Headers }[] = []
  const stage = {
    calls,
    /** Calls that are under way at the provider, and how many were at most. */
    active: 0,
    most: 0,
    /** What the provider does first. */
    before: async (_said: string): Promise<Response | undefined> => undefined,
    gateway: undefined as unknown as LocalGateway,
    /** A promise that holds calls until `go`. */
    holding() {
      const { promise, resolve } = Promise.withResolvers<undefined>()
      return { promise, go: () => resolve(undefined) }
    },
    async start({ batch = {}, plugins = [], expires }: StartOptions = {}): Promise<void> {
      const base = `http://127.0.0.1:${provider.port}`
      const one = { id: 'one', hash: hashOf('one'), account: 'acme', models: ['m', 'claude'], ...(expires !== undefined && { expires }) }
      const keys = [one, { id: 'two', hash: hashOf('two'), account: 'acme' }, { id: 'other', hash: hashOf('other') }]
      stage.gateway = await startLocalGateway(
        JSON.stringify({
          version: 1,
          records: 'memory',
          upstreams: { openai: { dialect: 'openai', base_url: `${base}/v1` }, anthropic: { dialect: 'anthropic', base_url: base } },
          models: { m: { targets: [{ upstream: 'openai' }] }, claude: { targets: [{ upstream: 'anthropic' }] } },
          plugins: [
            { use: 'probe' },
            { use: 'auth', with: { keys } },
            { use: 'batch', with: batch },
            ...plugins,
            { use: 'router', with: { fallback: false } },
          ],
        }),
      )
    },
    async api(method: string, path: string, body?: unknown, as = 'one'): Promise<{ readonly status: number; readonly body: Told }> {
      const response = await fetch(`${stage.gateway.url}${path}`, {
        method,
        headers: { authorization: `Bearer ${keyOf(as)}`, 'content-type': 'application/json' },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
      return { status: response.status, body: (await response.json()) as Told }
    },
    /** A batch of the plain shape, when it is over. */
    ended: (id: string, as = 'one') =>
      until(10_000, 'the batch is over', async () => {
        const { body } = await stage.api('GET', `/v1/batch/${id}`, undefined, as)
        return body.ended_at === null ? undefined : body
      }),
    /** Ends the gateway of a test. */
    async clear(): Promise<void> {
      stage.before = async () => undefined
      await stage.gateway?.stop()
      calls.length = 0
      stage.most = 0
    },
    stop: () => provider.stop(true),
  }
  const provider = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      const body = await request.text()
      const { messages } = JSON.parse(body) as { messages: { content: string }[] }
      const said = messages.at(-1)!.content
      calls.push({ said, body, headers: request.headers })
      stage.most = Math.max(stage.most, ++stage.active)
      try {
        const instead = await stage.before(said)
        if (instead) return instead
        return Response.json(new URL(request.url).pathname.endsWith('/messages') ? messageReply(said) : chatReply(said))
      } finally {
        stage.active--
      }
    },
  })
  return stage
}

/** A chat request that says something. */
export const request = (said: string, more: object = {}) => ({ model: 'm', messages: [{ role: 'user', content: said }], ...more })
