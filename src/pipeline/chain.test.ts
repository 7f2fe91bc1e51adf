import { describe, expect, test } from 'bun:test'
import { type AnyExchange, plug } from '../../test/support/plug.ts'
import type { Next, Reply } from '../plugin/index.ts'
import { type TestPluginOptions, testPlugin, textEvents, type UpstreamScript } from '../testkit/index.ts'

type Around = (x: AnyExchange, next: Next) => Promise<unknown>

async function around(run: Around, options: TestPluginOptions = {}) {
  return await testPlugin(plug('around', { around: run as never }), options)
}

/** One text per call: `call 0`, `call 1`, … */
const numbered: UpstreamScript = (_sent, call) => ({ text: `call ${call}` })

/** A stream that waits for ever after its first content. */
const endless: UpstreamScript = (sent) => ({
  body: (async function* () {
    yield sent.encode(textEvents('first')).slice(0, 2).join('')
    await new Promise(() => {})
  })(),
})

describe('next()', () => {
  test('not at all: no upstream call is made', async () => {
    const kit = await around(async (x) => x.reply([{ type: 'text', text: 'own', choice: 0 }]))
    expect(await kit.chat()).toMatchObject({ text: 'own', sent: [], outcome: { end: 'finished', by: 'around' } })
    await kit.close()
  })

  test('once: the reply is what the upstream says', async () => {
    const seen: Partial<Reply>[] = []
    const kit = await around(
      async (_x, next) => {
        const reply = await next()
        seen.push({ ok: reply.ok, status: reply.status, stream: reply.stream, ...(reply.attempt && { attempt: reply.attempt }) })
        return reply
      },
      { upstream: [{}, { status: 429, message: 'slow' }, { unreachable: true }] },
    )
    for (const stream of [true, false, false]) await kit.chat({ stream })
    expect(seen).toMatchObject([
      { ok: true, status: 200, stream: true, attempt: { upstream: 'openai', status: 200 } },
      { ok: false, status: 429, stream: false, attempt: { failure: 'status', message: 'slow' } },
      { ok: false, status: 502, stream: false, attempt: { failure: 'connect' } },
    ])
    await kit.close()
  })

  test('twice: a retry, with the edits made in between, and both calls in the record', async () => {
    const kit = await around(
      async (x, next) => {
        const first = await next()
        if (first.ok) return first
        x.request.set('/attempt', 2)
        return next()
      },
      { upstream: [{ status: 500 }, { text: 'better' }] },
    )
    const r = await kit.chat()
    expect(r).toMatchObject({ status: 200, text: 'better', outcome: { end: 'finished' } })
    expect(r.sent.map((s) => [s.index, (s.json as { attempt?: number }).attempt])).toEqual([
      [0, undefined],
      [1, 2],
    ])
    expect(r.outcome.attempts.map((a) => a.status)).toEqual([500, 200])
    await kit.close()
  })

  test('resolves at the first content of a stream, and discarding it then cancels its upstream call', async () => {
    const kit = await around(
      async (_x, next) => {
        await next()
        return next()
      },
      { upstream: (sent, call) => (call === 0 ? (endless as (s: typeof sent, n: number) => object)(sent, 0) : { text: 'second' }) },
    )
    const r = await kit.chat({ stream: true })
    expect(r.text).toBe('second')
    expect(r.sent.map((s) => s.signal.aborted)).toEqual([true, false])
    expect(r.outcome.attempts).toMatchObject([{ failure: 'aborted' }, { status: 200 }])
    await kit.close()
  })

  test('at the same time: the first answer wins, the others are cancelled at once, answered or not', async () => {
    const kit = await around(async (_x, next) => Promise.race([next(), next(), next()]), {
      upstream: async (sent) => {
        if (sent.index !== 1) await new Promise(() => {})
        return { text: 'the quick one' }
      },
    })
    for (const stream of [true, false]) {
      const r = await kit.chat({ stream })
      expect(r.text).toBe('the quick one')
      expect(r.sent.map((s) => s.signal.aborted)).toEqual([true, false, true])
    }
    await kit.close()
  })

  test('its own signal ends one branch alone', async () => {
    const kit = await around(
      async (_x, next) => {
        const stop = new AbortController()
        const slow = next({ signal: stop.signal })
        const quick = next()
        setTimeout(() => stop.abort(), 5)
        expect(await slow).toMatchObject({ ok: false, code: 'client_closed', attempt: { failure: 'aborted' } })
        return quick
      },
      { upstream: async (sent) => (sent.index === 0 ? new Promise(() => {}) : { text: 'quick' }) },
    )
    const r = await kit.chat()
    expect(r).toMatchObject({ text: 'quick', outcome: { end: 'finished' } })
    expect(r.sent.map((s) => s.signal.aborted)).toEqual([true, false])
    await kit.close()
  })

  test('a branch that failed leaves neither edits nor a target behind, and slots as they are', async () => {
    const below = plug('below', {
      around: async (x, next) => {
        x.request.set('/below', ((x.request.at('/below') as number | undefined) ?? 0) + 1)
        x.setTarget({ upstream: 'openai', model: 'nowhere' })
        return next()
      },
    })
    const seen: unknown[] = []
    const kit = await around(
      async (x, next) => {
        x.setTarget({ upstream: 'openai', model: 'somewhere' })
        x.request.set('/mine', 1)
        const first = await next()
        seen.push(x.target?.model, x.request.at('/below'), x.request.at('/mine'))
        return first.ok ? first : next()
      },
      { upstream: [{ status: 500 }, { text: 'better' }], below: [below] },
    )
    const r = await kit.chat()
    expect(r.text).toBe('better')
    expect(seen).toEqual(['somewhere', undefined, 1])
    expect(r.sent.map((s) => (s.json as { below?: number }).below)).toEqual([1, 1])
    await kit.close()
  })

  test('after the end it throws, and makes no call', async () => {
    const late = Promise.withResolvers<unknown>()
    const kit = await around(async (_x, next) => {
      const reply = await next()
      setTimeout(() => next().then(late.resolve, late.resolve), 5)
      return reply
    })
    const r = await kit.chat()
    expect(await late.promise).toEqual(new Error('next() called after the hook was over'))
    expect(r.sent).toHaveLength(1)
    await kit.close()
  })

  test('runs everything below again, and nothing above', async () => {
    const log: string[] = []
    const say = (name: string) =>
      plug(name, {
        request: () => void log.push(`${name}.request`),
        around: (_x, next) => {
          log.push(name)
          return next()
        },
        attempt: () => void log.push(`${name}.attempt`),
      })
    const kit = await around(async (_x, next) => ((await next()).ok ? next() : next()), { above: [say('above')], below: [say('below')] })
    await kit.chat()
    expect(log).toEqual([
      'above.request',
      'below.request',
      'above',
      'below',
      'above.attempt',
      'below.attempt',
      'below',
      'above.attempt',
      'below.attempt',
    ])
    await kit.close()
  })
})

describe('what around resolves with', () => {
  test('an earlier reply of its own is as good as the last', async () => {
    const kit = await around(
      async (_x, next) => {
        const first = await next()
        await next()
        return first
      },
      { upstream: numbered },
    )
    for (const stream of [true, false]) expect((await kit.chat({ stream })).text).toBe(stream ? 'call 0' : 'call 2')
    await kit.close()
  })

  test('a reply of another exchange is refused: its bytes are gone', async () => {
    let kept: Reply | undefined
    const kit = await around(async (_x, next) => (kept ??= await next()))
    expect((await kit.chat({ stream: true })).status).toBe(200)
    const r = await kit.chat({ stream: true })
    expect(r).toMatchObject({ status: 500, outcome: { code: 'plugin_failed', by: 'around' } })
    expect(r.verdicts[0]!.detail).toContain('its own next()')
    await kit.close()
  })

  test.each([undefined, null, 5, {}, { type: 'reply' }, { type: 'refusal', code: 'nonsense' }, { type: 'completed', events: [7] }])(
    '%j is a failure',
    async (value) => {
      const kit = await around(async (_x, next) => {
        await next()
        return value
      })
      const r = await kit.chat({ stream: true })
      expect(r).toMatchObject({ status: 500, outcome: { end: 'refused', code: 'plugin_failed' } })
      expect(await kit.close()).toBe(true)
    },
  )

  test('a refusal or an answer after next() cancels the upstream call', async () => {
    for (const say of [(x: AnyExchange) => x.refuse('content_filter'), (x: AnyExchange) => x.reply(textEvents('mine'))]) {
      const kit = await around(
        async (x, next) => {
          await next()
          return say(x)
        },
        { upstream: endless },
      )
      const r = await kit.chat({ stream: true })
      expect(r.outcome.by).toBe('around')
      expect(r.sent.map((s) => s.signal.aborted)).toEqual([true])
      expect(await kit.close()).toBe(true)
    }
  })
})

describe('wraps', () => {
  test('says for which exchanges a plugin stands around the call; one that throws does', async () => {
    const called: string[] = []
    const kit = await testPlugin(
      plug('wrapper', {
        wraps(x) {
          if (x.request.at('/how') === 'throw') throw new Error('boom')
          return x.request.at('/how') === 'yes'
        },
        around: (x, next) => {
          called.push(String(x.request.at('/how')))
          return next()
        },
      }),
    )
    for (const how of ['yes', 'no', 'throw']) expect((await kit.chat({ how })).status).toBe(200)
    expect(called).toEqual(['yes', 'throw'])
    await kit.close()
  })
})

describe('time', () => {
  test('waiting for the upstream is not the time of the plugin', async () => {
    const kit = await around((_x, next) => next(), { timeout: 10, upstream: () => Bun.sleep(60).then(() => ({ text: 'slow' })) })
    expect((await kit.chat()).text).toBe('slow')
    await kit.close()
  })

  test('nor is what a branch waits for: a time, or a promise', async () => {
    for (const after of [() => 40, () => Bun.sleep(40)]) {
      const kit = await around((_x, next) => next({ after: after() }), { timeout: 10 })
      const began = performance.now()
      expect((await kit.chat()).text).toBe('Hello from upstream')
      expect(performance.now() - began).toBeGreaterThan(25)
      await kit.close()
    }
  })

  test('a branch whose wait fails is no call: next() rejects as it did', async () => {
    const stop = AbortSignal.timeout(10)
    for (const options of [{ after: Promise.reject(new Error('no room')) }, { after: 60_000, signal: stop }]) {
      const kit = await around(async (x, next) => {
        try {
          return await next(options)
        } catch (error) {
          return x.refuse('overloaded', (error as Error).message)
        }
      })
      const r = await kit.chat()
      expect(r).toMatchObject({ status: 503, sent: [], outcome: { attempts: [] } })
      expect(r.outcome.message).toMatch(/no room|timed out/)
      await kit.close()
    }
  })

  test('before and after next() it is: the call is cancelled', async () => {
    for (const [run, calls] of [
      [() => new Promise(() => {}), 0],
      [(_x: unknown, next: Next) => next().then(() => new Promise(() => {})), 1],
    ] as const) {
      const kit = await around(run as Around, { timeout: 15, upstream: endless })
      const r = await kit.chat({ stream: true })
      expect(r).toMatchObject({ status: 500, outcome: { code: 'plugin_failed', by: 'around' } })
      expect(r.sent.map((s) => s.signal.aborted)).toEqual(new Array(calls).fill(true))
      await kit.close()
    }
  })

  test('an around that throws while a call is pending ends that call', async () => {
    const kit = await around(
      async (_x, next) => {
        void next()
        await Bun.sleep(5)
        throw new Error('boom')
      },
      { upstream: () => new Promise(() => {}) },
    )
    const r = await kit.chat()
    expect(r.outcome.code).toBe('plugin_failed')
    expect(r.sent.map((s) => s.signal.aborted)).toEqual([true])
    expect(await kit.close()).toBe(true)
  })
})
