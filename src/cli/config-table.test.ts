/** Config tables say what a schema says: nested keys, units, ranges, choices, defaults. */

import { expect, test } from 'bun:test'
import { Type } from 'typebox'
import { Duration, Size } from '../plugin/units.ts'
import { configTable, withTable } from './config-table.ts'

/** The cells of the row of a key. */
function row(table: string, key: string): string[] {
  const line = table.split('\n').find((one) => one.startsWith(`| \`${key}\``))
  return (line ?? '')
    .split(/(?<!\\)\|/)
    .slice(2, -1)
    .map((cell) => cell.trim())
}

test('types, defaults and descriptions', () => {
  const table = configTable(
    Type.Object({
      requests: Type.Integer({ minimum: 1, description: 'How many' }),
      share: Type.Number({ minimum: 0, maximum: 1, default: 0.5 }),
      window: Duration({ default: '1m', description: 'How long' }),
      room: Type.Optional(Size({ description: 'How much' })),
      by: Type.Enum(['key', 'ip'], { default: 'key', description: 'a|b' }),
      names: Type.Array(Type.String(), { default: ['a', 'b'] }),
      keys: Type.Array(Type.Object({ id: Type.String({ description: 'The id' }) }), { default: [] }),
      deep: Type.Object({ on: Type.Boolean({ default: false }) }, { default: {} }),
      map: Type.Record(Type.String(), Type.String(), { default: {} }),
    }),
  )
  expect(row(table, 'requests')).toEqual(['integer ≥ 1', 'required', 'How many'])
  expect(row(table, 'share')).toEqual(['number 0 to 1', '`0.5`', ''])
  expect(row(table, 'window')).toEqual(['duration', '`1m`', 'How long'])
  expect(row(table, 'room')).toEqual(['size', '', 'How much'])
  expect(row(table, 'by')).toEqual(['`key` \\| `ip`', '`key`', 'a\\|b'])
  expect(row(table, 'names')).toEqual(['list of strings', '`[a, b]`', ''])
  expect(row(table, 'keys[].id')).toEqual(['string', 'required', 'The id'])
  expect(row(table, 'deep.on')).toEqual(['boolean', '`false`', ''])
  expect(row(table, 'map')).toEqual(['map of string', '`{}`', ''])
  expect(
    new Set(
      table
        .trimEnd()
        .split('\n')
        .map((line) => line.length),
    ).size,
  ).toBe(1)
})

test('a plugin without config', () => {
  expect(configTable(undefined)).toBe('No config.\n')
})

test('only what stands between the markers is replaced', () => {
  expect(withTable('a\n<!-- config -->\nold\n<!-- /config -->\nb\n', 'new\n')).toBe('a\n<!-- config -->\nnew\n<!-- /config -->\nb\n')
  expect(withTable('no markers', 'new\n')).toBeUndefined()
})
