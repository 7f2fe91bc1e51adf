/** What tests of `sink: records` have in common: a gateway around the plugin, in a folder of its own, and its rows. */

import { afterEach, beforeEach } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { definePlugin, Principal, Session } from 'headgate/plugin'
import { type PluginKit, type TestPluginOptions, testPlugin } from 'headgate/testkit'
import audit from './index.ts'
import type { ExchangeRow } from './row.ts'
import { type ChainReport, verifyChains } from './verify.ts'

/** Live bindings: made anew for each test. */
export let folder: string
export let kit: PluginKit

/** To be called once in each test file. */
export function eachInItsFolder(): void {
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'headgate-audit-'))
  })
  afterEach(async () => {
    await kit?.close()
    rmSync(folder, { recursive: true, force: true })
  })
}

const price = [{ input: 3_000_000n, output: 15_000_000n }]

/** Refuses, answers or fails by header, below audit. */
const below = definePlugin({
  api: 1,
  name: 'below',
  summary: 'Does what a header says',
  failure: 'closed',
  setup: (host) => {
    host.route({ method: 'GET', path: '/extra', summary: 'An extra endpoint', handler: () => new Response('ok') })
    return {
      admit: (x) => (x.headers.get('x-do') === 'refuse' ? x.refuse('rate_limited', 'Slow down.') : undefined),
      request(x) {
        if (x.headers.get('x-do') === 'answer') return x.reply([{ type: 'text', text: 'cached', choice: 0 }])
        if (x.headers.get('x-do') === 'edit') x.request.set('/temperature', 0.5)
        x.setTarget({ upstream: 'openai', model: 'test-model', price })
        x.note('seen by mail of ann@example.com')
        return undefined
      },
    }
  },
})

/** Starts the plugin with a config. */
export async function start(more: Record<string, unknown> = {}, options: TestPluginOptions = {}): Promise<PluginKit> {
  kit = await testPlugin(audit, {
    folder,
    below: [below],
    slots: [
      [Principal, { ...Principal.example, tier: 'paid' }],
      [Session, { id: 'ses_1', turn: 2 }],
    ],
    with: { sink: 'records', in_flight: './data/under', ...more },
    ...options,
  })
  return kit
}

/** Rows in the order of the chain, when there are so many. */
export async function rows(count: number): Promise<ExchangeRow[]> {
  for (let tries = 0; tries < 500; tries++) {
    const found = await kit.stores.records.sql<ExchangeRow>`SELECT * FROM audit_exchange ORDER BY id`
    if (found.length >= count) return found
    await Bun.sleep(5)
  }
  throw new Error(`there are not ${count} rows`)
}

export async function verified(key?: string): Promise<ChainReport[]> {
  const reports: ChainReport[] = []
  for await (const report of verifyChains(kit.stores.records.sql, key)) reports.push(report)
  return reports
}
