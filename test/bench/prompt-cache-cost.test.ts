/**
 * What `session-cache` costs a long history that is unchanged, beside the one look that finds where the messages lie: so that a busy machine makes no
 * difference. Measured: 0.18 ms per MB, most of it one native comparison with what was sent last; the look takes 0.22.
 */

import { expect, test } from 'bun:test'
import { createPromptPart } from '../../plugins/session-cache/prompt/prompt-cache.ts'
import { createWatchdog } from '../../plugins/session-cache/watchdog/watchdog.ts'
import { cacheFactsOf } from '../../src/dialect/cache-facts.ts'
import { promptUnits } from '../../src/json/prompt-units.ts'
import { type Host, unknownUsage } from '../../src/plugin/index.ts'
import { movedUnits } from '../../src/runtime/call-units.ts'
import { CallView } from '../../src/runtime/call-view.ts'

const layout = { tools: ['tools'], system: ['system'], messages: ['messages'] }
const facts = cacheFactsOf('anthropic-messages', 'api.anthropic.com', 'claude-sonnet-4-5', { cacheKey: false, cacheMarks: true })
const rounds = 80

test('an unchanged history costs about as much as finding its messages, and not a second time that', async () => {
  const text = 'A line "of" text,\\nand another one with a \\\\ in it. '.repeat(80)
  const history = Array.from({ length: 500 }, (_, i) => ({
    role: i % 2 === 0 ? 'user' : 'assistant',
    content: [{ type: 'text', text: text + i }],
  }))
  let now = 1_800_000_000_000
  const host = {
    id: 'session-cache',
    now: () => now,
    state: { get: async () => undefined, set: async () => {} },
    task() {},
    counter: () => ({ add() {} }),
  } as unknown as Host
  const part = createPromptPart(
    host,
    { enabled: true, marks: true, keys: true, long_lifetime: 'adaptive', hold: 0, hold_from: 0, ping: false, ping_from: 0, lanes: 10 },
    64 * 1024 * 1024,
  )
  const watch = createWatchdog(host, { enabled: true, memory: 64 * 1024 * 1024, log_every: 0 })
  const finding: number[] = []
  const spent: number[] = []
  for (let round = 0; round < rounds; round++) {
    now += 10_000
    const more = Array.from({ length: round }, (_, i) => ({ role: i % 2 === 0 ? 'user' : 'assistant', content: `more ${i}` }))
    const body = { model: 'm', max_tokens: 1, system: text, tools: [{ name: 'a' }], messages: [...history, ...more] }
    const bytes = new Uint8Array(Buffer.from(JSON.stringify(body)))
    let started = performance.now()
    const units = promptUnits(bytes, layout)
    finding.push(performance.now() - started)

    const call = new CallView({
      upstream: 'u',
      dialect: 'anthropic-messages',
      model: 'm',
      index: 0,
      translated: false,
      url: '',
      headers: new Headers(),
      body: [bytes],
      layout,
      units: () => movedUnits(bytes, units, []),
      cache: () => facts,
    })
    const served = { usage: { ...unknownUsage, source: 'reported', cacheRead: 300_000, inputUncached: 5 } }
    const request = { borrowed: bytes, units, changes: [], model: 'm' }
    const x = {
      operation: 'messages',
      dialect: 'anthropic-messages',
      receivedAt: now,
      state: { prompt: { asked: 'm' } },
      peek() {},
      put() {},
      note() {},
      request,
    }
    const outcome = { served, attempts: [served], verdicts: [] }
    started = performance.now()
    const done = part.attempt(x as never, call)
    // only the first round waits: its lane may be known elsewhere
    if (done) await done
    expect(done === undefined).toBe(round > 0)
    part.settle(x as never, outcome as never, (note) => watch.judge(x as never, note, outcome as never))
    spent.push(performance.now() - started)
    expect(call.bytes.length).toBeGreaterThan(1)
  }
  // the best of many: what others do on this machine is not measured
  const best = (values: number[]) => Math.min(...values.slice(30))
  const share = best(spent) / best(finding)
  expect(share).toBeLessThan(1.4)
})
