/** Shared state in a real Redis: the common suite, and what only a server can do: die, come back, be silent, be shared. */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { type Logger, StoreUnavailable } from '../../src/plugin/host.ts'
import { openRedisState } from '../../src/store/redis/state.ts'
import { stateSuite } from '../../src/store/state.suite.ts'
import type { StateStore } from '../../src/store/state.ts'
import { type RedisServer, redisMissing, startRedis } from '../support/redis-server.ts'
import { until, within } from '../support/within.ts'

setDefaultTimeout(60_000)

const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {} }

describe.skipIf(redisMissing !== undefined)(redisMissing ?? 'a real Redis', () => {
  stateSuite('Redis', async () => {
    const server = await startRedis()
    const start = Date.now() + 600_000 // ahead of Redis, which else would end keys before their time
    let ahead = 0
    const clock = () => start + ahead
    const open = () => openRedisState({ url: server.url, log: quiet, clock })
    const stores = [await open()]
    return {
      store: stores[0]!,
      async another() {
        const store = await open()
        stores.push(store)
        return store
      },
      now: clock,
      tick(ms) {
        ahead += ms
      },
      pass: (ms) => Bun.sleep(ms),
      async close() {
        for (const store of stores) await store.close()
        await server.stop()
      },
    }
  })
  describe('a Redis that', outages)
})

function outages(): void {
  let server: RedisServer
  const stores: StateStore[] = []
  const logged: string[] = []
  const note = (message: string, fields?: Record<string, unknown>) => void logged.push(`${message} ${JSON.stringify(fields ?? {})}`)
  const log: Logger = { debug: note, info: note, warn: note, error: note }
  const open = async (url = server.url) => {
    const store = await openRedisState({ url, log })
    stores.push(store)
    return store
  }
  const well = (store: StateStore) => until(5000, 'Redis is back', () => store.problem === undefined)

  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(async () => {
    for (const store of stores) await store.close()
    await server.stop()
  })

  test('is killed under load and started again: errors say so, nothing is admitted twice, all goes on by itself', async () => {
    const states = [await open(), await open(), await open()].map((store) => store.scoped('killed'))
    const limit = 5000
    let admitted = 0
    let unknown = 0
    let failed = 0
    let over = false
    const strange: unknown[] = []
    const taker = async (i: number) => {
      while (!over) {
        try {
          const [a, b] = await states[i % 3]!.takeAll([
            { key: 'a', amount: 1, limit, window: 10 ** 12 },
            { key: 'b', amount: 1, limit, window: 10 ** 12, kind: 'bucket' },
          ])
          if (a!.taken !== b!.taken) strange.push([a, b])
          if (a!.taken) admitted += 1
          else over = true
        } catch (error) {
          if (!(error instanceof StoreUnavailable)) strange.push(error)
          failed += 1
          unknown += 1
          await Bun.sleep(20)
        }
      }
    }
    logged.length = 0
    const takers = Array.from({ length: 50 }, (_, i) => taker(i))
    for (let round = 1; round <= 3; round++) {
      await until(10_000, 'load', () => admitted > round * 500)
      await server.kill()
      await until(5000, 'takers notice', () => failed > round * 50)
      const before = admitted
      await server.restart()
      await until(5000, 'takers go on', () => admitted > before)
    }
    await within(30_000, 'the limit is reached', Promise.all(takers))
    expect(strange).toEqual([])
    expect(admitted).toBeLessThanOrEqual(limit)
    // what was in flight when it died may have been taken without being known to be: strict, never loose
    expect(admitted).toBeGreaterThanOrEqual(limit - 3 * 50)
    expect(unknown).toBeGreaterThan(0)
    expect(logged.filter((line) => line.includes("can't be reached")).length).toBeLessThanOrEqual(9)
    expect(logged.filter((line) => line.includes('is back')).length).toBeLessThanOrEqual(9)
  })

  test('is silent: calls fail within a second, then at once, and it is found again', async () => {
    const store = await open()
    const state = store.scoped('silent')
    await state.set('k', 1)
    server.signal('SIGSTOP')
    const began = performance.now()
    const ended = await Promise.allSettled(Array.from({ length: 20 }, () => state.get('k')))
    expect(performance.now() - began).toBeLessThan(1500)
    for (const e of ended) expect(e.status === 'rejected' && e.reason).toBeInstanceOf(StoreUnavailable)
    await until(3000, 'the loss is known', () => store.problem !== undefined)
    const later = performance.now()
    await expect(state.get('k')).rejects.toThrow(StoreUnavailable)
    expect(performance.now() - later).toBeLessThan(200)
    server.signal('SIGCONT')
    await well(store)
    expect(await state.get<number>('k')).toBe(1)
  })

  test('is silent when the gateway starts: the reason is one that an operator can read', async () => {
    server.signal('SIGSTOP')
    try {
      logged.length = 0
      const store = await open()
      await until(3000, 'it is said', () => logged.length > 0)
      expect(logged.join('\n')).toContain('it takes connections and does not answer')
      expect(store.problem).not.toContain('enableOfflineQueue')
    } finally {
      server.signal('SIGCONT')
    }
  })

  test('dies with a call in flight: the call fails, and is not sent again', async () => {
    const store = await open()
    const state = store.scoped('flight')
    await state.add('n', 1)
    server.signal('SIGSTOP')
    const calls = Promise.allSettled([state.add('n', 1), state.set('k', 1)]) // `expect().rejects` would wait here
    await server.kill()
    const ended = await within(500, 'the calls fail with the connection', calls)
    expect(ended.map((e) => e.status === 'rejected' && e.reason instanceof StoreUnavailable)).toEqual([true, true])
    await server.restart()
    await well(store)
    expect([await state.get<number>('n'), await state.get('k')]).toEqual([1, undefined])
  })

  test('forgot its scripts is taught them again', async () => {
    const state = (await open()).scoped('scripts')
    await state.take('k', 1, 10, 10 ** 12)
    await server.cli('script', 'flush')
    const results = await Promise.all(Array.from({ length: 20 }, async () => await state.take('k', 1, 10, 10 ** 12)))
    expect(results.filter((r) => r.taken)).toHaveLength(9)
  })

  test('is not there when the gateway starts: opening says so and goes on, and it is found when it comes', async () => {
    const late = await startRedis({ start: false, password: 'open sesame/@:%' })
    try {
      logged.length = 0
      const began = performance.now()
      const store = await open(late.url)
      expect(performance.now() - began).toBeLessThan(2000)
      expect(store.problem).toMatch(/^redis:\/\/\*\*\*@127\.0\.0\.1:\d+ can't be reached: .*ECONNREFUSED/)
      await expect(store.scoped('a').get('k')).rejects.toThrow(StoreUnavailable)
      expect(logged.filter((line) => line.includes(`:${late.port}`))).toHaveLength(1)
      await late.restart()
      await well(store)
      expect(await store.scoped('a').add('n', 1)).toBe(1)
      expect(logged.join('\n')).not.toContain('sesame')
    } finally {
      await late.stop()
    }
  })

  test('wants another password says so', async () => {
    const guarded = await startRedis({ password: 'right' })
    try {
      const store = await open(guarded.url.replace('right', 'wrong'))
      expect(store.problem).toContain('WRONGPASS')
      expect(store.problem).not.toContain('wrong@')
    } finally {
      await guarded.stop()
    }
  })

  test('shows a certificate that nobody trusts is not spoken to', async () => {
    const store = await open(server.tlsUrl)
    expect(store.problem).toMatch(/^rediss:\/\/localhost:\d+ can't be reached: self.signed certificate/)
    await store.close()
  })

  test('becomes a replica refuses writes; then its address is asked again, which may lead to the new master', async () => {
    const store = await open()
    const state = store.scoped('replica')
    await state.set('k', 1)
    const connections = async () => (await server.cli('client', 'list')).split('\n')
    // of other stores some may come back at any moment: this one is known by what it asked for
    const [own, ...others] = (await connections()).filter((line) => line.includes(' cmd=set ')).map((line) => /^id=\d+ /.exec(line)![0])
    expect(others).toEqual([])
    await server.cli('replicaof', '127.0.0.1', '9')
    try {
      await expect(state.set('k', 2)).rejects.toThrow(/READONLY/)
      await until(5000, 'it left that connection', async () => !(await connections()).some((line) => line.startsWith(own!)))
    } finally {
      await server.cli('replicaof', 'no', 'one')
    }
    await well(store)
    await state.set('k', 3)
    expect(await state.get<number>('k')).toBe(3)
  })

  test('is full refuses writes, which is an outage', async () => {
    const state = (await open()).scoped('full')
    await server.cli('config', 'set', 'maxmemory', '1')
    try {
      await expect(state.set('k', 1)).rejects.toThrow(StoreUnavailable)
      await expect((async () => await state.take('k', 1, 1, 1000))()).rejects.toThrow(/OOM/)
    } finally {
      await server.cli('config', 'set', 'maxmemory', '0')
    }
    await state.set('k', 1)
  })

  test('keeps time for all: no key is for ever, and all of a plugin lie in one slot of a cluster', async () => {
    const state = (await open()).scoped('slots')
    await server.cli('flushall')
    await state.set('value', 1)
    await state.setIfAbsent('other', 1)
    await state.add('counter', 1)
    const results = await state.takeAll([
      { key: 'fixed', amount: 1, limit: 5, window: 60_000 },
      { key: 'bucket', amount: 1, limit: 5, window: 60_000, kind: 'bucket' },
    ])
    const now = Number((await server.cli('time')).split('\n')[0]) * 1000
    expect(Math.abs(results[1]!.resetAt - now - 12_000)).toBeLessThan(2000)
    await state.lock('lock', 60_000, async () => {
      const keys = (await server.cli('keys', '*')).split('\n').sort()
      expect(keys).toEqual(['b:bucket', 'l:lock', 'v:counter', 'v:other', 'v:value', 'w:60000:fixed'].map((k) => `headgate:{slots}:${k}`))
      for (const key of keys) expect(Number(await server.cli('pttl', key))).toBeGreaterThan(0)
      const slots = await Promise.all(keys.map((key) => server.cli('cluster', 'keyslot', key)))
      expect(new Set(slots).size).toBe(1)
    })
    expect(await server.cli('exists', 'headgate:{slots}:l:lock')).toBe('0')
  })

  test('a holder that died loses its lock after its ttl, and one that lost it is told', async () => {
    const [a, b] = [(await open()).scoped('locks'), (await open()).scoped('locks')]
    const told = Promise.withResolvers<unknown>()
    const first = a.lock('k', 300, async (signal) => {
      await server.cli('set', 'headgate:{locks}:l:k', 'stolen', 'PX', '400') // as if it had been silent for too long
      signal.addEventListener('abort', () => told.resolve(signal.reason))
      await told.promise
      return 'ended'
    })
    expect(await within(1000, 'the loss is told', told.promise)).toBeInstanceOf(StoreUnavailable)
    expect(await first).toBe('ended')
    expect(await server.cli('get', 'headgate:{locks}:l:k')).toBe('stolen') // not released for another
    expect(await b.lock('k', 300, async () => 'b')).toBeUndefined()
    expect(await until(2000, 'the dead holder loses it', () => b.lock('k', 300, async () => 'b'))).toBe('b')
  })

  test('a holder that Redis can’t hear is told when the life of its lock is over', async () => {
    const store = await open()
    const told = Promise.withResolvers<void>()
    const held = store.scoped('locks').lock('deaf', 400, (signal) => {
      signal.addEventListener('abort', () => told.resolve())
      return told.promise
    })
    await until(1000, 'it is held', async () => (await server.cli('exists', 'headgate:{locks}:l:deaf')) === '1')
    await server.kill()
    await within(1000, 'the loss is told', told.promise)
    await held
    await server.restart()
    await well(store)
  })

  test('closed: calls fail, work under a lock is told', async () => {
    const store = await open()
    const state = store.scoped('closed')
    const told = Promise.withResolvers<void>()
    const held = state.lock('k', 60_000, (signal) => {
      signal.addEventListener('abort', () => told.resolve())
      return told.promise
    })
    await until(1000, 'it is held', async () => (await server.cli('exists', 'headgate:{closed}:l:k')) === '1')
    await store.close()
    await within(1000, 'the end is told', held)
    await expect(state.get('k')).rejects.toThrow(StoreUnavailable)
  })
}
