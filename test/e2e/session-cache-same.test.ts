/**
 * The same requests give the same bytes upstream: replayed, by a gateway that is started anew between any two of them, and by two that share a Redis and take
 * turns. With the real `session` and `tool-trim` beside it.
 */

import { afterEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CacheStand, type StandOptions, start, startCacheStand, startProvider } from '../support/cache-stand.ts'
import { redisMissing, startRedis } from '../support/redis-server.ts'

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

const long = (name: string) => Array.from({ length: 300 }, (_, i) => `${i} ${name} says something of its own`).join('\n')
/** An agent's turns, with waits between them, two of them longer than a cache lives; behind each a helper of the same session asks once. */
const minutes = [0, 1, 2, 9, 10, 11, 30, 31]
const requests = minutes.flatMap((minute, n) => {
  const turns = Array.from({ length: n }, (_, i) => [
    { role: 'assistant', content: [{ type: 'tool_use', id: `t${i}`, name: 'read', input: { path: `file ${i}` } }] },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: `t${i}`, content: long(`file ${i}`) }] },
  ]).flat()
  const body = { model: 'claude', max_tokens: 9, system: long('rule'), tools: [{ name: 'read', input_schema: { type: 'object' } }] }
  return [
    { at: minute * 60_000, body: { ...body, messages: [{ role: 'user', content: 'do it' }, ...turns] } },
    { at: minute * 60_000 + 5000, body: { ...body, messages: [{ role: 'user', content: `help with ${n}` }] } },
  ]
})
const plugins: StandOptions = {
  above: [{ use: 'session', with: { secret: 'a secret of thirty-two characters!' } }],
  below: [{ use: 'tool-trim', with: { control_share: 0 } }],
}

/** What arrives upstream, when for each request a gateway is chosen. */
async function arrived(choose: (n: number, provider: ReturnType<typeof startProvider>) => Promise<CacheStand>): Promise<string[]> {
  const provider = startProvider()
  ends.push(() => provider.stop())
  for (const [n, { at, body }] of requests.entries()) {
    const stand = await choose(n, provider)
    stand.now = start + at
    const { status } = await stand.ask('/v1/messages', body, { 'x-claude-code-session-id': '0d9f7c1e-5b1c-4f55-9a2e-2f4f8f1d1a11' })
    expect(status).toBe(200)
  }
  return provider.sent.map(({ text }) => text)
}

async function once(): Promise<string[]> {
  let stand: CacheStand | undefined
  return arrived(async (_, provider) => {
    if (!stand) {
      stand = await startCacheStand({ ...plugins, provider })
      ends.push(() => stand!.stop())
    }
    return stand
  })
}

describe('the same requests', () => {
  test('replayed give the same bytes, with both lifetimes among them', async () => {
    const [one, two] = [await once(), await once()]
    expect(two).toEqual(one)
    expect([one.some((text) => text.includes('"ttl":"1h"')), one.some((text) => !text.includes('"ttl":"1h"'))]).toEqual([true, true])
  })

  test('give the same bytes when the gateway is started anew before each of them', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'headgate-same-'))
    ends.push(() => rmSync(dir, { recursive: true, force: true }))
    let stand: CacheStand | undefined
    ends.push(() => stand?.stop())
    const again = await arrived(async (n, provider) => {
      await stand?.stop()
      stand = await startCacheStand({
        ...plugins,
        provider,
        now: start + requests[n]!.at,
        config: { records: `sqlite:${join(dir, 'records.db')}` },
      })
      return stand
    })
    expect(again).toEqual(await once())
  })

  test.skipIf(redisMissing !== undefined)('give the same bytes when two gateways take turns (skipped without redis-server)', async () => {
    const redis = await startRedis()
    ends.push(() => redis.stop())
    const stands: CacheStand[] = []
    const both = await arrived(async (n, provider) => {
      for (let i = stands.length; i < 2; i++) {
        const stand = await startCacheStand({ ...plugins, provider, config: { state: redis.url } })
        stands.push(stand)
        ends.push(() => stand.stop())
      }
      return stands[n % 3 === 0 ? 0 : 1]!
    })
    expect(both).toEqual(await once())
  })
})
