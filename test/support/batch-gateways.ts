/**
 * Gateways that run batches for an account that pays, in front of a provider that remembers each call: for tests of crashes, on SQLite and on PostgreSQL.
 *
 * Leases last for seconds here, so that nobody waits half a minute for what a dead process has left.
 */

import { join } from 'node:path'
import type { Records } from '../../src/plugin/host.ts'
import { type GatewayProcess, startGateway } from './gateway.ts'
import { auditPlugin, authPlugin, clientKey, gatewayConfig } from './gateway-config.ts'
import { until } from './within.ts'

/** The account of the key that all clients use. */
export const account = 'e2e'
/** Picodollars: 10 tokens of output at 50 USD per million. */
export const perReply = 500_000_000n

const pluginFile = (name: string) => JSON.stringify(join(import.meta.dir, '../../plugins', name, 'index.ts'))
const files = {
  'batch.ts': `import { batchWith } from ${pluginFile('batch')}
export default batchWith({ lease: 3_000, look: 500, patience: 300 })`,
  'budget.ts': `import { budgetWith } from ${pluginFile('budget')}
export default budgetWith({ lease: 6_000, pause: 1_000 })`,
  // ends its process when so many calls of plugins are charged, before anybody has seen their replies
  'crash.ts': `import { definePlugin, Type } from 'headgate/plugin'
export default definePlugin({ api: 1, name: 'crash', summary: 'Dies', failure: 'open', holdsEnd: true, config: Type.Object({ at: Type.Integer() }),
  setup(_host, { at }) {
    let n = 0
    return { settle(x) { if (x.inner && ++n === at) process.kill(process.pid, 'SIGKILL') } }
  } })`,
  // ends it before that call is charged, but so late that its reply, were it not held, would have been seen
  'crash-early.ts': `import { definePlugin, Type } from 'headgate/plugin'
export default definePlugin({ api: 1, name: 'crash-early', summary: 'Dies', failure: 'open', config: Type.Object({ at: Type.Integer() }),
  setup(_host, { at }) {
    let n = 0
    return { async settle(x) { if (x.inner && ++n === at) { await Bun.sleep(500); process.kill(process.pid, 'SIGKILL') } } }
  } })`,
}

export interface BatchProvider {
  /** What each call said, in the order in which they came. */
  readonly calls: string[]
  /** What is waited for before a call is answered. */
  before: (said: string) => Promise<unknown>
  readonly url: string
  stop(): Promise<void>
}

export function startBatchProvider(): BatchProvider {
  const provider = { calls: [] as string[], before: async (_said: string): Promise<unknown> => undefined }
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    idleTimeout: 0,
    async fetch(request) {
      const { messages } = (await request.json()) as { messages: { content: string }[] }
      const said = messages[0]!.content
      provider.calls.push(said)
      await provider.before(said)
      const usage = { prompt_tokens: 5, completion_tokens: 10, total_tokens: 15 }
      const choices = [{ index: 0, message: { role: 'assistant', content: `re: ${said}` }, finish_reason: 'stop' }]
      return Response.json({ id: 'c', object: 'chat.completion', created: 1, model: 'known', choices, usage })
    },
  })
  return Object.assign(provider, { url: `http://127.0.0.1:${server.port}`, stop: () => server.stop(true) })
}

/** Starts a gateway on these records. `crashAt`: it dies by itself when so many requests are charged. */
export function startBatchGateway(
  provider: BatchProvider,
  records: string,
  more: { crashAt?: number; crashEarlyAt?: number; batch?: object; drain?: string } = {},
): Promise<GatewayProcess> {
  return startGateway({
    config: gatewayConfig({
      upstream: provider.url,
      ...(more.drain !== undefined && { server: { drain: more.drain } }),
      plugins: [
        auditPlugin,
        authPlugin,
        { use: './batch.ts', with: { concurrency: 8, ...more.batch } },
        ...(more.crashAt === undefined ? [] : [{ use: './crash.ts', with: { at: more.crashAt } }]),
        { use: './budget.ts' },
        ...(more.crashEarlyAt === undefined ? [] : [{ use: './crash-early.ts', with: { at: more.crashEarlyAt } }]),
        { use: 'router', with: { fallback: false } },
      ],
      more: {
        records: '${' + 'env:RECORDS_URL}',
        models: { 'cat/known': { targets: [{ upstream: 'openai', model: 'known' }], price: { input: 0, output: 50 }, max_output: 1000 } },
      },
    }),
    files,
    env: { RECORDS_URL: records },
  })
}

/** Of requests of the one client. */
export const headers = { authorization: `Bearer ${clientKey}`, 'content-type': 'application/json' }

export async function topUp(gateway: GatewayProcess, usd: string): Promise<void> {
  const response = await fetch(`${gateway.adminUrl}/budget/accounts/${account}/entries`, { method: 'POST', body: JSON.stringify({ usd }) })
  if (response.status !== 200) throw new Error(await response.text())
}

/** Submits `n` requests, which say `r0`, `r1` …; the id of the batch. */
export async function submitBatch(gateway: GatewayProcess, n: number): Promise<string> {
  const requests = Array.from({ length: n }, (_, i) => ({
    custom_id: `c${i}`,
    body: { model: 'cat/known', messages: [{ role: 'user', content: `r${i}` }] },
  }))
  const response = await fetch(`${gateway.url}/v1/batch`, { method: 'POST', headers, body: JSON.stringify({ requests }) })
  if (response.status !== 200) throw new Error(await response.text())
  return ((await response.json()) as { id: string }).id
}

export interface Result {
  readonly custom_id: string
  readonly status: string
  readonly response: {
    readonly status_code: number
    readonly body: { readonly choices: { readonly message: { readonly content: string } }[] }
  } | null
}

/** Waits for the end of a batch; its state and all its results. */
export async function whenOver(gateway: GatewayProcess, id: string, patience = 60_000) {
  const get = async (path: string) => (await fetch(`${gateway.url}${path}`, { headers })).text()
  const batch = await until(patience, `the batch ${id} is over`, async () => {
    const response = await fetch(`${gateway.url}/v1/batch/${id}`, { headers })
    const told = (await response.json()) as { status: string; ended_at: number | null; request_counts: Record<string, number> }
    if (response.status === 503) return undefined // the records are away
    return told.ended_at === null ? undefined : told
  })
  const lines = (await get(`/v1/batch/${id}/results?format=jsonl`)).trim().split('\n')
  return { batch, results: lines.map((line) => JSON.parse(line) as Result) }
}

/** What the account was charged, by the ledger; open holds. */
export async function booksOf(records: Records) {
  const charges = await records.sql<{
    id: string
    amount: bigint
  }>`SELECT id, amount FROM budget_ledger WHERE account = ${account} AND kind = 'charge'`
  const [row] = await records.sql<{ balance: bigint; held: bigint }>`SELECT balance, held FROM budget_account WHERE id = ${account}`
  const [sum] = await records.sql<{ sum: bigint }>`SELECT coalesce(sum(amount), 0) AS sum FROM budget_ledger WHERE account = ${account}`
  return { charges, balance: row!.balance, held: row!.held, sum: sum!.sum }
}

/** How often each was called. */
export function timesOf(calls: readonly string[]): Map<string, number> {
  const times = new Map<string, number>()
  for (const call of calls) times.set(call, (times.get(call) ?? 0) + 1)
  return times
}
