/** Accounts of a gateway with SQLite, as a client and an operator meet them: 402, a topup beside the running gateway, /credits, a restart after kill -9. */

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import OpenAI from 'openai'
import { type GatewayProcess, startGateway } from '../support/gateway.ts'
import { authPlugin, clientKey, gatewayConfig } from '../support/gateway-config.ts'
import { until } from '../support/within.ts'

const main = join(import.meta.dir, '../../src/main.ts')
let folder: string
let provider: ReturnType<typeof Bun.serve>
let gateway: GatewayProcess
let calls = 0

const config = () =>
  gatewayConfig({
    upstream: `http://127.0.0.1:${provider.port}`,
    plugins: [authPlugin, { use: 'budget', with: { path: '/v1/credits', markup: 100 } }, { use: 'router' }],
    more: {
      records: `sqlite:${join(folder, 'headgate.db')}`,
      models: { 'cat/known': { targets: [{ upstream: 'openai', model: 'known' }], price: { input: 0, output: 50 }, max_output: 1000 } },
    },
  })
const credits = async (...argv: string[]) => {
  const child = Bun.spawn([process.execPath, main, 'credits', ...argv, '--config', join(gateway.dir, 'gateway.yaml')], {
    stdout: 'pipe',
    stderr: 'pipe',
  })
  expect(await child.exited).toBe(0)
  return await new Response(child.stdout).text()
}
const client = () => new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: clientKey, maxRetries: 0 })
const chat = (stream: boolean) =>
  client().chat.completions.create({ model: 'cat/known', messages: [{ role: 'user', content: 'Hi' }], stream })
const own = async () => (await fetch(`${gateway.url}/v1/credits`, { headers: { authorization: `Bearer ${clientKey}` } })).json()

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'headgate-budget-'))
  provider = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch() {
      calls++
      const usage = { prompt_tokens: 5, completion_tokens: 10, total_tokens: 15 }
      const choices = [{ index: 0, message: { role: 'assistant', content: 'Hello' }, finish_reason: 'stop' }]
      return Response.json({ id: 'c', object: 'chat.completion', created: 1, model: 'known', choices, usage })
    },
  })
  gateway = await startGateway({ config: config() })
}, 30_000)
afterAll(async () => {
  await gateway?.stop()
  await provider?.stop(true)
  rmSync(folder, { recursive: true, force: true })
})

test('without a balance: 402 as a plain HTTP error, streams too, and no upstream call', async () => {
  for (const stream of [false, true]) {
    const error = await chat(stream).then(
      () => undefined,
      (e: unknown) => e,
    )
    expect(error).toBeInstanceOf(OpenAI.APIError)
    expect(error).toMatchObject({ status: 402, code: 'insufficient_quota', type: 'insufficient_quota' })
  }
  expect(calls).toBe(0)
})

test('a topup beside the running gateway counts at once; the client sees its account', async () => {
  expect(await credits('topup', 'e2e', '1.00', '--id', 'first')).toBe('e2e: 1 USD\n')
  await chat(false)
  const account = await until(5000, 'it is settled', async () => {
    const seen = (await own()) as { balance: number; reserved: number }
    return seen.reserved === 0 && seen.balance < 1 ? seen : undefined
  })
  expect(account).toMatchObject({ account: 'e2e', plan: 'prepaid', balance: 0.999, available: 0.999 })
  expect(await credits('ledger', 'e2e')).toMatch(/charge +-0\.001 +openai\/known +5 +10 +0\.0005 +reported +e2e/)
  expect((await fetch(`${gateway.url}/v1/credits`)).status).toBe(401)
})

test('kill -9 and a new start: the balance is there', async () => {
  gateway.signal('SIGKILL')
  await gateway.exited
  const dead = gateway
  gateway = await startGateway({ config: config() })
  expect(await own()).toMatchObject({ balance: 0.999, reserved: 0 })
  await dead.stop()
}, 30_000)
