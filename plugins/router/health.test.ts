import { describe, expect, test } from 'bun:test'
import { Health } from './health.ts'

const options = { consecutive: 3, error_rate: 0.5, minimum: 10, window: 1000, cooldown: 100, max_cooldown: 300 }

describe('a circuit', () => {
  test('opens after failures in a row, lets one probe in, and closes when that gives content', () => {
    const health = new Health(options)
    expect([health.failed(0, 'x'), health.failed(0, 'x'), health.usable(0)]).toEqual([false, false, true])
    expect([health.failed(0, '500'), health.usable(0), health.usable(99), health.state(99)]).toEqual([true, false, false, 'open'])
    expect([health.state(100), health.usable(100), health.begin(100), health.usable(100), health.begin(100)]).toEqual([
      'half-open',
      true,
      true,
      false,
      false,
    ])
    health.answered(100)
    health.probed()
    expect([health.state(100), health.usable(100), health.lastFailure]).toEqual(['closed', true, '500'])
  })

  test('is not closed by calls that began before it opened', () => {
    const health = new Health(options)
    for (let i = 0; i < 3; i++) health.failed(0, 'x')
    health.answered(50)
    health.succeeded(60)
    expect([health.state(60), health.usable(60)]).toEqual(['open', false])
  })

  test('that a probe does not close stays open twice as long, up to a limit', () => {
    const health = new Health(options)
    for (let i = 0; i < 3; i++) health.failed(0, 'x')
    let now = 0
    for (const pause of [100, 200, 300, 300]) {
      expect([health.usable(now + pause - 1), health.usable(now + pause)]).toEqual([false, true])
      now += pause
      expect(health.begin(now)).toBe(true)
      expect(health.failed(now, 'x')).toBe(true)
      health.probed()
    }
  })

  test('opens by the share of failures, not before there were enough calls, and forgets old ones', () => {
    const health = new Health(options)
    const mixed = (now: number, n: number): boolean[] =>
      Array.from({ length: n }, (_, i) => {
        if (i % 2 === 1) return health.failed(now, 'x')
        health.succeeded(now)
        return false
      })
    expect(mixed(0, 8)).not.toContain(true)
    expect(mixed(1500, 8)).not.toContain(true) // those before are out of the window
    expect(mixed(1600, 2)).toEqual([false, true])
  })

  test('counts what comes while it is open, but opens no further', () => {
    const health = new Health(options)
    for (let i = 0; i < 3; i++) health.failed(0, 'x')
    for (let i = 0; i < 10; i++) expect(health.failed(50, 'x')).toBe(false)
    expect(health.usable(100)).toBe(true)
  })

  test('without options never opens, and rests all the same', () => {
    const health = new Health(undefined)
    for (let i = 0; i < 100; i++) expect(health.failed(0, 'x')).toBe(false)
    expect(health.usable(0)).toBe(true)
    health.rest(0, 50, '429')
    health.rest(0, 10, '429')
    expect([health.usable(49), health.resting(49), health.usable(50)]).toEqual([false, true, true])
  })
})
