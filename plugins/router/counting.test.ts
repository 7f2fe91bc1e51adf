/** Whatever happens to a request, its calls are counted in and out once: nothing stays under way, no place stays taken. */

import { expect, setDefaultTimeout, test } from 'bun:test'
import { type SentRequest, testPlugin, textEvents, type UpstreamAnswer } from 'headgate/testkit'
import router from './index.ts'

setDefaultTimeout(60_000)

const models = {
  many: { targets: ['a', 'b', 'c'].map((model) => ({ upstream: 'openai', model })) },
  mixed: {
    targets: [
      { upstream: 'openai', model: 'a' },
      { upstream: 'anthropic', model: 'b' },
    ],
  },
  lone: { targets: [{ upstream: 'anthropic', model: 'c' }] },
}

/** A sequence that is the same each time. */
function dice(seed: number): (n: number) => number {
  let state = seed
  return (n) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return Math.floor((state / 2 ** 31) * n)
  }
}

function answerOf(roll: (n: number) => number): (sent: SentRequest) => Promise<UpstreamAnswer> {
  return async (sent) => {
    const kind = roll(10)
    if (roll(3) === 0) await Bun.sleep(roll(12))
    const slow = async function* () {
      const frames = sent.encode(textEvents('one', 'two', 'three'))
      for (const frame of frames) {
        await Bun.sleep(roll(6))
        if (sent.signal.aborted) return
        yield frame
      }
    }
    const kinds: readonly UpstreamAnswer[] = [
      {},
      {},
      { body: slow() },
      { status: 500 },
      { status: 429, headers: { 'retry-after': '0.01' } },
      { status: 401 },
      { status: 400, message: 'no' },
      { unreachable: true },
      { breakAfter: 1 },
      { breakAfter: 3 },
    ]
    return kinds[kind]!
  }
}

for (const [name, config] of Object.entries({
  plain: {},
  'hedged, with retries': { hedge: '4ms', retries: 2, max_time: '300ms' },
  'bounded, spread': { strategy: 'least_busy', concurrency: { limit: 2, queue: 3, wait: '15ms' }, retries: 1, hedge: '5ms' },
  'goes on with broken streams': { stitch: true, retries: 1, concurrency: { limit: 2, wait: '50ms' }, affinity: { patience: '20ms' } },
  'no breaker, quickest': {
    strategy: 'lowest_latency',
    breaker: { enabled: false },
    concurrency: { upstreams: { openai: 1 }, wait: '50ms' },
  },
})) {
  test(`${name}: 300 requests of all kinds, some of whose clients leave`, async () => {
    const roll = dice(name.length)
    const kit = await testPlugin(router, { models, with: { backoff: '1ms', ...config }, upstream: answerOf(roll) })
    for (let round = 0; round < 30; round++) {
      const calls = Array.from({ length: 10 }, (_, i) => {
        const model = ['many', 'mixed', 'lone'][roll(3)]!
        const dialect = roll(2) === 0 ? 'openai-chat' : 'anthropic-messages'
        const body = { model, stream: roll(2) === 0, ...(i % 3 === 0 && { prompt_cache_key: `k${roll(5)}` }) }
        const call = kit.start({ dialect, body })
        if (roll(4) === 0) setTimeout(() => call.abort(), roll(15))
        return call
      })
      for (const call of calls) {
        const { attempts, end, served } = await call.outcome()
        await call.result().catch(() => {})
        expect(attempts.length).toBeLessThanOrEqual(4)
        if (end === 'finished') expect(served).toBeDefined()
      }
      await kit.clock.advance(roll(2000))
    }
    const { data } = (await (await kit.admin('/providers')).json()) as {
      data: { targets: { inflight: number; calls: number; queue?: { active: number; waiting: number } }[] }[]
    }
    const targets = data.flatMap((provider) => provider.targets)
    expect(targets.length).toBeGreaterThan(2)
    for (const { inflight, queue, calls } of targets) {
      expect([inflight, queue?.active ?? 0, queue?.waiting ?? 0]).toEqual([0, 0, 0])
      expect(calls).toBeGreaterThan(0)
    }
    expect(await kit.close()).toBe(true)
  })
}
