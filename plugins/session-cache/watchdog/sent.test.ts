import { describe, expect, test } from 'bun:test'
import type { PromptUnit } from 'headgate/plugin'
import { compare, maxHashes, seen } from './sent.ts'

interface Prompt {
  readonly bytes: Uint8Array
  readonly units: PromptUnit[]
}

/** Pieces of text with a comma between them; those that begin with `S` are the system. */
function prompt(...pieces: readonly string[]): Prompt {
  const units: PromptUnit[] = []
  let text = '['
  for (const [i, piece] of pieces.entries()) {
    if (i > 0) text += ','
    const start = Buffer.byteLength(text)
    text += piece
    const kind = piece.startsWith('S') ? 'system' : 'message'
    units.push({ kind, message: kind === 'message' ? i : -1, role: '', start, end: Buffer.byteLength(text) })
  }
  return { bytes: new Uint8Array(Buffer.from(`${text}]`)), units }
}
const both = (before: Prompt, now: Prompt) => {
  const whole = seen(before.bytes, before.units, undefined, 0)
  return [whole, { ...whole, kept: undefined }].map((earlier) => compare(earlier, now.bytes, now.units))
}

describe('what of a prompt is still the same', () => {
  test('all of it, and more behind it', () => {
    for (const { same, change } of both(prompt('S', '{a}', '{b}'), prompt('S', '{a}', '{b}', '{c}')))
      expect([same, change]).toEqual([3, undefined])
  })

  test('up to a piece; with the bytes up to a byte', () => {
    const [exact, rough] = both(prompt('S', '{aé1}', '{b}'), prompt('S', '{aé2}', '{b}', '{c}'))
    expect(exact).toEqual({
      same: 1,
      change: { unit: 1, at: 3 + Buffer.byteLength('{aé'), exact: true, before: 1 + Buffer.byteLength('{aé') },
    })
    expect(rough).toEqual({ same: 1, change: { unit: 1, at: 3, exact: false, before: 1 } })
  })

  test('a shorter prompt has changed at its end', () => {
    for (const { same, change } of both(prompt('S', '{a}', '{b}'), prompt('S', '{a}')))
      expect([same, change?.unit, change?.at]).toEqual([2, 2, 6])
  })

  test('a last message that only got more blocks has not changed', () => {
    const [exact] = both(prompt('S', '{"c":["a"]}'), prompt('S', '{"c":["a","b"]}'))
    expect(exact).toEqual({ same: 1 })
    // a text that got longer has
    expect(both(prompt('S', '{"c":"a"}'), prompt('S', '{"c":"ab"}'))[0]!.change).toBeDefined()
  })

  test('a piece of another kind in the same place has changed', () => {
    expect(both(prompt('S', '{a}'), prompt('{S}', '{a}'))[0]).toMatchObject({ same: 0, change: { unit: 0 } })
  })

  test('hashes of pieces that are known are not made again, and there are only so many', () => {
    const first = prompt('S', '{a}')
    const earlier = seen(first.bytes, first.units, undefined, 0)
    const forged = { ...earlier, hashes: BigUint64Array.from([1n, 2n]) }
    const next = prompt('S', '{a}', ...Array.from({ length: maxHashes }, (_, i) => `{${i}}`))
    const made = seen(next.bytes, next.units, forged, 2)
    expect([made.hashes.length, made.hashes[0], made.hashes[1]]).toEqual([maxHashes, 1n, 2n])
    expect(made.hashes[2]).not.toBe(0n)
    // behind them nothing is known, which is no change
    expect(compare({ ...made, kept: undefined }, next.bytes, next.units).change?.unit).toBe(0)
    expect(compare({ ...seen(next.bytes, next.units, undefined, 0), kept: undefined }, next.bytes, next.units).change).toBeUndefined()
  })
})
