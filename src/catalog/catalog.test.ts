import { describe, expect, test } from 'bun:test'
import type { Model } from '../plugin/host.ts'
import { createCatalog } from './catalog.ts'

const at = Date.UTC(2026, 5, 1)
const list = [
  { id: 'known', context: 1000, maxOutput: 50, price: [{ input: 1n }] },
  { id: 'dated-*', price: [{ input: 2n }, { from: at, input: 3n }] },
  { id: 'dated-*-x', price: [{ input: 99n }] },
  { id: 'a/id', price: [{ input: 4n }] },
  { id: 'limits', context: 7 },
]
const catalogOf = (...models: Model[]) => createCatalog(models, (upstream) => (upstream === 'a' ? 'openai' : undefined), list)
const target = (model: string, upstream = 'a') => ({ upstream, model })

describe('prices in the catalogue', () => {
  test("a target's own price wins over its model's, that over the list, and what nobody knows is empty", () => {
    const own = [{ input: 10n }]
    const models = [{ input: 20n }]
    const catalog = catalogOf(
      { id: 'one', targets: [{ ...target('known'), price: own }, target('known')], price: models },
      { id: 'two', targets: [target('other'), target('known')] },
    )
    expect(catalog.find('one')!.targets.map((t) => t.price)).toEqual([own, models])
    expect(catalog.find('one')!.price).toEqual(models)
    expect(catalog.find('two')!.targets.map((t) => t.price)).toEqual([[], [{ input: 1n }]])
    expect(catalog.find('two')!.price).toBeUndefined()
  })

  test('the list is asked for the name at the upstream, then for the id; limits come from it too, where none are stated', () => {
    const catalog = catalogOf(
      { id: 'x', targets: [target('known')] },
      { id: 'a/id', targets: [target('odd')] },
      { id: 'y', targets: [target('known')], context: 5 },
      { id: 'z', targets: [target('limits')] },
    )
    expect(catalog.find('x')).toEqual({
      id: 'x',
      targets: [{ upstream: 'a', model: 'known', dialect: 'openai', price: [{ input: 1n }], maxOutput: 50 }],
      context: 1000,
      maxOutput: 50,
      price: [{ input: 1n }],
    })
    expect(catalog.find('a/id')!.price).toEqual([{ input: 4n }])
    expect(catalog.find('y')).toMatchObject({ context: 5, maxOutput: 50 })
    expect(catalog.find('z')).toEqual({ id: 'z', targets: [{ upstream: 'a', model: 'limits', dialect: 'openai', price: [] }], context: 7 })
    expect(catalog.list().map((m) => m.price?.[0]?.input)).toEqual([1n, 4n, 1n, undefined])
  })

  test('of a pattern, what it stands for is looked up', () => {
    const catalog = catalogOf({ id: 'a/*', targets: [target('*')] })
    expect(catalog.find('a/known')).toMatchObject({
      context: 1000,
      price: [{ input: 1n }],
      targets: [{ model: 'known', price: [{ input: 1n }] }],
    })
    expect(catalog.find('a/id')!.price).toEqual([{ input: 4n }])
    expect(catalog.find('a/dated-1')!.price).toHaveLength(2)
    expect(catalog.find('a/none')!.targets[0]!.price).toEqual([])
  })

  test('the price of a name at an upstream, as of a time', () => {
    const catalog = catalogOf(
      { id: 'm', targets: [{ ...target('special'), price: [{ input: 30n }] }, target('special', 'b')] },
      { id: 'glob-*', targets: [target('mine-*')], price: [{ input: 40n }] },
      { id: 'never', targets: [{ ...target('later'), price: [{ from: at, input: 5n }] }] },
    )
    expect(catalog.price('a', 'special', at)).toEqual({ input: 30n })
    expect(catalog.price('b', 'special', at)).toBeUndefined()
    expect(catalog.price('a', 'mine-7', at)).toEqual({ input: 40n })
    expect(catalog.price('b', 'mine-7', at)).toBeUndefined()
    expect(catalog.price('b', 'known', at)).toEqual({ input: 1n })
    expect([at - 1, at, at + 1].map((time) => catalog.price('a', 'dated-5', time)?.input)).toEqual([2n, 3n, 3n])
    expect(catalog.price('a', 'dated-', at)?.input).toBe(3n) // a star may stand for nothing
    expect(catalog.price('a', 'later', at - 1)).toBeUndefined()
    expect(catalog.price('a', 'nobody', at)).toBeUndefined()
  })

  test('names that clients make up do not pile up', () => {
    const catalog = catalogOf({ id: '*', targets: [target('*')] })
    for (let i = 0; i < 10_000; i++) expect(catalog.find(`made-up-${i}`)!.targets[0]!.price).toEqual([])
    expect(catalog.price('a', 'dated-1', 0)?.input).toBe(2n)
  })
})
