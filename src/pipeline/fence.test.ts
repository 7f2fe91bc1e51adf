import { describe, expect, test } from 'bun:test'
import { type AnyHooks, forever, plug } from '../../test/support/plug.ts'
import { Principal, type PrincipalValue, StoreUnavailable } from '../plugin/index.ts'
import { type PluginKit, testPlugin } from '../testkit/index.ts'

const mallory: PrincipalValue = { id: 'mallory', kind: 'key', account: 'm', tags: [] }
const boom = () => {
  throw new Error('boom')
}
const ways: readonly (readonly [string, () => unknown])[] = [
  ['throws', boom],
  ['rejects', () => Promise.reject(new Error('boom'))],
  ['hangs', forever],
  ['answers nonsense', () => ({ type: 'nonsense' })],
]

/** A kit whose plugin may fail, with a witness below it that tells what it sees. */
async function started(hooks: AnyHooks, on_error: 'skip' | 'refuse' = 'skip') {
  const seen: Record<string, unknown> = {}
  const witness = plug(
    'witness',
    {
      admit(x) {
        seen.principal = x.peek(Principal)?.id
      },
      request(x) {
        seen.principal = x.peek(Principal)?.id
        seen.model = x.request.model
        seen.json = x.request.json
        seen.target = x.target
        seen.firstEdit = x.request.firstEdit
      },
    },
    { wants: [Principal] },
  )
  const kit = await testPlugin(plug('failing', hooks, { provides: [Principal], state: () => ({ n: 0 }) }), {
    below: [witness],
    timeout: 20,
    on_error,
  })
  return { kit, seen }
}
const ended = async (kit: PluginKit) => expect(await kit.close()).toBe(true)

describe('open or closed', () => {
  for (const [way, fail] of ways) {
    test.each(['admit', 'request', 'around', 'attempt'])(`${way} in %s`, async (hook) => {
      const own = { [hook]: fail }
      const open = await started(own, 'skip')
      const skipped = await open.kit.chat()
      expect(skipped).toMatchObject({ status: 200, text: 'Hello from upstream' })
      expect(skipped.verdicts).toMatchObject([{ plugin: 'failing', hook, did: 'failed-open' }])
      expect(open.kit.logs).toContainEqual(
        expect.objectContaining({ level: 'error', component: 'failing', message: `hook ${hook} failed` }),
      )
      const closed = await started(own, 'refuse')
      const refused = await closed.kit.chat()
      expect(refused).toMatchObject({ status: 500, sent: [], json: { error: { code: 'plugin_failed' } } })
      expect(refused.verdicts).toMatchObject([{ plugin: 'failing', hook, did: 'failed-closed' }])
      expect(refused.body).not.toContain('boom') // what went wrong is not the client's business
      await ended(open.kit)
      await ended(closed.kit)
    })
  }

  test.each(['admit', 'request', 'around', 'attempt'])('a store that is away, in %s: what passes may be tried again', async (hook) => {
    const away = () => Promise.reject(new StoreUnavailable('redis://10.0.0.1 can not be reached'))
    const closed = await started({ [hook]: away }, 'refuse')
    const refused = await closed.kit.chat()
    expect(refused).toMatchObject({ status: 503, sent: [], json: { error: { code: 'store_unavailable' } } })
    expect(refused.headers.get('retry-after')).toBe('1')
    expect(refused.body).toContain('The plugin \\"failing\\" of this gateway can\'t reach its store now.')
    expect(refused.body).not.toContain('10.0.0.1')
    expect(await closed.kit.messages()).toMatchObject({ status: 529, json: { error: { type: 'overloaded_error' } } })
    const open = await started({ [hook]: away }, 'skip')
    expect(await open.kit.chat()).toMatchObject({ status: 200, verdicts: [{ hook, did: 'failed-open' }] })
    await ended(closed.kit)
    await ended(open.kit)
  })

  test("the author's mode holds where the operator says nothing, and the operator's wins", async () => {
    for (const failure of ['open', 'closed'] as const) {
      const plugin = plug('failing', { request: boom }, { failure })
      const statuses: number[] = []
      for (const more of [{}, { on_error: 'skip' }, { on_error: 'refuse' }] as const) {
        const kit = await testPlugin(plugin, more)
        statuses.push((await kit.chat()).status)
        await ended(kit)
      }
      expect(statuses).toEqual([failure === 'open' ? 200 : 500, 200, 500])
    }
  })

  test('a reply hook that fails loses its headers, open or closed; those of others stay', async () => {
    for (const [way, fail] of ways.slice(0, 3)) {
      for (const [on_error, status] of [
        ['skip', 200],
        ['refuse', 500],
      ] as const) {
        const kit = await testPlugin(
          plug('failing', {
            reply(_x, reply) {
              reply.headers.set('x-failing', way)
              reply.headers.delete('x-below')
              return fail() as undefined
            },
          }),
          { on_error, timeout: 20, below: [plug('below', { reply: (_x, reply) => reply.headers.set('x-below', '1') })] },
        )
        const r = await kit.chat()
        expect(r.status).toBe(status)
        expect(r.headers.has('x-failing')).toBe(false)
        if (status === 200) expect(r.headers.get('x-below')).toBe('1')
        await ended(kit)
      }
    }
  })

  test('an event hook that throws: open passes the rest as it came, closed ends the reply', async () => {
    let calls = 0
    const hooks: AnyHooks = {
      event(_x, event) {
        if (event.type !== 'text') return
        if (++calls === 2) boom()
        return { ...event, text: event.text.toUpperCase() }
      },
    }
    for (const stream of [true, false]) {
      calls = 0
      const open = await testPlugin(plug('failing', hooks), { on_error: 'skip', upstream: { text: ['a', 'b', 'c'] } })
      // a whole reply is one text event: it never comes to a second
      expect(await open.chat({ stream })).toMatchObject({ text: stream ? 'Abc' : 'ABC', outcome: { end: 'finished' } })
      await ended(open)
    }
    calls = 0
    const closed = await testPlugin(plug('failing', hooks), { upstream: { text: ['a', 'b', 'c'] } })
    const r = await closed.chat({ stream: true })
    expect(r.events.at(-1)).toMatchObject({ type: 'error' })
    expect(r).toMatchObject({ text: 'A', outcome: { end: 'refused', code: 'plugin_failed', by: 'failing' } })
    expect(r.sent[0]!.signal.aborted).toBe(true)
    await ended(closed)
  })

  test('a state factory that throws is a failure of the hook, wherever it is first needed', async () => {
    for (const own of [{ admit: () => undefined }, { event: () => undefined }, { settle: () => undefined }] as AnyHooks[]) {
      for (const [on_error, status] of [
        ['skip', 200],
        ['refuse', 'settle' in own ? 200 : 500],
      ] as const) {
        const kit = await testPlugin(plug('failing', own, { state: boom as () => unknown }), { on_error })
        expect((await kit.chat()).status).toBe(status)
        await ended(kit)
      }
    }
  })
})

describe('what a failed hook did is undone', () => {
  for (const [way, fail] of ways) {
    test(`slots, when admit ${way}`, async () => {
      const { kit, seen } = await started({
        admit(x) {
          x.put(Principal, mallory)
          return fail() as undefined
        },
      })
      expect((await kit.chat()).status).toBe(200)
      expect(seen.principal).toBeUndefined()
      await ended(kit)
    })

    test(`edits, target, slots, when request ${way}`, async () => {
      const { kit, seen } = await started({
        request(x) {
          x.put(Principal, mallory)
          x.setTarget({ upstream: 'nowhere', model: 'none' })
          x.request.setModel('stolen')
          x.request.set('/messages/0/content', 'changed')
          x.request.set('/extra', { a: 1 })
          x.request.remove('/messages/0/role')
          return fail() as undefined
        },
      })
      const body = { model: 'test-model', temperature: 1.5 }
      const r = await kit.chat(body)
      expect(r.status).toBe(200)
      expect(seen).toMatchObject({ model: 'test-model', firstEdit: -1 })
      expect(seen.principal).toBeUndefined()
      expect(seen.target).toBeUndefined()
      expect(seen.json).toEqual({ messages: [{ role: 'user', content: 'Hello' }], ...body })
      expect(r.sent[0]!.text).toBe(
        JSON.stringify({ model: 'test-model', messages: [{ role: 'user', content: 'Hello' }], temperature: 1.5 }),
      )
      await ended(kit)
    })

    test(`the call, when attempt ${way}`, async () => {
      const { kit } = await started({
        attempt(_x, call) {
          call.url = 'http://elsewhere.test/'
          call.headers.set('x-leak', '1')
          call.headers.delete('authorization')
          call.body = new Uint8Array(0)
          return fail() as undefined
        },
      })
      const [sent] = (await kit.chat()).sent
      expect(sent).toMatchObject({ url: 'http://upstream.test/v1/chat/completions', json: { model: 'test-model' } })
      expect(sent!.headers.has('x-leak')).toBe(false)
      expect(sent!.headers.get('authorization')).toBe('Bearer upstream-key')
      await ended(kit)
    })

    test(`edits before next(), when around ${way}; the rest of the list runs again without it`, async () => {
      const { kit } = await started({
        async around(x, next) {
          x.request.set('/extra', 1)
          x.setTarget({ upstream: 'openai', model: 'other' })
          await next()
          return fail() as never
        },
      })
      const { sent, text } = await kit.chat()
      expect(sent.map((s) => 'extra' in (s.json as object))).toEqual([true, false])
      expect(text).toBe('Hello from upstream')
      await ended(kit)
    })
  }

  test('earlier edits of the same plugin, and of others, stay', async () => {
    const { kit, seen } = await started({
      admit: (x) => x.put(Principal, mallory),
      request(x) {
        x.request.set('/extra', 1)
        boom()
      },
    })
    await kit.chat()
    expect(seen.principal).toBe('mallory')
    expect(seen.json).not.toHaveProperty('extra')
    await ended(kit)
  })

  test('a call that no request can be made of is the failure of the hook that left it', async () => {
    const bad: AnyHooks['attempt'][] = [
      (_x, call) => void (call.url = 'not a url'),
      (_x, call) => void (call.url = 'file:///etc/passwd'),
      (_x, call) => void (call.body = 'text' as unknown as Uint8Array),
    ]
    for (const attempt of bad) {
      const open = await started({ attempt } as AnyHooks)
      expect(await open.kit.chat()).toMatchObject({ status: 200, verdicts: [{ hook: 'attempt', did: 'failed-open' }] })
      await ended(open.kit)
      const closed = await started({ attempt } as AnyHooks, 'refuse')
      expect(await closed.kit.chat()).toMatchObject({ status: 500, outcome: { code: 'plugin_failed', by: 'failing' } })
      await ended(closed.kit)
    }
  })
})

describe('late writes of a hook that has timed out', () => {
  /** Runs `late` in the time between the timeout of `hook` and the upstream call; gives what it threw. */
  async function tooLate(hook: 'admit' | 'request' | 'attempt' | 'reply', late: (x: never, other: never) => void) {
    let threw: unknown
    const kit = await testPlugin(
      plug(
        'late',
        {
          async [hook](x: never, other: never) {
            await Bun.sleep(40)
            try {
              late(x, other)
            } catch (error) {
              threw = error
            }
          },
        },
        { provides: [Principal], state: () => ({}) },
      ),
      {
        timeout: 15,
        on_error: 'skip',
        // holds the exchange at the same hook until the late write has happened; replies go up, so it stands above there
        [hook === 'reply' ? 'above' : 'below']: [{ plugin: plug('holder', { [hook]: () => Bun.sleep(60) }), timeout: 5000 }],
      },
    )
    const r = await kit.chat()
    await ended(kit)
    expect(r.status).toBe(200)
    return { r, threw }
  }
  const message = 'plugin late: this hook has timed out; its changes no longer count'

  test('edits, targets and slots throw in the plugin, and change nothing', async () => {
    type X = Parameters<NonNullable<AnyHooks['request']>>[0]
    const writes: ((x: X) => void)[] = [
      (x) => x.put(Principal, mallory),
      (x) => x.setTarget({ upstream: 'nowhere', model: 'none' }),
      (x) => x.request.setModel('stolen'),
      (x) => x.request.set('/extra', 1),
      (x) => x.request.remove('/messages'),
      (x) => x.request.replaceText(x.request.parts('user')[0]!, 'changed'),
    ]
    for (const write of writes) {
      const { r, threw } = await tooLate('request', write as never)
      expect(threw).toEqual(new Error(message))
      expect(r.sent[0]!.json).toEqual({ model: 'test-model', messages: [{ role: 'user', content: 'Hello' }] })
    }
    expect((await tooLate('admit', ((x: X) => x.put(Principal, mallory)) as never)).threw).toEqual(new Error(message))
  })

  test('changes of the call go nowhere', async () => {
    const { r } = await tooLate('attempt', ((_x: unknown, call: { url: string; headers: Headers; body: Uint8Array }) => {
      call.url = 'http://elsewhere.test/'
      call.headers.set('x-late', '1')
      call.body = new Uint8Array(0)
    }) as never)
    expect(r.sent[0]).toMatchObject({ url: 'http://upstream.test/v1/chat/completions', json: { model: 'test-model' } })
    expect(r.sent[0]!.headers.has('x-late')).toBe(false)
  })

  test('headers of the reply go nowhere', async () => {
    const { r } = await tooLate('reply', ((_x: unknown, reply: { headers: Headers }) => reply.headers.set('x-late', '1')) as never)
    expect(r.headers.has('x-late')).toBe(false)
  })

  test('the next hook of the same plugin has a working view, and the same state', async () => {
    const { kit, seen } = await started({
      async admit(x) {
        ;(x.state as { n: number }).n++
        await forever()
      },
      request(x) {
        x.put(Principal, mallory)
        x.request.set('/n', (x.state as { n: number }).n)
      },
    })
    await kit.chat()
    expect(seen).toMatchObject({ principal: 'mallory', json: { n: 1 } })
    await ended(kit)
  })
})
