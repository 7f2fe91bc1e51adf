import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { readPlainYaml } from './plain-yaml.ts'

describe('plain YAML', () => {
  test('of the price list that comes with Headgate is read fast, and as the careful parser reads it', () => {
    const text = readFileSync(`${import.meta.dir}/../../config/models.yaml`, 'utf8')
    const value = readPlainYaml(text)
    expect(value).toBeDefined()
    expect(value).toEqual(parse(text))
  })
  test.each([
    'a: 1\nb-202*: { c: 0.30, d: [{ from: 2026-10-07, e: 2 }, { from: 2026-10-07T00:00Z }] } # note\n# more\n',
    'models:\n  x:\n    price:\n      - input: 1\n        output: 2\n      - { input: 3 }\n',
    'a:\n',
    '{}',
  ])('%j', (text) => {
    expect(readPlainYaml(text)).toEqual(parse(text))
  })
  test.each([
    ['a key twice', 'a: 1\na: 2\n'],
    ['a key twice in a flow', 'a: { b: 1, b: 2 }\n'],
    ['an anchor', 'a: &x { b: 1 }\nc: *x\n'],
    ['a merge', 'a: { <<: 1 }\n'],
    ['quotes', 'a: "1"\n'],
    ['an exponent', 'a: 1e3\n'],
    ['a sign', 'a: -1\n'],
    ['a bare fraction', 'a: .5\n'],
    ['more digits than a number holds', 'a: 0.1234567\n'],
    ['words', 'a: cheap\n'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: ${…} is the notation of the config file
    ['a reference', 'a: ${env:X}\n'],
    ['a tab for indentation', 'a:\n\tb: 1\n'],
    ['broken text', 'a: { b: 1\n'],
    ['nothing', ''],
  ])('%s is for the careful parser', (_, text) => {
    expect(readPlainYaml(text)).toBeUndefined()
  })
})
