/**
 * How often the gateway itself makes a conversation miss its provider's prompt cache: several deployments of one model, each with a cache of its own.
 *
 * Every deployment remembers which conversations it has seen. A turn that comes to one that has not, though another has, is a miss that the gateway added.
 * Prints the share for each strategy: all well, after a restart that forgets everything, and with one deployment that fails now and then.
 */

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { authPlugin, clientKey } from '../support/gateway-config.ts'
import { type LocalGateway, startLocalGateway } from '../support/local-gateway.ts'
import { sampleWhole } from '../support/sample-replies.ts'

setDefaultTimeout(120_000)

const sessions = 80
const turns = 12
/** The most that the gateway may add while all are well. */
const goal = 0.005

interface Deployment {
  readonly url: string
  readonly warm: Set<string>
  failing: boolean
  stop(): Promise<void>
}
const seen = new Map<string, Deployment>()
let misses = 0
let calls = 0

function startDeployment(): Deployment {
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      const { messages } = (await request.json()) as { messages: readonly { readonly content: string }[] }
      const session = messages[0]!.content
      // one in ten calls of a deployment that is not well
      if (made.failing && Math.random() < 0.1) return new Response('{"error":{"message":"boom"}}', { status: 500 })
      await Bun.sleep(1 + Math.random() * 6)
      calls++
      if (seen.has(session) && !made.warm.has(session)) misses++
      made.warm.add(session)
      seen.set(session, made)
      return new Response(sampleWhole('openai-chat'), { headers: { 'content-type': 'application/json' } })
    },
  })
  const made: Deployment = { url: server.url.origin, warm: new Set(), failing: false, stop: () => server.stop(true) }
  return made
}

const deployments: Deployment[] = []
const strategies = ['weighted', 'least_busy', 'lowest_latency', 'lowest_cost'] as const
const rows: string[] = []

beforeAll(() => {
  for (let i = 0; i < 4; i++) deployments.push(startDeployment())
})
afterAll(async () => {
  for (const one of deployments) await one.stop()
  const head = `${sessions} conversations of ${turns} turns, 4 deployments      misses added   conversations per deployment`
  console.log([head, ...rows].join('\n'))
})

function start(strategy: string): Promise<LocalGateway> {
  return startLocalGateway(
    JSON.stringify({
      version: 1,
      upstreams: Object.fromEntries(deployments.map(({ url }, i) => [`up${i}`, { dialect: 'openai', base_url: `${url}/v1`, key: 'k' }])),
      models: { m: { targets: deployments.map((_, i) => ({ upstream: `up${i}`, model: 'm' })), price: { input: 1, output: 1 } } },
      plugins: [authPlugin, { use: 'router', with: { strategy } }],
    }),
  )
}

/** Turns of all conversations, each in its order, many at a time. Gives the share of misses and who served whom. */
async function run(gateway: LocalGateway, from: number, to: number): Promise<number> {
  const before = { misses, calls }
  const one = async (session: string) => {
    for (let turn = from; turn < to; turn++) {
      const response = await fetch(`${gateway.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${clientKey}`, 'x-claude-code-session-id': session },
        body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: session }] }),
      })
      await response.text()
      expect(response.status).toBe(200)
    }
  }
  const queue = Array.from({ length: sessions }, (_, i) => `conversation ${i}`)
  await Promise.all(
    Array.from({ length: 20 }, async () => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) await one(next)
    }),
  )
  return (misses - before.misses) / (calls - before.calls)
}

function forget(): void {
  seen.clear()
  for (const one of deployments) one.warm.clear()
}
const spread = () => deployments.map(({ warm }) => warm.size).join(' / ')
const show = (name: string, share: number) => rows.push(`${name.padEnd(60)} ${(share * 100).toFixed(2).padStart(6)} %   ${spread()}`)

for (const strategy of strategies) {
  test(`G7: ${strategy} adds no misses while all are well, and few after a restart`, async () => {
    forget()
    let gateway = await start(strategy)
    const well = await run(gateway, 0, turns)
    show(`${strategy}, all well`, well)
    expect(well).toBeLessThanOrEqual(goal)
    expect(deployments.filter(({ warm }) => warm.size > 0).length).toBeGreaterThan(1)
    await gateway.stop()
    // nothing is left in memory, and nothing was stored
    gateway = await start(strategy)
    const restarted = await run(gateway, 0, turns)
    show(`${strategy}, after a restart`, restarted)
    expect(restarted).toBeLessThanOrEqual(strategy === 'lowest_latency' ? 0.06 : goal)
    await gateway.stop()
  })
}

test('a deployment that fails one call in ten: a failover moves one request, not the conversation', async () => {
  forget()
  const gateway = await start('weighted')
  await run(gateway, 0, 2)
  deployments[1]!.failing = true
  const share = await run(gateway, 2, turns)
  show('weighted, one fails one call in ten', share)
  // a quarter of the calls, a tenth of those; the second place of each conversation is cold but once
  expect(share).toBeLessThanOrEqual(0.04)
  deployments[1]!.failing = false
  await gateway.stop()
})
