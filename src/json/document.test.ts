import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { type Json, JsonDocument, JsonSyntaxError, PointerError } from './document.ts'
import { formatPointer } from './pointer.ts'
import { jsonText, someKey, someValue } from './scan.arbitrary.ts'
import { scanTopLevel } from './scan.ts'
import { childSpans, rootSpan } from './spans.ts'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const decode = (bytes: Uint8Array): string => new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
const doc = (text: string): JsonDocument => new JsonDocument(encode(text))

/** Equality of JSON values that sees own `__proto__` members and does not depend on the order of members. */
function equal(a: unknown, b: unknown): boolean {
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return Object.is(a, b)
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const keys = Object.keys(a)
  if (keys.length !== Object.keys(b).length) return false
  return keys.every((key) => Object.hasOwn(b, key) && equal((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]))
}

// The reference model: the same edits done in place on what JSON.parse gives.

type Plain = { [key: string]: unknown } | unknown[]
const isPlain = (value: unknown): value is Plain => value !== null && typeof value === 'object'
const own = (container: Plain, key: string): unknown =>
  Object.hasOwn(container, key) ? (container as { [key: string]: unknown })[key] : undefined
const define = (container: Plain, key: string, value: unknown) =>
  Object.defineProperty(container, key, { value, enumerable: true, configurable: true, writable: true })

interface Step {
  readonly kind: 'set' | 'remove' | 'mark' | 'undo'
  readonly path: readonly number[]
  readonly key: string
  readonly value: unknown
}

/** Where a step leads in the value as it is now: a walk by random numbers that may end at a place that does not exist yet. */
function choose(value: unknown, step: Step): string[] {
  const tokens: string[] = []
  for (const number of step.path) {
    if (!isPlain(value)) break
    const keys = Object.keys(value)
    const pick = number % (keys.length + 2)
    if (pick === keys.length) {
      tokens.push(Array.isArray(value) ? (number % 2 === 0 ? '-' : String(value.length)) : step.key)
      break
    }
    if (pick > keys.length) break
    tokens.push(keys[pick]!)
    value = own(value, keys[pick]!)
  }
  return tokens
}

function applyNaively(root: { value: unknown }, step: Step, tokens: readonly string[]): void {
  const replacement = JSON.parse(JSON.stringify(step.value)) as unknown
  const last = tokens.at(-1)
  if (last === undefined) {
    if (step.kind === 'set') root.value = replacement
    return
  }
  const parent = tokens.slice(0, -1).reduce<unknown>((value, token) => own(value as Plain, token), root.value) as Plain
  if (step.kind === 'set') {
    if (Array.isArray(parent)) parent[last === '-' ? parent.length : Number(last)] = replacement
    else define(parent, last, replacement)
  } else if (Array.isArray(parent)) {
    if (Number(last) < parent.length) parent.splice(Number(last), 1)
  } else delete parent[last]
}

const steps = fc.array(
  fc.record<Step>({
    kind: fc.constantFrom('set', 'set', 'set', 'remove', 'remove', 'mark', 'undo'),
    path: fc.array(fc.nat(60), { maxLength: 5 }),
    key: someKey,
    value: someValue,
  }),
  { maxLength: 8 },
)

describe('JsonDocument', () => {
  test('F01: any edits of any text give the edited value, and the bytes before the first edit stay', () => {
    fc.assert(
      fc.property(jsonText, fc.boolean(), steps, fc.nat(3), (text, marked, list, look) => {
        const source = encode(marked ? `\ufeff${text}` : text)
        const edited = new JsonDocument(source)
        const reference: { value: unknown } = { value: JSON.parse(text) }
        const marks: { mark: ReturnType<JsonDocument['mark']>; value: unknown; output: string }[] = []
        for (const [index, step] of list.entries()) {
          if (step.kind === 'mark') marks.push({ mark: edited.mark(), value: copyOf(reference.value), output: decode(edited.output()) })
          else if (step.kind === 'undo') {
            const back = marks.pop()
            if (back === undefined) continue
            edited.undo(back.mark)
            reference.value = back.value
            expect(decode(edited.output())).toBe(back.output)
          } else {
            const tokens = choose(reference.value, step)
            if (step.kind === 'remove' && tokens.length === 0) continue
            const pointer = formatPointer(tokens)
            if (step.kind === 'set') edited.set(pointer, step.value as Json)
            else edited.remove(pointer)
            applyNaively(reference, step, tokens)
            if (!tokens.includes('-'))
              expect(edited.at(pointer) === undefined).toBe(step.kind === 'remove' && naiveAt(reference.value, tokens) === undefined)
          }
          if (index % 4 === look) expect(equal(edited.value, reference.value)).toBe(true)
        }
        const output = edited.output()
        expect(equal(JSON.parse(new TextDecoder().decode(output)), reference.value)).toBe(true)
        expect(equal(edited.value, reference.value)).toBe(true)
        if (edited.firstEdit === -1) {
          expect(output).toBe(source)
          expect(edited.edits()).toEqual([])
        } else {
          expect(output).not.toEqual(source)
          expect(output.subarray(0, edited.firstEdit)).toEqual(source.subarray(0, edited.firstEdit))
          expect(spliced(source, edited)).toEqual(output)
        }
        expect(decode(source)).toBe(marked ? `\ufeff${text}` : text)
      }),
      { numRuns: 3000 },
    )
  })

  test('F01: one replacement touches one value of the source and nothing else', () => {
    fc.assert(
      fc.property(jsonText, fc.array(fc.nat(60), { maxLength: 5 }), (text, path) => {
        const source = encode(text)
        const { start, end } = someSpan(source, path)
        const edited = new JsonDocument(source)
        edited.setSpan(start, end, '"⟦new⟧"')
        expect(decode(edited.output())).toBe(`${decode(source.subarray(0, start))}"⟦new⟧"${decode(source.subarray(end))}`)
        const other = new JsonDocument(source)
        const mark = other.mark()
        other.set('', other.value)
        other.undo(mark)
        other.setSpan(start, end, '"⟦new⟧"')
        expect(equal(other.value, edited.value)).toBe(true)
      }),
    )
  })

  test('spans and pointers compose in the order of the calls', () => {
    const text = '{"model": "a", "messages":[{"content":"x"}]}'
    const found = scanTopLevel(encode(text))
    if (!found.ok) throw new Error(found.message)
    const edited = doc(text)
    edited.setSpan(found.modelStart, found.modelEnd, '"b"')
    expect(edited.at('/model')).toBe('b')
    edited.set('/messages/0/content', 'y')
    expect(decode(edited.output())).toBe('{"model": "b", "messages":[{"content":"y"}]}')
    const mark = edited.mark()
    edited.set('/model', 'c')
    expect(decode(edited.output())).toBe('{"model": "c", "messages":[{"content":"y"}]}')
    edited.setSpan(found.modelStart, found.modelEnd, '"d"')
    expect(edited.at('/model')).toBe('d')
    edited.undo(mark)
    expect(edited.value).toEqual({ model: 'b', messages: [{ content: 'y' }] })
    edited.setSpan(found.modelStart, found.modelEnd, '"a"')
    expect(edited.edits()).toEqual([{ start: 38, end: 41, text: '"y"' }])
    edited.remove('/model')
    expect(() => edited.setSpan(found.modelStart, found.modelEnd, '"e"')).toThrow(RangeError)
    expect(() => doc(text).setSpan(40, 400, '1')).toThrow(RangeError)
  })

  test('a later replacement of the same span wins, an overlapping one is refused', () => {
    const edited = doc('{"a":[1,2]}')
    edited.setSpan(6, 7, '8')
    edited.setSpan(6, 7, '9')
    expect(decode(edited.output())).toBe('{"a":[9,2]}')
    expect(() => edited.setSpan(5, 10, '[]')).toThrow(RangeError)
  })

  test('F01: spellings, white space, order and other duplicates survive', () => {
    const edited = doc('{ "n": 1.0e5, "big":12345678901234567890 ,"x":{"k":1,"k":2},\n "s":"\\u00e9\\/", "z": [ 1 , 2 ] }')
    edited.set('/z/1', { deep: [true] })
    edited.set('/new', null)
    edited.remove('/s')
    expect(decode(edited.output())).toBe(
      '{ "n": 1.0e5, "big":12345678901234567890 ,"x":{"k":1,"k":2}, "z": [ 1 , {"deep":[true]} ],"new":null }',
    )
    expect(edited.firstEdit).toBe(decode(edited.source).indexOf(',\n "s"'))
  })

  test('commas stay right whatever is removed and added', () => {
    const cases: [string, (edited: JsonDocument) => void, string][] = [
      ['[1, 2, 3]', (d) => d.remove('/0'), '[2, 3]'],
      ['[1, 2, 3]', (d) => d.remove('/2'), '[1, 2]'],
      ['[1, 2, 3]', (d) => [d.remove('/0'), d.remove('/0'), d.remove('/0')], '[]'],
      ['[ 1 ]', (d) => [d.remove('/0'), d.set('/-', 2)], '[ 2 ]'],
      ['[1,2,3]', (d) => [d.remove('/1'), d.set('/1', 9), d.set('/2', 4)], '[1,9,4]'],
      ['[]', (d) => [d.set('/0', 1), d.set('/-', 2)], '[1,2]'],
      ['{ }', (d) => d.set('/a', 1), '{"a":1 }'],
      ['{"a":1,"b":2,"a":3}', (d) => d.remove('/a'), '{"b":2}'],
      ['{"a":1,"b":2,"a":3}', (d) => d.set('/a', 4), '{"b":2,"a":4}'],
      ['{"a":{"x":0},"b":2,"a":{"x":1}}', (d) => d.set('/a/x', 4), '{"b":2,"a":{"x":4}}'],
      ['{"a":1}', (d) => [d.set('/b', { c: 1 }), d.set('/b/c', 2), d.remove('/a')], '{"b":{"c":2}}'],
    ]
    for (const [source, edit, expected] of cases) {
      const edited = doc(source)
      edit(edited)
      expect(decode(edited.output())).toBe(expected)
    }
  })

  test('an edited model leaves no earlier duplicate for a reader that takes the first', () => {
    const edited = doc('{"model":"dear", "n":1,"mod\\u0065l":"cheap"}')
    edited.set('/model', 'allowed')
    expect(decode(edited.output())).toBe('{"n":1,"mod\\u0065l":"allowed"}')
  })

  test('setting what is there already is no edit', () => {
    const edited = doc('{"a":"x","b":[1,{"c":2}]}')
    edited.set('/a', 'x')
    edited.set('/b/1', { c: 2 })
    edited.set('/b/2', 1)
    edited.remove('/b/2')
    expect(edited.firstEdit).toBe(-1)
    expect(edited.output()).toBe(edited.source)
    edited.set('/a', 'xy')
    expect(edited.firstEdit).toBe(7)
  })

  test('A06: a byte order mark stays untouched without edits and goes with the first one', () => {
    const edited = doc('\ufeff{"a":1}')
    expect(edited.value).toEqual({ a: 1 })
    edited.set('/a', 1)
    expect(edited.output()).toBe(edited.source)
    edited.set('/a', 2)
    expect(decode(edited.output())).toBe('{"a":2}')
    expect(edited.firstEdit).toBe(0)
    expect(edited.edits()[0]).toEqual({ start: 0, end: 3, text: '' })
  })

  test('odd names and strings', () => {
    const edited = doc('{"__proto__":1}')
    edited.set('/constructor', { __proto__: null, x: '\ud800' })
    expect(decode(edited.output())).toBe('{"__proto__":1,"constructor":{"x":"\\ud800"}}')
    expect(edited.at('/toString')).toBeUndefined()
    edited.set('/__proto__', 2)
    expect(Object.hasOwn(edited.value as object, '__proto__')).toBe(true)
    edited.remove('/__proto__')
    expect(decode(edited.output())).toBe('{"constructor":{"x":"\\ud800"}}')
  })

  test('views taken earlier, and objects given by the caller, do not change later', () => {
    const edited = doc('{"a":{"b":1}}')
    const before = edited.value
    const mine = { b: 2 }
    edited.set('/a', mine)
    mine.b = 3
    expect(before).toEqual({ a: { b: 1 } })
    expect(edited.value).toEqual({ a: { b: 2 } })
  })

  test.each(['a', '/a~2', '/x/y', '/n/0', '/list/5', '/list/01', '/list/x', '/list/-/a', '/in/n/x'])(
    'set %j is refused and changes nothing',
    (pointer) => {
      const edited = doc('{"n":1,"list":[1],"in":0,"in":2}')
      edited.set('/in', { n: 1 })
      const before = decode(edited.output())
      expect(() => edited.set(pointer, 1)).toThrow(PointerError)
      expect(decode(edited.output())).toBe(before)
      expect(edited.value).toEqual({ n: 1, list: [1], in: { n: 1 } })
    },
  )

  test('removing what is not there changes nothing', () => {
    const edited = doc('{"n":1,"list":[1]}')
    for (const pointer of ['/x', '/x/y', '/n/0', '/list/1', '/list/-', '/list/00']) edited.remove(pointer)
    expect(edited.firstEdit).toBe(-1)
    expect(() => edited.remove('')).toThrow(PointerError)
  })

  test('time stays linear for hostile bodies', () => {
    const makers: Record<string, (size: number) => string> = {
      backslashes: (size) => '\\\\'.repeat(size / 2),
      quotes: (size) => '\\"'.repeat(size / 2),
      strings: (size) => '","'.repeat(size / 3),
      members: (size) => `"}${',"a":1'.repeat(size / 6)},"b":{"c":"`,
    }
    for (const [name, make] of Object.entries(makers)) {
      const time = (size: number): number => {
        const body = encode(name === 'members' ? `{"x":{"y":"${make(size)}"}}` : `{"x":["${make(size)}"]}`)
        let best = Number.POSITIVE_INFINITY
        for (let run = 0; run < 3; run++) {
          const start = Bun.nanoseconds()
          const edited = new JsonDocument(body)
          if (name === 'members') edited.set('/a', 2)
          else edited.set('/x/0', 'y')
          edited.output()
          best = Math.min(best, Bun.nanoseconds() - start)
        }
        return best
      }
      time(200_000)
      const ratio = time(2_000_000) / time(200_000)
      expect([name, ratio < 40 ? 'linear' : `${ratio} times`]).toEqual([name, 'linear'])
    }
  })

  test('what is not JSON is refused with its offset', () => {
    const offset = (text: string, use: (edited: JsonDocument) => unknown): number => {
      try {
        use(doc(text))
      } catch (error) {
        if (error instanceof JsonSyntaxError) return error.offset
        throw error
      }
      return -1
    }
    expect(offset('{"a":}', (d) => d.value)).toBe(5)
    expect(offset('{"a":}', (d) => d.set('/a', 1))).toBe(5)
    expect(offset('{"a\\"":"x\\q"}', (d) => d.value)).toBe(9)
    expect(offset('{"a":"x\ny"}', (d) => d.value)).toBe(7)
    expect(offset('{"a":"\\u12g4"}', (d) => d.value)).toBe(6)
    expect(offset(`${'['.repeat(100_000)}${']'.repeat(100_000)}`, (d) => d.value)).toBe(200)
  })
})

/** A deep copy that keeps -0 and own `__proto__` members. */
function copyOf(value: unknown): unknown {
  if (!isPlain(value)) return value
  if (Array.isArray(value)) return value.map(copyOf)
  const copy: Plain = {}
  for (const key of Object.keys(value)) define(copy, key, copyOf(own(value, key)))
  return copy
}

function naiveAt(value: unknown, tokens: readonly string[]): unknown {
  return tokens.reduce<unknown>((here, token) => (isPlain(here) ? own(here, token) : undefined), value)
}

/** The output as `edits()` tells it. */
function spliced(source: Uint8Array, edited: JsonDocument): Uint8Array {
  const parts: Uint8Array[] = []
  let from = 0
  for (const { start, end, text } of edited.edits()) {
    expect(start).toBeGreaterThanOrEqual(from)
    parts.push(source.subarray(from, start), encode(text))
    from = end
  }
  parts.push(source.subarray(from))
  return new Uint8Array(Buffer.concat(parts))
}

/** The span of some value in the source. */
function someSpan(source: Uint8Array, path: readonly number[]): { start: number; end: number } {
  let span = rootSpan(source, 0)
  for (const number of path) {
    if (source[span.start] !== 0x7b && source[span.start] !== 0x5b) break
    const children = childSpans(source, span.start)
    const child = children[number % (children.length + 1)]
    if (child === undefined) break
    span = child
  }
  return span
}
