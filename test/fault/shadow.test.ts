/**
 * Shadow traffic of a whole gateway: a copy of a request goes to another model, and its client neither sees, waits for nor pays for it.
 *
 * Real sockets, records, budget and limits. What the copy used stands in a record of its own and in the metrics; what fails shows in the log, too.
 */

import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BadUpstream, startBadUpstream } from '../support/bad-upstream.ts'
import { authPlugin, clientKey } from '../support/gateway-config.ts'
import { type LocalGateway, startLocalGateway } from '../support/local-gateway.ts'
import { sampleText } from '../support/sample-replies.ts'
import { until, within } from '../support/within.ts'

setDefaultTimeout(30_000)

const folder = mkdtempSync(join(tmpdir(), 'headgate-shadow-'))
const file = join(folder, 'audit.jsonl')
let main: BadUpstream
let other: BadUpstream
let gateway: LocalGateway

const config = () =>
  JSON.stringify({
    version: 1,
    records: `sqlite:${join(folder, 'headgate.db')}`,
    upstreams: {
      main: { dialect: 'openai', base_url: `${main.url}/v1`, key: 'k', apis: ['chat', 'responses'] },
      native: { dialect: 'anthropic', base_url: main.url, key: 'k' },
      other: { dialect: 'openai', base_url: `${other.url}/v1`, key: 'k', apis: ['chat', 'responses'], on_disconnect: 'drain' },
    },
    models: {
      m: {
        targets: ['main', 'native'].map((upstream) => ({ upstream, model: 'm' })),
        price: { input: 100, output: 1000 },
        max_output: 100,
      },
      candidate: { targets: [{ upstream: 'other', model: 'c' }], price: { input: 1, output: 2 } },
    },
    plugins: [
      { use: 'probe' },
      { use: 'audit', with: { file } },
      { ...authPlugin, with: { keys: authPlugin.with.keys.map((key) => ({ ...key, tier: 'free' })) } },
      { use: 'rate-limit', with: { limits: [{ tokens: 1_000_000, window: '1h' }] } },
      { use: 'budget', with: { plans: { free: { included: 1000 } } } },
      { use: 'router', with: { shadow: { to: 'candidate', share: 1, concurrency: 1, queue: 1 } } },
    ],
  })

beforeAll(async () => {
  main = await startBadUpstream()
  other = await startBadUpstream()
  gateway = await startLocalGateway(config())
})
afterAll(async () => {
  await gateway.stop()
  await main.stop()
  await other.stop()
  rmSync(folder, { recursive: true, force: true })
})
beforeEach(() => other.forModel('c', { do: 'ok' }))

const bodies = {
  '/v1/chat/completions': { messages: [{ role: 'user', content: 'Hello!' }], max_tokens: 50 },
  '/v1/messages': { messages: [{ role: 'user', content: 'Hello!' }], max_tokens: 50 },
  '/v1/responses': { input: 'Hello!', max_output_tokens: 50 },
} as const

async function send(path: keyof typeof bodies, stream: boolean): Promise<{ id: string; text: string; status: number }> {
  const response = await fetch(`${gateway.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${clientKey}`, 'anthropic-version': '2023-06-01' },
    body: JSON.stringify({ model: 'm', stream, ...bodies[path] }),
  })
  const text = await within(5000, 'the reply', response.text())
  return { id: response.headers.get('x-request-id')!, text, status: response.status }
}

interface Line {
  readonly id: string
  readonly shadow_of?: string
  readonly [name: string]: unknown
}
const lines = (): Line[] =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)
const shadowOf = (id: string) =>
  until(5000, `the record of the copy of ${id}`, () => fileExists() && lines().find((l) => l.shadow_of === id))
const fileExists = () => {
  try {
    return readFileSync(file, 'utf8').includes('\n')
  } catch {
    return false
  }
}
const spent = async () => {
  const response = await fetch(`${gateway.url}/credits`, { headers: { authorization: `Bearer ${clientKey}` } })
  return (await response.json()) as { balance: number; reserved: number; available: number }
}
const metric = (name: string) =>
  gateway.gateway.services.metrics
    .text()
    .split('\n')
    .filter((line) => line.startsWith(`headgate_${name}`))

for (const path of Object.keys(bodies) as (keyof typeof bodies)[]) {
  for (const stream of [false, true]) {
    test(`${path}, ${stream ? 'stream' : 'whole'}: own record, own cost, nothing charged, nothing seen`, async () => {
      const calls = other.calls.length
      const before = await spent()
      const { id, text, status } = await send(path, stream)
      expect(status).toBe(200)
      expect(text).toContain(stream ? 'Hello' : sampleText)
      const shadow = await shadowOf(id)
      const own = await until(5000, 'the own record', () => lines().find((l) => l.id === id))
      expect(own).toMatchObject({
        upstream: path === '/v1/messages' ? 'native' : 'main',
        account: 'e2e',
        cost_usd: '0.0041',
        model_asked: 'm',
      })
      expect(own.attempts).toHaveLength(1)
      expect(own.shadow_of).toBeUndefined()
      expect(shadow.id).toBe(`${id}-s1`)
      expect(shadow).toMatchObject({ upstream: 'other', end: 'finished', model_asked: 'candidate', cost_usd: '0.000017', stream })
      expect([shadow.account, shadow.principal, shadow.ip]).toEqual([undefined, undefined, undefined])
      expect(shadow.usage).toMatchObject({ source: 'reported', input_uncached: 11, output_visible: 3 })
      expect(other.calls.length).toBe(calls + 1)
      const sent = JSON.parse(Buffer.from(other.calls.at(-1)!.request.body).toString()) as Record<string, unknown>
      expect([sent.model, sent.stream ?? false]).toEqual(['c', stream])
      expect(JSON.stringify(sent)).toContain('Hello!')
      // the price of the client's own call, and no more
      const after = await until(5000, 'it is settled', async () => {
        const now = await spent()
        return now.reserved === 0 && now.available !== before.available ? now : undefined
      })
      expect(before.available - after.available).toBeCloseTo(0.0041, 9)
      // plugins that do not ask for shadows hear nothing of them
      expect([...gateway.outcomes.keys()]).not.toContain(`${id}-s1`)
    })
  }
}

test('what tokens a limit counts are those of the client alone', async () => {
  const left = async () => {
    const response = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${clientKey}` },
      body: JSON.stringify({ model: 'm', ...bodies['/v1/chat/completions'] }),
    })
    await response.text()
    await shadowOf(response.headers.get('x-request-id')!)
    return Number(response.headers.get('x-ratelimit-remaining'))
  }
  const first = await left()
  expect(first).toBeGreaterThan(0)
  expect(first - (await left())).toBe(14)
})

test('a copy that hangs delays nobody; further ones wait, then are dropped and counted', async () => {
  other.forModel('c', { do: 'hang-before-head' })
  const calls = other.calls.length
  const began = performance.now()
  const ids: string[] = []
  for (let i = 0; i < 4; i++) ids.push((await send('/v1/chat/completions', true)).id)
  expect(performance.now() - began).toBeLessThan(2000)
  await other.call(calls)
  expect(other.calls.length).toBe(calls + 1) // one at a time
  expect(metric('router_shadows').find((l) => l.includes('dropped'))).toMatch(/model="candidate".* 2$/)
  other.forModel('c', { do: 'ok' })
  other.calls[calls]!.release()
  // the first, then the one that waited
  expect(await shadowOf(ids[0]!)).toMatchObject({ end: 'finished' })
  expect(await shadowOf(ids[1]!)).toMatchObject({ end: 'finished' })
  expect(other.calls.length).toBe(calls + 2)
})

test.each([
  ['500', { do: 'status', status: 500 }, { status: 500, code: 'upstream_error' }],
  ['a cut stream', { do: 'cut-after-content', by: 'eof' }, { status: 200, code: 'upstream_error' }],
  ['an unusable reply', { do: 'html' }, { status: 502 }],
] as const)('%s is seen in record, metrics and log, and not by the client', async (_name, how, record) => {
  other.forModel('c', how)
  const { id, status, text } = await send('/v1/chat/completions', true)
  expect([status, text.includes('[DONE]')]).toEqual([200, true])
  expect(await shadowOf(id)).toMatchObject({ end: 'failed', ...record })
  expect(gateway.log()).toContain(`shadow_of=${id}`)
  expect(metric('router_shadows').find((l) => l.includes('result="failed"'))).toBeDefined()
  expect((await gateway.outcome(id)).attempts).toHaveLength(1)
})

test('metrics tell what they cost', () => {
  const [line] = metric('router_shadow_cost_usd')
  expect(Number(line!.split(' ').at(-1))).toBeGreaterThan(0.0001)
  expect(line).toContain('upstream="other"')
})

test('those that go on from what a provider keeps are not copied', async () => {
  const { text } = await send('/v1/responses', false)
  await until(5000, 'its copy is over', () => other.running() === 0)
  const calls = other.calls.length
  const response = await fetch(`${gateway.url}/v1/responses`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${clientKey}` },
    body: JSON.stringify({ model: 'm', input: 'More!', previous_response_id: (JSON.parse(text) as { id: string }).id }),
  })
  await response.text()
  expect(response.status).toBe(200)
  await send('/v1/chat/completions', false).then(({ id }) => shadowOf(id))
  expect(other.calls.length).toBe(calls + 1)
})

test('shutting down calls off those under way at once, and records them', async () => {
  other.forModel('c', { do: 'hang-after-head' })
  const calls = other.calls.length
  const { id } = await send('/v1/chat/completions', true)
  const waits = await send('/v1/chat/completions', true)
  const call = await other.call(calls)
  await call.held
  const began = performance.now()
  await gateway.stop()
  expect(performance.now() - began).toBeLessThan(900)
  expect(await call.closed).toBe('peer')
  expect(lines().find((l) => l.shadow_of === id)).toMatchObject({ end: 'abandoned' })
  expect(lines().find((l) => l.shadow_of === waits.id)).toMatchObject({ end: 'abandoned', attempts: [] })
  gateway = await startLocalGateway(config())
})
