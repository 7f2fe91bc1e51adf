/** What a key is told of itself: what restricts it, and what it has used. */

import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { definePlugin, Principal, unknownUsage } from 'headgate/plugin'
import { testPlugin } from 'headgate/testkit'
import audit from './index.ts'

/** Where the kit's own router would say no price. */
const priced = definePlugin({
  api: 1,
  name: 'priced',
  summary: 'Sends calls where they cost something',
  failure: 'closed',
  setup: () => ({
    request(x) {
      x.setTarget({ upstream: 'openai', model: 'test-model', price: [{ input: 1_000_000n, output: 1_000_000n }] })
      return undefined
    },
  }),
})
const used = { ...unknownUsage, source: 'reported', inputUncached: 3, outputVisible: 2 } as const
const principal = {
  id: 'key_1',
  name: 'laptop',
  kind: 'key',
  account: 'acme',
  tags: ['eu'],
  models: ['test-*'],
  limits: [{ window: 60_000, requests: 7, tokens: 500 }],
  caps: [{ per: 'month', usd: '0.00001' }],
}

const folder = mkdtempSync(join(tmpdir(), 'headgate-key-info-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test.each(['openrouter', 'litellm'])('in the shape of %s', async (style) => {
  const kit = await testPlugin(audit, {
    with: { sink: 'records', in_flight: join(folder, 'in-flight'), key_info: { paths: ['/key'], style }, markup: 50 },
    slots: [[Principal, principal]] as never,
    below: [priced],
    upstream: {
      events: [
        { type: 'start', id: 'r' },
        { type: 'text', text: 'a', choice: 0 },
        { type: 'stop', reason: 'end', raw: 'stop', choice: 0 },
        { type: 'usage', usage: used },
        { type: 'end' },
      ],
    },
  })
  await kit.chat()
  await kit.chat()
  const json: unknown = await (await kit.fetch('/key')).json()
  if (style === 'openrouter') {
    const { data } = json as { data: { usage: number; usage_daily: number; limit: number; limit_remaining: number } }
    expect(data).toMatchObject({ label: 'laptop', limit: 0.00001, limit_reset: 'monthly', rate_limit: { requests: 7, interval: '60s' } })
    expect(data.usage).toBe(0.000015)
    expect(data.usage_daily).toBe(data.usage)
    expect(data.limit_remaining).toBe(0)
  } else {
    const { info } = json as { info: { spend: number } }
    expect(info).toMatchObject({
      key_alias: 'laptop',
      max_budget: 0.00001,
      models: ['test-*'],
      rpm_limit: 7,
      tpm_limit: 500,
      user_id: 'acme',
    })
    expect(info.spend).toBe(0.000015)
  }
  await kit.close()
})
