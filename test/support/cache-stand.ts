/**
 * A gateway with `session-cache` between a client and a provider that keeps what it is sent, over real HTTP, on a clock that the test moves.
 *
 * The provider answers in the dialect of the path that is called. What it bills is the test's: by default what a prompt cache by Anthropic's rules
 * would, for Messages, and the same number for all else.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serveEdge } from '../../src/edge/serve.ts'
import { composition } from '../../src/main.ts'
import {
  definePlugin,
  type Outcome,
  type Plugin,
  PromptCache,
  type PromptCacheValue,
  Session,
  type SessionValue,
} from '../../src/plugin/index.ts'
import { Gateway } from '../../src/runtime/gateway.ts'
import { type Block, PrefixCache } from '../bench/savings/prefix-cache.ts'
import { until } from './within.ts'

export interface Sent {
  readonly path: string
  readonly text: string
  readonly json: Record<string, unknown>
  readonly headers: Headers
}
/** Input tokens as billed. */
export interface Bill {
  readonly plain: number
  readonly read: number
  readonly written: number
}
export interface Told {
  readonly outcome: Outcome
  readonly cache: PromptCacheValue | undefined
}

export interface CacheStand {
  readonly url: string
  readonly sent: Sent[]
  /** Milliseconds; moves only when told to. */
  now: number
  /** What the next replies are billed; undefined = as a prompt cache would. */
  bill: ((sent: Sent) => Bill) | undefined
  /** Status of the next replies. */
  answer: ((sent: Sent) => Response | undefined | Promise<Response | undefined>) | undefined
  /** Sends a body and waits until all is settled. */
  ask(
    path: string,
    body: object | string,
    headers?: Record<string, string>,
  ): Promise<Told & { readonly status: number; readonly text: string }>
  log(): string
  metrics(): string
  stop(): Promise<void>
}

export interface StandOptions {
  /** `with` of session-cache. */
  readonly with?: object
  /** Plugins above and below it, and the rest of the config. */
  readonly above?: readonly object[]
  readonly below?: readonly object[]
  readonly config?: object
  readonly plugins?: readonly Plugin[]
  /** Of all upstreams. */
  readonly facts?: object
  readonly provider?: Provider
  readonly now?: number
  /** What is known of the session that the header `x-session` names. */
  readonly session?: (id: string) => Partial<SessionValue>
}

export interface Provider {
  readonly url: string
  readonly sent: Sent[]
  now: number
  bill: CacheStand['bill']
  answer: CacheStand['answer']
  stop(): Promise<void>
}

export const start = 1_800_000_000_000

/** The provider alone: several gateways may share one. */
export function startProvider(): Provider {
  const cache = new PrefixCache(1024)
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      const text = await request.text()
      const { pathname } = new URL(request.url)
      const sent: Sent = { path: pathname, text, json: JSON.parse(text) as Record<string, unknown>, headers: request.headers }
      provider.sent.push(sent)
      const made = await provider.answer?.(sent)
      if (made) return made
      return Response.json(replyOf(sent, provider.bill?.(sent) ?? simulated(cache, sent, provider.now)))
    },
  })
  const provider: Provider = {
    url: server.url.origin,
    sent: [],
    now: start,
    bill: undefined,
    answer: undefined,
    stop: () => server.stop(true),
  }
  return provider
}

export async function startCacheStand(options: StandOptions = {}): Promise<CacheStand> {
  const provider = options.provider ?? startProvider()
  let now = options.now ?? start
  provider.now = now
  const told = new Map<string, Told>()
  const probe = definePlugin({
    api: 1,
    name: 'probe',
    summary: 'Keeps what was known at the end',
    failure: 'open',
    wants: [PromptCache],
    setup: () => ({
      settle(x, outcome) {
        told.set(x.id, { outcome, cache: x.peek(PromptCache) })
      },
    }),
  })
  const turns = new Map<string, number>()
  const sessions = definePlugin({
    api: 1,
    name: 'sessions',
    summary: 'Knows sessions by a header of the test',
    failure: 'open',
    provides: [Session],
    setup: () => ({
      admit(x) {
        const id = x.headers.get('x-session')
        if (id === null) return
        const turn = (turns.get(id) ?? 0) + 1
        turns.set(id, turn)
        x.put(Session, { id, turn, source: turn === 1 ? 'new' : 'prefix', ...options.session?.(id) })
      },
    }),
  })
  const { url } = provider
  const facts = options.facts ? { prompt_cache_facts: options.facts } : {}
  const shared = { key: 'k', ...facts }
  const target = (upstream: string, model: string) => ({ targets: [{ upstream, model }] })
  const config = {
    version: 1,
    state: 'memory',
    records: 'memory',
    upstreams: {
      anthropic: { dialect: 'anthropic', base_url: url, ...shared },
      openai: { dialect: 'openai', base_url: `${url}/v1`, apis: ['chat'], ...shared },
      responses: { dialect: 'openai', base_url: `${url}/v1`, apis: ['responses'], ...shared },
      gemini: { dialect: 'gemini', base_url: url, ...shared },
      invoke: { dialect: 'anthropic', host: 'bedrock', base_url: url, key: 'k', bedrock: { region: 'us-west-2' }, ...facts },
      bedrock: {
        dialect: 'anthropic',
        host: 'bedrock',
        base_url: url,
        key: 'k',
        bedrock: { region: 'us-west-2', api: 'converse' },
        ...facts,
      },
    },
    models: {
      invoke: target('invoke', 'anthropic.claude-sonnet-4-5-20250929-v1:0'),
      claude: target('anthropic', 'claude-sonnet-4-5'),
      chat: target('openai', 'gpt-test'),
      responses: target('responses', 'gpt-test'),
      gemini: target('gemini', 'gemini-2.5-flash'),
      converse: target('bedrock', 'anthropic.claude-sonnet-4-5-20250929-v1:0'),
      nova: target('bedrock', 'amazon.nova-pro-v1:0'),
    },
    plugins: [
      { use: 'probe' },
      { use: 'sessions' },
      ...(options.above ?? []),
      { use: 'session-cache', ...(options.with && { with: options.with }) },
      ...(options.below ?? []),
      { use: 'router' },
    ],
    ...options.config,
  }
  const dir = mkdtempSync(join(tmpdir(), 'headgate-cache-'))
  const configPath = join(dir, 'gateway.yaml')
  writeFileSync(configPath, JSON.stringify(config))
  let log = ''
  const own = Object.fromEntries(
    [probe, sessions, ...(options.plugins ?? [])].map((plugin) => [plugin.name, () => Promise.resolve({ default: plugin })]),
  )
  const gateway = new Gateway({
    configPath,
    env: {},
    now: () => now,
    builtins: { ...composition.builtins, ...own },
    startDemo: () => Promise.reject(new Error('no demo here')),
    log: { json: true, write: (line) => void (log += line) },
  })
  const built = await gateway.reload()
  if (!built.ok) throw new Error(`the config is not good: ${JSON.stringify(built.diagnostics, null, 2)}`)
  const edge = serveEdge(gateway, { host: '127.0.0.1', port: 0 }, undefined)
  return {
    url: edge.url,
    sent: provider.sent,
    get now() {
      return now
    },
    set now(value) {
      now = value
      provider.now = value
    },
    get bill() {
      return provider.bill
    },
    set bill(value) {
      provider.bill = value
    },
    get answer() {
      return provider.answer
    },
    set answer(value) {
      provider.answer = value
    },
    async ask(path, body, headers = {}) {
      const response = await fetch(`${edge.url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'anthropic-version': '2023-06-01', 'x-goog-api-key': 'k', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      })
      const text = await response.text()
      const id = response.headers.get('x-request-id')!
      return { status: response.status, text, ...(await until(5000, `the outcome of ${id}`, () => told.get(id))) }
    },
    log: () => log,
    metrics: () => gateway.services.metrics.text(),
    async stop() {
      await edge.stop(1000)
      await gateway.close(1000)
      if (!options.provider) await provider.stop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

interface WireBlock {
  readonly cache_control?: { readonly ttl?: string } | null
  readonly [key: string]: unknown
}

/** What a provider that caches as Anthropic does would bill: a token for four bytes. */
function simulated(cache: PrefixCache, { json }: Sent, now: number): Bill {
  const blocks: Block[] = []
  let chain = 0n
  const add = (where: string, value: WireBlock | string) => {
    const { cache_control: mark, ...rest } = typeof value === 'string' ? { type: 'text', text: value, cache_control: undefined } : value
    const text = JSON.stringify(rest)
    chain = Bun.hash(where + text, chain) as bigint
    const lifetime = mark ? (mark.ttl === '1h' ? 3_600_000 : 300_000) : undefined
    blocks.push({ chain, tokens: Math.ceil(text.length / 4), ...(lifetime !== undefined && { mark: lifetime }) })
  }
  const list = (value: unknown): (WireBlock | string)[] => (typeof value === 'string' ? [value] : Array.isArray(value) ? value : [])
  for (const tool of list(json.tools)) add('tools', tool)
  for (const block of list(json.system)) add('system', block)
  for (const { role, content } of list(json.messages) as unknown as { role: string; content: unknown }[])
    for (const block of list(content)) add(role, block)
  const use = cache.use(blocks, now)
  return { plain: use.uncached, read: use.read, written: use.write5m + use.write1h }
}

function replyOf({ path }: Sent, { plain, read, written }: Bill): object {
  const input = plain + read + written
  if (path.endsWith('/chat/completions'))
    return {
      id: 'c',
      object: 'chat.completion',
      created: 1,
      model: 'm',
      choices: [{ index: 0, message: { role: 'assistant', content: 'ok' }, finish_reason: 'stop' }],
      usage: {
        prompt_tokens: input,
        completion_tokens: 1,
        total_tokens: input + 1,
        prompt_tokens_details: { cached_tokens: read, ...(written > 0 && { cache_write_tokens: written }) },
      },
    }
  if (path.endsWith('/responses'))
    return {
      id: 'r',
      object: 'response',
      created_at: 1,
      status: 'completed',
      model: 'm',
      output: [
        {
          type: 'message',
          id: 'o',
          role: 'assistant',
          status: 'completed',
          content: [{ type: 'output_text', text: 'ok', annotations: [] }],
        },
      ],
      usage: { input_tokens: input, input_tokens_details: { cached_tokens: read }, output_tokens: 1, total_tokens: input + 1 },
    }
  if (path.includes(':generateContent'))
    return {
      candidates: [{ index: 0, content: { role: 'model', parts: [{ text: 'ok' }] }, finishReason: 'STOP' }],
      usageMetadata: { promptTokenCount: input, cachedContentTokenCount: read, candidatesTokenCount: 1, totalTokenCount: input + 1 },
    }
  if (path.endsWith('/converse'))
    return {
      output: { message: { role: 'assistant', content: [{ text: 'ok' }] } },
      stopReason: 'end_turn',
      usage: { inputTokens: plain, outputTokens: 1, totalTokens: input + 1, cacheReadInputTokens: read, cacheWriteInputTokens: written },
    }
  return {
    id: 'm',
    type: 'message',
    role: 'assistant',
    model: 'm',
    content: [{ type: 'text', text: 'ok' }],
    stop_reason: 'end_turn',
    stop_sequence: null,
    usage: { input_tokens: plain, cache_read_input_tokens: read, cache_creation_input_tokens: written, output_tokens: 1 },
  }
}
