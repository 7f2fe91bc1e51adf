import { describe, expect, test } from 'bun:test'
import type { Exchange, Host, Model, Operation, Refusal, Target } from 'headgate/plugin'
import type { RouterConfig } from './config.ts'
import router from './index.ts'

const models: Model[] = [
  {
    id: 'both',
    targets: [
      { upstream: 'a', model: 'claude-x', dialect: 'anthropic' },
      { upstream: 'b', model: 'gpt-x', dialect: 'openai' },
      { upstream: 'c', model: 'gpt-y', dialect: 'openai' },
    ],
  },
  { id: 'claude', targets: [{ upstream: 'a', model: 'claude', dialect: 'anthropic' }] },
  { id: 'gpt', targets: [{ upstream: 'b', model: 'gpt', dialect: 'openai' }] },
  { id: 'unsaid', targets: [{ upstream: 'd', model: 'unsaid' }] },
  { id: 'other', targets: [{ upstream: 'e', model: 'other', dialect: 'cohere' }] },
  { id: 'empty', targets: [] },
  { id: 'claude-*', targets: [{ upstream: 'a', model: 'claude-*', dialect: 'anthropic' }] },
]

const defaults: RouterConfig = {
  aliases: {},
  loose_names: true,
  strategy: 'ordered',
  prefer_native: true,
  fallback: true,
  fallback_models: {},
  max_attempts: 4,
  retries: 0,
  backoff: 1,
  max_wait: 1,
  max_time: 0,
  hedge: 0,
  stitch: false,
  health: true,
  breaker: { enabled: true, consecutive: 5, error_rate: 0.5, minimum: 20, window: 1000, cooldown: 1000, max_cooldown: 1000 },
  affinity: { enabled: true, ttl: 1000, warm: 1000, patience: 0, shared: false },
  checks: {},
  outliers: { enabled: false, interval: 1, minimum: 1, errors: 1, latency: 2, time: 1, max_time: 1, max_share: 1 },
  concurrency: { upstreams: {}, queue: 1, wait: 1 },
  client: { models: false, provider: false },
}

interface Routed {
  refusal?: Refusal
  target?: Target
  /** Model ids written to the body. */
  written: string[]
}

async function route(model: string, operation: Operation, options: { default_model?: string; target?: Target; similar?: string[] } = {}) {
  const nothing = () => ({ add: () => {} })
  const host = {
    upstreams: ['a', 'b', 'c', 'd', 'e'],
    leftOut: { upstreams: [], find: () => undefined, list: () => [] },
    now: () => 0,
    counter: nothing,
    admin: () => {},
    health: () => {},
    gauge: () => {},
    catalog: {
      list: () => [],
      find: (id: string) => models.find((m) => m.id === id || (m.id === 'claude-*' && id.startsWith('claude-'))),
      similar: () => options.similar ?? [],
    },
  } as unknown as Host
  const { default_model } = options
  const hooks = await router.setup(host, { ...defaults, ...(default_model !== undefined && { default_model }) })
  const routed: Routed = { written: [] }
  const x = {
    operation,
    dialect: 'x',
    target: options.target,
    state: {},
    headers: new Headers(),
    peek: () => undefined,
    request: { model, borrowed: new Uint8Array(), setModel: (id: string) => routed.written.push(id) },
    setTarget: (target: Target) => {
      routed.target = target
    },
    refuse: (code: string, more: object) => ({ type: 'refusal', code, ...more }),
  } as unknown as Exchange
  const refusal = (await hooks.request?.(x)) as Refusal | undefined
  return refusal ? { ...routed, refusal } : routed
}

describe('chooses', () => {
  test.each<[Operation, string]>([
    ['chat', 'b'],
    ['completions', 'b'],
    ['embeddings', 'b'],
    ['responses', 'b'],
    ['messages', 'a'],
    ['count_tokens', 'a'],
    ['generate', 'a'],
  ])('for %s the first upstream that speaks it: %s', async (operation, upstream) => {
    const { target, written, refusal } = await route('both', operation)
    expect(refusal).toBeUndefined()
    expect(target?.upstream).toBe(upstream)
    expect(written).toEqual([target!.model])
  })

  test('F01: leaves the body alone when the model id is the same on both sides', async () => {
    expect(await route('claude', 'messages')).toEqual({ target: models[1]!.targets[0]!, written: [] })
  })

  test("another API than the client's, when no upstream speaks it: the request is translated", async () => {
    expect((await route('claude', 'chat')).target?.upstream).toBe('a')
    expect((await route('gpt', 'messages')).target?.upstream).toBe('b')
    expect((await route('claude', 'embeddings')).target?.upstream).toBe('a')
    expect((await route('other', 'responses')).target?.upstream).toBe('e')
  })

  test('a target of unknown family', async () => {
    expect((await route('unsaid', 'chat')).target?.upstream).toBe('d')
    expect((await route('unsaid', 'messages')).target?.upstream).toBe('d')
  })

  test('the default model for a request that names none, and writes it', async () => {
    expect(await route('', 'chat', { default_model: 'gpt' })).toMatchObject({ target: { upstream: 'b' }, written: ['gpt'] })
    expect(await route('claude', 'messages', { default_model: 'gpt' })).toMatchObject({ target: { upstream: 'a' }, written: [] })
  })

  test('nothing when a plugin above has chosen, or no model is called', async () => {
    expect(await route('nope', 'chat', { target: { upstream: 'z', model: 'z' } })).toEqual({ written: [] })
    expect(await route('', 'models')).toEqual({ written: [] })
    expect(await route('', 'route')).toEqual({ written: [] })
  })
})

describe('refuses', () => {
  test('a request without a model', async () => {
    const { refusal, target } = await route('', 'chat')
    expect(refusal).toMatchObject({ code: 'invalid_request', param: 'model', message: expect.stringContaining('names no model') })
    expect(target).toBeUndefined()
  })

  test.each<[string[], string]>([
    [[], 'This gateway does not serve the model "nope". The list of models names those it does.'],
    [['gpt'], 'This gateway does not serve the model "nope". Did you mean "gpt"?'],
    [['a', 'b', 'c', 'd'], 'This gateway does not serve the model "nope". Did you mean "a", "b" or "c"?'],
  ])('an unknown model, with what comes near: %j', async (similar, message) => {
    expect((await route('nope', 'chat', { similar })).refusal).toMatchObject({ code: 'model_not_found', param: 'model', message })
  })

  test('an unknown model of any length and shape with a short sentence', async () => {
    const message = (await route('"\n'.repeat(1000), 'chat')).refusal?.message ?? ''
    expect(message.length).toBeLessThan(600)
    expect(message).not.toContain('\n')
  })

  test('a model without an upstream', async () => {
    const { refusal } = await route('empty', 'embeddings')
    expect(refusal).toMatchObject({ code: 'invalid_request', param: 'model' })
    expect(refusal?.message).toContain('has no upstream on this gateway')
  })

  test('to start with a default model that is not in the catalogue', async () => {
    await expect(route('gpt', 'chat', { default_model: 'nope', similar: ['gpt'] })).rejects.toThrow(/default_model: .*Did you mean "gpt"/)
  })
})
