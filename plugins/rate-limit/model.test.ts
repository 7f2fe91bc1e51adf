/**
 * Many random exchanges against a model that counts by hand: which are admitted, and what is left, at every step.
 *
 * The model knows windows and amounts, and nothing of keys, stores or hooks. Exchanges overlap: they begin, and settle some steps later.
 */

import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { type PrincipalValue, type StreamEvent, unknownUsage } from 'headgate/plugin'
import type { Call, PluginKit } from 'headgate/testkit'
import { alice, by, figures, kitOf } from './limited.fixture.ts'

interface Rule {
  readonly what: 'requests' | 'tokens'
  readonly limit: number
  readonly window: number
  readonly by: 'key' | 'account' | 'all'
  readonly tier?: string
}
type Step =
  | { readonly do: 'begin'; readonly caller: number; readonly output: number; readonly used: number | 'unreached' }
  | { readonly do: 'end'; readonly which: number }
  | { readonly do: 'pass'; readonly ms: number }

const callers: readonly PrincipalValue[] = [
  { ...alice, id: 'k0', account: 'a0', tier: 'paid' },
  { ...alice, id: 'k1', account: 'a0', tier: 'free' },
  { ...alice, id: 'k2', account: 'a1', tier: 'free' },
  { ...alice, id: 'k3', account: 'a1', tier: 'paid', limits: [{ window: 1000, requests: 3, tokens: 400 }] },
]

/** What each window holds, by rule, subject and end. */
class Model {
  private readonly used = new Map<string, number>()
  constructor(private readonly rules: readonly Rule[]) {}

  private rulesFor(caller: PrincipalValue): Rule[] {
    const own = (caller.limits ?? []).flatMap(({ window, requests, tokens }) => [
      { what: 'requests' as const, limit: requests!, window, by: 'key' as const },
      { what: 'tokens' as const, limit: tokens!, window, by: 'key' as const },
    ])
    return [...this.rules.filter((r) => (r.tier === undefined || r.tier === caller.tier) && !(own.length > 0 && r.by === 'key')), ...own]
  }

  private place(rule: Rule, caller: PrincipalValue, now: number): string {
    const subject = rule.by === 'key' ? caller.id : rule.by === 'account' ? caller.account : ''
    return `${rule.what} ${rule.window} ${rule.by} ${rule.tier ?? ''} ${subject} ${Math.floor(now / rule.window)}`
  }

  /** Takes from all or none; gives how to settle it. */
  begin(caller: PrincipalValue, tokens: number, now: number): ((used: number, at: number) => void) | undefined {
    const takes = this.rulesFor(caller).map((rule) => {
      const amount = rule.what === 'requests' ? 1 : Math.min(tokens, rule.limit)
      return { rule, amount, place: this.place(rule, caller, now) }
    })
    if (takes.some(({ rule, amount, place }) => (this.used.get(place) ?? 0) + amount > rule.limit)) return undefined
    for (const { amount, place } of takes) this.used.set(place, (this.used.get(place) ?? 0) + amount)
    return (used, at) => {
      for (const { rule, amount, place } of takes) {
        if (rule.what === 'tokens' && place === this.place(rule, caller, at))
          this.used.set(place, Math.max(0, this.used.get(place)! - amount + used))
      }
    }
  }
}

const rule = fc.record(
  {
    what: fc.constantFrom('requests' as const, 'tokens' as const),
    limit: fc.integer({ min: 1, max: 8 }),
    window: fc.constantFrom(1000, 5000, 60_000),
    by: fc.constantFrom('key' as const, 'account' as const, 'all' as const),
    tier: fc.constantFrom('paid', 'free'),
  },
  { requiredKeys: ['what', 'limit', 'window', 'by'] },
)
const rules = fc
  .uniqueArray(rule, { minLength: 1, maxLength: 5, selector: (r) => `${r.what} ${r.window} ${r.by} ${r.tier}` })
  .map((list): Rule[] => list.map((r) => (r.what === 'tokens' ? { ...r, limit: r.limit * 100 } : r)))
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('begin' as const),
      caller: fc.nat(3),
      output: fc.integer({ min: 0, max: 300 }),
      // not 0: a reply whose usage is all zeros was not counted, and is estimated
      used: fc.oneof(fc.integer({ min: 1, max: 500 }), fc.constant('unreached' as const)),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('end' as const), which: fc.nat(5) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(1, 400, 999, 1000, 4999, 60_000) }) },
)

interface Running {
  readonly call: Call
  readonly settle: (used: number, at: number) => void
  readonly used: number
  readonly go: () => void
}

test('random exchanges, overlapping, over windows and tiers: as the model says, every time', async () => {
  let exchanges = 0
  let refusals = 0
  await fc.assert(
    fc.asyncProperty(rules, fc.array(step, { minLength: 10, maxLength: 60 }), async (rules, steps) => {
      const scripts = new Map<string, { used: number | 'unreached'; wait: Promise<void> }>()
      const kit: PluginKit = await kitOf(
        {
          limits: rules.map(({ what, limit, window, by, tier }) => ({
            [what]: limit,
            window: `${window}ms`,
            by,
            ...(tier && { when: { tier: [tier] } }),
          })),
        },
        {
          upstream: async (sent) => {
            const { used, wait } = scripts.get((sent.json as { user: string }).user)!
            await wait
            if (used === 'unreached') return { unreachable: true }
            const usage = {
              ...unknownUsage,
              source: 'reported' as const,
              inputUncached: Math.floor(used / 2),
              outputVisible: Math.ceil(used / 2),
            }
            const events: StreamEvent[] = [
              { type: 'start', id: 'r', model: 'm' },
              { type: 'text', text: 'Hi', choice: 0 },
              { type: 'stop', reason: 'end', raw: 'stop', choice: 0 },
              { type: 'usage', usage },
              { type: 'end' },
            ]
            return { events }
          },
        },
      )
      const model = new Model(rules)
      const running: Running[] = []
      const end = async ({ call, settle, used, go }: Running) => {
        go()
        await call.outcome()
        settle(used, kit.clock.now)
      }
      for (const [i, step] of steps.entries()) {
        if (step.do === 'pass') await kit.clock.advance(step.ms)
        else if (step.do === 'end') {
          const [one] = running.splice(step.which % Math.max(1, running.length), 1)
          if (one) await end(one)
        } else {
          const caller = callers[step.caller]!
          const body = JSON.stringify({
            model: 'test-model',
            user: `call-${i}`,
            max_tokens: step.output,
            messages: [{ role: 'user', content: 'Hi' }],
          })
          const wait = Promise.withResolvers<void>()
          scripts.set(`call-${i}`, { used: step.used, wait: wait.promise })
          const expected = model.begin(caller, Math.ceil(body.length / 4) + step.output, kit.clock.now)
          const call = kit.start(by(caller, { body }))
          exchanges++
          if (expected) {
            running.push({ call, settle: expected, used: step.used === 'unreached' ? 0 : step.used, go: wait.resolve })
            const first = await Promise.race([call.outcome(), reached(call)])
            expect(first).toBe('upstream')
          } else {
            refusals++
            wait.resolve()
            const r = await call.result()
            expect(r).toMatchObject({ status: 429, sent: [] })
            expect(Number(figures(r)['retry-after'])).toBeGreaterThanOrEqual(1)
          }
        }
      }
      for (const one of running) await end(one)
      await kit.close()
    }),
    { numRuns: 400 },
  )
  expect(exchanges).toBeGreaterThan(2000)
  expect(refusals).toBeGreaterThan(400)
  expect(exchanges - refusals).toBeGreaterThan(400)
}, 60_000)

/** Resolves when the upstream has been called. */
async function reached(call: Call): Promise<string> {
  for (let i = 0; i < 100_000; i++) {
    if (call.sent.length > 0) return 'upstream'
    await new Promise((resolve) => setImmediate(resolve))
  }
  return 'the upstream was not called'
}
