import { afterEach, describe, expect, test } from 'bun:test'
import { Principal, type StreamEvent, unknownUsage } from 'headgate/plugin'
import { type PluginKit, type SentRequest, testPlugin } from 'headgate/testkit'
import sessionCache from '../index.ts'

const kits: PluginKit[] = []
afterEach(async () => {
  for (const kit of kits.splice(0)) await kit.close()
})

let sent: SentRequest[] = []
async function kitOf(prompt: object, reason: 'end' | 'tool_calls' = 'end', cacheWrite5m = 50_000): Promise<PluginKit> {
  sent = []
  const events: StreamEvent[] = [
    { type: 'start', id: 'r', model: 'm' },
    { type: 'text', text: 'Hi', choice: 0 },
    { type: 'stop', reason, raw: reason, choice: 0 },
    { type: 'usage', usage: { ...unknownUsage, source: 'reported', cacheWrite5m } },
    { type: 'end' },
  ]
  const kit = await testPlugin(sessionCache, {
    with: { prompt },
    slots: [[Principal, Principal.example]],
    upstream: (request) => {
      sent.push(request)
      return { events }
    },
  })
  kits.push(kit)
  return kit
}
const request = { system: 'rule '.repeat(2000), tools: [{ name: 'a', input_schema: {} }], max_tokens: 500, stream: true }

describe('a ping', () => {
  test('comes once, shortly before the end of the lifetime, with the same prompt and for one token', async () => {
    const kit = await kitOf({ ping: true })
    await kit.messages(request)
    await kit.clock.advance(270_000)
    expect(sent).toHaveLength(1)
    await kit.clock.advance(20_000)
    expect(sent).toHaveLength(2)
    const [first, ping] = sent.map(({ json }) => json as Record<string, unknown>)
    expect([ping!.max_tokens, ping!.stream]).toEqual([1, false])
    expect({ ...ping, max_tokens: 500, stream: true }).toEqual(first as never)
    await kit.clock.advance(1_000_000)
    expect(sent).toHaveLength(2)
    expect(kit.metrics()).toContain('headgate_session_cache_pings_total{status="200"} 1')
  })

  test('does not come when the client went on, nor is it taken for its return', async () => {
    const kit = await kitOf({ ping: true })
    await kit.messages(request)
    await kit.clock.advance(100_000)
    await kit.messages(request)
    await kit.clock.advance(200_000)
    expect(sent).toHaveLength(2)
    await kit.clock.advance(100_000)
    expect(sent).toHaveLength(3)
    // five minutes have not passed since the ping: the short lifetime still does
    await kit.clock.advance(200_000)
    await kit.messages(request)
    expect(sent.at(-1)!.text).not.toContain('"1h"')
  })

  test.each([
    ['by default', {}, 'end', 50_000],
    ['after a call of tools', { ping: true }, 'tool_calls', 50_000],
    ['for a short prompt', { ping: true }, 'end', 20_000],
    ['for an hour that was paid for', { ping: true, long_lifetime: 'always' }, 'end', 50_000],
  ] as const)('is not made %s', async (_, prompt, reason, written) => {
    const kit = await kitOf(prompt, reason, written)
    await kit.messages(request)
    await kit.clock.advance(1_000_000)
    expect(sent).toHaveLength(1)
  })
})
