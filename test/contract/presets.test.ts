/** What holds of all presets together: every row has a test, no code knows a gateway by name, and any two files differ by little. */

import { describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Errors } from 'typebox/schema'
import { parse } from 'yaml'
import { projectFiles, read } from '../source-files.ts'
import { gateways, rowIds, rowOf } from './rows.ts'
import { root } from './stand.ts'

const presets = readdirSync(join(root, 'config/presets')).filter((file) => file.endsWith('.yaml'))
const textOf = (file: string) => readFileSync(join(root, 'config/presets', file), 'utf8')

test('every row has a test that is named by it', () => {
  const named = new Set<string>()
  for (const path of projectFiles().filter((path) => /^test\/contract\/.*\.test\.ts$/.test(path)))
    for (const [, name = ''] of read(path).matchAll(/\btest(?:\.each\([\s\S]*?\))?\(\s*['"`]([^'"`]+)/g)) named.add(rowOf(name) ?? '')
  expect(rowIds.filter((id) => !named.has(id))).toEqual([])
})

test('there is a preset for each gateway, and no other', () => {
  expect(presets.sort()).toEqual(gateways.map(({ preset }) => `${preset}.yaml`).sort())
})

test('no file outside config and test knows one of the five by name', () => {
  const names = new RegExp(
    gateways
      .slice(0, 5)
      .map(({ preset }) => preset)
      .join('|'),
    'i',
  )
  const wrong = projectFiles().filter(
    (path) => !/^(config|test)\//.test(path) && /\.(ts|tsx|js|json|md|yaml|sql)$/.test(path) && names.test(read(path)),
  )
  expect(wrong).toEqual([])
})

describe('a preset', () => {
  for (const file of presets) {
    test(file, () => {
      const text = textOf(file)
      const lines = text.split('\n')
      expect(lines.length).toBeLessThanOrEqual(130)
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(240)
      const schema = JSON.parse(read('config/gateway.schema.json'))
      expect(Errors(schema, parse(text))[1]).toEqual([])
      // what belongs to a machine stands in variables: nothing else of it is in the file
      expect(text).not.toMatch(/127\.0\.0\.1:(?!8787|8788)|\/(tmp|root|var)\//)
    })
  }
})

test('what is not about models differs by little between any two presets', () => {
  const settings = (file: string) => {
    const text = textOf(file)
    const begin = text.indexOf('\nmodels:')
    return new Set(
      (text.slice(0, begin) + text.slice(text.indexOf('\nplugins:', begin)))
        .split('\n')
        .filter((line) => line.trim() !== '' && !line.startsWith('#')),
    )
  }
  for (const one of presets)
    for (const other of presets) {
      const [a, b] = [settings(one), settings(other)]
      const only = [...a].filter((line) => !b.has(line))
      expect([one, other, only.length <= 60]).toEqual([one, other, true])
    }
})
