/** Where a conversation goes: by what it is known, when it leaves its place and when it comes back. In a real gateway before a scripted upstream. */

import { describe, expect, test } from 'bun:test'
import { Principal, Session } from 'headgate/plugin'
import type { PluginKit, SentRequest, UpstreamAnswer } from 'headgate/testkit'
import { kitOf, modelOf, modelsOf, target } from './targets.fixture.ts'

/** A whole reply that comes when `held` resolves. */
async function* slowly(sent: SentRequest, held: Promise<void>): AsyncGenerator<string> {
  await held
  yield JSON.stringify({
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1,
    model: modelOf(sent),
    choices: [{ index: 0, message: { role: 'assistant', content: 'late' }, finish_reason: 'stop' }],
  })
}

describe('F07: a conversation', () => {
  const sessions = Array.from({ length: 12 }, (_, i) => `conversation-${i}`)
  const spread = { strategy: 'weighted' }

  test.each<[string, (session: string) => Parameters<PluginKit['chat']>]>([
    ['session slot', (id) => [{ model: 'spread' }, { slots: [[Session, { id, turn: 1 }]] }]],
    ['header of Claude Code', (id) => [{ model: 'spread' }, { headers: { 'x-claude-code-session-id': id } }]],
    ['header of Codex', (id) => [{ model: 'spread' }, { headers: { session_id: id } }]],
    ['prompt_cache_key', (id) => [{ model: 'spread', prompt_cache_key: id }]],
    ['user of Claude Code', (id) => [{ model: 'spread', metadata: { user_id: `user_0a1b_account__session_${id}` } }]],
    [
      'user of Claude Code, newer',
      (id) => [{ model: 'spread', metadata: { user_id: JSON.stringify({ device_id: 'd', session_id: id }) } }],
    ],
    ['lane', (id) => [{ model: 'spread' }, { slots: [[Session, { id: 'one', turn: 1, lane: id }]] }]],
  ])('known by its %s keeps its target, and conversations are spread', async (name, call) => {
    const kit = await kitOf(spread, name === 'session slot' || name === 'lane' ? { slots: [[Session, undefined]] } : {})
    const homes = new Map<string, string>()
    for (let turn = 0; turn < 3; turn++) {
      for (const session of sessions) {
        const [model] = modelsOf(await kit.chat(...call(session)))
        expect(homes.get(session) ?? model).toBe(model!)
        homes.set(session, model!)
      }
    }
    expect(new Set(homes.values()).size).toBeGreaterThan(1)
    await kit.close()
  })

  const places = async (upstream: (sent: SentRequest) => UpstreamAnswer, config: object = {}) => {
    const kit = await kitOf({ ...spread, ...config }, { upstream })
    const turn = async (more: object = {}) => modelsOf(await kit.chat({ model: 'spread', prompt_cache_key: 'k', ...more }))
    return { kit, turn }
  }

  test('a failover moves one request: the place is kept, and the other one is always the same', async () => {
    let dead = ''
    const { kit, turn } = await places((sent) => (modelOf(sent) === dead ? { status: 500 } : {}))
    const [home] = await turn()
    dead = home!
    const [, second] = await turn()
    expect(await turn()).toEqual([home!, second!])
    dead = ''
    expect(await turn()).toEqual([home!])
    await kit.close()
  })

  test('while the circuit is open it is served at the other one; back as soon as it is well, if it is warm still', async () => {
    for (const [away, back] of [
      [60_000, true],
      [301_000, false],
    ] as const) {
      let dead = ''
      const { kit, turn } = await places((sent) => (modelOf(sent) === dead ? { status: 500 } : {}), { breaker: { consecutive: 1 } })
      const [home] = await turn()
      dead = home!
      const [, second] = await turn()
      for (let i = 0; i < 3; i++) expect(await turn()).toEqual([second!])
      dead = ''
      await kit.clock.advance(away)
      expect(await turn()).toEqual([back ? home! : second!])
      await kit.close()
    }
  })

  test('it waits for its place as long as that asks for a moment, and is served elsewhere when it asks for more', async () => {
    let limited: Record<string, string> | undefined
    let home = ''
    let calls = 0
    const { kit, turn } = await places((sent) => {
      if (modelOf(sent) !== home || !limited || calls++ > 0) return {}
      return { status: 429, headers: limited }
    })
    home = (await turn())[0]!
    limited = { 'retry-after-ms': '40' }
    const began = performance.now()
    expect(await turn()).toEqual([home, home])
    expect(performance.now() - began).toBeGreaterThan(35)
    calls = 0
    limited = { 'retry-after': '11' }
    const [first, second] = await turn()
    expect([first, second === home]).toEqual([home, false])
    // it rests: nobody asks it, and the conversation is back where it was afterwards
    expect(await turn()).toEqual([second!])
    await kit.clock.advance(11_001)
    expect(await turn()).toEqual([home])
    await kit.close()
  })

  test('it does not wait for longer than leaves time for another target', async () => {
    let home = ''
    const { kit, turn } = await places((sent) => (modelOf(sent) === home ? { status: 429, headers: { 'retry-after': '9' } } : {}), {
      max_time: '2s',
    })
    home = (await turn())[0]!
    const began = performance.now()
    const tried = await turn()
    expect([tried[0], tried.length, performance.now() - began < 1500]).toEqual([home, 2, true])
    await kit.close()
  })

  test('it does not wait for a place that is an outlier, however short that is left out', async () => {
    let home = ''
    let dead = true
    const { kit, turn } = await places((sent) => (modelOf(sent) === home && dead ? { status: 500 } : {}), {
      breaker: { consecutive: 1000, minimum: 1000 },
      outliers: { enabled: true, interval: '1s', minimum: 2, errors: 0.5, time: '5s' },
    })
    home = (await turn())[0]!
    for (let i = 0; i < 3; i++) await turn()
    // the others have to be known, too
    for (let i = 0; i < 40; i++) await kit.chat({ model: 'spread' })
    await kit.clock.advance(1001)
    dead = false
    const began = performance.now()
    const [other, ...more] = await turn()
    expect([other === home, more, performance.now() - began < 1500]).toEqual([false, [], true])
    expect(kit.metrics()).toContain('headgate_router_ejected{upstream="openai",why="errors"} 1')
    await kit.close()
  })

  test('who has no home yet does not wait', async () => {
    const { kit, turn } = await places((sent) => (modelOf(sent) === 's1' ? { status: 429, headers: { 'retry-after': '9' } } : {}), {
      strategy: 'lowest_cost',
    })
    const began = performance.now()
    for (let i = 0; i < 8; i++) expect((await turn({ prompt_cache_key: `new-${i}` })).at(-1)).not.toBe('s1')
    expect(performance.now() - began).toBeLessThan(2000)
    await kit.close()
  })

  test('it waits for room at its place though others have some', async () => {
    const held: (() => void)[] = []
    let hold = ''
    const kit = await kitOf(
      { strategy: 'weighted', prefer_native: false, concurrency: { limit: 1 } },
      {
        models: { two: { targets: [target('openai', 't1'), target('anthropic', 't2')] } },
        upstream: (sent) => (modelOf(sent) === hold ? { body: slowly(sent, new Promise<void>((go) => held.push(go))) } : {}),
      },
    )
    // a conversation whose home speaks Chat, so that the slow reply is in its words
    let key = 0
    const turn = async () => modelsOf(await kit.chat({ model: 'two', prompt_cache_key: `k${key}` }))
    while ((await turn())[0] !== 't1') key++
    hold = 't1'
    const first = turn()
    const second = turn()
    while (held.length === 0) await Bun.sleep(5)
    await Bun.sleep(30)
    expect(held).toHaveLength(1)
    hold = ''
    held[0]!()
    expect(await Promise.all([first, second])).toEqual([['t1'], ['t1']])
    await kit.close()
  })

  test('a conversation that has grown too large for its place moves for good', async () => {
    const sizes = { grows: { targets: [target('openai', 'g1'), target('openai', 'g2')] } }
    let full = ''
    const kit = await kitOf(
      { ...spread, fallback_models: { grows: ['larger'] } },
      {
        models: {
          ...sizes,
          grows: { ...sizes.grows, context: 1000 },
          larger: { targets: [target('openai', 'l1'), target('openai', 'l2')], context: 9000 },
        },
        upstream: (sent) => (modelOf(sent) === full ? { status: 400, message: "This model's maximum context length is 1000 tokens" } : {}),
      },
    )
    const turn = async () => modelsOf(await kit.chat({ model: 'grows', prompt_cache_key: 'k' }))
    const [home] = await turn()
    full = home!
    const [, larger] = await turn()
    expect(larger).toMatch(/^l/)
    for (let i = 0; i < 3; i++) expect(await turn()).toEqual([larger!])
    await kit.close()
  })

  test("the client's own order wins", async () => {
    const kit = await kitOf({ ...spread, prefer_native: false, client: { provider: true } })
    const turn = async (more: object = {}) => modelsOf(await kit.chat({ model: 'acme/big', prompt_cache_key: 'k', ...more }))
    const [home] = await turn()
    for (const [name, model] of [
      ['openai', 'big'],
      ['anthropic', 'big-a'],
    ]) {
      expect(await turn({ provider: { order: [name] } })).toEqual([model!])
    }
    expect(await turn()).toEqual([home!])
    await kit.close()
  })

  test('a person is no conversation: neither the body nor the credential makes one of them', async () => {
    const kit = await kitOf(spread, { slots: [[Principal, { ...Principal.example, user: 'ann' }]] })
    for (const more of [{}, { user: 'ann' }, { metadata: { user_id: 'ann' } }, { safety_identifier: 'ann' }]) {
      const seen = new Set<string>()
      for (let i = 0; i < 30; i++) seen.add(modelsOf(await kit.chat({ model: 'spread', ...more }))[0]!)
      expect([more, seen.size > 1]).toEqual([more, true])
    }
    await kit.close()
  })

  test('where a session plugin says it was last, it is at home, though this process does not know', async () => {
    const kit = await kitOf(spread, { slots: [[Session, undefined]] })
    for (const model of ['s1', 's2', 's3']) {
      const last = { at: kit.clock.now, upstream: 'openai', model }
      const slots = [[Session, { id: 'x', turn: 2, lane: `lane-${model}`, last }]] as const
      expect(modelsOf(await kit.chat({ model: 'spread' }, { slots }))).toEqual([model])
    }
    await kit.close()
  })

  test('instances that share state tell each other where it is', async () => {
    const shared = { affinity: { shared: true }, strategy: 'lowest_latency' }
    const { kit, turn } = await places(() => ({}), shared)
    const [home] = await turn()
    // another instance with the same state: nothing is left in its memory
    await kit.reload({ with: { backoff: '1ms', ...shared, max_attempts: 3 } })
    for (let i = 0; i < 3; i++) expect(await turn()).toEqual([home!])
    kit.stores.down()
    expect(await turn()).toEqual([home!])
    expect((await turn({ prompt_cache_key: 'other' })).length).toBe(1)
    await kit.close()
  })

  test('with `ordered` comes back to the target that the operator lists first', async () => {
    let dead = 's1'
    const kit = await kitOf({}, { upstream: (sent) => (modelOf(sent) === dead ? { status: 500 } : {}) })
    const turn = async () => modelsOf(await kit.chat({ model: 'spread', prompt_cache_key: 'k' }))
    expect(await turn()).toEqual(['s1', 's2'])
    dead = ''
    expect(await turn()).toEqual(['s1'])
    await kit.close()
  })

  test('D03: with proofs that we have tagged goes to their maker', async () => {
    const kit = await kitOf()
    const messages = (proof: string) => [
      { role: 'user', content: 'x' },
      { role: 'assistant', content: 'y', reasoning_details: [{ type: 'reasoning.encrypted', data: proof }] },
      { role: 'user', content: 'z' },
    ]
    const at = async (proof: string) => modelsOf(await kit.chat({ model: 'acme/big', messages: messages(proof) }))
    expect(await at('hg1.anthropic-messages.anthropic.AAAA')).toEqual(['big-a'])
    expect(await at('hg1.openai-responses.openai.AAAA')).toEqual(['big'])
    expect(await at('hg1.what')).toEqual(['big'])
    await kit.close()
  })
})
