import { describe, expect, test } from 'bun:test'
import { code, encoded, result } from './class.fixture.ts'
import { base64Runs, headAndTail, htmlText } from './lossy-bulk.ts'
import { libraryFrames, logTemplates, passingTests } from './lossy-lines.ts'

const lossy = [base64Runs, headAndTail, htmlText, libraryFrames, logTemplates, passingTests]

describe('classes that lose text', () => {
  test('passing tests; never a line that speaks of a failure', () => {
    expect(encoded(passingTests, '(pass) a > b [1ms]\n✓ c\nok 12 - d\nPASS src/e.ts\n(fail) f\n✓ g fails well')).toBe(
      '[4 lines of passing tests left out]\n(fail) f\n✓ g fails well',
    )
  })
  test('log lines that differ in numbers', () => {
    const lines = Array.from({ length: 9 }, (_, i) => `2026-01-02T03:04:0${i}Z fetched part ${i} in ${i * 7}ms`)
    expect(encoded(logTemplates, lines.join('\n'))).toBe(
      `${lines[0]}\n[7 lines like the one above, but for numbers, left out]\n${lines[8]}`,
    )
    expect(encoded(logTemplates, lines.map((line) => line.replace('fetched', 'error in')).join('\n'))).toBeUndefined()
    expect(
      encoded(logTemplates, Array.from({ length: 9 }, (_, i) => `1${i} 2${i} 3${i} 4${i} 50000${i} 60000${i}`).join('\n')),
    ).toBeUndefined()
  })
  test('frames of libraries', () => {
    const frames = '    at a (/app/node_modules/x/a.js:1:2)\n    at b (/app/node_modules/x/b.js:1:2)\n    at c (node:internal/d:1:2)'
    expect(encoded(libraryFrames, `Error: x\n    at mine (/app/src/a.ts:1:2)\n${frames}\nend`)).toBe(
      'Error: x\n    at mine (/app/src/a.ts:1:2)\n[3 frames of libraries left out]\nend',
    )
  })
  test('the middle of a long output, at ends of lines', () => {
    const text = code(900).join('\n')
    const short = encoded(headAndTail, text)!
    const left = Number(/\n\[(\d+) characters left out here: the middle of a long output\]\n/.exec(short)![1])
    expect(short.length).toBeLessThan(20_500)
    expect(left).toBeGreaterThan(text.length - 20_500)
    expect(short).toStartWith(code(3).join('\n'))
    expect(short).toEndWith(code(900).slice(-3).join('\n'))
    expect(encoded(headAndTail, '🎉'.repeat(20_000))!.isWellFormed()).toBe(true)
  })
  test('base64, not one letter many times', () => {
    expect(encoded(base64Runs, `a data:image/png;base64,${'iVBORw0KGgo1'.repeat(50)}== b`)).toBe(
      'a data:image/png;base64,[base64, 600 characters, left out]== b',
    )
    expect(encoded(base64Runs, `a ${'x'.repeat(900)} b`)).toBeUndefined()
  })
  test('the tags of a web page', () => {
    const html =
      '<!DOCTYPE html><html><head><title>My page</title><script>if (a < b) c()</script></head><body><h1>Hello</h1><p>a &amp; b<!-- no --></p><script>bad</body></html>'
    expect(encoded(htmlText, result(html, { kind: 'api' }))).toBe('[text of a web page: My page; tags left out]\nHello\na & b\nbad')
  })
  test('never in the text of a file, nor twice', () => {
    const texts = [
      '✓ a\n'.repeat(9),
      code(900).join('\n'),
      'iVBORw0KGgo1'.repeat(50),
      '<html><p>x'.padEnd(900, 'y'),
      Array.from({ length: 9 }, (_, i) => `fetched part ${i} of the whole`).join('\n'),
    ]
    for (const text of texts)
      for (const trimmer of lossy) {
        expect(trimmer.encode(result(text, { kind: 'file', read: { path: 'a', part: '' } }), { seen: [] })).toBeUndefined()
        expect(trimmer.encode(result(text, { command: 'cat a.txt' }), { seen: [] })).toBeUndefined()
        for (const kind of ['shell', 'api'] as const) {
          const once = trimmer.encode(result(text, { kind }), { seen: [] })
          if (once !== undefined) expect(trimmer.encode(result(once, { kind }), { seen: [] })).toBeUndefined()
        }
      }
  })
})
