/** The way of rows to the disk: in order, none lost that was taken, nobody waits for a store that is gone. */

import { expect, test } from 'bun:test'
import { rowWriter } from './writer.ts'

function started(limit = 1000) {
  const disk = { rows: [] as number[], broken: false, calls: 0, gate: Promise.resolve() }
  const told: string[] = []
  const writer = rowWriter<number>({
    async append(rows) {
      disk.calls++
      await disk.gate
      if (disk.broken) throw new Error('full')
      disk.rows.push(...rows)
    },
    limit,
    onDurable: (entries) => told.push(...entries.filter((e) => e.slot >= 0).map((e) => `slot ${e.slot}`)),
    onFailure: (error) => told.push(`failure ${(error as Error).message}`),
    onRecovery: () => told.push('recovery'),
  })
  return { disk, told, writer }
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)

test('rows go in order and in groups, and who waits is told when they are there', async () => {
  const { disk, writer } = started()
  const done: number[] = []
  for (const n of numbers(450)) writer.add({ row: n, slot: -1, done: () => void done.push(disk.rows.length) })
  expect(await writer.flush(1000)).toBe(true)
  expect(disk.rows).toEqual(numbers(450))
  expect(disk.calls).toBe(3)
  expect(done).toHaveLength(450)
  expect(done[0]).toBe(200) // not before its own group was there
  writer.close()
})

test('what can not be written stays, in its order, and nobody waits for it', async () => {
  const { disk, told, writer } = started()
  disk.broken = true
  const { promise, resolve } = Promise.withResolvers<void>()
  disk.gate = promise
  let done = 0
  for (const n of numbers(3)) writer.add({ row: n, slot: n, done: () => void done++ })
  for (let i = 0; i < 200 && disk.calls === 0; i++) await Bun.sleep(1)
  // comes while the others are being written
  writer.add({ row: 3, slot: 3, done: () => void done++ })
  resolve()
  for (let i = 0; i < 200 && !writer.failing; i++) await Bun.sleep(1)
  expect(done).toBe(4)
  writer.add({ row: 4, slot: 4, done: () => void done++ })
  expect(done).toBe(5)
  expect(told).toEqual(['failure full'])
  expect(writer.waiting).toBe(5)
  disk.broken = false
  expect(await writer.flush(2000)).toBe(true)
  expect(disk.rows).toEqual(numbers(5))
  expect(told).toEqual(['failure full', 'recovery', 'slot 0', 'slot 1', 'slot 2', 'slot 3', 'slot 4'])
  writer.close()
})

test('says when it is full, and gives up flushing in time', async () => {
  const { disk, writer } = started(10)
  disk.broken = true
  for (const n of numbers(9)) writer.add({ row: n, slot: -1 })
  expect(writer.full).toBe(false)
  writer.add({ row: 9, slot: -1 })
  expect([writer.full, writer.overfull]).toEqual([true, false])
  for (const n of numbers(10)) writer.add({ row: n, slot: -1 })
  expect(writer.overfull).toBe(true)
  expect(await writer.flush(50)).toBe(false)
  expect(writer.waiting).toBe(20)
  writer.close()
})
