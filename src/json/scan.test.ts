import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { plainQuoteIndex, type QuoteIndex, vectorQuoteIndex, WINDOW } from './quote-index.ts'
import { jsonText, objectText } from './scan.arbitrary.ts'
import { checkJson, scanTopLevel } from './scan.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')

function accepted(text: string) {
  const found = scanTopLevel(encode(text))
  if (!found.ok) throw new Error(found.message)
  return found
}

function refused(text: string, maxDepth?: number) {
  const found = scanTopLevel(encode(text), maxDepth)
  if (found.ok) throw new Error('accepted')
  return found
}

/** JSON.parse's verdict once the insides of strings, which the scan does not check, are made harmless. */
function structureIsValid(bytes: Uint8Array): boolean {
  const text = latin1(bytes).replace(/^\xef\xbb\xbf/, '')
  try {
    JSON.parse(text.replace(/"(?:[^"\\]|\\[\s\S])*"/g, '"x"'))
    return true
  } catch {
    return false
  }
}

describe('scanTopLevel', () => {
  test('finds model and stream at the top level only', () => {
    const text = '{"a":[{"model":"no","stream":false}], "model" : "yes" ,"stream":true, "b":"model"}'
    const found = accepted(text)
    expect(found).toMatchObject({ model: 'yes', stream: true, modelCount: 1 })
    expect(text.slice(found.modelStart, found.modelEnd)).toBe('"yes"')
  })

  test('A14: no stream, or null, is no stream', () => {
    expect(accepted('{}')).toEqual({ ok: true, model: '', modelStart: -1, modelEnd: -1, modelCount: 0, stream: false, checked: true })
    expect(accepted('{"stream":null}').stream).toBe(false)
    expect(accepted('{"stream":true,"stream":false}').stream).toBe(false)
  })

  test('of duplicate members the last wins, and the span is its span', () => {
    const text = '{"model":"cheap","n":1,"model":"dear"}'
    const found = accepted(text)
    expect(found.model).toBe('dear')
    expect(found.modelCount).toBe(2)
    expect(found.modelStart).toBe(text.indexOf('"dear"'))
    expect(accepted('{"model":3,"model":"x"}').model).toBe('x')
    expect(refused('{"model":"x","model":3}').kind).toBe('bad_type')
  })

  test('names and values spelled with escapes are understood', () => {
    expect(accepted('{"mod\\u0065l":"x"}').model).toBe('x')
    expect(accepted('{"model":"cheap","\\u006d\\u006f\\u0064\\u0065\\u006c":"dear"}')).toMatchObject({ model: 'dear', modelCount: 2 })
    expect(accepted('{"\\u0073\\u0074\\u0072\\u0065\\u0061\\u006D":true}').stream).toBe(true)
    expect(accepted('{"model":"a\\/b\\"\\u00e9"}').model).toBe('a/b"é')
    expect(accepted('{"mod\\\\u0065l":"x"}').model).toBe('')
  })

  test('A06: a byte order mark is skipped; offsets count it', () => {
    const found = accepted('\ufeff {"model":"é"}')
    expect(found.model).toBe('é')
    expect(found.modelStart).toBe(13)
    expect(refused('\ufeff').kind).toBe('empty')
    expect(refused('\ufeff\ufeff{}').kind).toBe('syntax')
  })

  test.each([
    ['', 'empty', 0],
    [' \n', 'empty', 2],
    ['[{}]', 'not_object', 0],
    ['"x"', 'not_object', 0],
    [' 12', 'not_object', 1],
    ['null', 'not_object', 0],
    ['nul', 'syntax', 3],
    ['<html>', 'syntax', 0],
    ['{"a":1', 'syntax', 6],
    ['{"a":"x', 'syntax', 7],
    ['{"a":[1}', 'syntax', 7],
    ['{"a":1}}', 'syntax', 7],
    ['{"a":1}"', 'syntax', 7],
    ['{"a":1} x', 'syntax', 8],
    ['{"a" 1}', 'syntax', 5],
    ['{"a":1,}', 'syntax', 7],
    ['{"a" "b":1}', 'syntax', 5],
    ['{"a":["b":1]}', 'syntax', 9],
    ['{"a":[,1]}', 'syntax', 6],
    ['{"a":{,}}', 'syntax', 6],
    ['{"a":"b""c"}', 'syntax', 8],
    ['{a:1}', 'syntax', 1],
    ['{"a":01}', 'syntax', 6],
    ['{"a":-}', 'syntax', 6],
    ['{"a":1.}', 'syntax', 7],
    ['{"a":1e+}', 'syntax', 8],
    ['{"a":tru}', 'syntax', 8],
    ['{"a":1 2}', 'syntax', 7],
    ['{"a":\0}', 'syntax', 5],
    ['{\\"a":1}', 'syntax', 1],
    ['{"a":1"b":2}', 'syntax', 6],
    ['{"model":"a\nb"}', 'syntax', 9],
  ])('refuses %j as %s at %d', (text, kind, offset) => {
    expect(refused(text)).toMatchObject({ kind: kind as 'syntax', offset })
  })

  test('wrong types are named, after the whole body was checked', () => {
    expect(refused('{"model":null}')).toMatchObject({ kind: 'bad_type', param: 'model', offset: 9 })
    expect(refused('{"model":{"a":1}}')).toMatchObject({ kind: 'bad_type', param: 'model' })
    expect(refused('{"stream":"true"}')).toMatchObject({ kind: 'bad_type', param: 'stream', offset: 10 })
    expect(refused('{"stream":1}')).toMatchObject({ kind: 'bad_type', param: 'stream' })
    expect(refused('{"model":1,').kind).toBe('syntax')
  })

  test('depth is limited, and messages say where', () => {
    const nested = (depth: number) => `${'{"a":'.repeat(depth - 1)}{}${'}'.repeat(depth - 1)}`
    expect(accepted(nested(200)).ok).toBe(true)
    expect(refused(nested(201))).toMatchObject({ kind: 'too_deep', offset: 1000 })
    expect(refused(`{"a":${'['.repeat(1_000_000)}`).kind).toBe('too_deep')
    expect(refused(nested(6), 5).kind).toBe('too_deep')
    expect(refused('{\n "a": x}').message).toContain('line 2, column 7')
  })

  test('agrees with JSON.parse on every truncation', () => {
    const text = encode('\ufeff{"a\\"\\\\":[1,-0.5e+10,{"b":null}],"model":"m\\u00e9","stream":true,"":"","x":[[],{}]} ')
    for (let end = 0; end <= text.length; end++) {
      const part = text.slice(0, end)
      expect([end, checkJson(part) === null]).toEqual([end, structureIsValid(part)])
    }
  })

  test('agrees with JSON.parse after random changes of bytes', () => {
    const change = fc.record({
      at: fc.nat(),
      byte: fc.oneof(fc.constantFrom(...encode('{}[]",:\\0-.e+tfn \n')), fc.nat(255)),
      kind: fc.nat(2),
    })
    fc.assert(
      fc.property(jsonText, fc.array(change, { maxLength: 4 }), (text, changes) => {
        const bytes = [...encode(text)]
        for (const { at, byte, kind } of changes) bytes.splice(at % (bytes.length + 1), kind === 0 ? 0 : 1, ...(kind === 2 ? [] : [byte]))
        const body = new Uint8Array(bytes)
        return (checkJson(body) === null) === structureIsValid(body)
      }),
      { numRuns: 3000 },
    )
  })

  test('model and stream are what JSON.parse says', () => {
    fc.assert(
      fc.property(objectText, (text) => {
        const value = JSON.parse(text) as Record<string, unknown>
        const model = Object.hasOwn(value, 'model') ? value.model : ''
        const stream = Object.hasOwn(value, 'stream') ? (value.stream ?? false) : false
        const found = scanTopLevel(encode(text))
        if (typeof model !== 'string' || typeof stream !== 'boolean') {
          expect(found).toMatchObject({ ok: false, kind: 'bad_type', param: typeof model === 'string' ? 'stream' : 'model' })
          return
        }
        if (!found.ok) throw new Error(found.message)
        expect([found.model, found.stream]).toEqual([model, stream])
        if (found.modelStart !== -1) expect(JSON.parse(Buffer.from(text).toString('utf8', found.modelStart, found.modelEnd))).toBe(model)
      }),
      { numRuns: 2000 },
    )
  })

  test('bodies of several windows are checked as one', () => {
    fc.assert(
      fc.property(objectText, fc.nat(300), fc.boolean(), (text, shift, slashes) => {
        const pad = (slashes ? '\\' : 'x').repeat((WINDOW - shift) & ~1)
        const body = encode(`{"pad":"${pad}","v":${text},"model":"last"}`)
        const found = scanTopLevel(body)
        return found.ok && found.model === 'last' && !scanTopLevel(body.subarray(0, -1)).ok
      }),
      { numRuns: 200 },
    )
  })

  test('time stays linear for hostile bodies', () => {
    const wrap = (inner: string) => encode(`{"a":${inner}}`)
    const makers: Record<string, (size: number) => Uint8Array> = {
      backslashes: (size) => wrap(`"${'\\'.repeat(size)}"`),
      quotes: (size) => wrap(`"${'\\"'.repeat(size / 2)}"`),
      'empty strings': (size) => wrap(`[${'"",'.repeat(size / 3)}""]`),
      'open string': (size) => encode(`{"a":"${'\\'.repeat(size)}`),
      'duplicate models': (size) => encode(`{${'"model":"x",'.repeat(size / 12)}"model":"y"}`),
      'escaped keys': (size) => encode(`{${'"\\u006dodel":"x",'.repeat(size / 17)}"model":"y"}`),
      'lines then a fault': (size) => encode(`{${'\n'.repeat(size)}x`),
    }
    for (const [name, make] of Object.entries(makers)) {
      const time = (body: Uint8Array): number => {
        let best = Number.POSITIVE_INFINITY
        for (let run = 0; run < 5; run++) {
          const start = Bun.nanoseconds()
          scanTopLevel(body)
          best = Math.min(best, Bun.nanoseconds() - start)
        }
        return best
      }
      const small = make(300_000)
      const large = make(3_000_000)
      time(small)
      const ratio = time(large) / time(small)
      expect([name, ratio < 40 ? 'linear' : `${ratio} times`]).toEqual([name, 'linear'])
    }
  })
})

describe('quote index', () => {
  const vector = vectorQuoteIndex()
  const all = (index: QuoteIndex, bytes: Uint8Array, step: number): number[] => {
    const found: number[] = []
    let escaped: 0 | 1 = 0
    for (let start = 0; start < bytes.length; start += step) {
      const result = index.find(bytes, start, Math.min(bytes.length, start + step), escaped)
      for (let k = 0; k < result >>> 1; k++) found.push(start + index.positions[k]!)
      escaped = (result & 1) as 0 | 1
    }
    return found
  }
  const naive = (bytes: Uint8Array): number[] => {
    const found: number[] = []
    for (let at = 0; at < bytes.length; at++) {
      if (bytes[at] === 0x5c) at++
      else if (bytes[at] === 0x22) found.push(at)
    }
    return found
  }

  test.skipIf(vector === null)('the vector loop and the plain one agree with a byte loop, however the bytes are cut', () => {
    const bytes = fc.array(fc.constantFrom(0x22, 0x5c, 0x5c, 0x61, 0xff), { maxLength: 400 }).map((list) => new Uint8Array(list))
    fc.assert(
      fc.property(bytes, fc.constantFrom(64, 128, 192), (body, step) => {
        const expected = naive(body)
        expect(all(vector!, body, step)).toEqual(expected)
        expect(all(plainQuoteIndex(), body, step)).toEqual(expected)
      }),
      { numRuns: 1500 },
    )
  })

  test('a window full of quotes fits', () => {
    const body = new Uint8Array(WINDOW + 70).fill(0x22)
    for (const index of [vector, plainQuoteIndex()]) if (index !== null) expect(all(index, body, WINDOW)).toEqual(naive(body))
  })
})
