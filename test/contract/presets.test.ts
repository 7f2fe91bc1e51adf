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
      expect(lines.length).toBeLessThanOrEqual(100)
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(240)
      const schema = JSON.parse(read('config/gateway.schema.json'))
      expect(Errors(schema, parse(text))[1]).toEqual([])
      // what belongs to a machine stands in variables: nothing else of it is in the file
      expect(text).not.toMatch(/127\.0\.0\.1:(?!8787|8788)|\/(tmp|root|var)\//)
    })
  }
})

test('any two presets differ by little: a part of one screen of lines in each, models and all', () => {
  const linesOf = (file: string) => textOf(file).split('\n')
  for (const one of presets)
    for (const other of presets) {
      const has = new Set(linesOf(other))
      const only = linesOf(one).filter((line) => !has.has(line))
      expect([one, other, only.length <= 70]).toEqual([one, other, true])
    }
})

test('all presets have their sections, their providers and their plugins in the same order', () => {
  const orders = (pick: (config: { upstreams: object; plugins: { use: string; id?: string }[] }) => readonly string[]) =>
    presets.map((file) => pick(parse(textOf(file))))
  const wanted = {
    sections: ['version', 'server', 'records', 'mounts', 'errors', 'upstreams', 'models', 'plugins'],
    upstreams: ['openai', 'anthropic', 'deepseek', 'gemini'],
    plugins:
      'cost-headers audit strangers auth deprecation catalog session rate-limit batch validate normalize budget session-cache tool-trim router'.split(
        ' ',
      ),
  }
  const inOrder = (names: readonly string[], order: readonly string[]) =>
    expect([...names]).toEqual(order.filter((name) => names.includes(name)))
  for (const names of orders((config) => Object.keys(config))) inOrder(names, wanted.sections)
  for (const names of orders(({ upstreams }) => Object.keys(upstreams))) inOrder(names, wanted.upstreams)
  for (const names of orders(({ plugins }) => plugins.map(({ id, use }) => id ?? use))) inOrder(names, wanted.plugins)
})
