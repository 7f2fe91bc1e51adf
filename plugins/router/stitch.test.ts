/** Streams that another target goes on with: what is asked, what is told, what is counted. In a real gateway before a scripted upstream. */

import { describe, expect, test } from 'bun:test'
import { definePlugin, outcomeCost, type StreamEvent, servedCost } from 'headgate/plugin'
import { type PluginKit, type Result, type TestPluginOptions, testPlugin, textEvents, type UpstreamAnswer } from 'headgate/testkit'
import router from './index.ts'

const price = { input: 1, output: 10 }
const models = {
  m: {
    targets: [
      { upstream: 'openai', model: 'one' },
      { upstream: 'anthropic', model: 'claude-sonnet-4-5' },
    ],
    price,
  },
  same: { targets: ['one', 'two'].map((model) => ({ upstream: 'openai', model })), price },
  sole: { targets: [{ upstream: 'openai', model: 'one' }], price },
}

/** The first call says `said` and breaks off; the second one is answered with `then`. */
async function kitOf(said: readonly string[], then: UpstreamAnswer, options: TestPluginOptions = {}): Promise<PluginKit> {
  const broken: UpstreamAnswer = { events: textEvents(...said), breakAfter: said.length + 1 }
  return await testPlugin(router, {
    models,
    upstream: (_, call) => (call === 0 ? broken : then),
    ...options,
    with: { stitch: true, ...options.with },
  })
}

const calls: readonly StreamEvent[] = [
  { type: 'start', id: 'reply-2', model: 'other' },
  { type: 'text', text: ' I look.', choice: 0 },
  { type: 'tool_call', index: 0, choice: 0, id: 'call_1', name: 'look', arguments: '' },
  { type: 'tool_call', index: 0, choice: 0, arguments: '{"at":' },
  { type: 'tool_call', index: 0, choice: 0, arguments: '"it"}' },
  { type: 'stop', reason: 'tool_calls', raw: 'tool_calls', choice: 0 },
  { type: 'end' },
]

describe('what the client gets', () => {
  test.each(['openai-chat', 'anthropic-messages', 'openai-responses'])('%s: a tool call of the second model', async (dialect) => {
    for (const model of ['m', 'same']) {
      const kit = await kitOf(['Let me', ' see.'], { events: calls })
      const r = await kit.send({ dialect, body: { model, stream: true, ...(dialect === 'openai-responses' && { input: 'x' }) } })
      expect(r.text).toBe('Let me see. I look.')
      expect(
        r.events
          .filter((event) => event.type === 'tool_call')
          .map((event) => event.arguments)
          .join(''),
      ).toBe('{"at":"it"}')
      expect(r.events.find((event) => event.type === 'stop')).toMatchObject({ reason: 'tool_calls' })
      expect(r.events.filter((event) => event.type === 'start' || event.type === 'end')).toHaveLength(2)
      expect(r.outcome).toMatchObject({ end: 'finished', streamState: 'completed' })
      expect(r.outcome.attempts).toHaveLength(2)
      await kit.close()
    }
  })

  test('white space that a prefill may not end with is told once', async () => {
    const told = async (said: string[], then: string[]) => {
      const kit = await kitOf(said, { text: then })
      const r = await kit.chat({ model: 'm', stream: true })
      await kit.close()
      return r.text
    }
    expect(await told(['One ', '\n'], [' ', '\n', '\n', 'two'])).toBe('One \n\ntwo')
    expect(await told(['One '], ['two'])).toBe('One two')
    expect(await told(['One '], [' two'])).toBe('One two')
    expect(await told(['One'], [' two'])).toBe('One two')
  })

  test('thoughts of the second model are left out; those of the first one, unsigned, are no hindrance', async () => {
    const thinks = (text: string): StreamEvent => ({ type: 'reasoning', text, choice: 0 })
    const events = (...list: StreamEvent[]) => [...textEvents('').slice(0, 1), ...list]
    const first: UpstreamAnswer = { events: events(thinks('hm'), { type: 'text', text: 'One', choice: 0 }), breakAfter: 3 }
    const [start, , ...rest] = textEvents('')
    const second: UpstreamAnswer = { events: [start!, thinks('again'), { type: 'text', text: ' two', choice: 0 }, ...rest] }
    const kit = await testPlugin(router, { models, upstream: (_, call) => (call === 0 ? first : second), with: { stitch: true } })
    const r = await kit.chat({ model: 'same', stream: true })
    expect(r.text).toBe('One two')
    expect(r.events.filter((event) => event.type === 'reasoning').map((event) => event.text)).toEqual(['hm'])
    await kit.close()
  })

  test('usage is in the stream only for who asked for it', async () => {
    const counting = definePlugin({
      api: 1,
      name: 'counts',
      summary: 'Needs usage',
      failure: 'open',
      usage: true,
      setup: () => ({ settle() {} }),
    })
    for (const asks of [true, false]) {
      const kit = await kitOf(['One'], { text: [' two'] }, { above: [counting] })
      const r = await kit.chat({ model: 'same', stream: true, ...(asks && { stream_options: { include_usage: true } }) })
      expect([asks, r.events.some((event) => event.type === 'usage')]).toEqual([asks, asks])
      expect(r.outcome.usage).toMatchObject({ source: 'partial', inputUncached: 7 })
      expect(r.outcome.usage.outputVisible).toBeGreaterThan(5)
      await kit.close()
    }
  })

  test('plugins above see one reply: an inspection holds text back across the seam', async () => {
    const seen: string[] = []
    const watch = definePlugin({
      api: 1,
      name: 'watch',
      summary: 'Hides a word',
      failure: 'closed',
      setup: () => ({
        event: (_, event) => void seen.push(event.type),
        inspect: { hold: 8, window: (_, text) => text.replaceAll('secret', '***') },
      }),
    })
    const kit = await kitOf(['The se'], { text: ['cret is', ' out'] }, { above: [watch] })
    const r = await kit.chat({ model: 'same', stream: true })
    expect(r.text).toBe('The *** is out')
    expect(seen.filter((type) => type === 'start' || type === 'stop' || type === 'end' || type === 'error')).toEqual([
      'start',
      'stop',
      'end',
    ])
    await kit.close()
  })
})

describe('what it costs', () => {
  const stands = (r: Result) => ({ all: outcomeCost(r.outcome), served: servedCost(r.outcome) })

  test('both calls; unknown as far as the one that broke off has said nothing, and never 0', async () => {
    const kit = await kitOf(['One'], { text: [' two'] })
    const r = await kit.chat({ model: 'same', stream: true, stream_options: { include_usage: true } })
    // 7 tokens in, 5 out, of the second one
    expect(stands(r)).toEqual({
      all: { known: false, missing: ['usage'], atLeast: 57_000_000n, byClass: expect.anything() },
      served: { known: false, missing: ['usage'], atLeast: 57_000_000n, byClass: expect.anything() },
    })
    expect(r.outcome.continued).toEqual([r.outcome.attempts[1]!])
    await kit.close()
  })
})

describe('how often', () => {
  test('nobody else there: the error; with `retries` the same one goes on', async () => {
    const alone = await kitOf(['One'], { text: [' two'] })
    expect((await alone.chat({ model: 'sole', stream: true })).outcome).toMatchObject({ end: 'failed', attempts: [{ failure: 'reset' }] })
    await alone.close()
    const again = await kitOf(['One'], { text: [' two'] }, { with: { retries: 1, backoff: '1ms' } })
    const r = await again.chat({ model: 'sole', stream: true })
    expect([r.text, r.outcome.end, r.outcome.attempts.length]).toEqual(['One two', 'finished', 2])
    await again.close()
  })

  test('the attempts of a request are bounded all together', async () => {
    const broken: UpstreamAnswer = { events: textEvents('One', ' more'), breakAfter: 3 }
    const kit = await testPlugin(router, { models, upstream: broken, with: { stitch: true, retries: 5, max_attempts: 3, backoff: '1ms' } })
    const r = await kit.chat({ model: 'same', stream: true })
    expect([r.text, r.outcome.end, r.outcome.attempts.length]).toEqual(['One moreOne moreOne more', 'failed', 3])
    await kit.close()
  })

  test('each that is asked is asked on from the request as it was, and alone', async () => {
    const three = { targets: ['one', 'two', 'three'].map((model) => ({ upstream: 'openai', model })) }
    const kit = await testPlugin(router, {
      models: { three },
      with: { stitch: true, hedge: '20ms', prefer_native: false },
      upstream: async (_, call) => {
        if (call === 0) return { events: textEvents('One'), breakAfter: 2 }
        await Bun.sleep(60)
        return call === 1 ? { status: 500 } : { text: [' two'] }
      },
    })
    const r = await kit.chat({ model: 'three', stream: true, max_tokens: 100 })
    expect([r.text, r.outcome.end]).toEqual(['One two', 'finished'])
    const [, second, third] = r.outcome.attempts
    expect(third!.startedAt).toBeGreaterThanOrEqual(second!.endedAt!)
    const asked = r.sent.map(({ json }) => json as { model: string; max_tokens: number; messages: { role: string; content: string }[] })
    expect(asked.map(({ model }) => model)).toEqual(['one', 'two', 'three'])
    expect(asked.map(({ max_tokens }) => max_tokens)).toEqual([100, 98, 98])
    for (const { messages } of asked.slice(1)) expect(messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user'])
    expect(await kit.close()).toBe(true)
  })

  test('what is left of the limit is never less than an API takes', async () => {
    const said = ['One two three four five six seven']
    for (const [dialect, limit, least] of [
      ['openai-chat', 'max_tokens', 1],
      ['anthropic-messages', 'max_tokens', 1],
      ['openai-responses', 'max_output_tokens', 16],
    ] as const) {
      const kit = await kitOf(said, { text: [' eight'] })
      const r = await kit.send({
        dialect,
        body: { model: 'same', stream: true, [limit]: least + 1, ...(limit !== 'max_tokens' && { input: 'x' }) },
      })
      const sent = r.sent.map(({ json }) => json as Record<string, unknown>)
      // the upstream may be asked in another API, by its name of the limit
      const limits = sent.map((body) => body.max_tokens ?? body.max_completion_tokens ?? body.max_output_tokens)
      expect([dialect, ...limits]).toEqual([dialect, least + 1, least])
      await kit.close()
    }
  })

  test('not for a stream that has thought, and said nothing yet', async () => {
    const thinks: UpstreamAnswer = { events: [...textEvents('').slice(0, 1), { type: 'reasoning', text: 'hm', choice: 0 }], breakAfter: 2 }
    const kit = await testPlugin(router, { models, with: { stitch: true }, upstream: (_, call) => (call === 0 ? thinks : {}) })
    const r = await kit.chat({ model: 'same', stream: true })
    expect(r.outcome).toMatchObject({ end: 'failed', attempts: [{ failure: 'reset' }] })
    expect(kit.metrics()).toContain('headgate_router_not_stitched{why="no text"} 1')
    await kit.close()
  })

  test.each<[string, UpstreamAnswer, string, (string | undefined)[]]>([
    ['may go on', { text: [' two'] }, 'finished', ['reset', 'aborted', undefined]],
    ['may go on once', { events: textEvents(' two'), breakAfter: 2 }, 'failed', ['reset', 'aborted', 'reset']],
  ])('a second call that was not needed has failed nobody: its target %s', async (_name, then, end, failures) => {
    const broken: UpstreamAnswer = { events: textEvents('One'), breakAfter: 2 }
    let hung = 0
    const kit = await testPlugin(router, {
      models,
      with: { stitch: true, hedge: '20ms', max_attempts: 5 },
      upstream: async (sent) => {
        if ((sent.json as { model: string }).model === 'one') {
          await Bun.sleep(60)
          return broken
        }
        if (hung++ > 0) return then
        while (!sent.signal.aborted) await Bun.sleep(2)
        return {}
      },
    })
    const r = await kit.chat({ model: 'same', stream: true })
    expect([r.text, r.outcome.end]).toEqual(['One two', end as 'failed'])
    expect(r.outcome.attempts.map(({ failure }) => failure as string | undefined)).toEqual(failures)
    expect(await kit.close()).toBe(true)
  })

  test('what broke counts against its target, and what went on for its own', async () => {
    const kit = await kitOf(['One'], { text: [' two'] }, { with: { breaker: { consecutive: 1 } } })
    await kit.chat({ model: 'same', stream: true })
    const { data } = (await (await kit.admin('/providers')).json()) as {
      data: { targets: { model: string; failures: number; inflight: number }[] }[]
    }
    const targets = data.flatMap((one) => one.targets)
    expect(targets).toMatchObject([
      { model: 'one', failures: 1, inflight: 0, circuit: 'open' },
      { model: 'two', failures: 0, inflight: 0, circuit: 'closed' },
    ])
    await kit.close()
  })

  test('whole replies are not taken apart for it', async () => {
    const seen: boolean[] = []
    const { hooks } = await import('./stitch.ts').then(({ createStitches }) => ({
      hooks: createStitches({ counter: () => ({ add: () => {} }), upstream: () => undefined }, {} as never),
    }))
    for (const stream of [true, false]) seen.push(hooks.hears({ request: { stream }, state: { plan: {} } } as never))
    expect(seen).toEqual([true, false])
  })

  test('B13: off by default', async () => {
    const kit = await kitOf(['One'], { text: [' two'] }, { with: { stitch: false } })
    expect((await kit.chat({ model: 'same', stream: true })).outcome).toMatchObject({ end: 'failed', attempts: [{ failure: 'reset' }] })
    await kit.close()
  })
})
