/** A plugin that ends a reply early, and well: `end` returned from `event`. */

import { describe, expect, test } from 'bun:test'
import { type AnyHooks, plug } from '../../test/support/plug.ts'
import { type StreamEvent, unknownUsage } from '../plugin/index.ts'
import { testPlugin, textEvents, type UpstreamScript } from '../testkit/index.ts'
import { mustBeWellFormed } from '../testkit/invariants.ts'

const used = { ...unknownUsage, source: 'estimated', inputUncached: 7, outputVisible: 2 } as const
const closing: StreamEvent[] = [{ type: 'stop', reason: 'length', raw: '', choice: 0 }, { type: 'usage', usage: used }, { type: 'end' }]
/** Ends the reply at the text that holds `bad`. */
const cutting: AnyHooks = { event: (_x, e) => (e.type === 'text' && e.text.includes('bad') ? closing : undefined) }

/** An upstream that pauses before its second text, and would never stop by itself after the third. */
function pausing(go: Promise<void>): UpstreamScript {
  return (sent) => ({
    body: (async function* () {
      const frames = sent.encode(textEvents('good', ' bad', ' more'))
      const second = frames.findIndex((f) => f.includes('bad'))
      yield frames.slice(0, second).join('')
      await go
      yield frames.slice(second, -2).join('')
      await new Promise(() => {})
    })(),
  })
}

describe.each([
  ['openai-chat', 'openai'],
  ['openai-chat', 'anthropic'],
  ['anthropic-messages', 'anthropic'],
  ['anthropic-messages', 'openai'],
  ['openai-responses', 'openai'],
  ['openai-responses', 'anthropic'],
])('%s, served by %s', (dialect, upstream) => {
  const there = plug('there', { request: (x) => x.setTarget({ upstream, model: 'upstream-model' }) })
  const kitOf = (hooks: readonly AnyHooks[], script: UpstreamScript) =>
    testPlugin(plug('p0', hooks[0]!), { upstream: script, below: [...hooks.slice(1).map((h, i) => plug(`p${i + 1}`, h)), there] })
  const body = dialect === 'openai-responses' ? { model: 'test-model', input: 'Hello' } : {}

  test.each([true, false])('a stream, in its midst %p: a final frame, the end, and the upstream is called off', async (midst) => {
    const go = Promise.withResolvers<void>()
    const seen: string[] = []
    const kit = await kitOf([{ event: (_x, e) => void seen.push(e.type) }, cutting], pausing(go.promise))
    const call = kit.start({ dialect, body: { ...body, stream: true } })
    if (midst) expect((await call.head()).status).toBe(200)
    go.resolve()
    const r = await call.result()
    expect(r).toMatchObject({ status: 200, text: 'good', broken: false, outcome: { end: 'finished', streamState: 'completed' } })
    expect(r.events.filter((e) => e.type === 'stop')).toMatchObject([{ reason: 'length' }])
    expect(r.events.at(-1)?.type).toBe('end')
    mustBeWellFormed(r, dialect)
    expect(r.events.filter((e) => e.type === 'end' || e.type === 'error')).toHaveLength(1)
    expect(r.sent[0]!.signal.aborted).toBe(true)
    expect(r.outcome.attempts).toMatchObject([{ failure: 'aborted' }])
    expect(r.verdicts).toContainEqual({ plugin: 'p1', hook: 'event', did: 'ended' })
    expect(seen.slice(-3)).toEqual(['stop', 'usage', 'end'])
    expect(await kit.close()).toBe(true)
  })

  test('text that a plugin above holds back is let go before the end', async () => {
    const go = Promise.withResolvers<void>()
    go.resolve()
    const kit = await kitOf([{ inspect: { hold: 100, window: () => undefined } }, cutting], pausing(go.promise))
    expect((await kit.send({ dialect, body: { ...body, stream: true } })).text).toBe('good')
    await kit.close()
  })

  test('a whole reply: what follows is dropped, the usage stays', async () => {
    const events: StreamEvent[] = [
      { type: 'text', text: 'good', choice: 0 },
      { type: 'tool_call', index: 0, choice: 0, id: 'c', name: 'bad', arguments: '{}' },
      { type: 'tool_call', index: 1, choice: 0, id: 'd', name: 'more', arguments: '{}' },
    ]
    const cut: AnyHooks = { event: (_x, e) => (e.type === 'tool_call' ? [closing[0]!, { type: 'end' }] : undefined) }
    const [start, , ...rest] = textEvents('x')
    const kit = await kitOf([cut], { events: [start!, ...events, ...rest] })
    const r = await kit.send({ dialect, body })
    expect(r).toMatchObject({ status: 200, text: 'good', outcome: { end: 'finished' } })
    expect(r.events.some((e) => e.type === 'tool_call')).toBe(false)
    expect(r.events.filter((e) => e.type === 'stop')).toMatchObject([{ reason: 'length' }])
    expect(r.events.find((e) => e.type === 'usage')).toMatchObject({ usage: { inputUncached: 7, outputVisible: 5 } })
    await kit.close()
  })
})

test('an error stays an error: `end` does not make it well', async () => {
  const kit = await testPlugin(plug('p', { event: (_x, e) => (e.type === 'error' ? closing : undefined) }), {
    upstream: { text: ['a', 'b'], breakAfter: 2 },
  })
  const r = await kit.chat({ stream: true })
  expect(r.outcome.end).toBe('failed')
  expect(r.events.at(-1)?.type).toBe('error')
  await kit.close()
})
