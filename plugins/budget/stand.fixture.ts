/** Records of a test's own, as the plugin gets them, and a clock: for what can be said without requests. */

import { definePlugin, type Host, type Records } from 'headgate/plugin'
import { type PluginKit, testPlugin } from 'headgate/testkit'
import { migrations } from './tables.ts'

export interface Stand {
  readonly records: Records
  readonly kit: PluginKit
  readonly host: Host
  /** Milliseconds since the epoch; moved by the test. */
  now: number
}

export async function stand(): Promise<Stand> {
  let host: Host | undefined
  const holder = definePlugin({
    api: 1,
    name: 'budget',
    summary: 'Holds the records of a test',
    failure: 'closed',
    async setup(given) {
      host = given
      await given.records.migrate(migrations)
      return {}
    },
  })
  const kit = await testPlugin(holder)
  return { records: host!.records, host: host!, kit, now: Date.UTC(2026, 0, 15) }
}
