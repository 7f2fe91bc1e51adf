/**
 * The rate-limit plugin in three gateways on one Redis, as real processes: with R allowed never R+1 are admitted, whatever is limited, and what
 * was reserved of tokens is given back across instances.
 */

import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { type GatewayProcess, startGateway } from '../support/gateway.ts'
import { authPlugin, clientKey, gatewayConfig } from '../support/gateway-config.ts'
import { type RedisServer, redisMissing, startRedis } from '../support/redis-server.ts'
import { until, within } from '../support/within.ts'

setDefaultTimeout(60_000)

const promptTokens = 7
const completionTokens = 5
const used = promptTokens + completionTokens
/** A day: no window ends while a test runs, unless it begins at its very end. */
const window = '1d'
const day = 86_400_000

describe.skipIf(redisMissing !== undefined)(redisMissing ?? 'rate limits of three gateways on one Redis', () => {
  let redis: RedisServer
  /** Plays the provider: counts what reaches it, and holds its answers while `held` is there. */
  let reached = 0
  let held: Promise<void> | undefined
  const provider = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      reached += 1
      const { stream } = (await request.json()) as { stream?: boolean }
      await held
      const usage = { prompt_tokens: promptTokens, completion_tokens: completionTokens, total_tokens: used }
      const base = { id: 'c1', created: 1, model: 'known' }
      if (!stream) {
        const choices = [{ index: 0, message: { role: 'assistant', content: 'Hi' }, finish_reason: 'stop' }]
        return Response.json({ ...base, object: 'chat.completion', choices, usage })
      }
      const chunks = [
        { ...base, object: 'chat.completion.chunk', choices: [{ index: 0, delta: { content: 'Hi' }, finish_reason: 'stop' }] },
        { ...base, object: 'chat.completion.chunk', choices: [], usage },
      ]
      const text = `${chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join('')}data: [DONE]\n\n`
      return new Response(text, { headers: { 'content-type': 'text/event-stream' } })
    },
  })
  const gateways: GatewayProcess[] = []

  /** Three gateways with these limits, on an empty Redis. */
  async function three(config: object, more: object = {}): Promise<readonly GatewayProcess[]> {
    await redis.cli('flushall')
    reached = 0
    const options = {
      config: gatewayConfig({
        upstream: `http://127.0.0.1:${provider.port}`,
        plugins: [authPlugin, { use: 'rate-limit', with: config, ...more }, { use: 'router' }],
        more: { state: '${' + 'env:STATE_URL}' },
      }),
      env: { STATE_URL: redis.url },
    }
    gateways.push(...(await Promise.all([startGateway(options), startGateway(options), startGateway(options)])))
    // a window that ends while the test runs would let more in, rightly
    if (day - (Date.now() % day) < 30_000) await Bun.sleep(30_000)
    return gateways
  }
  const ask = async (gateway: GatewayProcess, body: object = {}) => {
    const response = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${clientKey}` },
      body: JSON.stringify({ model: 'cat/known', messages: [{ role: 'user', content: 'Hi' }], max_tokens: 50, ...body }),
    })
    const text = await response.text()
    return { status: response.status, headers: response.headers, text }
  }
  /** So many clients at once, each asking twice, on two of the instances. */
  const rush = async (all: readonly GatewayProcess[], clients: number, body: object = {}) =>
    (
      await Promise.all(Array.from({ length: clients }, async (_, i) => [await ask(all[i % 3]!, body), await ask(all[(i + 1) % 3]!, body)]))
    ).flat()
  const countOf = (replies: readonly { status: number }[]) => {
    const counts: Record<number, number> = {}
    for (const { status } of replies) counts[status] = (counts[status] ?? 0) + 1
    return counts
  }

  beforeAll(async () => {
    redis = await startRedis()
  })
  afterEach(async () => {
    held = undefined
    for (const gateway of gateways.splice(0)) await gateway.stop()
  })
  afterAll(async () => {
    await provider.stop(true)
    await redis.stop()
  })

  test.each<[string, object, number]>([
    ['one window', { requests: 137, window }, 137],
    ['a bucket that is hardly refilled', { limits: [{ requests: 1, window: '365d', burst: 137 }] }, 137],
    [
      'several limits, the second the tightest',
      {
        limits: [
          { requests: 300, window },
          { requests: 91, window, by: 'account' },
          { requests: 200, window, by: ['ip', 'model'] },
        ],
      },
      91,
    ],
  ])('R allowed by %s, 200 clients at once, 400 requests: R are admitted', async (_name, config, allowed) => {
    const all = await three(config)
    const replies = await rush(all, 200)
    expect(countOf(replies)).toEqual({ 200: allowed, 429: 400 - allowed })
    expect(reached).toBe(allowed)
    for (const { status, headers } of replies) {
      expect(Number(headers.get('x-ratelimit-remaining'))).toBeGreaterThanOrEqual(0)
      if (status === 429) expect(headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
    }
    // a request that was let in was told a number that nobody else was told
    const told = replies.filter((r) => r.status === 200).map((r) => r.headers.get('x-ratelimit-remaining'))
    expect(new Set(told).size).toBe(allowed)
  })

  test('windows that pass under load: in none of them more than R', async () => {
    const all = await three({ requests: 40, window: '1s' })
    let over = false
    const perWindow = new Map<string, number>()
    const client = async (i: number) => {
      for (let n = i; !over; n++) {
        const { status, headers } = await ask(all[n % 3]!)
        const end = headers.get('x-ratelimit-reset')!
        if (status === 200) perWindow.set(end, (perWindow.get(end) ?? 0) + 1)
        else await Bun.sleep(5)
      }
    }
    const clients = Array.from({ length: 30 }, (_, i) => client(i))
    await until(20_000, 'five windows', () => perWindow.size >= 5)
    over = true
    await within(10_000, 'the clients are done', Promise.all(clients))
    expect(Math.max(...perWindow.values())).toBe(40)
    expect(reached).toBe([...perWindow.values()].reduce((a, b) => a + b))
  })

  test('tokens: what is reserved on one instance is missing on the others, and comes back when it is over', async () => {
    const body = { max_tokens: 400, stream: true }
    const length = JSON.stringify({ model: 'cat/known', messages: [{ role: 'user', content: 'Hi' }], ...body }).length
    const most = 10
    const all = await three({ tokens: (Math.ceil(length / 4) + 400) * most + 12, window })
    const { promise, resolve } = Promise.withResolvers<void>()
    held = promise
    const running = rush(all, 30, body)
    await until(10_000, 'as many as fit have reached the provider', () => reached === most)
    expect((await ask(all[0]!, body)).status).toBe(429)
    expect(reached).toBe(most)
    held = undefined
    resolve()
    const replies = await running
    expect(countOf(replies)[200]).toBe(reached)
    const key = (await redis.cli('keys', '*')).trim()
    expect(key).toStartWith('headgate:{rate-limit}:w:86400000:tokens/1d/key key:e2e')
    // settlement follows the last byte
    await until(5000, 'what is counted is what was used', async () => (await redis.cli('get', key)).startsWith(`${reached * used}:`))
    expect((await ask(all[2]!, body)).status).toBe(200)
  })

  test('Redis away: closed instances answer 503 with Retry-After, and the count goes on after it', async () => {
    const all = await three({ requests: 5, window })
    expect(countOf([await ask(all[0]!), await ask(all[1]!), await ask(all[2]!)])).toEqual({ 200: 3 })
    await redis.kill()
    const away = await ask(all[0]!)
    expect(away.status).toBe(503)
    expect(away.headers.get('retry-after')).toBe('1')
    expect(away.text).toContain('store_unavailable')
    await redis.restart()
    await until(5000, 'all have it again', async () => {
      const states = await Promise.all(
        all.map(async (g) => ((await (await fetch(`${g.adminUrl}/ready`)).json()) as { status: string }).status),
      )
      return states.every((state) => state === 'ready')
    })
    expect(countOf(await rush(all, 5))).toEqual({ 200: 2, 429: 8 })
  })
})
