/** Lines whose destination is dead wait on the disk, within their bound, and come once and in order: also when the process does not live to see it. */

import { afterEach, beforeEach, expect, test } from 'bun:test'
import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type LineSpool, lineSpool } from './line-spool.ts'

let folder: string
let base: string
let target: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headgate-lines-'))
  base = join(folder, 'data', 'lines.audit')
  target = join(folder, 'audit.jsonl')
})
afterEach(() => rmSync(folder, { recursive: true }))

/** What the destination does with bytes. */
type Way = 'works' | 'dead' | 'takes and dies' | 'takes three'
let way: Way
const told: string[] = []
async function opened(limit = 1_000_000): Promise<LineSpool> {
  told.length = 0
  return await lineSpool({
    base,
    limit,
    target,
    async append(bytes) {
      if (way === 'dead') throw new Error('EIO')
      appendFileSync(target, way === 'takes three' ? bytes.subarray(0, 3) : bytes)
      if (way === 'takes and dies') throw new Error('killed')
      return way === 'takes three' ? Math.min(3, bytes.length) : bytes.length
    },
    onFailure: () => told.push('failure'),
    onRecovery: () => told.push('recovery'),
  })
}
const bytes = (text: string) => new TextEncoder().encode(text)
const written = () => (existsSync(target) ? readFileSync(target, 'utf8') : '')
const spooled = () => (existsSync(join(folder, 'data')) ? readdirSync(join(folder, 'data')) : [])
const numbered = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `line ${from + i} é\n`).join('')

test('while the destination works nothing is on the disk but what it wrote', async () => {
  way = 'works'
  const spool = await opened()
  expect(await spool.append(bytes('one\n'))).toBe(4)
  await spool.retry()
  expect([written(), spooled(), spool.depth, told]).toEqual(['one\n', [], 0, []])
  await spool.close()
})

test('what comes while it is dead waits, and comes before what follows, also in short writes', async () => {
  way = 'dead'
  const spool = await opened()
  await spool.append(bytes(numbered(0, 9)))
  await spool.retry()
  expect([written(), spooled().length, spool.failing, told]).toEqual(['', 2, true, ['failure']])
  way = 'takes three'
  // who comes while something waits goes behind it
  await spool.append(bytes(numbered(9, 12)))
  expect(written()).toBe('')
  await spool.retry()
  expect([written(), spooled(), spool.depth, spool.failing, told]).toEqual([numbered(0, 12), [], 0, false, ['failure', 'recovery']])
  await spool.close()
})

test('its disk space is bounded', async () => {
  way = 'dead'
  const spool = await opened(20)
  await spool.append(bytes('0123456789012345\n'))
  expect(spool.append(bytes('more\n'))).rejects.toThrow('the spool of lines is full: 17 of 20 bytes')
  way = 'works'
  await spool.retry()
  await spool.append(bytes('more\n'))
  expect(written()).toBe('0123456789012345\nmore\n')
  await spool.close()
})

test('what a process left is brought in by the next one, without what it had half written', async () => {
  way = 'dead'
  const first = await opened()
  await first.append(bytes(numbered(0, 3)))
  await first.close()
  const name = spooled().find((n) => n.startsWith('lines.audit.'))!
  appendFileSync(join(folder, 'data', name), '{"half')
  way = 'works'
  const second = await opened()
  await second.append(bytes('later\n'))
  await second.retry()
  expect([written(), spooled()]).toEqual([`${numbered(0, 3)}later\n`, []])
  await second.close()
})

test('a part that had come when the process died does not come again, wherever others wrote meanwhile; one that had not does', async () => {
  writeFileSync(target, 'earlier\n')
  for (const last of ['takes and dies', 'dead'] as const) {
    way = 'dead'
    const first = await opened()
    const lines = last === 'dead' ? numbered(20, 25) : numbered(0, 5)
    await first.append(bytes(lines))
    way = last
    await first.retry()
    await first.close()
    appendFileSync(target, 'of another\n')
    way = 'works'
    const second = await opened()
    await second.retry()
    await second.close()
    expect(spooled()).toEqual([])
  }
  expect(written()).toBe(`earlier\n${numbered(0, 5)}of another\nof another\n${numbered(20, 25)}`)
})
