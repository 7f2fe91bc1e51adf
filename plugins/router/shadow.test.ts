/** Copies of requests: which are made, how many at once, and that nothing of them stays behind. */

import { describe, expect, test } from 'bun:test'
import { definePlugin, type Outcome } from 'headgate/plugin'
import { testPlugin } from 'headgate/testkit'
import router from './index.ts'
import { createShadows, type Shadows } from './shadow.ts'

const target = { upstream: 'other', model: 'c' }
const settings = { to: 'candidate', share: 1, models: ['*'], concurrency: 1, queue: 2, timeout: 40 }
const meter = () => ({ add: () => {}, observe: () => {} })
const host = {
  counter: meter,
  histogram: meter,
  gauge: () => {},
  log: { debug() {}, info() {}, warn() {}, error() {} },
  catalog: { price: () => undefined },
  now: () => 0,
}

interface Sent {
  readonly signal: AbortSignal
  readonly after: PromiseLike<unknown> | undefined
  end(): void
}

/** Shadows of an exchange whose copies end when they are told to. */
function standOf(more: object = {}): { readonly shadows: Shadows; readonly sent: Sent[]; send(): void } {
  const shadows = createShadows(
    host as never,
    { ...settings, ...more },
    () => ({ id: 'candidate', targets: [target] }),
    () => 0,
  )
  const sent: Sent[] = []
  const x = {
    id: 'req',
    shadow: (_: unknown, options: Pick<Sent, 'signal' | 'after'>) => {
      const { promise, resolve } = Promise.withResolvers<Outcome>()
      const end = () => resolve({ end: 'finished', attempts: [], timings: { endAt: 1 } } as unknown as Outcome)
      sent.push({ signal: options.signal, after: options.after, end })
      return promise
    },
  }
  return { shadows, sent, send: () => shadows.send(x as never, { target, model: 'candidate' }) }
}

describe('a copy', () => {
  test('that is over is not timed any more, nor ended with the gateway', async () => {
    const { shadows, sent, send } = standOf()
    send()
    sent[0]!.end()
    await Bun.sleep(60)
    expect(sent[0]!.signal.aborted).toBe(false)
    shadows.close()
    expect(sent[0]!.signal.aborted).toBe(false)
  })

  test('that takes too long is ended, and so is one under way when the gateway ends', async () => {
    const { sent, send } = standOf()
    send()
    await Bun.sleep(60)
    expect(String(sent[0]!.signal.reason)).toContain('takes too long')
    const ending = standOf({ timeout: 10_000 })
    ending.send()
    ending.shadows.close()
    expect(ending.sent[0]!.signal.aborted).toBe(true)
    expect(ending.shadows.of({ operation: 'chat' } as never, { candidates: [], pinned: false } as never)).toBeUndefined()
  })

  test('waits for the one before it; beyond the queue it is dropped; one that is called off while it waits frees its place there', async () => {
    const { sent, send } = standOf({ timeout: 10_000 })
    for (let i = 0; i < 4; i++) send()
    expect(sent.map(({ after }) => after !== undefined)).toEqual([false, true, true])
    const begun: number[] = []
    for (const i of [1, 2]) void sent[i]!.after!.then(() => begun.push(i))
    sent[1]!.end() // called off
    await Bun.sleep(0)
    send()
    expect(sent).toHaveLength(4)
    expect(begun).toEqual([])
    void sent[3]!.after!.then(() => begun.push(3))
    sent[0]!.end()
    await Bun.sleep(0)
    expect(begun).toEqual([2])
    sent[2]!.end()
    await Bun.sleep(0)
    expect(begun).toEqual([2, 3])
    sent[3]!.end()
    await Bun.sleep(0)
    send()
    expect(sent[4]!.after).toBeUndefined()
  })

  test('is not made of what goes on from state at a provider, of other endpoints, or where nothing else serves', () => {
    const { shadows } = standOf()
    const candidates = [{ model: 'm', target: { upstream: 'main', model: 'm' } }]
    const of = (plan: object = {}, operation = 'responses', body: Record<string, unknown> = {}) => {
      const request = { borrowed: Buffer.from(JSON.stringify(body)), at: (pointer: string) => body[pointer.slice(1)] }
      return shadows.of({ operation, request } as never, { candidates, pinned: false, ...plan } as never)
    }
    expect(of()).toEqual({ target, model: 'candidate' })
    expect(of({ pinned: true })).toBeUndefined()
    expect(of({}, 'embeddings')).toBeUndefined()
    expect(of({}, 'count_tokens')).toBeUndefined()
    expect(of({}, 'responses', { conversation: 'conv_1' })).toBeUndefined()
    expect(of({}, 'responses', { background: true })).toBeUndefined()
    expect(of({}, 'responses', { background: false, conversation: null })).toEqual({ target, model: 'candidate' })
    expect(of({ candidates: [{ model: 'm', target }] })).toBeUndefined()
  })
})

test('one copy of a request, however often a plugin above has it tried', async () => {
  const tries = definePlugin({
    api: 1,
    name: 'tries',
    summary: 'Tries twice',
    failure: 'closed',
    setup: () => ({
      async around(_, next) {
        await next()
        return await next()
      },
    }),
  })
  const kit = await testPlugin(router, {
    models: { m: { targets: [{ upstream: 'openai', model: 'one' }] }, candidate: { targets: [{ upstream: 'openai', model: 'c' }] } },
    with: { shadow: { to: 'candidate', share: 1 } },
    above: [tries],
    upstream: {},
  })
  expect((await kit.chat({ model: 'm' })).status).toBe(200)
  while (!kit.metrics().includes('headgate_router_shadows{')) await Bun.sleep(2)
  expect(await kit.close()).toBe(true)
  expect(kit.metrics()).toContain('headgate_router_shadows{model="candidate",result="finished",upstream="openai"} 1')
})
