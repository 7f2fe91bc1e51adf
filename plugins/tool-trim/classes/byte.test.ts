import { describe, expect, test } from 'bun:test'
import { beginnings } from './beginnings.ts'
import { code, encoded, numbered, result } from './class.fixture.ts'
import { equalLines } from './equal-lines.ts'
import { lineNumbers } from './line-numbers.ts'
import { matchHeadings } from './match-headings.ts'
import { sparseNumbers } from './sparse-numbers.ts'

describe('line numbers', () => {
  test('lose their padding; the first says how they were written', () => {
    const lines = code(12)
    const wanted = ['     1→', ...Array.from({ length: 11 }, (_, i) => `${i + 2}\t`)]
    expect(encoded(lineNumbers, numbered(lines))!.split('\n')).toEqual(lines.map((line, i) => wanted[i] + line))
  })

  test.each([
    ['of OpenCode', (n: number, line: string) => `${n}: ${line}`, '2\t'],
    ['with zeros', (n: number, line: string) => `${String(n).padStart(5, '0')}| ${line}`, '2\t'],
    ['of cat -n', (n: number, line: string) => `${String(n).padStart(6)}\t${line}`, '2\t'],
    ['of Copilot', (n: number, line: string) => `${n}. ${line}`, '2\t'],
  ])('%s', (_, write, second) => {
    const lines = code(20).map((line) => line.trim())
    const text = encoded(lineNumbers, numbered(lines, 1, write))!
    expect(text.split('\n')[0]).toBe(write(1, lines[0]!))
    expect(text.split('\n')[1]).toBe(second + lines[1])
  })

  test('a file that is not alone, wider numbers, empty lines and a second file', () => {
    const first = numbered(
      code(30).map((line, i) => (i % 5 === 3 ? '' : line)),
      95,
    )
    const other = numbered(code(12, 'other'), 3, (n, line) => `${n}: ${line.trim()}`)
    const text = `<path>a.ts</path>\n${first}\n\nsome words\n${other}\n(end of file)`
    const short = encoded(lineNumbers, text)!
    expect(short).toContain('\n101\t')
    expect(short).toContain('\n3: const other0')
    expect(short).toContain('\n4\tconst other1')
  })

  test('where a space behind `1:` may belong to the text, the line that tells comes first', () => {
    const lines = ['    indented', '  too', 'not indented', ...code(10)]
    const text = encoded(
      lineNumbers,
      numbered(lines, 7, (n, line) => `${n}: ${line}`),
    )!
    expect(text.split('\n').slice(0, 4)).toEqual([
      '7:     indented',
      '8:   too',
      '9: not indented',
      "10\t  const value0 = compute(0, 'value of the 0th line')",
    ])
    expect(
      encoded(
        lineNumbers,
        numbered(code(12), 1, (n, line) => `${n}:${line}`),
      ),
    ).toBeUndefined()
  })

  test('text that counts by chance stays', () => {
    expect(encoded(lineNumbers, '404: not found\n500: broken\n12: odd\n'.repeat(10))).toBeUndefined()
    expect(encoded(lineNumbers, numbered(code(3)))).toBeUndefined()
  })

  test('sparse numbers: every tenth, the others can be counted', () => {
    const short = encoded(lineNumbers, numbered(code(25)))!
    const sparse = encoded(sparseNumbers, short)!
    expect(sparse.split('\n').map((line) => line.slice(0, line.search(/[\t→]/)).trim())).toEqual(
      Array.from({ length: 25 }, (_, i) => (i === 0 || (i + 1) % 10 === 0 ? String(i + 1) : '')),
    )
  })
})

describe('matches of a search', () => {
  test('stand under their path, context lines too', () => {
    const text = 'src/app/a.ts-11-before\nsrc/app/a.ts:12:one: two\nsrc/app/a.ts-13-after\n--\nsrc/app/a.ts:40:four\nsrc/b-12-c.ts:1:x'
    expect(encoded(matchHeadings, text)).toBe('src/app/a.ts\n11-before\n12:one: two\n13-after\n--\n40:four\nsrc/b-12-c.ts:1:x')
  })

  test('paths that are written in full on lines without a colon', () => {
    const text = [
      'src/app/page.tsx:12:const a: number = 1',
      '/Users/ann/app/src/app/page.tsx-13-  return a',
      'src/app/page.tsx-14-  // see: below',
      '/Users/ann/app/src/app/page.tsx-15-}',
    ].join('\n')
    expect(encoded(matchHeadings, text)).toBe(
      '/Users/ann/app/ src/app/page.tsx\n12:const a: number = 1\n13-  return a\n14-  // see: below\n15-}',
    )
    // the folder before a line with a colon is no rule that could be undone
    expect(encoded(matchHeadings, text.replace('src/app/page.tsx-14', '/Users/ann/app/src/app/page.tsx-14'))).toBeUndefined()
  })

  test('a line that looks like one of a group: nothing is grouped', () => {
    expect(encoded(matchHeadings, 'src/app/a.ts:12:one\nsrc/app/a.ts:13:two\nsrc/app/a.ts:14:three\n15:not grouped')).toBeUndefined()
  })

  test('the text of a file is left alone', () => {
    const text = 'src/app/a.ts:12:one\nsrc/app/a.ts:13:two\nsrc/app/a.ts:14:three'
    expect(encoded(matchHeadings, text)).toBeDefined()
    expect(encoded(matchHeadings, result(text, { command: 'cat matches.txt' }))).toBeUndefined()
    expect(encoded(matchHeadings, result(text, { kind: 'file', read: { path: 'matches.txt', part: '' } }))).toBeUndefined()
  })
})

describe('beginnings', () => {
  test('of paths and labels are said once', () => {
    expect(
      encoded(
        beginnings,
        'Found 3 files\nsrc/very/long/a.ts\nsrc/very/long/a2.ts\nsrc/very/long/b.ts\nsrc/very/long/c/d.ts\nsrc/very/long/e.ts',
      ),
    ).toBe('Found 3 files\nsrc/very/long/…\n…a.ts\n…a2.ts\n…b.ts\n…c/d.ts\n…e.ts')
    expect(encoded(beginnings, '@app/core test: one\n@app/core test: two\n@app/core test: three\n@app/core test: four')).toBe(
      '@app/core test: …\n…one\n…two\n…three\n…four',
    )
  })

  test('code keeps its own', () => {
    expect(
      encoded(
        beginnings,
        code(10)
          .map((line) => line.trim())
          .join('\n'),
      ),
    ).toBeUndefined()
    expect(encoded(beginnings, Array.from({ length: 9 }, (_, i) => `import { a${i} } from './app/a${i}.ts'`).join('\n'))).toBeUndefined()
  })

  test('a text with that sign at an end or a beginning stays', () => {
    const paths = 'src/very/long/a0.ts\nsrc/very/long/a.ts\nsrc/very/long/b.ts\nsrc/very/long/c.ts\nsrc/very/long/d.ts'
    expect(encoded(beginnings, paths)).toBeDefined()
    expect(encoded(beginnings, `${paths}\n…and so on`)).toBeUndefined()
    expect(encoded(beginnings, `and so on…\n${paths}`)).toBeUndefined()
  })
})

describe('equal lines', () => {
  test('are counted', () => {
    expect(encoded(equalLines, `a\n${'warning: too long\n'.repeat(5)}b`)).toBe('a\nwarning: too long\n[line above 5 times in all]\nb')
  })
  test('not when the note stands there already, nor for an absurd count', () => {
    expect(encoded(equalLines, `x\n[line above 3 times in all]\n${'warning: too long\n'.repeat(5)}`)).toBeUndefined()
    expect(equalLines.decode('long line\n[line above 9999999 times in all]', result(''), { seen: [] })).toBeUndefined()
  })
})
