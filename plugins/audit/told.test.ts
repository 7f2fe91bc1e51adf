/** What a receipt tells beyond who and where: edits in bytes, what was saved, and how long each plugin took. */

import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { definePlugin, Principal, PromptCache, Trim } from 'headgate/plugin'
import { type PluginKit, type TestPluginOptions, testPlugin } from 'headgate/testkit'
import audit from './index.ts'
import type { ExchangeRow } from './row.ts'
import { detailOf, rowTold } from './told.ts'
import { usageBy } from './usage.ts'
import { verifyChains } from './verify.ts'

let folder: string
let kit: PluginKit
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headgate-audit-'))
})
afterEach(async () => {
  await kit?.close()
  rmSync(folder, { recursive: true, force: true })
})

const below = definePlugin({
  api: 1,
  name: 'below',
  summary: 'Edits by header',
  failure: 'closed',
  setup: () => ({
    request(x) {
      if (x.headers.get('x-do') === 'edit') x.request.set('/temperature', 0.5)
      x.setTarget({ upstream: 'openai', model: 'test-model', price: [{ input: 3_000_000n, output: 15_000_000n }] })
    },
  }),
})
const start = async (more: object = {}, options: TestPluginOptions = {}) => {
  kit = await testPlugin(audit, { folder, below: [below], with: { sink: 'records', in_flight: './data/under', ...more }, ...options })
}
const rows = async (count: number): Promise<ExchangeRow[]> => {
  for (let tries = 0; tries < 500; tries++) {
    const found = await kit.stores.records.sql<ExchangeRow>`SELECT * FROM audit_exchange ORDER BY id`
    if (found.length >= count) return found
    await Bun.sleep(5)
  }
  throw new Error(`there are not ${count} rows`)
}

test('with `plugin_times` also who let it pass, and how long each took; without, nothing of it', async () => {
  await start({ plugin_times: true })
  await kit.chat()
  const [row] = await rows(1)
  const { hooks } = detailOf(row!)
  expect(hooks!.map((h) => `${h.plugin} ${h.hook}`)).toContain('below request')
  for (const { at, ms } of hooks!) expect(at >= 0 && ms >= 0).toBe(true)
  await kit.close()
  await start()
  await kit.chat()
  expect(detailOf((await rows(1))[0]!).hooks).toBeUndefined()
})

test('what was edited, trimmed and cached is told in bytes, tokens and money', async () => {
  const savings = () => 123_000_000n
  await start(
    {},
    {
      slots: [
        [Principal, Principal.example],
        [Trim, { ...Trim.example, tokens: 40, savings }],
        [PromptCache, { attribution: 'gateway' }],
      ],
    },
  )
  const { sent } = await kit.chat({}, { headers: { 'x-do': 'edit' } })
  const [row] = await rows(1)
  expect(row).toMatchObject({
    trim_saved: 123_000_000n,
    trimmed: 40n,
    cache_attribution: 'gateway',
    cache_status: 'none',
    saved: 0n,
    saved_gross: 0n,
  })
  const { edits, bytes_in } = detailOf(row!)
  const [[at, taken, put]] = edits!.spans as [[number, number, number]]
  expect(edits).toMatchObject({ removed: taken, added: put })
  expect(sent[0]!.body.length).toBe(bytes_in! - taken + put)
  expect(at).toBeLessThan(bytes_in!)
  expect(rowTold(row!)).toMatchObject({
    trim_savings_usd: '0.000123',
    trimmed_tokens: 40,
    cache_attribution: 'gateway',
    cache_status: 'none',
  })
  expect((await usageBy(kit.stores.records.sql, [], {}))[0]!.sums).toMatchObject({ trim_saved: 123_000_000n, trimmed: 40n })
  for await (const report of verifyChains(kit.stores.records.sql, undefined)) expect(report).toMatchObject({ rows: 1, problems: [] })
})
