/** What is learnt of beginnings: whether they come again in time, and whether their sessions are short enough to share keys. */

import { expect, test } from 'bun:test'
import type { CacheFacts, Host } from 'headgate/plugin'
import { createSharedKeys } from './shared-keys.ts'
import { createSightings } from './sightings.ts'

const minute = 60_000
const facts = { perKeyPerMinute: 12 } as CacheFacts

test('a sighting in time strengthens the belief, one that comes too late weakens it', async () => {
  let now = 1_800_000_000_000
  const host = { now: () => now, state: { get: async () => undefined, set: async () => {} } } as unknown as Host
  const sightings = createSightings(host)
  const seenAfter = async (wait: number) => {
    now += wait
    return (await sightings.begin('a', 5 * minute)).again
  }
  expect(await seenAfter(0)).toBe(1 / 4)
  expect(await seenAfter(minute)).toBe(2 / 5)
  expect(await seenAfter(6 * minute)).toBe(2 / 6)
  expect(await seenAfter(6 * minute)).toBe(2 / 7)
})

test('sessions that go on for long keep a key of their own, however many begin alike', () => {
  const begun = (turns: number) => {
    const keys = createSharedKeys({ now: () => 1_800_000_000_000 })
    let last: string | undefined
    for (let i = 0; i < 8; i++) {
      last = keys.begin('b', `s_${i}`, facts)
      for (let turn = 0; turn < turns; turn++) keys.goOn('b')
    }
    return last
  }
  expect(begun(0)).toStartWith('p_b_')
  expect(begun(1)).toStartWith('p_b_')
  expect(begun(5)).toBeUndefined()
})
