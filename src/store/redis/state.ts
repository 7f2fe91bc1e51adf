/**
 * Shared state in Redis: what `MemoryState` is for one process, for all instances of a gateway.
 *
 * Keys are `headgate:{<plugin instance>}:<kind>:<key>`. The braces are a hash tag: all keys of one plugin instance lie in one slot of a
 * cluster, so one script may touch several. Every key has an end. Needs Redis 6.2 or what speaks like it. Loaded only when configured.
 */

import type { Give, Logger, State, Take, TakeResult } from '../../plugin/host.ts'
import { checkCount, checkGive, checkTake, closedStore, encode, notACounter, type StateStore, ttlOf } from '../state.ts'
import { bucketUnits, mostUnits } from '../state-bucket.ts'
import { connectRedis } from './connection.ts'
import { type HeldLocks, holdLock } from './lock.ts'

export interface RedisStateOptions {
  /** `redis://` or `rediss://`. */
  readonly url: string
  readonly log: Logger
  /** Stands in for Redis's own time in takes and corrections; for tests. */
  readonly clock?: () => number
}

/** Opens shared state in Redis. Resolves also when it can't be reached: then calls fail until it can. */
export async function openRedisState(options: RedisStateOptions): Promise<StateStore> {
  const connection = await connectRedis(options.url, options.log)
  const { ask } = connection
  const time = () => options.clock?.() ?? 0
  const locks: HeldLocks = new Set()

  const scoped = (scope: string): State => {
    const prefix = `headgate:{${scope}}:`
    const value = (key: string) => `${prefix}v:${key}`

    const takeAll = async (takes: readonly Take[]): Promise<readonly TakeResult[]> => {
      if (takes.length === 0) return []
      const keys: string[] = []
      const args: number[] = []
      for (const take of takes) {
        checkTake(take)
        const { key, amount, limit, window, kind, burst = limit } = take
        if (kind === 'bucket') {
          const { scale, rate, full } = bucketUnits(limit, window, burst)
          keys.push(`${prefix}b:${key}`)
          args.push(scale, amount <= burst ? amount * scale : full + 1, rate, full)
        } else {
          keys.push(`${prefix}w:${window}:${key}`)
          args.push(0, amount, limit, window)
        }
      }
      const [enough, ...said] = await ask((client) => client.headgateTake(keys.length, ...keys, time(), ...args))
      return takes.map(({ kind, amount, limit, burst = limit }, i) => {
        const [remaining, resetAt, wait] = said.slice(i * 3, i * 3 + 3) as [number, number, number]
        const result = { taken: enough === 1, remaining, resetAt }
        return kind === 'bucket' && wait > 0 && amount <= burst ? { ...result, waitFor: wait } : result
      })
    }

    const give = async (corrections: readonly Give[]): Promise<void> => {
      const keys: string[] = []
      const args: number[] = []
      for (const correction of corrections) {
        checkGive(correction)
        const { key, amount, limit, window, kind, burst = limit, at } = correction
        if (amount === 0) continue
        if (kind === 'bucket') {
          const { scale, rate, full } = bucketUnits(limit, window, burst)
          keys.push(`${prefix}b:${key}`)
          args.push(scale, Math.max(-mostUnits, Math.min(mostUnits, amount * scale)), at, rate, full)
        } else {
          keys.push(`${prefix}w:${window}:${key}`)
          args.push(0, amount, at, 0, window)
        }
      }
      if (keys.length > 0) await ask((client) => client.headgateGive(keys.length, ...keys, time(), ...args))
    }

    return {
      async get<T>(key: string) {
        const text = await ask((client) => client.get(value(key)))
        return text === null ? undefined : (JSON.parse(text) as T)
      },
      async set(key, item, ttl) {
        const text = encode(item)
        const life = ttlOf(ttl)
        await ask((client) => client.set(value(key), text, 'PX', life))
      },
      async setIfAbsent(key, item, ttl) {
        const text = encode(item)
        const life = ttlOf(ttl)
        return (await ask((client) => client.set(value(key), text, 'PX', life, 'NX'))) === 'OK'
      },
      async delete(key) {
        await ask((client) => client.del(value(key)))
      },
      async add(key, amount, ttl) {
        checkCount(amount)
        const life = ttlOf(ttl)
        const sum = await ask((client) => client.headgateAdd(value(key), amount, life))
        if (sum === null) throw notACounter(key)
        return sum
      },
      async take(key, amount, limit, window) {
        return (await takeAll([{ key, amount, limit, window }]))[0]!
      },
      takeAll,
      give,
      async lock(key, ttl, work) {
        const name = `${prefix}l:${key}`
        return await holdLock(
          {
            acquire: async (token, life) => (await ask((client) => client.set(name, token, 'PX', life, 'NX'))) === 'OK',
            renew: async (token, life) => (await ask((client) => client.headgateRenew(name, token, life))) === 1,
            release: (token) => ask((client) => client.headgateRelease(name, token)),
          },
          locks,
          ttlOf(ttl),
          work,
        )
      },
    }
  }

  return {
    scoped,
    get problem() {
      return connection.problem()
    },
    async close() {
      for (const lose of [...locks]) lose(closedStore())
      await connection.close()
    },
  }
}
