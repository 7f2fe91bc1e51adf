import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { commentText, endsAtBoundary, frameText, type SseFrame, SseFrameTooLarge, SseReader } from './sse.ts'

const utf8 = new TextEncoder()

/** Reads `bytes` cut at the given places. */
function read(bytes: Uint8Array, cuts: readonly number[] = []): SseFrame[] {
  const reader = new SseReader()
  const frames: SseFrame[] = []
  let from = 0
  for (const cut of [...cuts, bytes.length]) {
    frames.push(...reader.push(bytes.subarray(from, cut)))
    from = cut
  }
  frames.push(...reader.end())
  expect(reader.pending).toBe(0)
  return frames
}
const shown = (frames: readonly SseFrame[]) => frames.filter((f) => f.data !== '' || f.event).map((f) => [f.event, f.data])
const joined = (frames: readonly SseFrame[]) => Buffer.concat(frames.map((f) => f.raw))

const story = [
  ': OPENROUTER PROCESSING',
  '',
  'event: message',
  'id: 7',
  'retry: 100',
  'data: {"a":"日本 🎉"}   ',
  '',
  'data:no space',
  'data:  two spaces',
  'data',
  '',
  '',
  '',
  'data: [DONE]',
  '',
  '',
]
const storyShown = [
  ['message', '{"a":"日本 🎉"}   '],
  [undefined, 'no space\n two spaces\n'],
  [undefined, '[DONE]'],
]

describe('reader', () => {
  for (const [name, newline] of [
    ['LF', '\n'],
    ['CRLF', '\r\n'],
    ['CR', '\r'],
  ] as const) {
    test(`A01 A02 A03 A04 I02: ${name}, every single cut and every two-byte cut`, () => {
      const bytes = utf8.encode(story.join(newline))
      expect(shown(read(bytes))).toEqual(storyShown)
      for (let i = 0; i <= bytes.length; i++) {
        const frames = read(bytes, [i])
        expect(shown(frames)).toEqual(storyShown)
        expect(joined(frames).equals(bytes)).toBe(true)
        expect(shown(read(bytes, [i, Math.min(i + 1, bytes.length)]))).toEqual(storyShown)
      }
      expect(shown(read(bytes, [...bytes.keys()]))).toEqual(storyShown)
    })
  }

  test('A02: mixed newlines', () => {
    expect(shown(read(utf8.encode('data: a\r\n\ndata: b\n\r\ndata: c\r\rdata: d\n\ndata: e\r\n\r\n')))).toEqual(
      ['a', 'b', 'c', 'd', 'e'].map((x) => [undefined, x]),
    )
  })

  test('A02: a frame is given out when its LF LF, CR LF CR LF or CR CR has arrived, not later', () => {
    for (const end of ['\n\n', '\r\n\r\n', '\r\r']) {
      const reader = new SseReader()
      expect(reader.push(utf8.encode(`data: x${end}`)).map((f) => f.data)).toEqual(['x'])
      expect(reader.pending).toBe(0)
    }
  })

  test('A06: BOM before the first event, whole and cut, also alone on its line', () => {
    for (const text of ['data: a\n\ndata: b\n\n', '\ndata: a\n\ndata: b\n\n']) {
      const bytes = Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(text)])
      for (let i = 0; i <= bytes.length; i++) {
        const frames = read(bytes, [i])
        expect(shown(frames)).toEqual([
          [undefined, 'a'],
          [undefined, 'b'],
        ])
        expect(joined(frames).equals(bytes)).toBe(true)
      }
    }
  })

  test('missing final blank line, and no newline at all', () => {
    expect(shown(read(utf8.encode('data: a\n\ndata: b\n')))).toEqual([
      [undefined, 'a'],
      [undefined, 'b'],
    ])
    expect(shown(read(utf8.encode('data: a\n\ndata: b')))).toEqual([
      [undefined, 'a'],
      [undefined, 'b'],
    ])
  })

  test('property: raws add up to the input for any bytes and cuts, and cuts change nothing', () => {
    const piece = fc.constantFrom('data', ':', ' ', '\n', '\r', '\r\n', 'x', 'event: e', 'data: ü🎉', '\uFEFF', ': c', '\n\n')
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), fc.array(fc.nat(200), { maxLength: 8 }), (pieces, at) => {
        const bytes = utf8.encode(pieces.join(''))
        const cuts = at.filter((i) => i <= bytes.length).sort((a, b) => a - b)
        const frames = read(bytes, cuts)
        expect(joined(frames).equals(bytes)).toBe(true)
        expect(shown(frames)).toEqual(shown(read(bytes)))
      }),
      { numRuns: 2000 },
    )
  })

  test('A05 I04: a 16 MB line in 4 KB reads, in linear time', () => {
    const time = (size: number): number => {
      const reader = new SseReader()
      const chunk = Buffer.alloc(4096, 'x')
      const before = process.cpuUsage()
      reader.push(utf8.encode('data: '))
      for (let sent = 0; sent < size; sent += chunk.length) expect(reader.push(chunk).length).toBe(0)
      const [frame] = reader.push(utf8.encode('\n\n'))
      expect(frame?.data.length).toBe(size)
      const used = process.cpuUsage(before)
      return used.user + used.system
    }
    time(1 << 20)
    const small = Math.max(time(1 << 20), 1000)
    expect(time(16 << 20)).toBeLessThan(small * 16 * 8)
  })

  test('I04: a frame of many short CR lines in one chunk, in linear time', () => {
    const lines = 200_000
    const before = process.cpuUsage()
    const [frame] = read(utf8.encode(`${': c\r'.repeat(lines)}data: x\r\r`))
    expect(frame?.data).toBe('x')
    const used = process.cpuUsage(before)
    expect(used.user + used.system).toBeLessThan(2_000_000)
  })

  test('a frame over the limit is refused, in one chunk and in many', () => {
    const reader = new SseReader({ maxFrame: 100 })
    expect(() => reader.push(Buffer.alloc(101, 'x'))).toThrow(SseFrameTooLarge)
    const other = new SseReader({ maxFrame: 100 })
    expect(() => {
      for (let i = 0; i < 20; i++) other.push(Buffer.alloc(10, 'x'))
    }).toThrow(SseFrameTooLarge)
    expect(() => new SseReader({ maxFrame: 100 }).push(utf8.encode(`data: ${'x'.repeat(100)}\n\n`))).toThrow(SseFrameTooLarge)
  })
})

describe('writer', () => {
  test('one data line per line of data, read back equal', () => {
    expect(frameText('error', '{}')).toBe('event: error\ndata: {}\n\n')
    expect(frameText(undefined, 'a\nb\r\nc')).toBe('data: a\ndata: b\ndata: c\n\n')
    expect(shown(read(utf8.encode(frameText('e', 'a\nb'))))).toEqual([['e', 'a\nb']])
  })
  test('a comment cannot smuggle fields', () => {
    expect(commentText('x\r\ndata: y\n\n')).toBe(': x data: y \n\n')
  })
  test('boundaries', () => {
    for (const yes of ['data: x\n\n', 'x\r\n\r\n', 'x\r\r']) expect(endsAtBoundary(utf8.encode(yes))).toBe(true)
    for (const no of ['', '\n', 'x\n', 'x\r\n', 'x\r', 'x\r\n\r', '\r\n']) expect(endsAtBoundary(utf8.encode(no))).toBe(false)
  })
})
