/** Several keys of one upstream: the work is spread over them, a key that is limited or refused rests, a conversation stays with one, and none is shown. */

import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import type { Outcome } from '../../src/plugin/index.ts'
import { authPlugin, clientKey } from '../support/gateway-config.ts'
import { type LocalGateway, startLocalGateway } from '../support/local-gateway.ts'
import { sampleError, sampleWhole } from '../support/sample-replies.ts'

const keys = ['sk-first-secret', 'sk-second-secret', 'sk-third-secret']
const used: string[] = []
let answers: Record<string, () => Response> = {}
const provider = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch(request) {
    const key = request.headers.get('authorization')!.replace('Bearer ', '')
    used.push(key)
    return answers[key]?.() ?? new Response(sampleWhole('openai-chat'), { headers: { 'content-type': 'application/json' } })
  },
})
const failing =
  (status: number, headers = {}) =>
  () =>
    new Response(sampleError('openai-chat'), { status, headers: { 'content-type': 'application/json', ...headers } })

let gateway: LocalGateway
let model = 0

beforeAll(async () => {
  gateway = await startLocalGateway(
    JSON.stringify({
      version: 1,
      upstreams: { up: { dialect: 'openai', base_url: `${provider.url.origin}/v1`, keys } },
      models: { '*': { targets: [{ upstream: 'up' }] } },
      plugins: [{ use: 'probe' }, authPlugin, { use: 'router', with: { breaker: { max_cooldown: '150ms' } } }],
    }),
  )
})
beforeEach(() => {
  used.length = 0
  answers = {}
  model++
})
afterAll(async () => {
  await gateway.stop()
  await provider.stop(true)
})

async function ask(more: object = {}): Promise<{ status: number; outcome: Outcome; text: string }> {
  const response = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${clientKey}` },
    body: JSON.stringify({ model: `m${model}`, messages: [{ role: 'user', content: 'Hello!' }], ...more }),
  })
  const text = await response.text()
  return { status: response.status, text, outcome: await gateway.outcome(response.headers.get('x-request-id')!) }
}

test('the work is spread over them', async () => {
  await Promise.all(Array.from({ length: 30 }, () => ask()))
  expect(new Set(used)).toEqual(new Set(keys))
})

test('F07: a conversation stays with its key, and moves for good when that is limited', async () => {
  const turn = () => ask({ prompt_cache_key: 'conversation' })
  for (let i = 0; i < 4; i++) await turn()
  const [first] = used
  expect(new Set(used).size).toBe(1)
  used.length = 0
  answers[first!] = failing(429, { 'retry-after': '60' })
  const { outcome } = await turn()
  expect(outcome.attempts).toMatchObject([{ status: 429, retryAfter: 60 }, { status: 200 }])
  for (let i = 0; i < 3; i++) await turn()
  expect(used[0]).toBe(first!)
  expect(new Set(used.slice(1)).size).toBe(1)
  expect(used.slice(1)).not.toContain(first!)
})

test('which one was used is in the record by its number; none is shown', async () => {
  answers = Object.fromEntries(keys.map((key) => [key, failing(500)]))
  const { outcome, text } = await ask()
  expect(outcome.attempts.map((a) => a.upstream).sort()).toEqual(['up#1', 'up#2', 'up#3'])
  const shown = `${text}${JSON.stringify(outcome, (_, value) => (typeof value === 'bigint' ? `${value}` : value))}${gateway.log()}`
  for (const key of keys) expect(shown).not.toContain(key)
})

test('G08: a refused key rests for all models; of all refused ones one is tried', async () => {
  answers[keys[0]!] = failing(401)
  answers[keys[2]!] = failing(401)
  for (let i = 0; i < 12; i++) expect((await ask()).status).toBe(200)
  expect(used.filter((key) => key === keys[0]).length).toBeLessThanOrEqual(1)
  model++
  used.length = 0
  answers[keys[1]!] = failing(401)
  const { status, outcome } = await ask()
  expect([status, outcome.code]).toEqual([502, 'upstream_auth'])
  expect(used.length).toBeGreaterThan(0)
})
