import { describe, expect, test } from 'bun:test'
import { type AnyHooks, plug } from '../../test/support/plug.ts'
import type { StreamEvent } from '../plugin/index.ts'
import { type Result, testPlugin, textEvents, type UpstreamScript } from '../testkit/index.ts'

const forms: readonly (readonly [string, boolean])[] = [
  ['openai-chat', true],
  ['openai-chat', false],
  ['anthropic-messages', true],
  ['anthropic-messages', false],
]

async function through(
  hooks: AnyHooks | readonly AnyHooks[],
  dialect: string,
  stream: boolean,
  upstream?: UpstreamScript,
): Promise<Result> {
  const list = (Array.isArray(hooks) ? hooks : [hooks]).map((h: AnyHooks, i) => plug(`p${i}`, h))
  const kit = await testPlugin(list[0]!, { below: list.slice(1), ...(upstream && { upstream }) })
  const r = await kit.send({ dialect, body: { stream } })
  expect(await kit.close()).toBe(true)
  return r
}
const call = (index: number, args: string, id?: string): StreamEvent => ({
  type: 'tool_call',
  index,
  choice: 0,
  arguments: args,
  ...(id !== undefined && { id, name: `tool_${id}` }),
})
const calls = (r: Result) => {
  const out: string[] = []
  for (const e of r.events) if (e.type === 'tool_call') out[e.index] = `${out[e.index] ?? `${e.id} ${e.name} `}${e.arguments}`
  return out
}
const withCalls: UpstreamScript = {
  events: [
    { type: 'start', id: 'r', model: 'm' },
    { type: 'text', text: 'I call', choice: 0 },
    call(0, '', 'a'),
    call(0, '{"x":1}'),
    call(1, '', 'b'),
    call(1, '{"y":2}'),
    { type: 'stop', reason: 'tool_calls', raw: 'tool_calls', choice: 0 },
    { type: 'end' },
  ],
}

describe.each(forms)('events, %s, stream: %p', (dialect, stream) => {
  const run = (hooks: AnyHooks | readonly AnyHooks[], upstream?: UpstreamScript) => through(hooks, dialect, stream, upstream)

  test('seen and not changed: the same bytes as without a plugin', async () => {
    const seen: string[] = []
    const [looked, plain] = [await run({ event: (_x, e) => void seen.push(e.type) }), await run({})]
    expect(looked.body).toBe(plain.body)
    expect(seen).toContain('text')
    expect(seen).toContain('end')
    expect(seen.filter((t) => t === 'end')).toHaveLength(1)
  })

  test('changed', async () => {
    const r = await run({ event: (_x, e) => (e.type === 'text' ? { ...e, text: `${e.text.toUpperCase()}!` } : undefined) })
    expect(r.text).toBe(stream ? 'HELLO! FROM! UPSTREAM!' : 'HELLO FROM UPSTREAM!')
    expect(r.events.at(-1)?.type).toBe('end')
  })

  test('dropped', async () => {
    const r = await run({ event: (_x, e) => (e.type === 'text' && e.text.includes('from') ? null : undefined) })
    expect(r.text).toBe(stream ? 'Hello upstream' : '')
    expect(r.outcome.end).toBe('finished')
    expect(r.events.some((e) => e.type === 'stop')).toBe(true)
  })

  test('multiplied', async () => {
    const r = await run({ event: (_x, e) => (e.type === 'text' ? [e, { ...e, text: '.' }, { ...e, text: '.' }] : undefined) })
    expect(r.text).toBe(stream ? 'Hello.. from.. upstream..' : 'Hello from upstream..')
  })

  test('inserted before the end', async () => {
    const r = await run({ event: (_x, e) => (e.type === 'stop' ? [{ type: 'text', text: ' (ad)', choice: 0 }, e] : undefined) })
    expect(r.text).toBe('Hello from upstream (ad)')
  })

  test('each plugin sees what the one below made of it', async () => {
    const add = (mark: string): AnyHooks => ({ event: (_x, e) => (e.type === 'text' ? { ...e, text: e.text + mark } : undefined) })
    const r = await run([add('3'), add('2'), add('1')])
    expect(r.text).toBe(stream ? 'Hello123 from123 upstream123' : 'Hello from upstream123')
  })

  test('a tool call dropped: the ones behind it keep their ids, names and arguments (C05)', async () => {
    const r = await run({ event: (_x, e) => (e.type === 'tool_call' && e.index === 0 ? null : undefined) }, withCalls)
    expect(calls(r)).toEqual(['b tool_b {"y":2}'])
    expect(r.text).toBe('I call')
  })

  test('a note leaves as a comment in a stream, and not at all in a whole reply', async () => {
    const r = await run({ event: (_x, e) => (e.type === 'text' ? [{ type: 'note', text: 'watch this' }, e] : undefined) })
    expect(r.body.includes(': watch this')).toBe(stream)
    expect(r.text).toBe('Hello from upstream')
  })

  test.each([5, 'text', true, {}, [5], { type: 7 }])('%j is no event: a failure of the plugin', async (value) => {
    const r = await run({ event: () => value as unknown as undefined })
    expect(r.outcome).toMatchObject({ end: 'refused', code: 'plugin_failed', by: 'p0' })
  })

  test('an error event ends the reply; before the head has left, as an HTTP error', async () => {
    const r = await run({
      event: (_x, e) => (e.type === 'text' ? { type: 'error', kind: 'content_filter', message: 'not this' } : undefined),
    })
    expect(r.outcome).toMatchObject({ end: 'refused', code: 'content_filter', by: 'p0', message: 'not this' })
    expect(r.status).toBe(400)
    expect(r.body).toContain('not this')
    expect(r.body).not.toContain('Hello')
    expect(r.headers.get('content-type')).toBe('application/json')
  })

  test('an error event in mid-stream is its last frame', async () => {
    if (!stream) return
    const gate = Promise.withResolvers<void>()
    const upstream: UpstreamScript = (sent) => ({
      body: (async function* () {
        const frames = sent.encode(textEvents('good', 'bad', 'more'))
        yield frames.slice(0, 2).join('')
        await gate.promise
        yield* frames.slice(2)
      })(),
    })
    const event: AnyHooks['event'] = (_x, e) =>
      e.type === 'text' && e.text === 'bad' ? { type: 'error', kind: 'blocked', message: 'not this' } : undefined
    const kit = await testPlugin(plug('p', { event } as AnyHooks), { upstream })
    const started = kit.start({ dialect, body: { stream } })
    expect((await started.head()).status).toBe(200)
    gate.resolve()
    const r = await started.result()
    expect(r).toMatchObject({ text: 'good', outcome: { end: 'refused', status: 200, code: 'content_filter', by: 'p' } })
    expect(r.events.filter((e) => e.type === 'error' || e.type === 'end')).toMatchObject([{ type: 'error', message: 'not this' }])
    expect(r.sent[0]!.signal.aborted).toBe(true)
    await kit.close()
  })

  test('x.reply from request: streamed or whole as the client asked, through the plugins above', async () => {
    const answer: AnyHooks = {
      request: (x) => x.reply([{ type: 'text', text: 'from the cache', choice: 0 }], { headers: { 'x-cache': 'hit' } }),
      event: () => null, // the answering plugin's own event hook is not asked
    }
    const loud: AnyHooks = { event: (_x, e) => (e.type === 'text' ? { ...e, text: e.text.toUpperCase() } : undefined) }
    const r = await run([loud, answer])
    expect(r).toMatchObject({ status: 200, text: 'FROM THE CACHE', sent: [], outcome: { end: 'finished', by: 'p1' } })
    expect(r.headers.get('x-cache')).toBe('hit')
    expect(r.headers.get('content-type')).toStartWith(stream ? 'text/event-stream' : 'application/json')
    expect(r.events.filter((e) => e.type === 'end')).toHaveLength(1)
  })

  test('x.reply with tool calls', async () => {
    const r = await run({ request: (x) => x.reply((withCalls as { events: StreamEvent[] }).events) })
    expect(calls(r)).toEqual(['a tool_a {"x":1}', 'b tool_b {"y":2}'])
    expect(r.events).toContainEqual(expect.objectContaining({ type: 'stop', reason: 'tool_calls' }))
  })
})

describe.each(forms)('inspect, %s, stream: %p', (dialect, stream) => {
  const secret = ['the key is sk-', 'ABC', 'DEF and 👍🏽', ' done']
  const run = (hooks: AnyHooks | readonly AnyHooks[], text: readonly string[] = secret) => through(hooks, dialect, stream, { text })

  test('a pattern across chunks is seen whole, and replaced', async () => {
    const windows: string[] = []
    const r = await run({
      inspect: {
        hold: 8,
        window(_x, text, last) {
          windows.push(`${text}${last ? '$' : ''}`)
          return text.includes('sk-ABCDEF') ? text.replace('sk-ABCDEF', '***') : undefined
        },
      },
    })
    expect(r.text).toBe('the key is *** and 👍🏽 done')
    expect(windows.filter((w) => w.endsWith('$'))).toHaveLength(1)
    expect(r.outcome.end).toBe('finished')
  })

  test('what is held back has not left', async () => {
    if (!stream) return
    const r = await run({ inspect: { hold: 6, window: () => undefined } }, ['abc', 'def', 'ghi'])
    const texts = r.events.flatMap((e) => (e.type === 'text' ? [e.text] : []))
    expect(texts).toEqual(['abc', 'defghi'])
  })

  test('hold 0 delays nothing', async () => {
    const r = await run({ inspect: { hold: 0, window: () => undefined } }, ['a', 'b'])
    expect(r.events.flatMap((e) => (e.type === 'text' ? [e.text] : []))).toEqual(stream ? ['a', 'b'] : ['ab'])
  })

  test('no cut falls inside a character', async () => {
    for (let hold = 1; hold < 6; hold++) {
      const r = await run({ inspect: { hold, window: () => undefined } }, ['a👍', '👍🏽b'])
      expect(r.text).toBe('a👍👍🏽b')
      for (const e of r.events) if (e.type === 'text') expect(e.text.isWellFormed()).toBe(true)
    }
  })

  test('refused before the first text: nothing of it leaves', async () => {
    const r = await run({
      inspect: { hold: 4, window: (x, text) => (text.includes('key') ? x.refuse('content_filter', 'no keys') : undefined) },
    })
    expect(r.outcome).toMatchObject({ end: 'refused', code: 'content_filter', by: 'p0' })
    expect(r.body).not.toContain('the key')
    expect(r.body).toContain('no keys')
    expect(r).toMatchObject({ status: 400, json: { error: { message: 'no keys' } } })
    expect(r.sent[0]!.signal.aborted).toBe(stream)
    expect(r.verdicts).toContainEqual({ plugin: 'p0', hook: 'inspect', did: 'refused', detail: 'content_filter' })
  })

  test('refused in mid-stream: what had passed stays, then the error, then nothing', async () => {
    const r = await run({ inspect: { hold: 3, window: (x, text) => (text.includes('DEF') ? x.refuse('content_filter') : undefined) } })
    expect(r.outcome.code).toBe('content_filter')
    expect(r.body).not.toContain('DEF')
    if (stream) {
      expect(r.text).toStartWith('the key is')
      expect(r.events.at(-1)).toMatchObject({ type: 'error' })
      expect(r.sent[0]!.signal.aborted).toBe(true)
    } else expect(r.status).toBe(400)
  })

  test('an answer of a plugin that lacks stop and end loses nothing', async () => {
    const r = await run([
      { inspect: { hold: 50, window: () => undefined } },
      { request: (x) => x.reply([{ type: 'text', text: 'short', choice: 0 }]) },
    ])
    expect(r.text).toBe('short')
  })

  test('text before a tool call leaves before it', async () => {
    const r = await through({ inspect: { hold: 50, window: () => undefined } }, dialect, stream, withCalls)
    expect(r.text).toBe('I call')
    expect(calls(r)).toEqual(['a tool_a {"x":1}', 'b tool_b {"y":2}'])
    const order = r.events.map((e) => e.type)
    expect(order.indexOf('text')).toBeLessThan(order.indexOf('tool_call'))
  })

  test('a window that throws, open: everything leaves, what other choices held too', async () => {
    const events: StreamEvent[] = [
      { type: 'start', id: 'r' },
      { type: 'text', text: 'first', choice: 0 },
      { type: 'text', text: ' second', choice: 0 },
      { type: 'text', text: ' third', choice: 0 },
      ...textEvents().filter((e) => e.type !== 'start'),
    ]
    let windows = 0
    const window = () => {
      if (++windows === (stream ? 2 : 1)) throw new Error('boom')
      return undefined
    }
    const kit = await testPlugin(plug('failing', { inspect: { hold: 20, window } }), { on_error: 'skip', upstream: { events } })
    const r = await kit.send({ dialect, body: { stream } })
    expect(r).toMatchObject({ text: 'first second third', outcome: { end: 'finished' } })
    expect(r.verdicts).toMatchObject([{ hook: 'inspect', did: 'failed-open' }])
    await kit.close()
  })

  test('the stream breaks while text is held: the text leaves, then the error', async () => {
    if (!stream) return
    const r = await through({ inspect: { hold: 50, window: () => undefined } }, dialect, stream, {
      text: ['held text', ' more'],
      breakAfter: 2,
    })
    expect(r.outcome).toMatchObject({ end: 'failed', code: 'upstream_error' })
    expect(r.events.at(-1)).toMatchObject({ type: 'error' })
    expect(r.text).toBe('held text')
  })

  test('reasoning is looked at only where the plugin names it', async () => {
    const upstream: UpstreamScript = {
      events: [{ type: 'start', id: 'r' }, { type: 'reasoning', text: 'hmm', choice: 0, signature: 'sig' }, ...textEvents('hi').slice(1)],
    }
    const seen: string[] = []
    const window = (_x: unknown, text: string) => void seen.push(text)
    await through({ inspect: { hold: 0, window } }, dialect, stream, upstream)
    expect(seen.join('')).toBe('hi')
    seen.length = 0
    await through({ inspect: { hold: 0, kinds: ['reasoning'], window } }, dialect, stream, upstream)
    expect(seen.join('')).toBe('hmm')
  })
})

test('two choices hold their text apart', async () => {
  const windows: string[] = []
  const window = (_x: unknown, text: string) => void windows.push(text)
  const events: StreamEvent[] = [
    { type: 'start', id: 'r' },
    { type: 'text', text: 'aa', choice: 0 },
    { type: 'text', text: 'bb', choice: 1 },
    { type: 'text', text: 'AA', choice: 0 },
    { type: 'text', text: 'BB', choice: 1 },
    { type: 'stop', reason: 'end', raw: 'stop', choice: 0 },
    { type: 'stop', reason: 'end', raw: 'stop', choice: 1 },
    { type: 'end' },
  ]
  const r = await through({ inspect: { hold: 10, window } }, 'openai-chat', true, { events })
  expect(windows).toEqual(['aa', 'bb', 'aaAA', 'bbBB', 'aaAA', 'bbBB'])
  expect(r.events.flatMap((e) => (e.type === 'text' ? [`${e.choice}${e.text}`] : []))).toEqual(['0aaAA', '1bbBB'])
})

describe('a stream without its own end', () => {
  const cut: UpstreamScript = (sent) => ({ body: sent.encode(textEvents('one')).filter((frame) => !frame.includes('[DONE]')) })

  test('a plugin stops it at the end that the gateway adds: settled as refused, by that plugin', async () => {
    const event = (_x: unknown, e: StreamEvent) =>
      e.type === 'end' ? ({ type: 'error', kind: 'content_filter', message: 'no' } as const) : undefined
    const r = await through({ event }, 'openai-chat', true, cut)
    expect(r.events.at(-1)).toMatchObject({ type: 'error', message: 'no' })
    expect(r.outcome).toMatchObject({ end: 'refused', code: 'content_filter', by: 'p0' })
  })

  test.each<[string, UpstreamScript]>([
    ['has ended', cut],
    ['has broken', { breakAfter: 2 }],
  ])('a plugin adds what cannot be written when it %s: told, and settled', async (_how, upstream) => {
    const broken = {
      type: 'text',
      choice: 0,
      get text(): string {
        throw new Error('boom')
      },
    } as const
    const event = (_x: unknown, e: StreamEvent) => (e.type === 'end' || e.type === 'error' ? [broken, e] : undefined)
    const r = await through({ event }, 'openai-chat', true, upstream)
    expect(r.events.at(-1)).toMatchObject({ type: 'error' })
    expect(r.outcome).toMatchObject({ end: 'failed', code: 'internal_error' })
  })
})

test('hears says for which replies a plugin wants the events; one that throws does', async () => {
  const heard: string[] = []
  const kit = await testPlugin(
    plug('listener', {
      hears(x) {
        if (x.request.at('/how') === 'throw') throw new Error('boom')
        return x.request.at('/how') === 'yes'
      },
      event: (x, event) => {
        if (event.type === 'end') heard.push(String(x.request.at('/how')))
      },
    }),
  )
  for (const how of ['yes', 'no', 'throw']) expect((await kit.chat({ how, stream: true })).text).toBe('Hello from upstream')
  expect(heard).toEqual(['yes', 'throw'])
  await kit.close()
})
