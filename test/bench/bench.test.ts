/** The bench itself: its bodies, its figures, and one short run of mock, floor and load generator over real sockets. */

import { afterAll, describe, expect, test } from 'bun:test'
import { shot, startLoad, startMock, untilReady } from './bench.ts'
import { type BodySize, chatBody } from './bodies.ts'
import { floor } from './candidates.ts'
import type { CountResult, LoadResult, OpenResult } from './load.ts'
import { costOf, stopAll } from './processes.ts'
import { medianRatio, table, verdict } from './report.ts'
import { median, percentile } from './stats.ts'

afterAll(stopAll)

describe('bodies', () => {
  test.each<[BodySize, number]>([
    ['1k', 1024],
    ['100k', 102_400],
    ['500k', 512_000],
  ])('%s is JSON of exactly that size, model first and stream last', (size, bytes) => {
    const body = chatBody(size, 'bench/whole', true)
    expect(body.length).toBe(bytes)
    const keys = Object.keys(JSON.parse(Buffer.from(body).toString()) as object)
    expect([keys[0], keys.at(-1)]).toEqual(['model', 'stream'])
    expect(Buffer.compare(body, chatBody(size, 'bench/whole', true))).toBe(0)
  })
})

describe('figures', () => {
  test('medians and percentiles', () => {
    expect(median([3, 1, 2])).toBe(2)
    expect(median([4, 1])).toBe(2.5)
    expect(median([])).toBeNaN()
    expect(percentile([1, 2, 3, 4], 0.99)).toBe(4)
    expect(medianRatio([2, 9, 4], [1, 3, 4])).toBe(2)
  })

  test('a goal is met, missed, or missed because nothing was measured', () => {
    const figure = { scenario: 's', what: 'w', candidate: 'gateway', value: 5, ratio: 0.8 }
    expect(verdict(figure)).toBe('')
    expect(verdict({ ...figure, goal: { of: 'ratio', least: 0.75 } })).toBe('pass')
    expect(verdict({ ...figure, goal: { of: 'value', most: 4 } })).toBe('FAIL')
    expect(verdict({ ...figure, value: Number.NaN, goal: { of: 'value', most: 4 } })).toBe('FAIL')
    expect(table([{ ...figure, goal: { of: 'ratio', least: 0.75 } }])).toContain('0.800x  >= 0.75x  pass')
  })
})

describe.skipIf(process.platform !== 'linux')('one short run', () => {
  test('mock, floor and load generator work together', async () => {
    const running = floor({ mockPort: await startMock(), folder: '/nowhere' }).start()
    await untilReady(running)
    const load = startLoad()
    const whole = await load<LoadResult>({ do: 'closed', shot: shot(running, 'whole', '100k'), connections: 4, ms: 100 })
    expect(whole.errors).toBe(0)
    expect(whole.requests).toBeGreaterThan(10)
    const paced = await load<LoadResult>({ do: 'paced', shot: shot(running, 'burst', '1k'), rate: 100, ms: 200 })
    expect(paced).toMatchObject({ requests: 20, errors: 0 })
    expect(paced.first50).toBeLessThanOrEqual(paced.p50)
    const opened = await load<OpenResult>({ do: 'open', shot: shot(running, 'paced', '1k'), streams: 10, perSecond: 1000 })
    expect(opened).toMatchObject({ opened: 10, errors: 0 })
    while ((await load<CountResult>({ do: 'count' })).frames < 40) await Bun.sleep(5)
    expect((await load<CountResult>({ do: 'shut' })).alive).toBe(10)
    const cost = costOf(running.pid)
    expect(cost.peak).toBeGreaterThanOrEqual(cost.rss)
    expect(cost.rss).toBeGreaterThan(1e7)
    await running.stop()
  })
})
