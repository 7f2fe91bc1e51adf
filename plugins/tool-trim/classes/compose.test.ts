import { describe, expect, test } from 'bun:test'
import type { Trimmer } from '../trimmer.ts'
import { code, historyOf, none, numbered, result, seen } from './class.fixture.ts'
import { composeTrim } from './compose.ts'
import { growingHistory } from './history.ts'
import { builtInTrimmers } from './index.ts'

const on = (...classes: string[]) => composeTrim(builtInTrimmers.filter((trimmer) => classes.includes(trimmer.class)))
const lossless = on('void', 'value', 'ref', 'byte')

const phrase = 'the quick brown fox jumped over it. '
/** A class of a third party: a phrase becomes `~`. */
const shorter: Trimmer = {
  name: 'shorter',
  class: 'byte',
  encode: ({ text }) => (text.includes('~') ? undefined : text.replaceAll(phrase, '~')),
  decode: (text) => text.replaceAll('~', phrase),
}
const prose = `${phrase}And then? `.repeat(20)

describe('classes one after the other', () => {
  test('void text first, then references, then numbers; and what each saved', () => {
    const history = historyOf(seen(numbered(code(40)), { ordinal: 1 }))
    const text = `Chunk ID: 19dc0a\nWall time: 0.0000 seconds\nProcess exited with code 0\nOriginal token count: 1082\nOutput:\n${numbered([...code(30), ...code(30, 'new')])}`
    const trimmed = lossless(result(text, { ordinal: 2 }), history)
    expect(trimmed.by).toEqual(['codex-head', 'references', 'line-numbers'])
    expect(trimmed.text.split('\n').slice(0, 5)).toEqual([
      'Process exited with code 0',
      'Output:',
      `     1→${code(1)[0]}`,
      '[lines 2-30: same as tool result #1 (Read)]',
      `    31→${code(1, 'new')[0]}`,
    ])
    const saved = trimmed.saved()
    expect(saved.ref).toBeGreaterThan(300)
    expect(saved.byte).toBeGreaterThan(50)
    expect(saved.void).toBeGreaterThan(15)
    // what later results may refer to: the lines that stand here, by their numbers
    expect(trimmed.seen.text.split('\n')[2]).toBe(`     1→${code(1)[0]}`)
    expect(trimmed.seen.shown).toEqual([
      [0, 3],
      [32, 62],
    ])
  })

  test('less than 16 tokens or a twentieth: the client’s own text', () => {
    const one = (text: string) => composeTrim([shorter])(result(text), none)
    expect(one('x '.repeat(100) + phrase).by).toEqual([])
    expect(one(`${code(60).join('\n')} ${phrase}${phrase}${phrase}`).by).toEqual([])
    expect(one(prose).by).toEqual(['shorter'])
    expect(one(prose.slice(0, 150)).by).toEqual([])
  })

  test('void text goes even where nothing else is worth it', () => {
    const text = `Chunk ID: 19dc0a\nWall time: 0.0000 seconds\nProcess exited with code 0\nOriginal token count: 1082\nOutput:\n${code(200).join('\n')}\n${phrase}`
    const trimmed = composeTrim([...builtInTrimmers.filter((trimmer) => trimmer.class === 'void'), shorter])(result(text), none)
    expect(trimmed.by).toEqual(['codex-head'])
    expect(trimmed.text).toBe(`Process exited with code 0\nOutput:\n${code(200).join('\n')}\n${phrase}`)
  })

  test('a class that does not keep its word is left out, and named', () => {
    const broken: Trimmer[] = [
      { ...shorter, name: 'loses', encode: ({ text }) => text.replaceAll(phrase, ''), decode: (text) => text },
      {
        ...shorter,
        name: 'throws',
        encode: () => {
          throw new Error('no')
        },
      },
      { ...shorter, name: 'no-inverse', decode: () => undefined },
      { ...shorter, name: 'never-ends', class: 'void', encode: ({ text }) => text.slice(1), decode: (text) => text },
      { ...shorter, name: 'unequal', class: 'value', equal: () => false, decode: (text) => text },
    ]
    const trimmed = composeTrim([...broken, shorter])(result(prose), none)
    expect(trimmed.by).toEqual(['shorter'])
    expect([...trimmed.refused].sort()).toEqual(['loses', 'never-ends', 'no-inverse', 'throws', 'unequal'])
    expect(trimmed.text).toBe(prose.replaceAll(phrase, '~'))
  })

  test('a class of references of a third party: its lines are no targets', () => {
    const own: Trimmer = { ...shorter, name: 'own', class: 'ref' }
    expect(composeTrim([own])(result(prose), none).seen.shown).toEqual([])
  })

  test('values are compared as values, and references lead to what the model reads', () => {
    const text = JSON.stringify(
      Array.from({ length: 20 }, (_, i) => ({ id: i, name: `thing number ${i}`, at: '2026-01-02' })),
      null,
      2,
    )
    const first = lossless(result(text, { kind: 'api', tool: 'list' }), none)
    expect(first.by).toEqual(['plain-json'])
    const history = growingHistory()
    history.add(first.seen)
    expect(lossless(result(text, { kind: 'api', tool: 'list', ordinal: 2 }), history).text).toBe(
      '[same as tool result #1 (list), all 21 lines]',
    )
  })

  test('a result that was trimmed already, and sent again as the client’s own, gives the same text twice', () => {
    const text = lossless(result(numbered(code(60))), none).text
    const again = lossless(result(text, { ordinal: 2 }), none)
    expect(again.text).toBe(text)
  })

  test('what is too large to be looked at line by line loses void text only', () => {
    const lines = Array.from({ length: 13_000 }, (_, i) => `src/some/folder/a.ts:${i}:x`).join('\n')
    expect(lossless(result(`\x1b[1m${lines}\x1b[0m${'\x1b[0m'.repeat(20)}`), none)).toMatchObject({ by: ['terminal'], text: lines })
    expect(lossless(result('x'.repeat(1_000_000)), none).by).toEqual([])
  })

  test('results without numbers, other separators, single lines of 100 kB', () => {
    for (const text of ['', 'short', 'x'.repeat(100_000), 'a\u2028b\u2029c\u0085d\r'.repeat(50)]) {
      expect(lossless(result(text, { kind: 'api' }), none).text).toBe(text)
    }
  })
})
