/** Who is watched is looked at, whoever else comes and goes. */

import { afterEach, expect, test } from 'bun:test'
import { until } from '../../test/support/within.ts'
import { unwatch, type Watched, watch } from './deadlines.ts'

const made: Call[] = []
class Call implements Watched {
  place = -1
  deadline = Number.POSITIVE_INFINITY
  looks = 0
  expired(): void {}
  tick(): void {
    this.looks++
  }
}
const calls = (n: number) => Array.from({ length: n }, () => made[made.push(new Call()) - 1]!)
afterEach(() => {
  for (const call of made.splice(0)) unwatch(call)
})

/** Those at which the next look looks. */
async function lookedAt(all: readonly Call[]): Promise<Call[]> {
  const [last] = calls(1)
  watch(last!)
  await until(5000, 'a look', () => last!.looks > 0 || undefined)
  for (const call of all) call.looks = 0
  last!.looks = 0
  await until(5000, 'the next look', () => last!.looks > 0 || undefined)
  unwatch(last!)
  return all.filter(({ looks }) => looks > 0)
}

test('each order of leaving leaves the others watched', async () => {
  const orders = [
    [0, 3, 1],
    [0, 1, 2],
    [3, 2, 1],
    [1, 3, 0],
    [2, 2, 0],
  ]
  for (const order of orders) {
    const all = calls(4)
    all.forEach(watch)
    for (const [n, at] of order.entries()) {
      unwatch(all[at]!)
      const left = all.filter((_, i) => !order.slice(0, n + 1).includes(i))
      expect(await lookedAt(all)).toEqual(left)
    }
    all.forEach(unwatch)
  }
})

test('watching twice is watching once', async () => {
  const all = calls(2)
  watch(all[0]!)
  watch(all[0]!)
  watch(all[1]!)
  unwatch(all[0]!)
  expect(await lookedAt(all)).toEqual([all[1]!])
})
