/** Credentials that expire: one load at a time, renewal in time, failures that cool down. */

import { expect, test } from 'bun:test'
import { CredentialError, credentialSource } from './source.ts'

/** A source whose loads end when the test says so. */
function scripted(life = 3600_000) {
  let at = 1_000_000
  const loads: PromiseWithResolvers<{ expiresAt: number; n: number }>[] = []
  const source = credentialSource(
    () => {
      const next = Promise.withResolvers<{ expiresAt: number; n: number }>()
      loads.push(next)
      return next.promise
    },
    () => at,
  )
  return {
    source,
    loads,
    pass: (ms: number) => {
      at += ms
    },
    give: () => loads.at(-1)!.resolve({ expiresAt: at + life, n: loads.length }),
  }
}

test('many callers wait for one load', async () => {
  const { source, loads, give } = scripted()
  const all = Array.from({ length: 20 }, async () => await source.get())
  give()
  expect(new Set((await Promise.all(all)).map(({ n }) => n))).toEqual(new Set([1]))
  expect(loads).toHaveLength(1)
})

test('a fresh one comes at once; an old one is used while the next is fetched aside', async () => {
  const { source, loads, pass, give } = scripted()
  const first = source.get()
  give()
  await first
  expect(source.get()).toMatchObject({ n: 1 })
  pass(3600_000 - 5 * 60_000)
  expect(source.get()).toMatchObject({ n: 1 })
  expect(source.get()).toMatchObject({ n: 1 })
  expect(loads).toHaveLength(2)
  give()
  await loads[1]!.promise
  await Promise.resolve()
  expect(source.get()).toMatchObject({ n: 2 })
})

test('a short life is renewed when a fifth of it is left', async () => {
  const { source, loads, pass, give } = scripted(10_000)
  const first = source.get()
  give()
  await first
  pass(7999)
  source.get()
  expect(loads).toHaveLength(1)
  pass(1)
  source.get()
  expect(loads).toHaveLength(2)
})

test('a failure is told at once to all for a while, longer each time', async () => {
  const { source, loads, pass } = scripted()
  for (const [n, pause] of [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000].entries()) {
    const waiting = Promise.resolve(source.get())
    loads.at(-1)!.reject(new Error(`no ${n}`))
    expect(await waiting.catch((error: unknown) => error)).toEqual(new CredentialError(`no ${n}`))
    pass(pause - 1)
    expect(() => source.get()).toThrow(CredentialError)
    expect(loads).toHaveLength(n + 1)
    pass(1)
  }
})

test('a failed renewal leaves the old one in use until it expires', async () => {
  const { source, loads, pass, give } = scripted()
  const first = source.get()
  give()
  await first
  pass(3500_000)
  expect(source.get()).toMatchObject({ n: 1 })
  loads[1]!.reject(new Error('gone'))
  await loads[1]!.promise.catch(() => {})
  await Promise.resolve()
  expect(source.get()).toMatchObject({ n: 1 })
  pass(100_000)
  const next = Promise.resolve(source.get())
  loads[2]!.reject(new CredentialError('still gone'))
  await expect(next).rejects.toThrow('still gone')
})

test('a rejected one is not used again; its successor is not touched by a late rejection', async () => {
  const { source, loads, pass, give } = scripted()
  const first = source.get()
  give()
  const old = await first
  source.rejected()
  expect(source.get()).toBe(old) // too young: every one may be rejected
  pass(10_000)
  source.rejected()
  const second = Promise.resolve(source.get())
  give()
  expect(await second).toMatchObject({ n: 2 })
  source.rejected() // the old one, by a reply that came late
  expect(source.get()).toMatchObject({ n: 2 })
  expect(loads).toHaveLength(2)
})
