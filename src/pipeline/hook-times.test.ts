/** What hooks did with the time: told when a plugin wants it, and not measured at all when none does. */

import { afterEach, expect, test } from 'bun:test'
import { definePlugin } from '../plugin/define.ts'
import type { Outcome } from '../plugin/outcome.ts'
import { type PluginKit, testPlugin } from '../testkit/index.ts'

let kit: PluginKit
afterEach(async () => {
  await kit.close()
})

const busy = (ms: number) => {
  for (const end = performance.now() + ms; performance.now() < end; );
}
const worker = definePlugin({
  api: 1,
  name: 'worker',
  summary: 'Takes its time',
  failure: 'open',
  setup: () => ({
    request: () => busy(4),
    around: async (_, next) => {
      busy(3)
      const reply = await next()
      busy(3)
      return reply
    },
    event: () => {
      busy(1)
      return undefined
    },
    settle: async () => {
      await Bun.sleep(2)
    },
  }),
})
const seen: Outcome[] = []
const asking = (hookTimes: boolean | undefined) =>
  definePlugin({
    api: 1,
    name: 'asking',
    summary: 'Wants to know',
    failure: 'open',
    ...(hookTimes !== undefined && { hookTimes }),
    setup: () => ({ settle: (_, outcome) => void seen.push(outcome) }),
  })

test('each hook, in the order in which they began; of around without what is below it, of events their sum', async () => {
  kit = await testPlugin(asking(true), { below: [worker], upstream: { text: ['a', 'b', 'c'] } })
  await kit.chat({ stream: true })
  const { hooks, timings } = seen.pop()!
  const own = hooks!.filter((run) => run.plugin === 'worker')
  expect(own.map((run) => run.hook)).toEqual(['request', 'around', 'event', 'settle'])
  const [request, around, event, settle] = own
  expect(request!.ownMs).toBeGreaterThanOrEqual(3.9)
  expect(around!.ownMs).toBeGreaterThanOrEqual(5.9)
  expect(around!.ownMs).toBeLessThanOrEqual(around!.endedAt - around!.startedAt)
  expect(event!.calls).toBeGreaterThan(3)
  expect(event!.ownMs).toBeGreaterThanOrEqual(event!.calls * 0.9)
  expect(settle!.startedAt).toBeGreaterThanOrEqual(timings.endAt)
  expect(settle!.ownMs).toBeGreaterThan(1)
})

test.each([false, undefined])('with nobody who wants it (%p) nothing is measured', async (hookTimes) => {
  kit = await testPlugin(asking(hookTimes), { below: [worker] })
  await kit.chat()
  expect(seen.pop()!.hooks).toBeUndefined()
})

test('a hook that throws is told too, and fails as ever', async () => {
  const broken = definePlugin({
    api: 1,
    name: 'broken',
    summary: 'Fails',
    failure: 'closed',
    setup: () => ({
      request() {
        throw new Error('no')
      },
    }),
  })
  kit = await testPlugin(asking(true), { below: [broken] })
  const { status } = await kit.chat()
  expect(status).toBe(500)
  expect(seen.pop()!.hooks!.map((run) => `${run.plugin} ${run.hook}`)).toContain('broken request')
})
