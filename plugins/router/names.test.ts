/** Names in the config of the router: what they mean, what was left out, and all mistakes at once. */

import { describe, expect, test } from 'bun:test'
import type { Model } from 'headgate/plugin'
import type { RouterConfig } from './config.ts'
import { findNames } from './names.ts'

const catalogOf = (models: readonly Model[]) => ({
  find: (id: string) => models.find((model) => model.id === id),
  list: () => models,
  similar: () => [],
})
const targets = (...upstreams: string[]) => upstreams.map((upstream) => ({ upstream, model: 'x' }))
const host = {
  catalog: catalogOf([
    { id: 'acme/m', targets: targets('b#1', 'b#2') },
    { id: 'n', targets: targets('c') },
  ]),
  upstreams: ['b#1', 'b#2', 'c'],
  leftOut: {
    ...catalogOf([
      { id: 'acme/m', targets: targets('a') },
      { id: 'only', targets: targets('a') },
    ]),
    upstreams: ['a'],
  },
}
const look = (config: object) =>
  findNames(
    {
      loose_names: true,
      aliases: {},
      fallback_models: {},
      checks: {},
      concurrency: { upstreams: {} },
      ...config,
    } as unknown as RouterConfig,
    host as never,
  )

describe('aliases', () => {
  test('of aliases end at the model, whatever their order', () => {
    const { aliases, mistakes } = look({ aliases: { best: 'fast', fast: 'quick', quick: 'acme/m', n: 'n', own: 'n' } })
    expect(mistakes).toEqual([])
    expect(aliases).toEqual({ best: 'acme/m', fast: 'acme/m', quick: 'acme/m', n: 'n', own: 'n' })
  })
  test('that go round are a mistake, said once', () => {
    expect(look({ aliases: { to: 'a', a: 'b', b: 'c', c: 'a' } }).mistakes).toEqual([
      'aliases: "a" → "b" → "c" → "a" leads back to itself and to no model.',
    ])
  })
  test('are understood as a request is: other spellings only where those are', () => {
    expect(look({ aliases: { x: 'm' } }).mistakes).toEqual([])
    expect(look({ aliases: { x: 'm' }, loose_names: false }).mistakes).toHaveLength(1)
  })
  test('named like what every object has', () => {
    expect(look({ aliases: { x: 'constructor' } }).mistakes).toHaveLength(1)
    expect(look({ aliases: { x: '__proto__' } }).mistakes).toHaveLength(1)
  })
})

test('all mistakes at once, each with its key', () => {
  const { mistakes } = look({
    default_model: 'no-1',
    aliases: { x: 'no-2', y: 'no-3' },
    fallback_models: { '*': ['n', 'no-4'] },
    concurrency: { upstreams: { 'no-5': 1, b: 1, 'b#2': 1 } },
    checks: { 'no-6': {} },
    shadow: { to: 'no-7', upstream: 'no-8' },
  })
  expect(mistakes.map((one) => /^(.*?): .*"(no-\d)"/.exec(one)?.slice(1))).toEqual([
    ['default_model', 'no-1'],
    ['aliases.x', 'no-2'],
    ['aliases.y', 'no-3'],
    ['fallback_models.*', 'no-4'],
    ['concurrency.upstreams', 'no-5'],
    ['checks', 'no-6'],
    ['shadow.to', 'no-7'],
    ['shadow.upstream', 'no-8'],
  ])
})

test('a shadow goes to an upstream that serves its model', () => {
  expect(look({ shadow: { to: 'm', upstream: 'c' } }).mistakes).toEqual(['shadow.upstream: "c" does not serve "m"; it is served by b.'])
  for (const upstream of ['b', 'b#2', undefined]) expect(look({ shadow: { to: 'm', upstream } }).mistakes).toEqual([])
})

test('what was left out is absent, not mistaken', () => {
  const { mistakes, absent } = look({
    default_model: 'only',
    aliases: { x: 'only', y: 'x', z: 'a/acme/m' },
    fallback_models: { '*': ['only', 'n'] },
    concurrency: { upstreams: { a: 1 } },
    checks: { 'a#2': {} },
    shadow: { to: 'acme/m', upstream: 'a' },
  })
  expect(mistakes).toEqual([])
  expect(absent).toEqual([
    'default_model: only',
    'aliases.x: only',
    'aliases.y: only',
    'aliases.z: a/acme/m',
    'fallback_models.*: only',
    'concurrency.upstreams: a',
    'checks: a#2',
    'shadow.upstream: a',
  ])
})
