import { describe, expect, test } from 'bun:test'
import { exampleArguments, exampleOf } from './schema-example.ts'

describe('exampleOf', () => {
  test.each([
    [{ const: 7 }, 7],
    [{ type: 'string', default: 'x' }, 'x'],
    [{ examples: ['first'] }, 'first'],
    [{ enum: ['a', 'b'] }, 'a'],
    [{ type: ['null', 'integer'], maximum: 0 }, 0],
    [{ type: 'integer', exclusiveMinimum: 4 }, 5],
    [{ type: 'number', minimum: 2.5 }, 2.5],
    [{ type: 'string', format: 'date' }, '2026-01-31'],
    [{ type: 'string', minLength: 9 }, 'example--'],
    [{ type: 'string', maxLength: 3 }, 'exa'],
    [{ type: 'array', items: { type: 'boolean' }, minItems: 2 }, [true, true]],
    [{ anyOf: [{ type: 'null' }, { type: 'boolean' }] }, true],
    [true, 'example'],
    ['nonsense', 'example'],
  ])('%j', (schema, value) => {
    expect(exampleOf(schema)).toEqual(value)
  })

  test('local references and allOf', () => {
    const schema = {
      $defs: { Place: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } },
      allOf: [{ $ref: '#/$defs/Place' }, { properties: { to: { $ref: '#/$defs/Place' } }, required: ['to'] }],
    }
    expect(exampleOf(schema)).toEqual({ city: 'Paris', to: { city: 'Paris' } })
  })

  test('a schema that contains itself ends', () => {
    const node = { type: 'object', properties: { next: { $ref: '#' } }, required: ['next'] }
    expect(() => JSON.stringify(exampleOf(node))).not.toThrow()
  })
})

describe('exampleArguments', () => {
  test('is an object whatever the schema says', () => {
    expect(exampleArguments(undefined)).toEqual({})
    expect(exampleArguments({})).toEqual({})
    expect(exampleArguments({ required: ['command'] })).toEqual({ command: 'example' })
  })
})
