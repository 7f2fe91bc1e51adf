/** Connections, without a server: who gets which, who waits, what becomes of those that are lost or given up. */

import { expect, test } from 'bun:test'
import type { Sql } from 'postgres'
import { StoreUnavailable } from '../../plugin/host.ts'
import { StoreBusy } from '../records-driver.ts'
import { Claim, createPool, type PoolOptions } from './pool.ts'
import { inTransaction } from './transaction.ts'

/** A pool of connections to a server that answers when it is told to. What is given up is silent at once. */
function scripted(options: Pick<PoolOptions, 'max' | 'share'> & Partial<PoolOptions>) {
  const made: { said: string[]; ended: boolean; close(): void }[] = []
  /** Statements that wait for an answer. */
  const asked: { text: string; answer(): void; fail(error: unknown): void }[] = []
  let silent = false
  const connect = (closed: () => void): Sql => {
    const one = { said: [] as string[], ended: false, close: closed }
    made.push(one)
    const unsafe = (text: string) => {
      one.said.push(text)
      if (!silent) return Promise.resolve([])
      return new Promise((resolve, reject) => asked.push({ text, answer: () => resolve([]), fail: reject }))
    }
    const end = async () => {
      one.ended = true
    }
    return { unsafe, end } as unknown as Sql
  }
  const pool = () => createPool({ connect, answered() {}, silence: 0, ...options })
  return { made, asked, pool: pool(), another: pool, silence: (on: boolean) => void (silent = on) }
}
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
const answerOf = (code: string, severity = 'ERROR') => Object.assign(new Error(code), { name: 'PostgresError', code, severity })

test('new connections up to the most, then the least busy one, then the queue, in its order', async () => {
  const { pool, made, asked, silence } = scripted({ max: 2, share: 2 })
  await Promise.all([pool.use(new Claim(60_000), (c) => c.send('warm')), pool.use(new Claim(60_000), (c) => c.send('warm'))])
  for (const { said } of made) expect(said.splice(0)).toEqual(['warm'])
  silence(true)
  const order: number[] = []
  const all = [1, 2, 3, 4, 5, 6].map((n) =>
    pool.use(new Claim(60_000), async (connection) => {
      await connection.send(`S${n}`)
      order.push(n)
    }),
  )
  await turn()
  expect(made.map(({ said }) => said)).toEqual([
    ['S1', 'S3'],
    ['S2', 'S4'],
  ])
  asked[1]!.answer()
  await turn()
  expect(made[1]!.said).toEqual(['S2', 'S4', 'S5'])
  for (let at = 0; at < 6; at++) {
    asked[at]!.answer()
    await turn()
  }
  await Promise.all(all)
  expect(order).toEqual([2, 1, 3, 4, 5, 6])
  expect(made.length).toBe(2)
})

test('nothing is sent that the client would let wait: behind its first statement, and behind one whose types it asks for', async () => {
  const { pool, made, asked, silence } = scripted({ max: 1, share: 3 })
  silence(true)
  const send = (text: string, values: unknown[] = [], prepare = false) =>
    pool.use(new Claim(60_000), (connection) => connection.send(text, values, { prepare }))
  const all = [send('first'), send('a', [1], true), send('b', [1], true), send('a', [2], true), send('c', [1]), send('d')]
  const seen: string[][] = []
  for (let n = 0; n < 6; n++) {
    while (asked.length === 0) await turn()
    await turn()
    seen.push(asked.map(({ text }) => text))
    for (const { answer } of asked.splice(0)) answer()
    await turn()
    if (seen.flat().length === 6) break
  }
  await Promise.all(all)
  expect(seen[0]).toEqual(['first'])
  const known = new Set(['d'])
  for (const texts of seen) {
    // whatever is not known by then has nothing behind it
    expect(texts.slice(0, -1).filter((text) => !known.has(text))).toEqual([])
    if (texts.at(-1) !== 'c') known.add(texts.at(-1)!)
  }
  expect(seen.flat().toSorted()).toEqual(['a', 'a', 'b', 'c', 'd', 'first'])
  // known by now: side by side
  const again = [send('a', [3], true), send('b', [3], true), send('d')]
  await turn()
  expect(asked.map(({ text }) => text)).toEqual(['a', 'b', 'd'])
  for (const { answer } of asked.splice(0)) answer()
  await Promise.all(again)
  expect(made.length).toBe(1)
})

test('a connection that was closed is never used again; the next work gets a new one', async () => {
  const { pool, made } = scripted({ max: 1, share: 1 })
  const after = Promise.withResolvers<void>()
  const work = pool.use(new Claim(60_000), async (connection) => {
    await connection.send('one')
    made[0]!.close()
    await after.promise
    await connection.send('two')
  })
  await turn()
  await pool.use(new Claim(60_000), (connection) => connection.send('other'))
  after.resolve()
  await expect(work).rejects.toBeInstanceOf(StoreUnavailable)
  expect(made.map(({ said, ended }) => ({ said, ended }))).toEqual([
    { said: ['one'], ended: true },
    { said: ['other'], ended: false },
  ])
})

test('what the server says ends no connection, unless it says that it ends it; whatever else fails does', async () => {
  const { pool, made, asked, silence } = scripted({ max: 1, share: 1 })
  silence(true)
  for (const [error, ends] of [
    [answerOf('23505'), false],
    [answerOf('40001'), false],
    [answerOf('57P01', 'FATAL'), true],
    [Object.assign(new Error('write CONNECTION_CLOSED'), { code: 'CONNECTION_CLOSED' }), true],
  ] as const) {
    const work = pool.use(new Claim(60_000), (connection) => connection.send('x'))
    await turn()
    asked.at(-1)!.fail(error)
    await expect(work).rejects.toBe(error)
    expect(made.at(-1)!.ended).toBe(ends)
  }
})

test('given up while it waits: it is not begun; while it runs: its connection ends', async () => {
  const { pool, made, asked, silence } = scripted({ max: 1, share: 1 })
  silence(true)
  const running = new Claim(60_000)
  const first = pool.use(running, (connection) => connection.send('first'))
  const waiting = new Claim(60_000)
  pool.use(waiting, (connection) => connection.send('second')).catch(() => {})
  const third = pool.use(new Claim(60_000), (connection) => connection.send('third'))
  await turn()
  expect([running.begun, waiting.begun]).toEqual([true, false])
  waiting.giveUp()
  running.giveUp()
  await turn()
  expect(made.map(({ said, ended }) => ({ said, ended }))).toEqual([
    { said: ['first'], ended: true },
    { said: ['third'], ended: false },
  ])
  asked[0]!.answer()
  asked[1]!.answer()
  await Promise.all([first, third])
})

test('a connection that answers is only busy: what is given up on it takes nobody else along', async () => {
  const { pool, made, asked, silence } = scripted({ silence: 60_000, max: 1, share: 2 })
  await pool.use(new Claim(60_000), (connection) => connection.send('warm'))
  silence(true)
  const claim = new Claim(60_000)
  const one = pool.use(claim, (connection) => connection.send('one'))
  const two = pool.use(new Claim(60_000), (connection) => connection.send('two'))
  await turn()
  claim.giveUp()
  for (const { answer } of asked) answer()
  await Promise.all([one, two])
  expect(made.map(({ ended }) => ended)).toEqual([false])
})

test('a connection that answered, and falls silent with what is given up on it, ends after that; a refusal is an answer', async () => {
  const { pool, made, asked, silence } = scripted({ silence: 50, max: 1, share: 1 })
  await pool.use(new Claim(60_000), (connection) => connection.send('warm'))
  await Bun.sleep(60)
  silence(true)
  const claim = new Claim(60_000)
  const work = pool.use(claim, async (connection) => {
    await connection.send('one').catch(() => {})
    await connection.send('two')
  })
  await turn()
  asked[0]!.fail(answerOf('23505'))
  await turn()
  claim.giveUp()
  expect(made[0]!.ended).toBe(false)
  while (!made[0]!.ended) await Bun.sleep(5)
  asked[1]!.fail(new Error('CONNECTION_DESTROYED'))
  await expect(work).rejects.toBeInstanceOf(StoreBusy)
})

test('what shares a connection that is given up meets a busy store, not one that is away', async () => {
  const { pool, asked, silence } = scripted({ max: 1, share: 2 })
  await pool.use(new Claim(60_000), (connection) => connection.send('warm'))
  silence(true)
  const claim = new Claim(60_000)
  pool.use(claim, (connection) => connection.send('one')).catch(() => {})
  const other = pool.use(new Claim(60_000), (connection) => connection.send('two'))
  await turn()
  claim.giveUp()
  asked[1]!.fail(new Error('CONNECTION_DESTROYED'))
  await expect(other).rejects.toBeInstanceOf(StoreBusy)
})

test('an end with time lets what is under way come to its end, with all its statements; without, nothing', async () => {
  const { pool: open, another, made } = scripted({ max: 2, share: 1 })
  const go = Promise.withResolvers<void>()
  const work = open.use(new Claim(60_000), async (connection) => {
    await connection.send('one')
    await go.promise
    await connection.send('two')
  })
  await turn()
  const ended = open.end(new StoreUnavailable('closed'), 5000)
  await turn()
  expect(made[0]!.ended).toBe(false)
  go.resolve()
  await Promise.all([work, ended])
  expect(made.map(({ said, ended }) => ({ said, ended }))).toEqual([{ said: ['one', 'two'], ended: true }])

  const cut = another()
  const never = new Promise<void>(() => {})
  cut.use(new Claim(60_000), () => never).catch(() => {})
  await cut.end(new StoreUnavailable('away'), 0)
  expect(made[1]!.ended).toBe(true)
})

test('what waited for half of its time is told so, for what comes after it', async () => {
  const { pool, made, asked, silence } = scripted({ silence: 60_000, max: 1, share: 1 })
  silence(true)
  const first = pool.use(new Claim(60_000), (connection) => connection.send('first'))
  const late = pool.use(new Claim(0), (connection) => connection.send('late'))
  const inTime = pool.use(new Claim(60_000), (connection) => connection.send('in time'))
  await turn()
  asked[0]!.answer()
  await first
  await expect(late).rejects.toBeInstanceOf(StoreBusy)
  await turn()
  asked[1]!.answer()
  await inTime
  expect(made[0]!.said).toEqual(['first', 'in time'])
})

test('too many that wait are told; the end tells all', async () => {
  const { pool, silence } = scripted({ max: 1, share: 1 })
  silence(true)
  const ended = new StoreUnavailable('closed')
  pool.use(new Claim(60_000), (connection) => connection.send('x')).catch(() => {})
  const waiting = Array.from({ length: 10_000 }, () => pool.use(new Claim(60_000), (connection) => connection.send('y')))
  await expect(pool.use(new Claim(60_000), (connection) => connection.send('z'))).rejects.toBeInstanceOf(StoreBusy)
  await pool.end(ended, 0)
  const told = await Promise.allSettled(waiting)
  expect(told.every((one) => one.status === 'rejected' && one.reason === ended)).toBe(true)
  await expect(pool.use(new Claim(60_000), (connection) => connection.send('z'))).rejects.toBe(ended)
})

test('a transaction: statements side by side are sent one after the other; one that failed undoes it, also when it was not waited for', async () => {
  const { pool, made, asked, silence } = scripted({ max: 1, share: 1 })
  const run = <T>(claim: Claim, work: Parameters<typeof inTransaction<T>>[3]) =>
    pool.use(claim, (connection) => inTransaction(connection, claim, 'serializable', work))
  await run(new Claim(60_000), async (session) => {
    await Promise.all([session.send('a'), session.send('b')])
  })
  expect(made[0]!.said.splice(0)).toEqual(['BEGIN ISOLATION LEVEL serializable', 'a', 'b', 'COMMIT'])

  silence(true)
  const wrong = answerOf('23505')
  const failed = run(new Claim(60_000), async (session) => void session.send('a').catch(() => {}))
  await turn()
  asked.at(-1)!.answer() // begin
  await turn()
  asked.at(-1)!.fail(wrong)
  await turn()
  asked.at(-1)!.answer() // rollback
  await expect(failed).rejects.toBe(wrong)
  expect(made[0]!.said.splice(0)).toEqual(['BEGIN ISOLATION LEVEL serializable', 'a', 'ROLLBACK'])

  silence(false)
  let late: Promise<unknown> | undefined
  const claim = new Claim(60_000)
  const over = run(claim, async (session) => {
    claim.over = true
    late = turn().then(() => session.send('late'))
    late.catch(() => {})
  })
  await expect(over).rejects.toBeInstanceOf(StoreUnavailable)
  await expect(late!).rejects.toThrow('the transaction is over')
  expect(made[0]!.said).toEqual(['BEGIN ISOLATION LEVEL serializable', 'ROLLBACK'])
})
