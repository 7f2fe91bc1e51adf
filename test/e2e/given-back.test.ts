/** The memory of a large body is given back when its exchange is settled, but never what somebody may still look at. */

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { type LocalGateway, startLocalGateway } from '../support/local-gateway.ts'
import { until } from '../support/within.ts'

interface Kept {
  readonly id: string
  readonly bytes: Uint8Array
  readonly late: () => string
}

/** The header `x-keep` says what it keeps: `bytes`, `borrowed`, `late` (a borrowing hook that outlives its time). */
const plugin = `import { definePlugin } from 'headgate/plugin'
const kept = (globalThis.__kept ??= [])
export default definePlugin({
  api: 1, name: 'keeper', summary: 'Keeps bodies', failure: 'open',
  setup() {
    return {
      request(x) {
        const what = x.headers.get('x-keep')
        if (!what) return undefined
        const bytes = what === 'bytes' ? x.request.bytes : x.request.borrowed
        const late = () => { try { return String(x.request.borrowed.length) } catch (error) { return error.message } }
        kept.push({ id: x.id, bytes, late })
        return what === 'late' ? new Promise(() => {}) : undefined
      },
    }
  },
})`

let gateway: LocalGateway
let first: ReturnType<typeof Bun.serve>
let second: ReturnType<typeof Bun.serve>
let fails = false
const sent: string[] = []
const kept = () => (globalThis as unknown as { __kept: Kept[] }).__kept
const answer = () =>
  Response.json({
    id: 'c',
    object: 'chat.completion',
    created: 1,
    model: 'm',
    choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'Hi' } }],
  })
const serve = (respond: (text: string) => Response) =>
  Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      const text = await request.text()
      sent.push(text)
      return respond(text)
    },
  })

beforeAll(async () => {
  first = serve(() => (fails ? new Response('{"error":{"message":"down"}}', { status: 503 }) : answer()))
  second = serve(answer)
  const upstream = (port: number | undefined) => ({ dialect: 'openai', base_url: `http://127.0.0.1:${port}/v1` })
  const config = {
    version: 1,
    upstreams: { first: upstream(first.port), second: upstream(second.port) },
    models: { m: { targets: [{ upstream: 'first', model: 'other' }, { upstream: 'second' }] } },
    plugins: [{ use: './keeper.ts', timeout: '100ms' }, { use: 'router' }],
  }
  gateway = await startLocalGateway(JSON.stringify(config), { 'keeper.ts': plugin })
})
afterAll(async () => {
  await gateway.stop()
  await Promise.all([first.stop(true), second.stop(true)])
})

const bodyOf = (size: number) => JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'x'.repeat(size) }] })

async function ask(keep: string, size = 100_000): Promise<Kept> {
  const body = bodyOf(size)
  sent.length = 0
  const response = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-keep': keep },
    body,
  })
  expect([response.status, (await response.json()) as unknown]).toMatchObject([200, { choices: [{ message: { content: 'Hi' } }] }])
  expect(sent.every((text) => text === body || text === body.replace('"m"', '"other"'))).toBe(true)
  return kept().at(-1)!
}

test('a large body that a plugin only borrowed is gone with its exchange, and later looks say so', async () => {
  const { bytes, late } = await ask('borrowed')
  await until(5000, 'it is given back', () => bytes.length === 0 || undefined)
  expect(late()).toContain('given back')
})

test('what a plugin has asked for stays as it was received', async () => {
  const { bytes } = await ask('bytes')
  // a later one that is given back shows that this one had its turn
  const { bytes: after } = await ask('borrowed')
  await until(5000, 'the later one is given back', () => after.length === 0 || undefined)
  expect(Buffer.from(bytes).toString()).toBe(bodyOf(100_000))
})

test('small bodies are left to the collector', async () => {
  const { bytes } = await ask('borrowed', 100)
  const { bytes: after } = await ask('borrowed')
  await until(5000, 'the later one is given back', () => after.length === 0 || undefined)
  expect(Buffer.from(bytes).toString()).toBe(bodyOf(100))
})

test('a hook that goes on after its time has the bytes for good', async () => {
  const { bytes } = await ask('late')
  const { bytes: after } = await ask('borrowed')
  await until(5000, 'the later one is given back', () => after.length === 0 || undefined)
  expect(bytes.length).toBe(bodyOf(100_000).length)
})

test('the next target gets all of it', async () => {
  fails = true
  await ask('borrowed')
  fails = false
  expect(sent).toEqual([bodyOf(100_000).replace('"m"', '"other"'), bodyOf(100_000)])
})
