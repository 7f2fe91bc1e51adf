import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { ResponseParser } from './parser.ts'
import { ParseFault } from './response-head.ts'

interface Seen {
  heads: { status: number; headers: [string, string][]; hasBody: boolean; coding: string | undefined }[]
  body: string
  bodyCalls: number
  done: boolean
  reusable: boolean
  delimited: boolean
  keepAliveFor: number | undefined
  fault: string | undefined
}

/** Parses the pieces in order, then the closing of the connection. */
function parse(pieces: readonly string[], { bodiless = false, close = true } = {}): Seen {
  const seen: Seen = {
    heads: [],
    body: '',
    bodyCalls: 0,
    done: false,
    reusable: false,
    delimited: true,
    keepAliveFor: undefined,
    fault: undefined,
  }
  const parser = new ResponseParser(
    {
      head: (head, hasBody) => seen.heads.push({ status: head.status, headers: [...head.headers], hasBody, coding: head.coding }),
      body(chunk) {
        seen.body += chunk.toString('latin1')
        seen.bodyCalls += 1
      },
    },
    bodiless,
  )
  try {
    for (const piece of pieces) parser.push(Buffer.from(piece, 'latin1'))
    if (close && !parser.done) parser.close()
  } catch (error) {
    if (!(error instanceof ParseFault)) throw error
    seen.fault = error.kind
  }
  return { ...seen, done: parser.done, reusable: parser.reusable, delimited: parser.delimited, keepAliveFor: parser.keepAliveFor }
}

const ok = 'HTTP/1.1 200 OK\r\n'
const responses: Record<string, { text: string; body?: string; status?: number; reusable?: boolean; delimited?: boolean }> = {
  length: { text: `${ok}Content-Length: 5\r\nX-A: 1\r\n\r\nhello`, body: 'hello', reusable: true },
  'length zero': { text: `${ok}content-length: 0\r\n\r\n`, reusable: true },
  'same length twice': { text: `${ok}content-length: 5, 5\r\nContent-Length: 5\r\n\r\nhello`, body: 'hello', reusable: true },
  chunked: { text: `${ok}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n`, body: 'hello world', reusable: true },
  'chunk extensions and trailers': {
    text: `${ok}transfer-encoding: CHUNKED\r\n\r\n5;a=b;c="d"\r\nhello\r\n00A \t\r\n0123456789\r\n0;x\r\nx-checksum: 1\r\ny: 2\r\n\r\n`,
    body: 'hello0123456789',
    reusable: true,
  },
  'CRLF inside chunk data': { text: `${ok}transfer-encoding: chunked\r\n\r\n4\r\n\r\n\r\n\r\n0\r\n\r\n`, body: '\r\n\r\n', reusable: true },
  'until close (B01)': { text: `${ok}content-type: text/plain\r\n\r\nhello`, body: 'hello', reusable: false, delimited: false },
  'informational before': {
    text: `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${ok}content-length: 2\r\n\r\nok`,
    body: 'ok',
    reusable: true,
  },
  204: { text: 'HTTP/1.1 204 No Content\r\n\r\n', status: 204, reusable: true },
  '304 with a length': { text: 'HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n', status: 304, reusable: true },
  'both framings': {
    text: `${ok}content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
    body: 'hello',
    reusable: false,
  },
  'HTTP/1.0': { text: 'HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok', body: 'ok', reusable: false },
  'HTTP/1.0 kept alive': {
    text: 'HTTP/1.0 200 OK\r\nconnection: Keep-Alive\r\ncontent-length: 2\r\n\r\nok',
    body: 'ok',
    reusable: true,
  },
  'asked to close': { text: `${ok}Connection: close\r\ncontent-length: 2\r\n\r\nok`, body: 'ok', reusable: false },
  'no reason phrase': { text: 'HTTP/1.1 529\r\ncontent-length: 2\r\n\r\nno', body: 'no', status: 529, reusable: true },
}

describe('framing', () => {
  for (const [name, { text, body = '', status = 200, reusable = false, delimited = true }] of Object.entries(responses)) {
    test(name, () => {
      const whole = parse([text])
      expect(whole).toMatchObject({ body, done: true, reusable, delimited, fault: undefined })
      expect(whole.heads.map((head) => head.status)).toEqual([status])
    })
    test(`${name}: the same at every cut and byte by byte (A01)`, () => {
      const { bodyCalls: _, ...whole } = parse([text])
      for (let cut = 1; cut < text.length; cut += 1) {
        const { bodyCalls: __, ...halves } = parse([text.slice(0, cut), text.slice(cut)])
        expect(halves).toEqual(whole)
      }
      const { bodyCalls: __, ...bytes } = parse([...text])
      expect(bytes).toEqual(whole)
    })
    if (delimited) {
      test(`${name}: not complete when cut short (B01)`, () => {
        for (let cut = 0; cut < text.length; cut += 1) expect(parse([text.slice(0, cut)]).done).toBe(false)
      })
    }
  }

  test('HEAD has no body, whatever its headers say', () => {
    expect(parse([`${ok}content-length: 500\r\n\r\n`], { bodiless: true })).toMatchObject({ done: true, reusable: true })
    expect(parse([`${ok}transfer-encoding: chunked\r\n\r\n`], { bodiless: true })).toMatchObject({ done: true, reusable: true })
  })

  test('bytes after the end spoil the connection, not the answer', () => {
    for (const text of [
      `${ok}content-length: 2\r\n\r\nokX`,
      `${ok}transfer-encoding: chunked\r\n\r\n0\r\n\r\nX`,
      'HTTP/1.1 204 x\r\n\r\nX',
    ]) {
      expect(parse([text])).toMatchObject({ done: true, reusable: false, fault: undefined })
    }
  })

  test('the frames of one read come as one chunk; large chunks are not moved', () => {
    const frames = Array.from({ length: 50 }, (_, index) => `data: ${index}\n\n`)
    const chunks = frames.map((frame) => `${frame.length.toString(16)}\r\n${frame}\r\n`).join('')
    expect(parse([`${ok}transfer-encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`])).toMatchObject({ body: frames.join(''), bodyCalls: 1 })
    const large = 'x'.repeat(20_000)
    const two = `4e20\r\n${large}\r\n`
    expect(parse([`${ok}transfer-encoding: chunked\r\n\r\n${two}${two}0\r\n\r\n`])).toMatchObject({ body: large + large, bodyCalls: 2 })
  })
})

describe('head', () => {
  test('drops hop-by-hop headers and those that connection names; keeps repeated ones', () => {
    const text = `${ok}Connection: keep-alive, X-Secret\r\nKeep-Alive: timeout=5, max=100\r\nX-Secret: 1\r\nTE: x\r\nTrailer: y\r\nUpgrade: h2c\r\nProxy-Connection: z\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Two: \t1 \r\nX-Two: 2\r\nContent-Length: 0\r\n\r\n`
    const { heads, keepAliveFor, reusable } = parse([text])
    expect(heads[0]?.headers.sort()).toEqual([
      ['content-length', '0'],
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
      ['x-two', '1, 2'],
    ])
    expect(keepAliveFor).toBe(5000)
    expect(reusable).toBe(true)
  })

  test('content-length does not survive beside transfer-encoding', () => {
    expect(parse([responses['both framings']?.text ?? '']).heads[0]?.headers).toEqual([])
  })

  test('names the content coding; identity is none', () => {
    const coding = (value: string) => parse([`${ok}content-encoding: ${value}\r\ncontent-length: 1\r\n\r\nx`]).heads[0]?.coding
    expect(coding('GZip')).toBe('gzip')
    expect(coding('identity')).toBeUndefined()
  })
})

describe('refused at once', () => {
  const bad: Record<string, string> = {
    'another protocol': 'SSH-2.0-OpenSSH_9.6',
    'HTTP/2': 'HTTP/2 200 OK\r\n',
    'a TLS alert': '\x15\x03\x01\x00\x02',
    'an empty line first': '\r\n',
    'a bare LF': 'HTTP/1.1 200 OK\n',
    'bare LF lines in a whole head': 'HTTP/1.1 200 OK\ncontent-length: 0\r\n\r\n',
    'a bad status': 'HTTP/1.1 2000 OK\r\n\r\n',
    'no status': 'HTTP/1.1  OK\r\n\r\n',
    'switching protocols': 'HTTP/1.1 101 Switching Protocols\r\n\r\n',
    'obs-fold': `${ok}x-a: 1\r\n 2\r\n\r\n`,
    'no colon': `${ok}nonsense\r\n\r\n`,
    'no name': `${ok}: 1\r\n\r\n`,
    'space before the colon': `${ok}content-length : 5\r\n\r\n`,
    'NUL in a value': `${ok}x: a\0b\r\n\r\n`,
    'CR in a value': `${ok}x: a\rb\r\n\r\n`,
    'conflicting lengths': `${ok}content-length: 5\r\ncontent-length: 6\r\n\r\n`,
    'conflicting lengths in one line': `${ok}content-length: 5, 6\r\n\r\n`,
    'negative length': `${ok}content-length: -1\r\n\r\n`,
    'hex length': `${ok}content-length: 0x10\r\n\r\n`,
    'endless length': `${ok}content-length: 99999999999999999999\r\n\r\n`,
    'unknown transfer coding': `${ok}transfer-encoding: gzip, chunked\r\n\r\n`,
    'no chunk size': `${ok}transfer-encoding: chunked\r\n\r\n\r\n`,
    'a bad chunk size': `${ok}transfer-encoding: chunked\r\n\r\nxyz`,
    'a chunk size beyond 2^52': `${ok}transfer-encoding: chunked\r\n\r\nfffffffffffffff`,
    'a chunk longer than its size': `${ok}transfer-encoding: chunked\r\n\r\n2\r\nabc`,
    'a bare LF after a chunk size': `${ok}transfer-encoding: chunked\r\n\r\n2\n`,
    'a bare LF after a chunk': `${ok}transfer-encoding: chunked\r\n\r\n2\r\nab\n`,
    'an endless chunk extension': `${ok}transfer-encoding: chunked\r\n\r\n2;${'x'.repeat(5000)}`,
    'endless trailers': `${ok}transfer-encoding: chunked\r\n\r\n0\r\n${'x: y\r\n'.repeat(300)}`,
    'an endless trailer': `${ok}transfer-encoding: chunked\r\n\r\n0\r\n${'x'.repeat(70_000)}`,
    'informational for ever': 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(40),
  }
  for (const [name, text] of Object.entries(bad)) {
    test(name, () => {
      expect(parse([text], { close: false }).fault).toBe('protocol')
      expect(parse([...text], { close: false }).fault).toBe('protocol')
    })
  }

  test('heads over the limits', () => {
    for (const text of [`${ok}x: ${'y'.repeat(66_000)}`, `${ok}x: ${'y'.repeat(66_000)}\r\n\r\n`, `${ok}${'x: y\r\n'.repeat(257)}\r\n`]) {
      expect(parse([text], { close: false }).fault).toBe('too_large')
      expect(parse([...text], { close: false }).fault).toBe('too_large')
    }
    expect(parse([`${ok}${'x: y\r\n'.repeat(255)}content-length: 0\r\n\r\n`]).done).toBe(true)
    expect(parse([`${ok}x: ${'y'.repeat(65_000)}\r\ncontent-length: 0\r\n\r\n`]).done).toBe(true)
  })

  test('what came before a fault is delivered', () => {
    expect(parse([`${ok}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\nzz`], { close: false })).toMatchObject({
      body: 'hello',
      fault: 'protocol',
    })
  })
})

test('fuzz: any chunking, any cuts, any garbage in the middle: same result as in one piece, and never a hang or a crash', () => {
  const byte = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code))
  const text = fc.string({ unit: byte, maxLength: 40 })
  const chunked = fc
    .array(
      text.filter((part) => part !== ''),
      { maxLength: 12 },
    )
    .map((parts) => ({
      text: `${ok}transfer-encoding: chunked\r\n\r\n${parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('')}0\r\n\r\n`,
      body: parts.join(''),
    }))
  fc.assert(
    fc.property(chunked, fc.array(fc.nat(400), { maxLength: 8 }), fc.option(fc.tuple(fc.nat(400), text)), (response, cuts, damage) => {
      let wire = response.text
      if (damage !== null) wire = wire.slice(0, damage[0]) + damage[1] + wire.slice(damage[0] + damage[1].length)
      const at = [...new Set(cuts.filter((cut) => cut > 0 && cut < wire.length))].sort((a, b) => a - b)
      const pieces = [0, ...at].map((cut, index) => wire.slice(cut, at[index] ?? wire.length))
      const { bodyCalls: _, ...whole } = parse([wire])
      const { bodyCalls: __, ...cut } = parse(pieces)
      expect(cut).toEqual(whole)
      if (damage === null) expect(whole).toMatchObject({ body: response.body, done: true, reusable: true })
    }),
    { numRuns: 500 },
  )
})

test('1-byte chunks and a head that drips cost linear time', () => {
  const time = (count: number): number => {
    const chunks = Buffer.from('1\r\na\r\n'.repeat(count))
    const started = process.threadCpuUsage()
    const parser = new ResponseParser({ head() {}, body() {} }, false)
    parser.push(Buffer.from(`${ok}transfer-encoding: chunked\r\n\r\n`))
    parser.push(chunks)
    const { user, system } = process.threadCpuUsage(started)
    return user + system
  }
  // the clock of a thread has coarse steps: sums of long runs
  const three = (count: number) => time(count) + time(count) + time(count)
  three(100_000)
  const small = three(100_000)
  const large = three(1_000_000)
  expect(large / small).toBeLessThan(40) // linear is 10, quadratic 100
})
