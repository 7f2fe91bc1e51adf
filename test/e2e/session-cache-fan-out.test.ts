/**
 * Fan-out through real HTTP: agents that start at the same time with the same long prompt pay for one write, and wait for it no longer than they are told to.
 */

import { afterEach, describe, expect, test } from 'bun:test'
import { type CacheStand, type StandOptions, startCacheStand } from '../support/cache-stand.ts'
import { until } from '../support/within.ts'

const stands: CacheStand[] = []
afterEach(async () => {
  for (const stand of stands.splice(0)) await stand.stop()
})
async function stand(options: StandOptions = {}): Promise<CacheStand> {
  const made = await startCacheStand(options)
  stands.push(made)
  return made
}

const long = (name: string) => `${name} `.repeat(2500)

describe('fan-out', () => {
  const url = '/v1/messages'
  const body = {
    model: 'claude',
    max_tokens: 10,
    tools: [{ name: 'read', description: 'reads', input_schema: { type: 'object' } }],
    messages: [{ role: 'user', content: 'q' }],
  }
  const agent = (i: number) => ({ ...body, system: long('rule of all agents'), messages: [{ role: 'user', content: `task ${i}` }] })
  const waits = (s: CacheStand) => Number(/session_cache_held_total (\d+)/.exec(s.metrics())?.[1] ?? 0)

  test('requests at the same time with the same uncached beginning wait until the reply of the first begins', async () => {
    const s = await stand()
    const gate = Promise.withResolvers<undefined>()
    s.answer = () => gate.promise
    const all = Array.from({ length: 5 }, (_, i) => s.ask(url, agent(i)))
    await until(5000, 'one is there and four wait', () => waits(s) === 4 && s.sent.length > 0)
    expect(s.sent.length).toBe(1)
    s.answer = undefined
    gate.resolve(undefined)
    const results = await Promise.all(all)
    expect(results.map(({ outcome }) => outcome.usage.cacheRead > 0).filter((read) => read).length).toBe(4)
    // warm now: nobody waits
    await Promise.all([s.ask(url, agent(7)), s.ask(url, agent(8))])
    expect(waits(s)).toBe(4)
  })

  test('no longer than they are told to, and not at all behind one that failed', async () => {
    const s = await stand({ with: { prompt: { hold: '50ms' } } })
    const gate = Promise.withResolvers<undefined>()
    s.answer = () => (s.sent.length === 1 ? gate.promise : undefined)
    const first = s.ask(url, agent(1))
    await until(5000, 'the first is there', () => s.sent.length === 1 || undefined)
    expect((await s.ask(url, agent(2))).status).toBe(200)
    gate.resolve(undefined)
    await first
    s.answer = () => new Response('{}', { status: 400 })
    const other = { ...body, system: long('another rule') }
    expect((await s.ask(url, other)).status).toBe(400)
    s.answer = undefined
    const started = performance.now()
    await s.ask(url, other)
    expect(performance.now() - started).toBeLessThan(1000)
  })

  test('short beginnings, and providers whose entries can be read at once, hold nobody', async () => {
    const s = await stand()
    const gate = Promise.withResolvers<undefined>()
    s.answer = () => gate.promise
    const short = [1, 2].map((i) => s.ask(url, { ...agent(i), system: 'short' }))
    const chat = {
      model: 'chat',
      messages: [
        { role: 'system', content: long('rule') },
        { role: 'user', content: 'q' },
      ],
    }
    const others = [1, 2].map(() => s.ask('/v1/chat/completions', chat))
    await until(5000, 'all are there', () => s.sent.length === 4 || undefined)
    gate.resolve(undefined)
    await Promise.all([...short, ...others])
    expect(waits(s)).toBe(0)
  })
})
