/** What the lists are made of, without sockets: prices as texts, and when a text is made again. */

import { describe, expect, test } from 'bun:test'
import { type Catalog, type Model, parsePrice } from 'headgate/plugin'
import { testPlugin } from 'headgate/testkit'
import catalog from './index.ts'
import { isFree, ratesOf } from './prices.ts'
import { modelTexts } from './texts.ts'

describe('prices as texts', () => {
  const of = (input: string, markup = '0') => ({
    token: ratesOf({ input: parsePrice(input) }, 'token', markup).input,
    million: ratesOf({ input: parsePrice(input) }, 'million', markup).input,
  })
  test.each([
    ['0.15', '0', '0.00000015', '0.15'],
    ['0.000001', '0', '0.000000000001', '0.000001'],
    ['0.000001', '50', '0.0000000000015', '0.0000015'],
    ['15', '0', '0.000015', '15'],
    ['1234567', '0', '1.234567', '1234567'],
    ['1000000', '0', '1', '1000000'],
    ['0', '30', '0', '0'],
    ['1', '30', '0.0000013', '1.3'],
    ['5', '-100', '0', '0'],
  ])('%s with %s %% more', (input, markup, token, million) => {
    expect(of(input, markup)).toEqual({ token, million })
  })
  test('what is not stated follows the rule of all prices, and unknown is absent, never 0', () => {
    expect(ratesOf({ input: 3n, output: 4n }, 'million', '0')).toEqual({ input: '0.000003', output: '0.000004', cache_read: '0.000003' })
    expect(ratesOf({ input: 0n }, 'million', '0')).toEqual({ input: '0', cache_read: '0', cache_write: '0' })
    expect([isFree({ input: 0n, output: 0n }), isFree({ input: 0n }), isFree({ output: 0n }), isFree(undefined)]).toEqual([
      true,
      true,
      false,
      false,
    ])
  })
})

describe('texts', () => {
  const model = (more: Partial<Model>): Model => ({ id: 'm', targets: [], ...more })
  const hostOf = (models: readonly Model[]) => {
    let now = 1000
    let current = { list: () => models } as unknown as Catalog
    return {
      host: {
        now: () => now,
        get catalog() {
          return current
        },
      },
      at: (time: number) => {
        now = time
      },
      reload: () => {
        current = { list: () => models } as unknown as Catalog
      },
    }
  }
  test('are made once, and again after a reload, when a price comes into force, when a model ends, and when the clock is put back', () => {
    const { host, at, reload } = hostOf([
      model({ price: [{ input: 1n }, { from: 2000, input: 2n }], targets: [{ upstream: 'u', model: 'x', price: [{ from: 3000 }] }] }),
      model({ deprecation: { since: 0, sunset: 4000 } }),
    ])
    let made = 0
    const texts = modelTexts(host, (_model, _catalog, now) => {
      made++
      return { now }
    })
    const times = () => {
      const before = made
      texts()
      return (made - before) / 2
    }
    expect([times(), times()]).toEqual([1, 0])
    for (const time of [2000, 3000, 4000]) {
      at(time - 1)
      expect(times()).toBe(0)
      at(time)
      expect([time, times(), times()]).toEqual([time, 1, 0])
    }
    reload()
    expect([times(), times()]).toEqual([1, 0])
    at(1500)
    expect(times()).toBe(1)
  })
})

test('a markup that no price can be counted with exactly is told at the start', async () => {
  const kit = testPlugin(catalog, { with: { markup: 1e-14 } })
  await expect(kit).rejects.toThrow(/markup: 1e-14 can't be counted exactly/)
})

test('carried over a reload, it tells the new catalogue', async () => {
  const kit = await testPlugin(catalog, { models: { one: { targets: [{ upstream: 'openai' }] } } })
  const listed = async () => ((await (await kit.fetch('/v1/models')).json()) as { data: { id: string }[] }).data.map(({ id }) => id)
  expect(await listed()).toEqual(['one'])
  expect(await kit.reload()).toEqual([])
  expect(await listed()).toEqual(['one'])
  await kit.close()
})
