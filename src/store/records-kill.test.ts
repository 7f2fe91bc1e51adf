import { afterEach, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openRecords } from './open-records.ts'
import { quiet } from './records.suite.ts'

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

/** Lets a process append, kills it with -9 after `rows` acknowledged ones, and gives the numbers of all that were acknowledged. */
async function killed(where: string, folder: string, name: string, rows: number): Promise<number[]> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, 'appender.fixture.ts'), where, folder, name], {
    stdout: 'pipe',
    stderr: 'inherit',
  })
  let text = ''
  for await (const bytes of child.stdout) {
    text += Buffer.from(bytes).toString()
    if (text.length > rows * 4) child.kill('SIGKILL')
  }
  expect(await child.exited).not.toBe(0)
  return text.slice(0, text.lastIndexOf('\n')).split('\n').map(Number)
}

test('SQLite: kill -9 of a process that appends loses no acknowledged row', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-kill-'))
  folders.push(folder)
  const wanted: string[] = []
  for (const name of ['a', 'b', 'c']) wanted.push(...(await killed('sqlite:./data/k.db', folder, name, 3000)).map((n) => `${name}${n}`))
  const store = openRecords('sqlite:./data/k.db', { folder, spoolLimit: 0, log: quiet })
  const there = await store.scoped('kill').sql<{ id: string; amount: bigint }>`SELECT id, amount FROM kill_row`
  const ids = new Set(there.map((r) => r.id))
  expect(wanted.filter((id) => !ids.has(id))).toEqual([])
  expect(wanted.length).toBeGreaterThan(1000)
  expect(there.every((r) => r.amount === 9007199254740993n)).toBe(true)
  await store.close()
})

test('the spool: kill -9 of processes that append while the store is down loses no acknowledged row, and the next start brings all in once', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-kill-'))
  folders.push(folder)
  // nothing listens at this port: two processes spool, and die
  const wanted: string[] = []
  for (const name of ['a', 'b']) wanted.push(...(await killed('postgres://u@127.0.0.1:1/db', folder, name, 500)).map((n) => `${name}${n}`))
  const spool = join(folder, 'data', 'spool')
  expect(readdirSync(spool).length).toBe(2)
  const store = openRecords('sqlite:./data/k.db', { folder, spoolLimit: 0, log: quiet })
  const records = store.scoped('kill')
  await records.migrate([{ id: '1', statements: ['CREATE TABLE kill_row (id TEXT PRIMARY KEY, amount BIGINT NOT NULL)'] }])
  store.start()
  expect(await store.recover()).toBe(true)
  const ids = new Set((await records.sql<{ id: string }>`SELECT id FROM kill_row`).map((r) => r.id))
  expect(wanted.filter((id) => !ids.has(id))).toEqual([])
  expect(existsSync(spool) && readdirSync(spool)).toEqual([])
  await store.close()
})
