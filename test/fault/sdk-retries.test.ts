/** The retries of a client's SDK do not multiply those of the gateway: what was tried here is not tried as often again. Real SDKs with their own defaults. */

import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from 'bun:test'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { type BadUpstream, startBadUpstream } from '../support/bad-upstream.ts'
import { authPlugin, clientKey } from '../support/gateway-config.ts'
import { type LocalGateway, startLocalGateway } from '../support/local-gateway.ts'

setDefaultTimeout(30_000)

let bad: BadUpstream
let gateway: LocalGateway

beforeAll(async () => {
  bad = await startBadUpstream()
  const targets = (upstream: string, n: number) => Array.from({ length: n }, (_, i) => ({ upstream, model: `m${i}` }))
  gateway = await startLocalGateway(
    JSON.stringify({
      version: 1,
      upstreams: {
        openai: { dialect: 'openai', base_url: `${bad.url}/v1`, key: 'k', apis: ['chat', 'responses'] },
        anthropic: { dialect: 'anthropic', base_url: bad.url, key: 'k' },
      },
      models: {
        'openai-one': { targets: targets('openai', 1) },
        'openai-three': { targets: targets('openai', 3) },
        'anthropic-three': { targets: targets('anthropic', 3) },
      },
      plugins: [{ use: 'probe' }, authPlugin, { use: 'router', with: { breaker: { enabled: false } } }],
    }),
  )
})
afterAll(async () => {
  await gateway.stop()
  await bad.stop()
})
beforeEach(() => bad.always({ do: 'status', status: 503 }))

const openai = () => new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: clientKey })
const anthropic = () => new Anthropic({ baseURL: gateway.url, apiKey: clientKey })
const messages = [{ role: 'user' as const, content: 'Hi' }]

/** Upstream calls that one call of an SDK comes to, when all fail. */
async function callsOf(run: () => Promise<unknown>): Promise<number> {
  const before = bad.calls.length
  const failed = await (async () => await run())().then(
    () => false,
    () => true,
  )
  expect(failed).toBe(true)
  return bad.calls.length - before
}

for (const stream of [false, true]) {
  test(`three targets, each is tried once: 3 calls, not 9; ${stream ? 'streamed' : 'whole'}`, async () => {
    expect(await callsOf(() => openai().chat.completions.create({ model: 'openai-three', messages, stream }))).toBe(3)
    expect(await callsOf(() => openai().responses.create({ model: 'openai-three', input: 'Hi', stream }))).toBe(3)
    expect(await callsOf(() => anthropic().messages.create({ model: 'anthropic-three', messages, max_tokens: 9, stream }))).toBe(3)
  })
}

test('one target that was tried once: trying again is left to the SDK', async () => {
  expect(await callsOf(() => openai().chat.completions.create({ model: 'openai-one', messages }))).toBe(3)
})

test('a wait that the upstream asks for reaches the SDK', async () => {
  bad.always({ do: 'ok' })
  bad.next({ do: 'status', status: 429, headers: { 'retry-after': '1' } })
  const began = performance.now()
  const done = await openai().chat.completions.create({ model: 'openai-one', messages })
  expect(done.choices[0]!.message.content).toBeTruthy()
  expect(performance.now() - began).toBeGreaterThan(950)
})
