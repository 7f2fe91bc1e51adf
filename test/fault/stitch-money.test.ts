/**
 * What a stitched stream is charged and counted, in a whole gateway with records, limits, budget and cost headers: each call once, by what it gave.
 *
 * The calls that broke off report nothing (Chat), so that their output is estimated from what they said; what reported is exact.
 */

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { estimateText } from '../../src/plugin/index.ts'
import { authPlugin } from '../support/gateway-config.ts'
import { sampleText } from '../support/sample-replies.ts'
import { until } from '../support/within.ts'
import { ask, older, type Stand, startStand } from './stitched.fixture.ts'

setDefaultTimeout(30_000)

const folder = mkdtempSync(join(tmpdir(), 'headgate-stitched-'))
const file = join(folder, 'audit.jsonl')
let stand: Stand

beforeAll(async () => {
  stand = await startStand({
    records: `sqlite:${join(folder, 'headgate.db')}`,
    plugins: [
      { use: 'probe' },
      { use: 'audit', with: { file } },
      { ...authPlugin, with: { keys: authPlugin.with.keys.map((key) => ({ ...key, tier: 'free' })) } },
      { use: 'session' },
      { use: 'cost-headers', with: { body: { cost_usd: 'usage.cost' } } },
      { use: 'budget', with: { plans: { free: { included: 1000 } } } },
      { use: 'router', with: { stitch: true, hedge: '2s', prefer_native: false, breaker: { enabled: false } } },
    ],
  })
})
afterAll(async () => {
  await stand.stop()
  rmSync(folder, { recursive: true, force: true })
})

interface Line {
  readonly id: string
  readonly cost_usd: string
  readonly usage: { readonly source: string; readonly input_uncached: number; readonly output_visible: number }
}
const lineOf = (id: string) =>
  until(5000, 'the record', () =>
    readFileSync(file, 'utf8')
      .split('\n')
      .flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Line]))
      .find((line) => line.id === id),
  )
/** One target breaks off after `sampleText`. */
const said = Math.ceil(estimateText(sampleText))

test.each([
  ['chat-messages', 1],
  ['twice', 2],
])('%s: what others said is not charged to the first, nor twice', async (kind, broken) => {
  for (const name of [`broken-${older}`, `again-${older}`]) stand.sick.forModel(name, { do: 'cut-after-content', by: 'eof' })
  const response = await ask(stand.gateway.url, 'chat', `${kind}/${older}`)
  const raw = await response.text()
  expect(raw).toContain('[DONE]')
  const { usage, cost_usd } = await lineOf(response.headers.get('x-request-id')!)
  // 11 and 3 are reported by the last one, 11 by the second of three (Messages); the rest is estimated
  expect(usage.source).toBe('estimated')
  expect(usage.output_visible).toBe(3 + broken * said)
  expect(usage.input_uncached).toBeLessThan(11 * broken + 80)
  expect(cost_usd).toBe(((usage.input_uncached + usage.output_visible * 10) / 1e6).toFixed(6).replace(/0+$/, ''))
  // the client is not told a cost that nobody reported
  expect(raw).not.toContain('"cost"')
})
