import { describe, expect, test } from 'bun:test'
import { lineBuffer } from './line-buffer.ts'

/** A buffer over a destination that the test opens and closes. */
function started(limit = 1_000_000, linger = 0) {
  const disk = {
    chunks: [] as Uint8Array[],
    get text() {
      return Buffer.concat(disk.chunks).toString()
    },
    calls: 0,
    broken: false,
    most: Number.POSITIVE_INFINITY,
    gate: undefined as Promise<void> | undefined,
  }
  const told: string[] = []
  let wrote: () => void = () => undefined
  const buffer = lineBuffer<string>({
    text: (line) => line,
    async append(bytes) {
      disk.calls++
      await disk.gate
      try {
        if (disk.broken) throw new Error('ENOSPC')
        const taken = bytes.subarray(0, disk.most)
        disk.chunks.push(taken)
        return taken.length
      } finally {
        wrote()
      }
    },
    limit,
    linger,
    retry: 0,
    onFailure: (error) => told.push(`failure ${(error as Error).message}`),
    onRecovery: () => told.push('recovery'),
    onLost: (lines) => told.push(`lost ${lines}`),
  })
  const nextWrite = () =>
    new Promise<void>((resolve) => {
      wrote = resolve
    })
  return { disk, told, buffer, nextWrite }
}

const numbered = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `line ${from + i} é\n`)

describe('a buffer of lines', () => {
  test('writes lines in order, many in one go, and makes nobody wait', async () => {
    const { disk, buffer, nextWrite } = started()
    const written = nextWrite()
    for (const line of numbered(0, 1000)) expect(buffer.add(line)).toBeUndefined()
    await written
    expect(disk.text).toBe(numbered(0, 1000).join(''))
    expect(disk.calls).toBe(1)
    const again = nextWrite()
    buffer.add('more\n')
    await again
    expect(disk.text.endsWith('more\n')).toBe(true)
    await buffer.close()
  })

  test('writes the rest at close, without waiting for the timer', async () => {
    const { disk, told, buffer } = started(1_000_000, 3_600_000)
    for (const line of numbered(0, 10)) buffer.add(line)
    await buffer.close()
    expect(disk.text).toBe(numbered(0, 10).join(''))
    expect(told).toEqual([])
  })

  test('goes on where a short write ended, also inside a character', async () => {
    const { disk, buffer } = started()
    disk.most = 7
    for (const line of numbered(0, 5)) buffer.add(line)
    await buffer.close()
    expect(disk.text).toBe(numbered(0, 5).join(''))
    expect(disk.calls).toBe(Math.ceil(Buffer.byteLength(numbered(0, 5).join('')) / 7))
  })

  test('makes callers wait when it is full, loses nothing and keeps the order', async () => {
    const { disk, told, buffer } = started(50)
    const gate = Promise.withResolvers<void>()
    disk.gate = gate.promise
    const lines = numbered(0, 200)
    const waits = lines.map((line) => buffer.add(line))
    expect(waits.filter((wait) => wait === undefined)).toHaveLength(5)
    gate.resolve()
    await Promise.all(waits)
    await buffer.close()
    expect(disk.text).toBe(lines.join(''))
    expect(told).toEqual([])
  })

  test('says when it is full; of those that wait it keeps thousands and counts the rest', async () => {
    const { disk, told, buffer } = started(50)
    const gate = Promise.withResolvers<void>()
    disk.gate = gate.promise
    expect(buffer.full).toBe(false)
    const lines = numbered(0, 10_020)
    const waits = lines.map((line) => buffer.add(line))
    expect(buffer.full).toBe(true)
    const lost = told.filter((one) => one === 'lost 1').length
    expect(lost).toBeGreaterThan(0)
    expect(waits.filter((wait) => wait !== undefined)).toHaveLength(10_000)
    gate.resolve()
    await Promise.all(waits)
    await buffer.close()
    expect(disk.text.split('\n')).toHaveLength(lines.length - lost + 1)
  })

  test('keeps lines while writing fails, says so once, and writes them later', async () => {
    const { disk, told, buffer, nextWrite } = started()
    disk.broken = true
    buffer.add('one\n')
    for (let i = 0; i < 3; i++) await nextWrite()
    buffer.add('two\n')
    expect(buffer.failing).toBe(true)
    expect(told).toEqual(['failure ENOSPC'])
    disk.broken = false
    await buffer.close()
    expect(disk.text).toBe('one\ntwo\n')
    expect(told).toEqual(['failure ENOSPC', 'recovery'])
    expect(buffer.failing).toBe(false)
  })

  test('does not grow without end: full and failing, it counts what it loses and makes nobody wait', async () => {
    const { disk, told, buffer, nextWrite } = started(20)
    disk.broken = true
    const written = nextWrite()
    buffer.add('0123456789012345678\n')
    const waiting = buffer.add('waits\n')
    expect(waiting).toBeInstanceOf(Promise)
    await written
    await waiting
    expect(buffer.add('lost too\n')).toBeUndefined()
    expect(told).toEqual(['failure ENOSPC', 'lost 1', 'lost 1'])
    await buffer.close()
    expect(told).toEqual(['failure ENOSPC', 'lost 1', 'lost 1', 'lost 1'])
  })

  test('gives up at close when writing still fails, and counts a line that comes after', async () => {
    const { disk, told, buffer } = started()
    disk.broken = true
    for (const line of numbered(0, 4)) buffer.add(line)
    await buffer.close()
    expect(told).toEqual(['failure ENOSPC', 'lost 4'])
    buffer.add('late\n')
    expect(told.at(-1)).toBe('lost 1')
  })
})
