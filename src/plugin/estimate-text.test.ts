import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import fc from 'fast-check'
import { estimateBytes, estimateText } from './estimate-text.ts'

setDefaultTimeout(30_000)

const utf8 = new TextEncoder()
const ofJson = (value: unknown) => estimateBytes(utf8.encode(JSON.stringify(value)))

describe('each script has its own weight', () => {
  test.each([
    // counted once with a public vocabulary of 200,000 tokens
    ['Greek', 'Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα.', 33],
    ['Cyrillic', 'Функция возвращает список пользователей, отсортированный по дате регистрации.', 18],
    ['Hebrew', 'כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם.', 21],
    ['Arabic', 'هذا البرنامج يقرأ الملف ثم يكتب النتيجة.', 13],
    ['Devanagari', 'उन्हें बुद्धि और अन्तरात्मा की देन प्राप्त है', 14],
    ['Thai', 'มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกัน', 20],
    ['Hangul', '이 함수는 파일을 읽고 결과를 반환합니다.', 15],
    ['kana and ideographs', 'この関数はファイルを読み込んで結果を返します。', 16],
    ['ideographs', '这个函数读取文件并返回结果，如果出错就抛出异常。', 19],
    ['Latin with marks', 'Die Funktion überprüft, ob größere Änderungen nötig wären.', 16],
    ['emoji', '🎉🚀✅🔥😀', 8],
  ])('%s', (_name, text, tokens) => {
    expect(Math.abs(estimateText(text) - tokens)).toBeLessThanOrEqual(Math.max(3, tokens * 0.3))
  })
  test('a text is the same in JSON, escaped or not', () => {
    const text = 'これは "引用" です\n\tПривет\\мир — naïve café 42'
    const escaped = JSON.stringify(text).replace(/[^ -~]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
    expect(Math.abs(ofJson(text) - estimateText(text))).toBeLessThan(1)
    // by their first two digits, escapes tell the script
    expect(Math.abs(estimateBytes(utf8.encode(escaped)) / estimateText(text) - 1)).toBeLessThan(0.15)
  })
})

test('any text: as JSON it is what it is as text, with the quotes around it; whole or in pieces', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), (text) => {
      // of control characters JSON has several spellings
      if ([...text].some((c) => c < ' ') || !text.isWellFormed()) return
      expect(ofJson(text)).toBeCloseTo(estimateText(text) + 0.5, 6)
    }),
    { numRuns: 500 },
  )
  // beyond the length of one piece, cut anywhere
  for (const unit of ['naïve café ', '字', '🎉x', 'word  ', '1234567']) {
    const text = unit.repeat(Math.ceil(50_000 / unit.length))
    expect(ofJson(text)).toBeCloseTo(estimateText(text) + 0.5, 3)
  }
})

test('what stands between strings costs little, numbers count, and a part of the bytes can be asked for', () => {
  const message = { role: 'user', content: 'The quick brown fox jumps over the lazy dog.' }
  expect(ofJson(message)).toBeGreaterThan(estimateText(message.content))
  expect(ofJson(message)).toBeLessThan(estimateText(message.content) + 8)
  expect(ofJson([123456789, 987654321])).toBeGreaterThan(6)
  const bytes = utf8.encode(`[${JSON.stringify('x '.repeat(500))},"one"]`)
  const start = bytes.length - 6
  expect(estimateBytes(bytes, start, bytes.length - 1)).toBeCloseTo(estimateText('one') + 0.5, 6)
  expect(estimateBytes(bytes, 5, 5)).toBe(0)
})

describe('no input of 1 MB holds the process up for more than 25 ms', () => {
  const size = 1_000_000
  const most = 25
  const units = [
    'a',
    'aB',
    'A',
    '7',
    ' ',
    '\n',
    '\t ',
    '"',
    '\\',
    '\\"',
    '\\u',
    '\\u4e2d',
    '\\ud83c',
    '{"',
    '[[',
    '}{',
    '=',
    '字',
    'й',
    'é',
    'ạ',
    '🎉',
    '\u0301',
    '\u0000',
  ]
  /** Bytes that no text has: lone continuations, cut characters, impossible first bytes. */
  const broken = [[0x80], [0xc3], [0xe4, 0xb8], [0xf0, 0x9f, 0x8e], [0xff], [0xc0, 0x80], [0xf5, 0xbf], [0xed, 0xa0, 0x80]]
  const fill = (unit: Uint8Array | readonly number[]) => Uint8Array.from({ length: size }, (_, i) => unit[i % unit.length]!)
  /** Time of this thread's own, the best of ten: what else runs on the machine is not what is measured. */
  const time = (run: () => number) => {
    let best = Number.POSITIVE_INFINITY
    for (let i = 0; i < 10 && best > most / 2; i++) {
      const begun = process.threadCpuUsage()
      const tokens = run()
      const { user, system } = process.threadCpuUsage(begun)
      best = Math.min(best, (user + system) / 1000)
      expect(tokens).toBeGreaterThanOrEqual(0)
      expect(tokens).toBeLessThan(size * 3)
    }
    return best
  }
  test.each(units)('%j repeated', (unit) => {
    const bytes = fill(utf8.encode(unit))
    const text = unit.repeat(Math.ceil(size / unit.length))
    const json = utf8.encode(JSON.stringify(text)).subarray(0, size)
    for (const run of [() => estimateBytes(bytes), () => estimateBytes(json), () => estimateText(text)])
      expect(time(run)).toBeLessThan(most)
  })
  test.each(broken)('bytes that are no UTF-8: %p', (...unit) => {
    for (const quoted of [false, true]) {
      const bytes = fill(unit)
      if (quoted) bytes[0] = 0x22
      expect(time(() => estimateBytes(bytes))).toBeLessThan(most)
    }
  })
  test('random bytes, and random mixtures', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), fc.boolean(), (unit, quoted) => {
        const bytes = fill(unit)
        if (quoted) bytes[0] = 0x22
        expect(time(() => estimateBytes(bytes))).toBeLessThan(most)
      }),
      { numRuns: 30 },
    )
  })
  test('lone halves of pairs', () => {
    for (const half of ['\ud83c', '\udf89', 'x\ud83c']) expect(time(() => estimateText(half.repeat(size / half.length)))).toBeLessThan(most)
  })
})
