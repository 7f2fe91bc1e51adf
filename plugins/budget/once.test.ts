/** Calls that are made again under one name, because nobody knew what became of them: charged once, by money and by messages. */

import { expect, test } from 'bun:test'
import { definePlugin, formatUsd, Principal, type PrincipalValue } from 'headgate/plugin'
import { testPlugin } from 'headgate/testkit'
import budget from './index.ts'

const principal: PrincipalValue = { id: 'key_1', kind: 'key', account: 'acme', tags: [], caps: [{ per: 'total', messages: 10, usd: '5' }] }

/** `POST /call?once=…` makes a call for the principal. */
const caller = definePlugin({
  api: 1,
  name: 'caller',
  summary: 'Calls',
  failure: 'closed',
  setup(host) {
    host.route({
      method: 'POST',
      path: '/call',
      summary: 'Calls',
      async handler(request) {
        const once = new URL(request.url).searchParams.get('once')
        const body = JSON.stringify({ model: 'test-model', messages: [{ role: 'user', content: 'Hi' }] })
        const headers = { 'content-type': 'application/json' }
        const inner = new Request('http://x/v1/chat/completions', { method: 'POST', headers, body })
        return await host.call(inner, { principal, ...(once !== null && { once }) })
      },
    })
    return {}
  },
})

test('twice under one name is charged once; without a name, or under another, each time', async () => {
  const kit = await testPlugin(budget, {
    with: {},
    slots: [[Principal, principal]],
    models: { 'test-model': { targets: [{ upstream: 'openai' }], price: { input: 10, output: 50 }, max_output: 1000 } },
    below: [caller],
  })
  await kit.admin('/budget/accounts/acme/entries', { method: 'POST', body: JSON.stringify({ usd: '1' }) })
  const call = async (query = '') => {
    const response = await kit.fetch(`/call${query}`, { method: 'POST' })
    expect([response.status, (await response.text()).includes('Hello from upstream')]).toEqual([200, true])
  }
  const books = async () => {
    const { sql } = kit.stores.records
    const charges = await sql<{ id: string }>`SELECT id FROM budget_ledger WHERE kind = ${'charge'} ORDER BY id`
    const [row] = await sql<{ balance: bigint; held: bigint }>`SELECT balance, held FROM budget_account WHERE id = ${'acme'}`
    const counters = await sql<{ id: string; used: bigint; held: bigint }>`SELECT id, used, held FROM budget_counter ORDER BY id`
    const spent = 1_000_000_000_000n - row!.balance
    return {
      charges: charges.map(({ id }) => (id.startsWith('charge:hold_') ? 'charge:hold' : id)),
      spent: formatUsd(spent),
      held: row!.held,
      messages: counters.find(({ id }) => id.startsWith('messages'))?.used,
      counted: counters.find(({ id }) => id.startsWith('usd'))?.used === spent,
      open: counters.some(({ held }) => held !== 0n),
    }
  }
  await call('?once=a')
  const once = await books()
  expect(once).toMatchObject({ charges: ['charge:caller/a'], held: 0n, messages: 1n, counted: true, open: false })
  await call('?once=a')
  await call('?once=a')
  expect(await books()).toEqual(once)
  await call('?once=b')
  await call()
  await call()
  const all = await books()
  expect(all).toMatchObject({
    charges: ['charge:caller/a', 'charge:caller/b', 'charge:hold', 'charge:hold'],
    held: 0n,
    messages: 4n,
    counted: true,
    open: false,
  })
  expect(Number(all.spent)).toBeCloseTo(4 * Number(once.spent), 10)
  await kit.close()
})
