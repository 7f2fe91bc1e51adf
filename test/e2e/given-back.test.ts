/** The memory of a large body is given back when its exchange is settled, but never what somebody may still look at. */

import { afterAll, beforeAll, expect, test } from 'bun:test'
import { type LocalGateway, startLocalGateway } from '../support/local-gateway.ts'
import { until } from '../support/within.ts'

interface Kept {
  readonly bytes: Uint8Array
  readonly late: () => string
  readonly release?: () => void
  readonly seen?: number
}

/**
 * The header `x-keep` says what it does: keeps `bytes`, keeps what it `borrowed`, outlives its time with that (`late`), sends a `shadow` when all is over, keeps
 * the `call`, looks again while it settles (`settle`), or answers itself while its call is about to be made (`answer`).
 */
const plugin = `import { definePlugin } from 'headgate/plugin'
const kept = (globalThis.__kept ??= [])
const doing = (x) => x.headers.get('x-keep')
export default definePlugin({
  api: 1, name: 'keeper', summary: 'Keeps bodies', failure: 'open',
  setup() {
    return {
      request(x) {
        const what = doing(x)
        const bytes = what === 'bytes' ? x.request.bytes : x.request.borrowed
        const late = () => { try { return String(x.request.borrowed.length) } catch (error) { return error.message } }
        const one = { bytes, late }
        if (what === 'shadow') {
          const after = new Promise((resolve) => { one.release = resolve })
          x.shadow({ upstream: 'second', model: 'm' }, { model: 'm', after })
        }
        kept.push(one)
        return what === 'late' ? new Promise(() => {}) : undefined
      },
      around(x, next) {
        if (doing(x) !== 'answer') return next()
        next()
        return Promise.resolve(x.reply([{ type: 'text', text: 'Hi', choice: 0 }]))
      },
      attempt(x, call) {
        const one = kept.at(-1)
        if (doing(x) === 'call') one.bytes = call.body
        return doing(x) === 'answer' ? new Promise((resolve) => { one.release = resolve }) : undefined
      },
      async settle(x) {
        if (doing(x) !== 'settle') return
        const one = kept.at(-1)
        await new Promise((resolve) => { one.release = resolve })
        one.seen = x.request.borrowed.length
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
    models: {
      m: { targets: [{ upstream: 'first', model: 'other' }, { upstream: 'second' }] },
      plain: { targets: [{ upstream: 'first' }] },
    },
    plugins: [{ use: './keeper.ts', timeout: '1s' }, { use: 'router' }],
  }
  gateway = await startLocalGateway(JSON.stringify(config), { 'keeper.ts': plugin })
})
afterAll(async () => {
  await gateway.stop()
  await Promise.all([first.stop(true), second.stop(true)])
})

const bodyOf = (size: number, model = 'm') => JSON.stringify({ model, messages: [{ role: 'user', content: 'x'.repeat(size) }] })

async function ask(keep: string, size = 100_000, model = 'm'): Promise<Kept> {
  const body = bodyOf(size, model)
  const from = sent.length
  const response = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-keep': keep },
    body,
  })
  expect([response.status, (await response.json()) as unknown]).toMatchObject([200, { choices: [{ message: { content: 'Hi' } }] }])
  expect(sent.slice(from).every((text) => text === body || text === body.replace('"m"', '"other"'))).toBe(true)
  return kept().at(-1)!
}

/** One that is given back, which shows that those before it have had their turn. */
async function laterOne(): Promise<void> {
  const { bytes } = await ask('borrowed')
  await until(5000, 'the later one is given back', () => bytes.length === 0 || undefined)
}

test('a large body that a plugin only borrowed is gone with its exchange, and later looks say so', async () => {
  const { bytes, late } = await ask('borrowed')
  await until(5000, 'it is given back', () => bytes.length === 0 || undefined)
  expect(late()).toContain('given back')
})

test('what a plugin has asked for stays as it was received', async () => {
  const { bytes } = await ask('bytes')
  await laterOne()
  expect(Buffer.from(bytes).toString()).toBe(bodyOf(100_000))
})

test('small bodies are left to the collector', async () => {
  const { bytes } = await ask('borrowed', 100)
  await laterOne()
  expect(Buffer.from(bytes).toString()).toBe(bodyOf(100))
})

test('a hook that goes on after its time has the bytes for good', async () => {
  const { bytes } = await ask('late')
  await laterOne()
  expect(bytes.length).toBe(bodyOf(100_000).length)
})

test('the next target gets all of it, and then it is given back', async () => {
  fails = true
  const { bytes } = await ask('borrowed')
  fails = false
  await until(5000, 'both calls are over: it is given back', () => bytes.length === 0 || undefined)
  expect(sent.slice(-2)).toEqual([bodyOf(100_000).replace('"m"', '"other"'), bodyOf(100_000)])
})

test('a copy that is sent when all is over is whole', async () => {
  const { release } = await ask('shadow')
  await laterOne()
  sent.length = 0
  release!()
  await until(5000, 'the copy is sent', () => sent.length > 0 || undefined)
  expect(sent).toEqual([bodyOf(100_000)])
})

test('a hook may keep the bytes of a call, be they the ones that were received', async () => {
  for (const model of ['m', 'plain']) {
    const { bytes } = await ask('call', 100_000, model)
    await laterOne()
    expect(Buffer.from(bytes).toString()).toBe(bodyOf(100_000, model === 'm' ? 'other' : model))
  }
})

test('settlement has the body until its last hook has ended', async () => {
  const one = await ask('settle')
  await laterOne()
  one.release!()
  await until(5000, 'it has looked', () => one.seen !== undefined || undefined)
  expect(one.seen).toBe(bodyOf(100_000).length)
  await until(5000, 'it is given back', () => one.bytes.length === 0 || undefined)
})

test('a call for which nobody waits any more is not made', async () => {
  const { release, bytes } = await ask('answer')
  await laterOne()
  expect(bytes.length).toBeGreaterThan(0)
  const before = sent.length
  release!()
  await laterOne()
  await laterOne()
  expect(sent.slice(before)).toEqual([bodyOf(100_000), bodyOf(100_000)].map((text) => text.replace('"m"', '"other"')))
})
