/**
 * Gateways on one Redis, as real processes: whichever serves a turn, whatever restarts in the middle and whatever its config says by then, each tool result is
 * sent as the bytes that it was sent as at first.
 */

import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { messages, numbered, read, run, type Step, source } from '../../plugins/tool-trim/conversation.fixture.ts'
import { type GatewayProcess, startGateway } from '../support/gateway.ts'
import { type PromptUpstream, promptUpstream, promptUpstreams } from '../support/prompt-upstream.ts'
import { type RedisServer, redisMissing, startRedis } from '../support/redis-server.ts'
import { until } from '../support/within.ts'

setDefaultTimeout(60_000)

const steps = (count: number): Step[] =>
  Array.from({ length: count }, (_, i) => ({
    say: `Step ${i}`,
    calls: [read(`src/${i % 3}.ts`, numbered(source(50 + (i % 4), `f${i % 3}`))), run(`ls ${i}`, source(10, `o${i % 2}`))],
  }))
const stateUrl = '${' + 'env:STATE_URL}'

describe.skipIf(redisMissing !== undefined)(redisMissing ?? 'tool results through gateways on one Redis', () => {
  let redis: RedisServer
  let upstream: PromptUpstream
  const gateways: GatewayProcess[] = []

  const configOf = (config: object, shared: boolean) =>
    JSON.stringify({
      version: 1,
      server: { listen: '127.0.0.1:0', admin: '127.0.0.1:0' },
      ...(shared && { state: stateUrl }),
      upstreams: { messages: promptUpstreams(upstream.url).messages },
      models: { m: { targets: [{ upstream: 'messages', model: 'm' }] } },
      plugins: [
        { use: 'session', with: { secret: 'of the test' } },
        { use: 'tool-trim', with: { control_share: 0, ...config } },
        { use: 'router' },
      ],
    })
  async function start(config: object = {}, shared = true): Promise<GatewayProcess> {
    const gateway = await startGateway({ config: configOf(config, shared), env: { STATE_URL: redis.url } })
    gateways.push(gateway)
    return gateway
  }
  /** Sends a turn; gives the messages that arrived, each as text. */
  async function turn(gateway: GatewayProcess, count: number, session = 'one'): Promise<string[]> {
    const response = await fetch(`${gateway.url}/v1/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'anthropic-version': '2023-06-01', 'x-session-id': session },
      body: JSON.stringify({ model: 'm', max_tokens: 9, messages: messages(steps(count), 'Fix it', true) }),
    })
    const text = await response.text()
    expect([response.status, text]).toEqual([200, text])
    const sent = JSON.parse(upstream.bodies.at(-1)!) as { messages: unknown[] }
    return sent.messages.map((m) => JSON.stringify(m).replace(/,"cache_control":\{"type":"ephemeral"\}/g, ''))
  }
  /** How many decisions are kept. */
  const kept = async () => Number((await redis.cli('dbsize')).trim())

  beforeAll(async () => {
    redis = await startRedis()
    upstream = promptUpstream()
  })
  afterEach(async () => {
    for (const gateway of gateways.splice(0)) await gateway.stop()
    await redis.cli('flushall')
  })
  afterAll(async () => {
    await redis.stop()
    await upstream.stop()
  })

  const turns = 12
  /** What one gateway alone, never restarted, sends. */
  async function alone(): Promise<string[][]> {
    const gateway = await start({}, false)
    const all: string[][] = []
    for (let i = 1; i <= turns; i++) all.push(await turn(gateway, i))
    expect(all.at(-1)!.join('')).toContain('same as tool result #1')
    return all
  }

  test('two instances that take turns send what one alone sends', async () => {
    const expected = await alone()
    const both = [await start(), await start()]
    for (let i = 1; i <= turns; i++) {
      expect(await turn(both[i % 2]!, i)).toEqual(expected[i - 1]!)
      const before = await kept()
      expect(before).toBeGreaterThan(0)
    }
  })

  test('both at once, turn by turn', async () => {
    const expected = await alone()
    const both = [await start(), await start()]
    for (let i = 1; i <= turns; i++) {
      // what arrives in which order is not known: each is the same
      const [a, b] = await Promise.all([turn(both[0]!, i), turn(both[1]!, i)])
      expect(a).toEqual(expected[i - 1]!)
      expect(b).toEqual(expected[i - 1]!)
    }
  })

  test.each([
    ['stopped', false],
    ['killed', true],
  ])('a restart in the middle, %s: the same bytes', async (_, hard) => {
    const expected = await alone()
    let gateway = await start()
    for (let i = 1; i <= turns; i++) {
      expect(await turn(gateway, i)).toEqual(expected[i - 1]!)
      if (i % 4 !== 0) continue
      if (hard) {
        // the ledger is written while the request is on its way
        await until(5000, 'the ledger is written', async () => (await kept()) >= 3 * i)
        gateway.signal('SIGKILL')
        await gateway.exited
      } else await gateway.stop()
      gateway = await start()
    }
  })

  test('two instances with different versions: running sessions go on as they began, on both', async () => {
    const expected = await alone()
    const one = await start()
    for (let i = 1; i <= 4; i++) await turn(one, i)
    const other = await start({ classes: { ref: false, byte: false }, min_tokens: 500 })
    for (let i = 5; i <= turns; i++) expect(await turn(i % 2 ? one : other, i)).toEqual(expected[i - 1]!)
    const fresh = await turn(other, 5, 'two')
    expect(fresh.join('')).not.toContain('same as')
  })

  test('a Redis that dies in the middle changes nothing in what is sent, and is used again when it is back', async () => {
    const expected = await alone()
    const gateway = await start()
    for (let i = 1; i <= turns; i++) {
      if (i === 5) await redis.kill()
      if (i === 9) {
        await redis.restart()
        await until(5000, 'the gateway has its Redis again', async () => (await fetch(`${gateway.adminUrl}/ready`)).ok)
      }
      expect(await turn(gateway, i)).toEqual(expected[i - 1]!)
    }
  })
})

test('without shared state a gateway that is killed and started again sends the same bytes: the ledger stands in the records', async () => {
  const upstream = promptUpstream()
  const config = (dir: string) =>
    JSON.stringify({
      version: 1,
      server: { listen: '127.0.0.1:0', admin: '127.0.0.1:0' },
      records: `sqlite:${dir}/headgate.db`,
      upstreams: { messages: promptUpstreams(upstream.url).messages },
      models: { m: { targets: [{ upstream: 'messages', model: 'm' }] } },
      plugins: [{ use: 'session' }, { use: 'tool-trim', with: { control_share: 0 } }, { use: 'router' }],
    })
  const { mkdtempSync, rmSync } = await import('node:fs')
  const { tmpdir } = await import('node:os')
  const { join } = await import('node:path')
  const dir = mkdtempSync(join(tmpdir(), 'headgate-trim-'))
  let gateway = await startGateway({ config: config(dir) })
  const turn = async (count: number) => {
    const response = await fetch(`${gateway.url}/v1/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'anthropic-version': '2023-06-01', 'x-session-id': 'one' },
      body: JSON.stringify({ model: 'm', max_tokens: 9, messages: messages(steps(count)) }),
    })
    await response.arrayBuffer()
    return (JSON.parse(upstream.bodies.at(-1)!) as { messages: unknown[] }).messages.map((m) => JSON.stringify(m))
  }
  try {
    let before: string[] = []
    for (let i = 1; i <= 9; i++) {
      const sent = await turn(i)
      expect(sent.slice(0, before.length)).toEqual(before)
      before = sent
      if (i % 3 !== 0) continue
      await gateway.stop()
      gateway = await startGateway({ config: config(dir) })
    }
    expect(before.join('')).toContain('same as tool result #1')
  } finally {
    await gateway.stop()
    await upstream.stop()
    rmSync(dir, { recursive: true, force: true })
  }
})
