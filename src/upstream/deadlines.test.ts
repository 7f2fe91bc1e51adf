/** Who is watched is looked at, whoever else comes and goes. */

import { afterEach, expect, test } from 'bun:test'
import { until } from '../../test/support/within.ts'
import { unwatch, type Watched, watch } from './deadlines.ts'
import { arrived } from './http/arrivals.ts'

const made: Call[] = []
class Call implements Watched {
  place = -1
  deadline = Number.POSITIVE_INFINITY
  looks = 0
  late = 0
  expired(): void {
    this.late++
  }
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

/** Keeps the process busy, as a plugin may. */
function busy(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}

test('what can be read before a deadline is looked at is not late, though the process had no time for it', async () => {
  const [call, other] = calls(2)
  const extended = {
    handOver: () => {
      call!.deadline = Number.POSITIVE_INFINITY
    },
    broke: () => {},
  }
  using server = Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      data(socket) {
        socket.write('in time')
        busy(70) // the answer lies in the kernel when the deadline passes: it is read, and then the timers run
      },
    },
  })
  const socket = await Bun.connect({
    hostname: '127.0.0.1',
    port: server.port,
    socket: { data: (_, bytes) => arrived(extended, call, bytes) },
  })
  call!.deadline = performance.now() + 60
  watch(call!)
  watch(other!)
  socket.write('go')
  await until(5000, 'some looks', () => other!.looks > 3)
  expect(call!.late).toBe(0)
  socket.end()
})

test('what is late after that is late', async () => {
  const [call] = calls(1)
  call!.deadline = performance.now() + 60
  watch(call!)
  setTimeout(() => busy(250), 10)
  await until(5000, 'it is late', () => call!.late > 0)
})
