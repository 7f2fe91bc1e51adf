/** Sessions of several gateways on one Redis, as real processes: shared, kept over restarts, and served without it when it is away. */

import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { type GatewayProcess, startGateway } from '../support/gateway.ts'
import { authPlugin, clientKey, gatewayConfig } from '../support/gateway-config.ts'
import { type RedisServer, redisMissing, startRedis } from '../support/redis-server.ts'
import { until, within } from '../support/within.ts'

setDefaultTimeout(60_000)

const probe = `import { definePlugin, Session } from 'headgate/plugin'
export default definePlugin({
  api: 1, name: 'told', summary: 'Says what it was told', wants: [Session], failure: 'open',
  setup: () => ({
    reply(x, reply) {
      const s = x.peek(Session)
      if (s) reply.headers.set('x-told', JSON.stringify({ ...s, tokens: s.inputTokens() }))
    },
  }),
})
`
interface Told {
  readonly status: number
  readonly id: string
  readonly turn: number
  readonly lane: string
  readonly source: string
  readonly parent?: string
  readonly last?: { readonly input: number; readonly upstream: string; readonly units: number }
  readonly tokens: number
}

describe.skipIf(redisMissing !== undefined)(redisMissing ?? 'sessions of several gateways on one Redis', () => {
  let redis: RedisServer
  /** Bills 1000 tokens for whatever it is asked. */
  const provider = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: () => {
      const usage = { prompt_tokens: 1000, completion_tokens: 10, total_tokens: 1010, prompt_tokens_details: { cached_tokens: 400 } }
      const choices = [{ index: 0, message: { role: 'assistant', content: 'Hi' }, finish_reason: 'stop' }]
      return Response.json({ id: 'c1', object: 'chat.completion', created: 1, model: 'known', choices, usage })
    },
  })
  const gateways: GatewayProcess[] = []
  const start = async (session: object = {}) => {
    const gateway = await startGateway({
      config: gatewayConfig({
        upstream: `http://127.0.0.1:${provider.port}`,
        plugins: [authPlugin, { use: 'session', with: session }, { use: './told.ts' }, { use: 'router' }],
        more: { state: '${' + 'env:STATE_URL}' },
      }),
      files: { 'told.ts': probe },
      env: { STATE_URL: redis.url },
    })
    gateways.push(gateway)
    return gateway
  }
  const ask = async (gateway: GatewayProcess, messages: readonly object[], headers: Record<string, string> = {}): Promise<Told> => {
    const response = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${clientKey}`, ...headers },
      body: JSON.stringify({ model: 'cat/known', messages }),
    })
    await response.text()
    const told = JSON.parse(response.headers.get('x-told') ?? '{}') as Omit<Told, 'status'>
    expect(response.headers.get('x-gateway-session-id')).toBe(told.id)
    return { ...told, status: response.status }
  }
  const user = (content: string) => ({ role: 'user', content })
  const assistant = (content: string) => ({ role: 'assistant', content })
  const session = async (gateway: GatewayProcess, id: string) =>
    (await (await fetch(`${gateway.adminUrl}/v1/sessions/${id}`)).json()) as {
      turns: number
      requests?: { total: number }
      tokens?: { cache_read: number }
    }
  /** Sessions are written after the answer: what the next turn needs is there long before a client has read it, but a test is faster. */
  const settled = (gateway: GatewayProcess, id: string, total: number) =>
    until(3000, `${total} settled requests of ${id}`, async () =>
      (await session(gateway, id)).requests?.total === total ? true : undefined,
    )

  beforeAll(async () => {
    redis = await startRedis()
  })
  afterEach(async () => {
    for (const gateway of gateways.splice(0)) await gateway.stop()
    await redis.cli('flushall')
  })
  afterAll(async () => {
    await provider.stop(true)
    await redis.stop()
  })

  test('turns of one conversation on two gateways in turn: one session, one lane, its last bill, its sum', async () => {
    const [a, b] = [await start(), await start()]
    const history: object[] = [{ role: 'system', content: 'S' }, user('one')]
    const first = await ask(a, history)
    expect(first).toMatchObject({ turn: 1, source: 'new' })
    for (let turn = 2; turn <= 6; turn++) {
      await settled(a, first.id, turn - 1)
      history.push(assistant(`answer ${turn}`), user(`question ${turn}`))
      const next = await ask(turn % 2 ? a : b, history)
      expect(next).toMatchObject({ id: first.id, lane: first.lane, turn, source: 'prefix', last: { input: 1000, upstream: 'openai' } })
      // of what was billed before, whoever had it, only the new is estimated
      expect(next.last!.units).toBe(history.length - 2)
      expect(next.tokens).toBeGreaterThan(1000)
      expect(next.tokens).toBeLessThan(1050)
    }
    // whom it was told of first is told of by both, and both give the sum
    for (const gateway of [a, b]) {
      await until(
        40_000,
        'the instances know of each other',
        async () => (await session(gateway, first.id)).requests?.total === 6 || undefined,
      )
      expect(await session(gateway, first.id)).toMatchObject({ turns: 6, tokens: { cache_read: 2400 } })
    }
  })

  test('named sessions: the same id, turns and lanes on all instances; forks know their parent on all', async () => {
    const [a, b] = [await start(), await start()]
    const as = { 'x-claude-code-session-id': 'S1' }
    const first = await ask(a, [user('one')], as)
    await settled(a, first.id, 1)
    const second = await ask(b, [user('one'), assistant('1'), user('two')], as)
    expect(second).toMatchObject({ id: first.id, lane: first.lane, turn: 2, source: 'client', last: { input: 1000 } })
    const trunk = await ask(a, [user('trunk')])
    await settled(a, trunk.id, 1)
    const next = await ask(b, [user('trunk'), assistant('1'), user('two')])
    await settled(b, trunk.id, 2)
    expect(next.id).toBe(trunk.id)
    // an instance that had the last turn knows a fork from a turn
    const fork = await ask(b, [user('trunk'), assistant('1'), user('not two')])
    expect(fork.id).not.toBe(trunk.id)
    await settled(b, fork.id, 1)
    // one that had neither asks
    const later = await ask(a, [user('trunk'), assistant('1'), user('not two'), assistant('2'), user('three')])
    expect(later).toMatchObject({ id: fork.id, turn: 2, parent: trunk.id })
  })

  test('the same words on both at once: two sessions', async () => {
    const [a, b] = [await start(), await start()]
    const said = await Promise.all([a, b, a, b].map((gateway) => ask(gateway, [user('hello')])))
    expect(new Set(said.map(({ id }) => id)).size).toBe(4)
  })

  test('a restart keeps session, lane, turn and bill', async () => {
    const before = await start()
    const first = await ask(before, [user('one')])
    const named = await ask(before, [user('x')], { 'session-id': 'A' })
    await settled(before, first.id, 1)
    await settled(before, named.id, 1)
    expect(await gateways.pop()!.stop()).toBe(0)
    const after = await start()
    expect(await ask(after, [user('one'), assistant('1'), user('two')])).toMatchObject({
      id: first.id,
      lane: first.lane,
      turn: 2,
      source: 'prefix',
      last: { input: 1000 },
    })
    expect(await ask(after, [user('x'), assistant('1'), user('y')], { 'session-id': 'A' })).toMatchObject({
      id: named.id,
      lane: named.lane,
      turn: 2,
    })
  })

  test('Redis that dies, or says nothing: all are served, with a session; when it is back they are shared again', async () => {
    const [a, b] = [await start(), await start()]
    const first = await ask(a, [user('one')])
    await settled(a, first.id, 1)
    redis.signal('SIGSTOP')
    // one wait of at most a second, then none
    const silent = await within(4000, 'a silent Redis holds nobody up', ask(b, [user('one'), assistant('1'), user('two')]))
    expect(silent).toMatchObject({ status: 200, source: 'new' })
    const begun = performance.now()
    expect((await ask(b, [user('hm')])).status).toBe(200)
    expect(performance.now() - begun).toBeLessThan(500)
    redis.signal('SIGCONT')
    await redis.kill()
    for (const gateway of [a, b]) {
      const one = await ask(gateway, [user('without')])
      const two = await ask(gateway, [user('without'), assistant('1'), user('two')])
      expect([one.status, two.status, two.id, two.turn]).toEqual([200, 200, one.id, 2])
    }
    // what this process knows needs no store
    expect((await ask(a, [user('one'), assistant('1'), user('two')])).id).toBe(first.id)
    await redis.restart()
    await until(20_000, 'sessions are shared again', async () => {
      const text = `again ${crypto.randomUUID()}`
      const one = await ask(a, [user(text)])
      await Bun.sleep(100)
      return (await ask(b, [user(text), assistant('1'), user('two')])).id === one.id ? true : undefined
    })
    for (const gateway of [a, b]) expect(`${gateway.out()}${gateway.err()}`).not.toContain('Unhandled')
  })

  test('a Redis that lost everything: ids go on, and an instance that comes later makes the same', async () => {
    const a = await start()
    const as = { 'session-id': 'A' }
    const first = await ask(a, [user('x')], as)
    await redis.cli('flushall')
    const b = await start()
    await until(30_000, 'both have one secret', async () =>
      (await ask(a, [user('x')], as)).id === (await ask(b, [user('x')], as)).id ? true : undefined,
    )
    // the text of the secret is nowhere to be seen
    const secret = await redis.cli('get', 'headgate:{session}:v:secret')
    expect(secret.length).toBeGreaterThan(60)
    for (const gateway of [a, b]) expect(gateway.out() + gateway.err()).not.toContain(JSON.parse(secret) as string)
    expect(first.status).toBe(200)
  })

  test('a Redis that is not there at the start: served, and shared as soon as it comes', async () => {
    await redis.kill()
    const [a, b] = [await start(), await start()]
    expect(await ask(a, [user('one')])).toMatchObject({ status: 200, turn: 1 })
    await redis.restart()
    await until(30_000, 'named sessions have one id on both', async () => {
      const as = { 'session-id': 'A' }
      return (await ask(a, [user('x')], as)).id === (await ask(b, [user('x')], as)).id ? true : undefined
    })
  })
})
