/** Rotation of the file of lines: by size and time, without losing a line, and with no more old files than are kept. */

import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileDestination } from './destination.ts'

let folder: string
let now = 0
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headgate-audit-'))
  now = Date.now()
})
afterEach(() => rmSync(folder, { recursive: true }))

const files = () => readdirSync(folder).sort()
const all = () => files().map((name) => readFileSync(join(folder, name), 'utf8'))
const path = () => join(folder, 'audit.jsonl')

test('by size: no file grows beyond it, each line stays whole', async () => {
  const append = await fileDestination(path(), { size: 100, keep: 100 }, () => now)
  for (let i = 0; i < 30; i++) {
    await append(Buffer.from(`line ${i} of so many\n`))
    now += 1
  }
  expect(files().length).toBeGreaterThan(4)
  for (const text of all()) expect(text.length).toBeLessThanOrEqual(100)
  const lines = all().join('').trimEnd().split('\n')
  expect(lines).toHaveLength(30)
  expect(new Set(lines).size).toBe(30)
})

test('two within a millisecond do not replace one another', async () => {
  const append = await fileDestination(path(), { size: 5, keep: 100 }, () => now)
  for (let i = 0; i < 4; i++) await append(Buffer.from(`${i} 45\n`))
  expect(all().join('').length).toBe(20)
})

test('by time, also over a new start; only so many old files stay, and no other file goes', async () => {
  const hour = 3_600_000
  await Bun.write(`${path()}.notes`, 'mine')
  let append = await fileDestination(path(), { every: hour, keep: 2 }, () => now)
  for (let i = 0; i < 6; i++) {
    await append(Buffer.from(`hour ${i}\n`))
    await append(Buffer.from(`again ${i}\n`))
    now += hour
    if (i === 3) append = await fileDestination(path(), { every: hour, keep: 2 }, () => now)
  }
  expect(readFileSync(path(), 'utf8')).toBe('hour 5\nagain 5\n')
  expect(files()).toHaveLength(4)
  expect(files()).toContain('audit.jsonl.notes')
})
