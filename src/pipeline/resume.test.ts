/** The hook `resume` for any plugin: what it is told, what its answer does, and that nothing it does wrong makes things worse. */

import { describe, expect, test } from 'bun:test'
import { type BrokenStream, definePlugin, type Next, type Plugin, type Reply, type StreamEvent } from '../plugin/index.ts'
import { type PluginKit, type TestPluginOptions, testPlugin, textEvents, type UpstreamAnswer } from '../testkit/index.ts'

type Resume = (
  x: { readonly request: { set(pointer: string, value: string): void } },
  broken: BrokenStream,
  next: Next,
) => Promise<Reply | undefined>

const withResume = (resume: Resume, name = 'resumes', failure: 'open' | 'closed' = 'open'): Plugin =>
  definePlugin({ api: 1, name, summary: 'Goes on', failure, setup: () => ({ resume }) })

/** Calls that break off after one text, then those that don't. */
async function kitOf(plugin: Plugin, more: TestPluginOptions & { breaks?: number; then?: UpstreamAnswer } = {}): Promise<PluginKit> {
  const { breaks = 1, then = { text: [' and', ' more'] }, ...options } = more
  const broken: UpstreamAnswer = { events: textEvents('One'), breakAfter: 2 }
  return await testPlugin(plugin, { upstream: (_, call) => (call < breaks ? broken : then), ...options })
}

/** Content, and then nothing more. */
async function* endless(): AsyncGenerator<string> {
  yield 'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"more"},"finish_reason":null}]}\n\n'
  await new Promise(() => {})
}

describe('resume', () => {
  for (const dialect of ['openai-chat', 'anthropic-messages']) {
    test(`${dialect}: the reply of next() goes on with the stream; the plugin is told what broke`, async () => {
      const told: BrokenStream[] = []
      const kit = await kitOf(
        withResume(async (x, broken, next) => {
          told.push(broken)
          x.request.set('/asked', 'again')
          return await next()
        }),
      )
      const r = await kit.send({ dialect, body: { stream: true } })
      expect(r.text).toBe('One and more')
      expect(r.events.filter(({ type }) => type === 'start' || type === 'stop' || type === 'end').map(({ type }) => type)).toEqual([
        'start',
        'stop',
        'end',
      ])
      expect(told).toMatchObject([{ code: 'upstream_error', attempt: { failure: 'reset' } }])
      expect(r.sent.map((sent) => (sent.json as { asked?: string }).asked)).toEqual([undefined, 'again'])
      expect(r.outcome).toMatchObject({ end: 'finished', verdicts: [{ plugin: 'resumes', hook: 'resume', did: 'resumed' }] })
      await kit.close()
    })
  }

  test('each time the body begins as it went out at first', async () => {
    let times = 0
    const kit = await kitOf(
      withResume(async (x, _, next) => {
        times++
        x.request.set(`/asked${times}`, 'again')
        return await next()
      }),
      { breaks: 2 },
    )
    const r = await kit.chat({ stream: true })
    expect(r.text).toBe('OneOne and more')
    expect(r.sent.map(({ json }) => Object.keys(json as object).filter((name) => name.startsWith('asked')))).toEqual([
      [],
      ['asked1'],
      ['asked2'],
    ])
    expect(r.outcome.continued).toHaveLength(2)
    await kit.close()
  })

  const mistakes: readonly (readonly [string, Resume])[] = [
    ['resolves with nothing', async () => undefined],
    ['throws', () => Promise.reject(new Error('oh'))],
    [
      'throws at once',
      () => {
        throw new Error('oh')
      },
    ],
    ['gives a reply that is not of its own', async () => ({ type: 'reply', ok: true }) as Reply],
    ['is too slow', () => new Promise(() => {})],
    [
      'gives a refusal of the upstream',
      async (x, _, next) => {
        x.request.set('/model', 'refused')
        return await next()
      },
    ],
  ]
  test.each(mistakes)('a hook that %s: the client gets the error that there was, and all settles once', async (name, resume) => {
    for (const failure of ['open', 'closed'] as const) {
      const then = { status: name.includes('refusal') ? 500 : 200 }
      const kit = await kitOf(withResume(resume, 'resumes', failure), { timeout: 30, then })
      const r = await kit.chat({ stream: true })
      expect(r.text).toBe('One')
      expect(r.body).toContain('"error"')
      expect(r.body).not.toContain('[DONE]')
      expect(r.outcome).toMatchObject({ end: 'failed', streamState: 'upstream_error', code: 'upstream_error' })
      expect(r.outcome.continued).toBeUndefined()
      expect(await kit.close()).toBe(true)
    }
  })

  test('the nearest to the upstream is asked first; the next one when it has nothing', async () => {
    const asked: string[] = []
    const one = (name: string, goes: boolean) =>
      withResume(async (_, _broken, next) => {
        asked.push(name)
        return goes ? await next() : undefined
      }, name)
    const kit = await kitOf(one('middle', true), { above: [one('top', true)], below: [one('bottom', false)] })
    expect((await kit.chat({ stream: true })).text).toBe('One and more')
    expect(asked).toEqual(['bottom', 'middle'])
    await kit.close()
  })

  test('not for what ended well, nor for a whole reply, nor before content', async () => {
    let asked = 0
    const counting = withResume(async () => {
      asked++
      return undefined
    })
    for (const [breakAfter, stream] of [
      [undefined, true],
      [1, true],
      [2, false],
    ] as const) {
      const kit = await testPlugin(counting, { upstream: { ...(breakAfter !== undefined && { breakAfter }) } })
      await kit.chat({ stream })
      await kit.close()
    }
    expect(asked).toBe(0)
  })

  test('a client that leaves while the hook waits for something ends the wait; that is no failure of the plugin', async () => {
    const waits = Promise.withResolvers<void>()
    const ended: unknown[] = []
    const kit = await kitOf(
      withResume(async (_, _broken, next) => {
        const going = next({ after: new Promise(() => {}) })
        going.catch((error: unknown) => ended.push(error))
        waits.resolve()
        return await going
      }),
    )
    const call = kit.start({ body: { stream: true } })
    await waits.promise
    call.abort()
    expect(await call.outcome()).toMatchObject({ end: 'abandoned', verdicts: [] })
    expect(ended).toHaveLength(1)
    expect(await kit.close()).toBe(true)
    expect(kit.logs.filter(({ level }) => level === 'error')).toEqual([])
  })

  test('tool calls of the one that goes on are counted on', async () => {
    const call = (id: string): StreamEvent[] => [
      { type: 'tool_call', index: 0, choice: 0, id, name: 'look', arguments: '' },
      { type: 'tool_call', index: 0, choice: 0, arguments: '{}' },
    ]
    const [start, , ...end] = textEvents('')
    const answers: UpstreamAnswer[] = [
      { events: [start!, ...call('call_1')], breakAfter: 3 },
      { events: [start!, ...call('call_2'), ...end] },
    ]
    const seen: [string, number][] = []
    const watch = definePlugin({
      api: 1,
      name: 'watch',
      summary: 'Looks',
      failure: 'open',
      setup: () => ({
        event(_, event) {
          if (event.type === 'tool_call' && event.id !== undefined) seen.push([event.id, event.index])
        },
      }),
    })
    const kit = await testPlugin(
      withResume(async (_x, _broken, next) => await next()),
      { upstream: (_, n) => answers[n]!, above: [watch] },
    )
    const r = await kit.chat({ stream: true })
    expect(r.events.flatMap((event) => (event.type === 'tool_call' && event.id !== undefined ? [[event.id, event.index]] : []))).toEqual([
      ['call_1', 0],
      ['call_2', 1],
    ])
    expect(seen).toEqual([
      ['call_1', 0],
      ['call_2', 1],
    ])
    await kit.close()
  })

  test('a reply that comes when the client has gone is called off', async () => {
    const then: UpstreamAnswer = { body: endless() }
    const has = Promise.withResolvers<void>()
    const gone = Promise.withResolvers<void>()
    const kit = await kitOf(
      withResume(async (_, _broken, next) => {
        const reply = await next()
        has.resolve()
        await gone.promise
        return reply
      }),
      { then },
    )
    const call = kit.start({ body: { stream: true } })
    await has.promise
    call.abort()
    const outcome = await call.outcome()
    expect(outcome.end).toBe('abandoned')
    gone.resolve()
    while (outcome.attempts[1]!.endedAt === undefined) await Bun.sleep(2)
    expect(outcome.attempts[1]!.failure).toBe('aborted')
    expect(await kit.close()).toBe(true)
  })

  test('replies that are not given are called off', async () => {
    const kit = await kitOf(
      withResume(async (_, _broken, next) => {
        const [first] = await Promise.all([next(), next()])
        return first
      }),
    )
    const r = await kit.chat({ stream: true })
    expect(r.outcome.end).toBe('finished')
    expect(r.outcome.attempts.map(({ failure }) => failure)).toEqual(['reset', undefined, 'aborted'])
    expect(await kit.close()).toBe(true)
  })
})
