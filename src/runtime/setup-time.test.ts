/** What a plugin may take to set itself up: its own time is bounded, that of its tables is not. */

import { expect, test } from 'bun:test'
import { HookTimeout } from '../pipeline/fence.ts'
import { withinSetup } from './setup-time.ts'

const log = { debug() {}, info() {}, warn() {}, error() {} }

test('its own time is bounded', async () => {
  await expect(withinSetup(new Promise(() => {}), 30, { migrating: false }, log)).rejects.toBeInstanceOf(HookTimeout)
  expect(await withinSetup(Promise.resolve(7), 30, { migrating: false }, log)).toBe(7)
  await expect(withinSetup(Promise.reject(new Error('boom')), 30, { migrating: false }, log)).rejects.toThrow('boom')
})

test('while its tables are made the clock stands, and goes on behind them', async () => {
  const records = { migrating: true }
  const made = Promise.withResolvers<string>()
  let failed: unknown
  const within = withinSetup(made.promise, 30, records, log).catch((error: unknown) => {
    failed = error
  })
  await Bun.sleep(150)
  expect(failed).toBeUndefined()
  records.migrating = false
  await within
  expect(failed).toBeInstanceOf(HookTimeout)
})
