import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { arrayIndex, formatPointer, lookUp, PointerError, parsePointer } from './pointer.ts'

describe('JSON pointers', () => {
  test('the examples of RFC 6901', () => {
    const document = { foo: ['bar', 'baz'], '': 0, 'a/b': 1, 'c%d': 2, 'm~n': 8, ' ': 7, 'k"l': 6 }
    const at = (pointer: string) => lookUp(document, parsePointer(pointer))
    expect(at('')).toEqual(document)
    expect(at('/foo/0')).toBe('bar')
    expect(at('/')).toBe(0)
    expect(at('/a~1b')).toBe(1)
    expect(at('/c%d')).toBe(2)
    expect(at('/m~0n')).toBe(8)
    expect(at('/ ')).toBe(7)
    expect(at('/k"l')).toBe(6)
    expect(at('/foo/2')).toBeUndefined()
    expect(at('/foo/length')).toBeUndefined()
    expect(at('/toString')).toBeUndefined()
  })

  test('~01 is ~1, not /', () => {
    expect(parsePointer('/~01')).toEqual(['~1'])
  })

  test('format and parse are inverse', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: fc.constantFrom('~', '/', '0', '1', 'a', 'é') })), (tokens) => {
        expect(parsePointer(formatPointer(tokens))).toEqual(tokens)
      }),
    )
    expect(formatPointer(['messages', 3, 'content'])).toBe('/messages/3/content')
  })

  test.each(['a', '/~', '/~2', '/a~'])('%j is malformed', (pointer) => {
    expect(() => parsePointer(pointer)).toThrow(PointerError)
  })

  test('array indexes have no leading zeros and no signs', () => {
    expect(['0', '10', '01', '-1', '+1', '1e1', '', '-', '99999999999'].map(arrayIndex)).toEqual([0, 10, -1, -1, -1, -1, -1, -1, -1])
  })
})
