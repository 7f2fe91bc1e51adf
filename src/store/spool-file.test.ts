import { afterEach, describe, expect, test } from 'bun:test'
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { StoreUnavailable } from '../plugin/host.ts'
import type { TableRows } from './records-driver.ts'
import type { Spool } from './spool.ts'
import { spoolHost } from './spool-claim.ts'
import { fileSpool } from './spool-file.ts'

const folders: string[] = []
const spools: Spool[] = []
const errors: string[] = []
const log = { debug() {}, info() {}, warn() {}, error: (message: string) => void errors.push(message) }

afterEach(async () => {
  for (const spool of spools.splice(0)) await spool.close()
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
  errors.length = 0
})

function place(): string {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-spool-'))
  folders.push(folder)
  return join(folder, 'spool')
}
async function opened(folder: string, limit = 1_000_000): Promise<Spool> {
  const spool = await fileSpool({ folder, limit, log })
  spools.push(spool)
  return spool
}
const row = (id: string, more: Record<string, never> | object = {}): TableRows => ({ table: 't', rows: [{ id, ...more }] })
/** Ids of all that waits, in order; empties the spool. */
async function drain(spool: Spool, max = 2): Promise<string[]> {
  const ids: string[] = []
  for (let batch = await spool.read(max); batch; batch = await spool.read(max)) {
    ids.push(...batch.flatMap((b) => b.rows.map((r) => String(r.id))))
    await spool.done()
  }
  return ids
}
const files = (folder: string) => (existsSync(folder) ? readdirSync(folder).filter((f) => f.endsWith('.spool')) : [])
/** What a process leaves that ends without a word. */
async function left(folder: string, ...ids: string[]): Promise<string> {
  const spool = await fileSpool({ folder, limit: 1_000_000, log })
  await spool.write(ids.map((id) => row(id)))
  await spool.close()
  return join(folder, files(folder).at(-1)!)
}

describe('the spool on disk', () => {
  test('rows come out as they went in, in order, and then no file is left', async () => {
    const folder = place()
    const spool = await opened(folder)
    expect(existsSync(folder)).toBe(false)
    expect(spool.empty).toBe(true)
    const values = { b: 9223372036854775807n, x: new Uint8Array([0, 200]), t: 'a\nb "c" \u{1f600}', f: true, n: null, d: 1.5 }
    await spool.write([row('a', values), row('b')])
    await spool.write([row('c')])
    expect(spool.empty).toBe(false)
    expect(await spool.read(1)).toEqual([row('a', values)])
    expect(await spool.read(2)).toEqual([row('a', values), row('b')]) // nothing was done yet
    await spool.done()
    await spool.write([row('d')])
    expect(await drain(spool)).toEqual(['c', 'd'])
    expect(spool.empty).toBe(true)
    expect(files(folder)).toEqual([])
    await spool.write([row('e')])
    expect(await drain(spool)).toEqual(['e'])
  })
  test('what a process left is taken over, oldest first, before own rows; once', async () => {
    const folder = place()
    await left(folder, 'a', 'b')
    await Bun.sleep(2) // the name of a file begins with its millisecond
    await left(folder, 'c')
    const [one, two] = [await opened(folder), await opened(folder)]
    expect(two.empty).toBe(true)
    await one.write([row('d')])
    expect(await drain(one)).toEqual(['a', 'b', 'c', 'd'])
  })
  test('a line that was cut off at the end is passed over, wherever the cut is', async () => {
    for (let cut = 1; cut < 60; cut += 7) {
      const folder = place()
      const path = await left(folder, 'a', 'b')
      const size = readFileSync(path).length
      truncateSync(path, size - cut)
      expect(await drain(await opened(folder))).toEqual(cut <= size / 2 ? ['a'] : [])
      expect(files(folder)).toEqual([])
    }
  })
  test('a damaged line is passed over and said, and the others are not harmed', async () => {
    const folder = place()
    const path = await left(folder, 'a', 'b', 'c')
    writeFileSync(path, readFileSync(path, 'utf8').replace('"b"', '"x"'))
    appendFileSync(path, 'rubbish\n\n')
    expect(await drain(await opened(folder))).toEqual(['a', 'c'])
    expect(errors.length).toBe(3)
  })
  test('a line longer than what is read at a time', async () => {
    const spool = await opened(place(), 10_000_000)
    const long = row('long', { t: 'x'.repeat(900_000) })
    await spool.write([row('a'), long, row('b')])
    expect(await spool.read(10)).toEqual([row('a')])
    await spool.done()
    expect((await spool.read(10))![0]).toEqual(long)
    expect(await drain(spool)).toEqual(['long', 'b'])
  })
  test('a full spool says so, and has room again when rows are gone', async () => {
    const spool = await opened(place(), 200)
    await spool.write([row('a')])
    await expect(spool.write([row('b', { t: 'x'.repeat(200) })])).rejects.toThrow(StoreUnavailable)
    await spool.write([row('c')])
    expect(await drain(spool)).toEqual(['a', 'c'])
    await spool.write([row('d', { t: 'x'.repeat(80) })])
    expect(await drain(spool)).toEqual(['d'])
  })
  test('a folder that cannot be made: rows are refused, nothing else fails', async () => {
    const folder = place()
    writeFileSync(folder, 'a file')
    const spool = await opened(folder)
    expect(spool.empty).toBe(true)
    await expect(spool.write([row('a')])).rejects.toThrow(StoreUnavailable)
    expect(spool.empty).toBe(true)
  })
  test('files of processes that live are left alone: of this host by pid, of another by its signs of life', async () => {
    const folder = place()
    const path = await left(folder, 'a')
    const [made, , , rest] = files(folder)[0]!.split('-')
    const host = spoolHost
    const named = (owner: string, pid: number) => join(folder, `${made}-${owner}-${pid}-${rest}`)
    renameSync(path, named(host, process.ppid))
    expect((await opened(folder)).empty).toBe(true)
    // a container with the same host name, whose pids are counted apart
    const sameName = `${hostname().replace(/[^A-Za-z0-9.]/g, '_')}.1`
    renameSync(named(host, process.ppid), named(sameName, process.pid))
    expect((await opened(folder)).empty).toBe(true)
    renameSync(named(sameName, process.pid), named('elsewhere', 1))
    expect((await opened(folder)).empty).toBe(true)
    const old = new Date(Date.now() - 61_000)
    utimesSync(named('elsewhere', 1), old, old)
    expect(await drain(await opened(folder))).toEqual(['a'])
  })
  test('a row that no database takes is kept aside with the reason', async () => {
    const folder = place()
    const spool = await opened(folder)
    await spool.reject(row('a', { b: 1n }), 'no such column')
    expect(readFileSync(join(folder, 'rejected.jsonl'), 'utf8')).toContain('{"reason":"no such column"} ')
  })
})
