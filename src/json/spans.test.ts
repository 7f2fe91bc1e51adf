import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { WINDOW } from './quote-index.ts'
import { jsonText } from './scan.arbitrary.ts'
import { childSpans, rootSpan, spells } from './spans.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('spans', () => {
  test('children are found exactly, in containers that are longer than one window too', () => {
    const pad = fc.tuple(
      fc.constantFrom('x', '\\\\', '\\"', '{', '""'),
      fc.constantFrom(0, 100, 1024, 5000, WINDOW, 3 * WINDOW),
      fc.nat(70),
    )
    fc.assert(
      fc.property(fc.array(jsonText, { maxLength: 4 }), pad, fc.boolean(), (texts, [unit, length, shift], asObject) => {
        const filler = unit === '""' ? `[${'"",'.repeat(length / 3)}""]` : `"${unit.repeat(length / unit.length)}${'x'.repeat(shift)}"`
        const children = [filler, ...texts]
        const body = asObject ? `{${children.map((text, index) => ` "k\\"${index}" :${text}`).join(',')} }` : `[${children.join(',')}]`
        const bytes = encode(`\ufeff \n${body} `)
        const root = rootSpan(bytes, 3)
        expect(new TextDecoder().decode(bytes.subarray(root.start, root.end))).toBe(body)
        const spans = childSpans(bytes, root.start)
        expect(spans.map((span) => new TextDecoder().decode(bytes.subarray(span.start, span.end)))).toEqual(
          children.map((text) => text.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, '')),
        )
        for (const [index, { keyStart, keyEnd }] of spans.entries()) {
          if (asObject) expect(JSON.parse(new TextDecoder().decode(bytes.subarray(keyStart, keyEnd)))).toBe(`k"${index}`)
          else expect(keyStart).toBe(-1)
        }
      }),
      { numRuns: 300 },
    )
  })

  test('keys are compared decoded', () => {
    const is = (raw: string, key: string): boolean => spells(encode(raw), 0, encode(raw).length, key, encode(key))
    expect(is('"a"', 'a')).toBe(true)
    expect(is('"\\u0061"', 'a')).toBe(true)
    expect(is('"a\\n"', 'a\n')).toBe(true)
    expect(is('"a\\n"', 'a\\n')).toBe(false)
    expect(is('"a\\\\n"', 'a\\n')).toBe(true)
    expect(is('"é"', 'é')).toBe(true)
    expect(is('"ab"', 'a')).toBe(false)
    expect(is('"\ufffd"', '\ud800')).toBe(false)
    expect(is('"\\ud800"', '\ud800')).toBe(true)
    expect(is('"\\q"', '\\q')).toBe(false)
  })
})
