import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { SeenText, ToolResultText } from '../trimmer.ts'
import { code, numbered, result } from './class.fixture.ts'
import { composeTrim } from './compose.ts'
import { growingHistory } from './history.ts'
import { builtInTrimmers } from './index.ts'

const inverses = builtInTrimmers.filter((trimmer) => trimmer.class !== 'void' && trimmer.class !== 'lossy-entry')
const everything = composeTrim(builtInTrimmers.filter((trimmer) => trimmer.class !== 'lossy-entry'))

/** Lines as tools write them, our own notation among them, and nonsense. */
const line = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...code(12)) },
  fc.integer({ min: 0, max: 120 }).map((n) => `${String(n).padStart(6)}→text ${n}`),
  fc.integer({ min: 0, max: 120 }).map((n) => `${n}\ttext`),
  fc.integer({ min: 0, max: 120 }).map((n) => `${n}: text of line ${n}`),
  fc.integer({ min: 0, max: 120 }).map((n) => `${n}:`),
  fc.integer({ min: 0, max: 40 }).map((n) => `src/app/a.ts:${n}:found`),
  fc.integer({ min: 0, max: 40 }).map((n) => `/Users/x/src/app/a.ts-${n}-around`),
  fc.integer({ min: 0, max: 40 }).map((n) => `src/app/long/folder/${n}.ts`),
  fc
    .tuple(fc.nat(60), fc.nat(60), fc.nat(4))
    .map(([a, b, o]) => `[lines ${a}-${b}: same as lines 1-9 of tool result #${o} (Read src/a.ts)]`),
  fc.nat(4).map((o) => `[same as tool result #${o} (Read src/a.ts), all 12 lines]`),
  fc.nat(9).map((n) => `[line above ${n} times in all]`),
  fc.constantFrom(
    '--',
    '',
    '…',
    '…rest',
    'src/…',
    '\t',
    '\ttabbed',
    '\r',
    'a\rb',
    '{',
    '[2 rows: a,b',
    '1,2]',
    '<system-reminder>',
    '</system-reminder>',
    '\u2028',
    '\x1b[1m',
  ),
  fc.string({ maxLength: 30 }),
  fc.string({ maxLength: 20, unit: 'binary' }),
)
/** A few lines, a run of numbered ones, the same again and again. */
const block = fc.oneof(
  fc.array(line, { maxLength: 12 }),
  fc.tuple(fc.array(line, { minLength: 1, maxLength: 14 }), fc.integer({ min: 1, max: 99 }), fc.nat(4)).map(([lines, from, way]) =>
    numbered(
      lines.map((one) => one.replaceAll('\n', ' ')),
      from,
      (n, one) =>
        [`${String(n).padStart(6)}→`, `${n}: `, `${String(n).padStart(5, '0')}| `, `${String(n).padStart(6)}\t`, `${n}. `][way]! + one,
    ).split('\n'),
  ),
  fc.tuple(line, fc.integer({ min: 1, max: 30 })).map(([one, times]) => Array.from({ length: times }, () => one)),
)
const text = fc.array(block, { maxLength: 6 }).map((blocks) => blocks.flat().join('\n'))
const kind = fc.constantFrom('shell' as const, 'file' as const, 'api' as const)

describe('whatever a result holds', () => {
  test('the inverse of what is used gives it back; a conversation is trimmed alike each time', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(text, kind), { minLength: 1, maxLength: 8 }), (results) => {
        const runs = [0, 1].map(() => {
          const history = growingHistory({ results: 3, characters: 20_000 })
          return results.map(([one, of], i) => {
            const about: ToolResultText = { ...result(one), kind: of, ordinal: i + 1 }
            const trimmed = everything(about, history)
            history.add(trimmed.seen)
            return trimmed.text
          })
        })
        expect(runs[1]).toEqual(runs[0])
      }),
      { numRuns: 400 },
    )
  })

  test('each class alone: what it makes is given back, or it is refused; nothing is thrown', () => {
    let [made, kept] = [0, 0]
    fc.assert(
      fc.property(text, text, kind, (before, one, of) => {
        const history = growingHistory()
        const earlier: SeenText = { ...result(before), ordinal: 1, from: 'result' }
        history.add(earlier)
        const about: ToolResultText = { ...result(one), kind: of, ordinal: 2 }
        for (const trimmer of inverses) {
          const short = trimmer.encode(about, history)
          trimmer.decode(one, about, history) // of anybody's text
          if (short === undefined) continue
          made++
          const back = trimmer.decode(short, about, history)
          if (back === one || (back !== undefined && trimmer.equal?.(one, back))) kept++
        }
      }),
      { numRuns: 1500 },
    )
    // refusing is for texts that hold our notation: they must stay rare even among these
    expect(made).toBeGreaterThan(300)
    expect(kept / made).toBeGreaterThan(0.9)
  })

  test('JSON of any shape', () => {
    const json = inverses.find((trimmer) => trimmer.name === 'plain-json')!
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(3), (value, indent) => {
        const one = JSON.stringify([value, { value }], null, indent)
        const about: ToolResultText = { ...result(one), kind: 'api' }
        const short = json.encode(about, { seen: [] })
        if (short === undefined) return
        const back = json.decode(short, about, { seen: [] })!
        expect(json.equal!(one, back)).toBe(true)
        expect(JSON.parse(back)).toEqual(JSON.parse(one))
      }),
      { numRuns: 1500 },
    )
  })
})
