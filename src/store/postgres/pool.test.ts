/** Connections, without a server: who gets which, who waits, what becomes of those that are lost or given up. */

import { expect, test } from 'bun:test'
import type { Sql } from 'postgres'
import { StoreUnavailable } from '../../plugin/host.ts'
import { StoreBusy } from '../records-driver.ts'
import { Claim, createPool } from './pool.ts'
import { inTransaction } from './transaction.ts'

/** A server, to which connections are made, and which answers when it is told to. */
function scripted() {
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
  return { made, asked, connect, silence: (on: boolean) => void (silent = on) }
}
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
const answerOf = (code: string, severity = 'ERROR') => Object.assign(new Error(code), { name: 'PostgresError', code, severity })

test('new connections up to the most, then the least busy one, then the queue, in its order', async () => {
  const { connect, made, asked, silence } = scripted()
  const pool = createPool({ connect, max: 2, share: 2 })
  silence(true)
  const order: number[] = []
  const all = [1, 2, 3, 4, 5, 6].map((n) =>
    pool.use(new Claim(), async (connection) => {
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

test('a connection that was closed is never used again; the next work gets a new one', async () => {
  const { connect, made } = scripted()
  const pool = createPool({ connect, max: 1, share: 1 })
  const after = Promise.withResolvers<void>()
  const work = pool.use(new Claim(), async (connection) => {
    await connection.send('one')
    made[0]!.close()
    await after.promise
    await connection.send('two')
  })
  await turn()
  await pool.use(new Claim(), (connection) => connection.send('other'))
  after.resolve()
  await expect(work).rejects.toBeInstanceOf(StoreUnavailable)
  expect(made.map(({ said, ended }) => ({ said, ended }))).toEqual([
    { said: ['one'], ended: true },
    { said: ['other'], ended: false },
  ])
})

test('what the server says ends no connection, unless it says that it ends it; whatever else fails does', async () => {
  const { connect, made, asked, silence } = scripted()
  const pool = createPool({ connect, max: 1, share: 1 })
  silence(true)
  for (const [error, ends] of [
    [answerOf('23505'), false],
    [answerOf('40001'), false],
    [answerOf('57P01', 'FATAL'), true],
    [Object.assign(new Error('write CONNECTION_CLOSED'), { code: 'CONNECTION_CLOSED' }), true],
  ] as const) {
    const work = pool.use(new Claim(), (connection) => connection.send('x'))
    await turn()
    asked.at(-1)!.fail(error)
    await expect(work).rejects.toBe(error)
    expect(made.at(-1)!.ended).toBe(ends)
  }
})

test('given up while it waits: it is not begun; while it runs: its connection ends', async () => {
  const { connect, made, asked, silence } = scripted()
  const pool = createPool({ connect, max: 1, share: 1 })
  silence(true)
  const running = new Claim()
  const first = pool.use(running, (connection) => connection.send('first'))
  const waiting = new Claim()
  pool.use(waiting, (connection) => connection.send('second')).catch(() => {})
  const third = pool.use(new Claim(), (connection) => connection.send('third'))
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

test('too many that wait are told; the end tells all', async () => {
  const { connect, silence } = scripted()
  const pool = createPool({ connect, max: 1, share: 1 })
  silence(true)
  const ended = new StoreUnavailable('closed')
  pool.use(new Claim(), (connection) => connection.send('x')).catch(() => {})
  const waiting = Array.from({ length: 10_000 }, () => pool.use(new Claim(), (connection) => connection.send('y')))
  await expect(pool.use(new Claim(), (connection) => connection.send('z'))).rejects.toBeInstanceOf(StoreBusy)
  await pool.end(ended, 0)
  const told = await Promise.allSettled(waiting)
  expect(told.every((one) => one.status === 'rejected' && one.reason === ended)).toBe(true)
  await expect(pool.use(new Claim(), (connection) => connection.send('z'))).rejects.toBe(ended)
})

test('a transaction: statements side by side are sent one after the other; one that failed undoes it, also when it was not waited for', async () => {
  const { connect, made, asked, silence } = scripted()
  const pool = createPool({ connect, max: 1, share: 1 })
  const run = <T>(claim: Claim, work: Parameters<typeof inTransaction<T>>[3]) =>
    pool.use(claim, (connection) => inTransaction(connection, claim, 'serializable', work))
  await run(new Claim(), async (session) => {
    await Promise.all([session.send('a'), session.send('b')])
  })
  expect(made[0]!.said.splice(0)).toEqual(['BEGIN ISOLATION LEVEL serializable', 'a', 'b', 'COMMIT'])

  silence(true)
  const wrong = answerOf('23505')
  const failed = run(new Claim(), async (session) => void session.send('a').catch(() => {}))
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
  const claim = new Claim()
  const over = run(claim, async (session) => {
    claim.over = true
    late = turn().then(() => session.send('late'))
    late.catch(() => {})
  })
  await expect(over).rejects.toBeInstanceOf(StoreUnavailable)
  await expect(late!).rejects.toThrow('the transaction is over')
  expect(made[0]!.said).toEqual(['BEGIN ISOLATION LEVEL serializable', 'ROLLBACK'])
})
