// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${…} is the notation of the config file
/** The `with` of plugins: defaults, units everywhere, every TypeBox form, and mistakes in plain words at their place. */

import { describe, expect, test } from 'bun:test'
import { type TObject, Type } from 'typebox'
import { Duration, Secret, Size } from '../plugin/units.ts'
import { loadConfig } from './load.ts'
import { checkPluginConfig, type PluginConfigResult } from './plugin-config.ts'

function checkYaml(schema: TObject | undefined, with_: string, env: Record<string, string> = {}): PluginConfigResult {
  const loaded = loadConfig({ path: 'g.yaml', text: `version: 1\nplugins:\n  - use: x\n    with: ${with_}\n`, env })
  expect(loaded.diagnostics).toEqual([])
  return checkPluginConfig(schema, loaded.plugins[0]!.with, loaded.place(['plugins', 0, 'with']))
}
const mistakes = (result: PluginConfigResult): string[] => result.diagnostics.map((d) => `${d.line}:${d.column} ${d.path}: ${d.message}`)

const schema = Type.Object({
  requests: Type.Integer({ minimum: 1 }),
  window: Duration({ default: '1m' }),
  by: Type.Union([Type.Literal('key'), Type.Literal('ip')], { default: 'key' }),
  burst: Type.Optional(Size()),
  steps: Type.Array(Type.Object({ after: Duration(), note: Type.Optional(Type.String()) }), { default: [] }),
  waits: Type.Record(Type.String(), Duration(), { default: { base: '2s' } }),
  grace: Type.Union([Type.Literal('never'), Duration()], { default: 'never' }),
  nested: Type.Object({ ttl: Duration({ default: 1500 }) }, { default: {} }),
})

describe('conversion', () => {
  test('defaults, and units in lists, maps, unions and nested maps', () => {
    expect(checkYaml(schema, '{ requests: 5 }').value).toEqual({
      requests: 5,
      window: 60_000,
      by: 'key',
      steps: [],
      waits: { base: 2000 },
      grace: 'never',
      nested: { ttl: 1500 },
    })
    const text =
      '{ requests: 5, window: 0, burst: 2kb, steps: [{ after: 1s }, { after: 250ms, note: n }], waits: { a: 1h }, grace: 3s, nested: { ttl: 1d } }'
    expect(checkYaml(schema, text).value).toEqual({
      requests: 5,
      window: 0,
      by: 'key',
      burst: 2048,
      steps: [{ after: 1000 }, { after: 250, note: 'n' }],
      waits: { a: 3_600_000 },
      grace: 3000,
      nested: { ttl: 86_400_000 },
    })
  })
  test('text from outside may spell numbers', () => {
    expect(checkYaml(schema, '{ requests: "${env:N}", window: "${env:W}" }', { N: '7', W: '9s' }).value).toMatchObject({
      requests: 7,
      window: 9000,
    })
  })
  test('no config: an absent `with` and an absent schema', () => {
    expect(checkYaml(undefined, '')).toMatchObject({ value: {}, diagnostics: [] })
    expect(mistakes(checkYaml(undefined, '{ a: 1 }'))).toEqual(['4:13 plugins[0].with.a: unknown key `a`'])
  })
  test('free-form parts pass untouched', () => {
    const free = Type.Object({ any: Type.Unknown(), map: Type.Record(Type.String(), Type.Any()) })
    expect(checkYaml(free, '{ any: [1, { a: null }], map: { b: { c: true } } }').value).toEqual({
      any: [1, { a: null }],
      map: { b: { c: true } },
    })
  })
  test('the values of secret fields are known for masking', () => {
    const result = checkYaml(Type.Object({ pass: Secret(), list: Type.Array(Secret()) }), '{ pass: hunter22, list: [abcdef] }')
    expect([...result.secrets]).toEqual(['hunter22', 'abcdef'])
  })
  test('a secret of digits, unquoted, is not repeated by the mistake that it is no text', () => {
    const { diagnostics } = checkYaml(Type.Object({ pass: Secret() }), '{ pass: 0123456789012 }')
    expect(diagnostics).toHaveLength(1)
    expect(diagnostics[0]).toMatchObject({ message: 'the secret is not a text', fix: 'write a text, in quotes' })
  })
  test('the default is not shared between two checks', () => {
    const first = checkYaml(schema, '{ requests: 1 }').value!
    ;(first.steps as unknown[]).push('changed')
    expect(checkYaml(schema, '{ requests: 1 }').value!.steps).toEqual([])
  })
})

describe('mistakes', () => {
  test('all at once', () => {
    expect(mistakes(checkYaml(schema, '{ requests: 0, windw: 1m, by: kye, burst: x, steps: [{ after: 5 }, 3], nested: 1 }'))).toEqual([
      '4:23 plugins[0].with.requests: 0 is too small',
      '4:26 plugins[0].with.windw: unknown key `windw`',
      '4:41 plugins[0].with.by: "kye" is not allowed here',
      '4:53 plugins[0].with.burst: "x" is not a size',
      '4:73 plugins[0].with.steps[0].after: 5 is a duration without a unit',
      '4:78 plugins[0].with.steps[1]: 3 is not a map (key: value)',
      '4:90 plugins[0].with.nested: 1 is not a map (key: value)',
    ])
  })
  test('a missing key stands at `with`, or at the entry when there is none', () => {
    expect(mistakes(checkYaml(schema, '{ by: ip }'))).toEqual(['4:5 plugins[0].with: `requests` is missing'])
  })
  test('a union of maps blames the one that was meant', () => {
    const store = Type.Object({
      store: Type.Union([
        Type.Object({ kind: Type.Literal('file'), path: Type.String() }),
        Type.Object({ kind: Type.Literal('url'), url: Type.String(), wait: Duration() }),
      ]),
    })
    expect(mistakes(checkYaml(store, '{ store: { kind: url, url: u, wait: x } }'))).toEqual([
      '4:47 plugins[0].with.store.wait: "x" is not a duration',
    ])
    expect(mistakes(checkYaml(store, '{ store: 5 }'))).toEqual(['4:20 plugins[0].with.store: 5 is not a map (key: value)'])
  })
  test('a union of scalars names all', () => {
    expect(mistakes(checkYaml(schema, '{ requests: 1, grace: often }'))).toEqual([
      '4:33 plugins[0].with.grace: "often" is not never or a duration such as 30s',
    ])
  })
  test('tuples, lengths and patterns', () => {
    const odd = Type.Object({
      pair: Type.Tuple([Type.String(), Type.Integer()]),
      few: Type.Array(Type.String(), { maxItems: 1 }),
      word: Type.String({ minLength: 3 }),
      code: Type.String({ pattern: '^x', description: 'A word that starts with x' }),
    })
    const result = checkYaml(odd, '{ pair: [a, b, c], few: [a, b], word: ab, code: y }')
    expect(mistakes(result)).toEqual([
      '4:23 plugins[0].with.pair[1]: "b" is not a whole number',
      '4:19 plugins[0].with.pair: the list has 3 entries',
      '4:35 plugins[0].with.few: the list has 2 entries',
      '4:49 plugins[0].with.word: "ab" is too short',
      '4:59 plugins[0].with.code: "y" does not have the right form',
    ])
    expect(result.diagnostics[4]!.fix).toBe('A word that starts with x')
  })
  test('an intersection counts as one map', () => {
    const both = Type.Object({ a: Type.Intersect([Type.Object({ x: Type.Integer() }), Type.Object({ y: Duration() })]) })
    expect(checkYaml(both, '{ a: { x: 1, y: 2s } }').value).toEqual({ a: { x: 1, y: 2000 } })
    expect(mistakes(checkYaml(both, '{ a: { x: 1, z: 2s } }'))).toEqual([
      '4:24 plugins[0].with.a.z: unknown key `z`',
      '4:13 plugins[0].with.a: `y` is missing',
    ])
  })
  test('what only TypeBox knows is still refused', () => {
    const unique = Type.Object({ list: Type.Array(Type.String(), { uniqueItems: true }), n: Type.Number({ multipleOf: 5 }) })
    const result = checkYaml(unique, '{ list: [a, a], n: 7 }')
    expect(result.value).toBeUndefined()
    expect(result.diagnostics.map((d) => `${d.line}:${d.column} ${d.path}`)).toEqual([
      '4:19 plugins[0].with.list',
      '4:30 plugins[0].with.n',
    ])
  })
  test('a place that knows nothing but locate will do', () => {
    const place = { file: 'f', path: ['plugins', 1, 'with'], locate: () => ({ line: 9, column: 3 }) }
    expect(mistakes(checkPluginConfig(schema, { requests: '5' }, place))).toEqual([
      '9:3 plugins[1].with.requests: "5" is not a whole number',
    ])
  })
})
