import { describe, expect, test } from 'bun:test'
import { type AnyHooks, plug } from '../../test/support/plug.ts'
import type { Outcome } from '../plugin/outcome.ts'
import { testPlugin } from '../testkit/index.ts'

const quiet = plug('quiet', {})

/** A plugin that writes down each of its hooks, in the order in which they run; `later` makes them asynchronous. */
function scribe(name: string, log: string[], own: AnyHooks = {}, later = false): ReturnType<typeof plug> {
  const say = (hook: string) => {
    log.push(`${name}.${hook}`)
    return later ? Promise.resolve() : undefined
  }
  return plug(name, {
    admit: () => say('admit'),
    request: () => say('request'),
    async around(_x, next) {
      log.push(`${name}.around`)
      const reply = await next()
      log.push(`${name}.back`)
      return reply
    },
    attempt: () => say('attempt'),
    reply: () => say('reply'),
    event(_x, event) {
      if (event.type === 'text') log.push(`${name}.event`)
    },
    settle: () => say('settle'),
    ...own,
  })
}

describe('the list is the only order', () => {
  test.each([false, true])('requests go down it, replies come up (asynchronous hooks: %p)', async (later) => {
    const log: string[] = []
    const kit = await testPlugin(quiet, {
      above: [scribe('a', log, {}, later), scribe('b', log, {}, later)],
      below: [scribe('c', log, {}, later)],
      upstream: { text: 'x' },
    })
    for (const stream of [false, true]) {
      log.length = 0
      await kit.chat({ stream })
      expect(log).toEqual(
        ['a.admit', 'b.admit', 'c.admit', 'a.request', 'b.request', 'c.request', 'a.around', 'b.around', 'c.around']
          .concat(['a.attempt', 'b.attempt', 'c.attempt', 'c.back', 'b.back', 'a.back'])
          .concat(['c.reply', 'b.reply', 'a.reply', 'c.event', 'b.event', 'a.event', 'c.settle', 'b.settle', 'a.settle']),
      )
    }
    await kit.close()
  })

  test('the same plugins in another order run in that order', async () => {
    const log: string[] = []
    const [a, b] = [scribe('a', log), scribe('b', log)]
    const kit = await testPlugin(quiet, { above: [b, a] })
    await kit.chat()
    expect(log.slice(0, 4)).toEqual(['b.admit', 'a.admit', 'b.request', 'a.request'])
    await kit.close()
  })
})

describe('who hears of what', () => {
  const cases: readonly (readonly [string, AnyHooks, string[]])[] = [
    [
      'admit',
      { admit: (x) => x.refuse('permission_denied') },
      ['a.admit', 'a2.admit', 'b.reply', 'a2.reply', 'a.reply', 'b.settle', 'a2.settle', 'a.settle'],
    ],
    [
      'request',
      { request: (x) => x.refuse('permission_denied') },
      ['a.admit', 'a2.admit', 'b.admit', 'c.admit', 'a.request', 'a2.request', 'b.reply', 'a2.reply', 'a.reply'].concat(
        // c has admitted the request, and may hold something for it
        ['c.settle', 'b.settle', 'a2.settle', 'a.settle'],
      ),
    ],
    [
      'request',
      { request: (x) => x.reply([{ type: 'text', text: 'hi', choice: 0 }]) },
      [
        'a.admit',
        'a2.admit',
        'b.admit',
        'c.admit',
        'a.request',
        'a2.request',
        'b.reply',
        'a2.reply',
        'a.reply',
        'a2.event',
        'a.event',
      ].concat(['c.settle', 'b.settle', 'a2.settle', 'a.settle']),
    ],
  ]
  test.each(cases)('an answer in %s: everybody above, and below those whose own hook ran', async (_hook, own, expected) => {
    const log: string[] = []
    const kit = await testPlugin(quiet, {
      above: [scribe('a', log), scribe('a2', log)].concat(scribe('b', log, own)),
      below: [scribe('c', log)],
    })
    const r = await kit.chat()
    expect(log).toEqual(expected)
    expect(r.outcome.by).toBe('b')
    expect(r.sent).toEqual([])
    await kit.close()
  })

  test('an observer below a plugin that answers from its around hears nothing', async () => {
    const log: string[] = []
    const { settle } = { settle: () => void log.push('observer.settle') }
    const kit = await testPlugin(quiet, {
      above: [plug('cache', { around: async (x) => x.reply([{ type: 'text', text: 'hit', choice: 0 }]) })],
      below: [plug('observer', { settle, reply: () => void log.push('observer.reply'), event: () => void log.push('observer.event') })],
    })
    expect((await kit.chat()).text).toBe('hit')
    expect(log).toEqual([])
    await kit.close()
  })
})

describe('one settlement', () => {
  const outcomes = async (own: AnyHooks, upstream = {}, stream = false): Promise<Outcome> => {
    const seen: Outcome[] = []
    const kit = await testPlugin(plug('under-test', own), {
      above: [plug('counter', { settle: (_x, outcome) => void seen.push(outcome) })],
      upstream,
      timeout: 20,
    })
    const r = await kit.chat({ stream })
    expect(await kit.close()).toBe(true)
    expect(seen).toHaveLength(1)
    expect(seen[0]).toBe(r.outcome)
    expect(r.outcome.status).toBe(r.status)
    return r.outcome
  }

  test.each([false, true])('finished (stream: %p)', async (stream) => {
    expect(await outcomes({}, {}, stream)).toMatchObject({ end: 'finished', streamState: 'completed', upstream: 'openai' })
  })

  test.each<[string, AnyHooks]>([
    ['admit', { admit: (x) => x.refuse('rate_limited') }],
    ['request', { request: (x) => x.refuse('rate_limited') }],
    ['around', { around: async (x) => x.refuse('rate_limited') }],
    ['around, after the upstream answered', { around: (x, next) => next().then(() => x.refuse('rate_limited')) }],
    ['attempt', { attempt: (x) => x.refuse('rate_limited') }],
  ])('refused in %s', async (_where, hooks) => {
    const outcome = await outcomes(hooks)
    expect(outcome).toMatchObject({ end: 'refused', status: 429, code: 'rate_limited', by: 'under-test' })
    expect(outcome.verdicts).toContainEqual(expect.objectContaining({ plugin: 'under-test', did: 'refused', detail: 'rate_limited' }))
  })

  test('failed upstream', async () => {
    expect(await outcomes({}, { status: 500 })).toMatchObject({ end: 'failed', code: 'upstream_error', attempts: [{ status: 500 }] })
    expect(await outcomes({}, { text: ['a', 'b'], breakAfter: 2 }, true)).toMatchObject({ end: 'failed', streamState: 'upstream_error' })
  })

  const boom = () => {
    throw new Error('boom')
  }
  const down: readonly (readonly [string, AnyHooks])[] = [
    ['admit', { admit: boom }],
    ['request', { request: boom }],
    ['around', { around: boom }],
    ['attempt', { attempt: boom }],
  ]
  const up: readonly (readonly [string, AnyHooks])[] = [
    ['reply', { reply: boom }],
    ['event', { event: boom }],
    ['inspect', { inspect: { hold: 3, window: boom } }],
  ]
  test.each([...down, ...up])('a plugin that threw in %s', async (hook, hooks) => {
    for (const stream of [false, true]) {
      const outcome = await outcomes(hooks, {}, stream)
      expect(outcome).toMatchObject({ end: 'refused', code: 'plugin_failed', by: 'under-test' })
      expect(outcome.verdicts).toEqual([{ plugin: 'under-test', hook, did: 'failed-closed', detail: 'boom' }])
    }
  })

  test('a plugin that threw in settle changes nothing', async () => {
    expect(await outcomes({ settle: boom })).toMatchObject({ end: 'finished' })
  })

  test.each(['admit', 'request', 'around', 'attempt', 'reply'])('a plugin that hangs in %s', async (hook) => {
    const outcome = await outcomes({ [hook]: () => new Promise(() => {}) })
    expect(outcome).toMatchObject({ end: 'refused', code: 'plugin_failed', by: 'under-test' })
    expect(outcome.verdicts).toEqual([{ plugin: 'under-test', hook, did: 'failed-closed', detail: 'did not finish within 20 ms' }])
  })

  test('a plugin that hangs in settle holds nobody up for longer than its timeout', async () => {
    expect(await outcomes({ settle: () => new Promise(() => {}) })).toMatchObject({ end: 'finished' })
  })
})

describe('the client leaves', () => {
  test.each(['admit', 'request', 'around', 'attempt'])('while %s is thinking: no upstream call is left behind', async (hook) => {
    const go = Promise.withResolvers<void>()
    const seen: string[] = []
    const kit = await testPlugin(
      plug('slow', {
        [hook]: (_x: never, next?: unknown) => go.promise.then(hook === 'around' ? (next as () => void) : undefined),
      }),
      {
        above: [plug('counter', { settle: (_x, o) => void seen.push(o.end) })],
      },
    )
    const call = kit.start({ body: { stream: true } })
    await Bun.sleep(30) // past the time in which nobody asks for the client
    call.abort()
    go.resolve()
    expect(await call.outcome()).toMatchObject({ end: 'abandoned', status: 499 })
    expect(call.sent.filter((s) => !s.signal.aborted)).toEqual([])
    expect(await kit.close()).toBe(true)
    expect(seen).toEqual(['abandoned'])
  })

  test.each([
    ['before the first byte', 0],
    ['at the first byte', 1],
    ['after the first byte', 3],
  ])('%s', async (_when, chunks) => {
    const reached = Promise.withResolvers<void>()
    const seen: string[] = []
    const kit = await testPlugin(quiet, {
      above: [plug('counter', { settle: (_x, o) => void seen.push(o.end) })],
      upstream: (sent) => ({
        body: (async function* () {
          const frames = sent.encode([
            { type: 'start', id: 'r' },
            { type: 'text', text: 'a', choice: 0 },
            { type: 'text', text: 'b', choice: 0 },
          ])
          if (chunks === 1) yield frames.slice(0, 2).join('')
          else yield* frames.slice(0, chunks)
          reached.resolve()
          await new Promise(() => {})
        })(),
      }),
    })
    const call = kit.start({ body: { stream: true } })
    await reached.promise
    if (chunks > 1) {
      await call.head()
      expect(await call.read()).toContain('data:')
    }
    call.abort()
    expect(await call.outcome()).toMatchObject({ end: 'abandoned', streamState: 'client_disconnect', attempts: [{ failure: 'aborted' }] })
    expect(call.sent.map((s) => s.signal.aborted)).toEqual([true])
    expect(await kit.close()).toBe(true)
    expect(seen).toEqual(['abandoned'])
  })
})
