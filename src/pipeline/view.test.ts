import { describe, expect, test } from 'bun:test'
import { type AnyExchange, type AnyHooks, plug } from '../../test/support/plug.ts'
import { Principal, type PrincipalValue, Session, slot } from '../plugin/index.ts'
import { type TestPluginOptions, testPlugin } from '../testkit/index.ts'

const alice: PrincipalValue = { id: 'alice', kind: 'key', account: 'a', tags: [] }
const Empty = slot('view-empty', 'example')

/** What a hook threw; undefined when nothing. */
async function thrownBy(run: (x: AnyExchange) => unknown, more: Parameters<typeof plug>[2] = {}, options: TestPluginOptions = {}) {
  let thrown: unknown
  const request = (x: AnyExchange) => {
    try {
      run(x)
    } catch (error) {
      thrown = error
    }
  }
  const kit = await testPlugin(plug('tried', { request }, more), options)
  await kit.chat()
  await kit.close()
  return thrown
}

describe('slots are checked again at run time: a plugin may be JavaScript', () => {
  test.each<[string, (x: AnyExchange) => unknown, Parameters<typeof plug>[2], string | undefined]>([
    ['get a need', (x) => x.get(Principal), { needs: [Principal] }, undefined],
    ['get what was not declared', (x) => x.get(Principal), {}, 'get(principal) without declaring it in needs'],
    ['get what is only wanted', (x) => x.get(Principal), { wants: [Principal] }, 'get(principal) without declaring it in needs'],
    ['peek a want', (x) => x.peek(Session), { wants: [Session] }, undefined],
    ['peek what was not declared', (x) => x.peek(Session), {}, 'peek(session) without declaring it in wants'],
    ['put what it provides', (x) => x.put(Session, { id: 's', turn: 1 }), { provides: [Session] }, undefined],
    [
      'put what was not declared',
      (x) => x.put(Session, { id: 's', turn: 1 }),
      { needs: [Session] },
      'put(session) without declaring it in provides',
    ],
    ['an unknown refusal', (x) => x.refuse('no_such_code' as 'not_found'), {}, 'refuse("no_such_code"): no such code'],
    ['a status that is no error', (x) => x.refuse('not_found', { status: 200 }), {}, 'refuse("not_found"): 200 is no status of an error'],
  ])('%s', async (_name, run, more, said) => {
    const thrown = await thrownBy(run, more)
    if (said === undefined) expect(thrown).toBeUndefined()
    else expect(thrown).toEqual(new Error(`plugin tried: ${said}`))
  })

  test('a need that its provider left empty', async () => {
    const thrown = await thrownBy((x) => x.get(Empty), { needs: [Empty] }, { slots: [[Empty, undefined]] })
    expect(thrown).toEqual(new Error('plugin tried: needs view-empty, and no plugin above has put it'))
  })

  test('a value that is put is there for those below, in later hooks of those above, and for itself', async () => {
    const seen: string[] = []
    const look = (name: string): AnyHooks => ({
      request: (x) => void seen.push(`${name}.request ${x.peek(Principal)?.id}`),
      settle: (x) => void seen.push(`${name}.settle ${x.peek(Principal)?.id}`),
    })
    const kit = await testPlugin(
      plug(
        'putter',
        { request: (x) => x.put(Principal, alice), settle: (x) => void seen.push(`own ${x.peek(Principal)?.id}`) },
        { provides: [Principal] },
      ),
      { above: [plug('above', look('above'), { wants: [Principal] })], below: [plug('below', look('below'), { wants: [Principal] })] },
    )
    await kit.chat()
    expect(seen).toEqual(['above.request undefined', 'below.request alice', 'below.settle alice', 'own alice', 'above.settle alice'])
    await kit.close()
  })
})

describe('two instances of one plugin', () => {
  test('have their own config, state of an exchange, host state, and names in the record', async () => {
    const counter = plug(
      'counter',
      () => {
        let mine = 0
        return {
          admit(x) {
            mine++
            ;(x.state as { n: number }).n += mine
            x.note(`state ${(x.state as { n: number }).n}`)
          },
        }
      },
      { state: () => ({ n: 0 }) },
    )
    const kit = await testPlugin(counter, { id: 'first', above: [{ plugin: counter, id: 'second' }] })
    await kit.chat()
    const { verdicts } = await kit.chat()
    expect(verdicts.map((v) => [v.plugin, v.detail])).toEqual([
      ['second', 'state 2'],
      ['first', 'state 2'],
    ])
    await kit.close()
  })
})

describe('what a hook sees', () => {
  test('the request as it came', async () => {
    let seen: Record<string, unknown> = {}
    const kit = await testPlugin(
      plug('looker', {
        admit(x) {
          const { id, operation, dialect, method, path, query, ip, receivedAt } = x
          seen = { id, operation, dialect, method, path, query, ip, receivedAt, team: x.headers.get('x-team') }
        },
      }),
    )
    await kit.messages({}, { query: 'beta=true', ip: '198.51.100.7', headers: { 'x-team': 'red' } })
    expect(seen).toEqual({
      id: 'req_test_1',
      operation: 'messages',
      dialect: 'anthropic-messages',
      method: 'POST',
      path: '/v1/messages',
      query: 'beta=true',
      ip: '198.51.100.7',
      receivedAt: kit.clock.now,
      team: 'red',
    })
    await kit.close()
  })

  test('no body in admit, and it says what to do instead', async () => {
    const kit = await testPlugin(plug('hasty', { admit: (x) => void (x as AnyExchange).request }))
    const r = await kit.chat()
    expect(r.verdicts[0]!.detail).toBe('plugin hasty: the body is not read yet: use the request hook')
    await kit.close()
  })
})

describe('a refusal', () => {
  test.each(['openai-chat', 'anthropic-messages'])('leaves with its status, headers, Retry-After and words: %s', async (dialect) => {
    const kit = await testPlugin(
      plug('strict', {
        request: (x) =>
          x.refuse('rate_limited', {
            message: 'Slow down.',
            retryAfter: 1.2,
            headers: { 'x-why': 'because' },
            param: 'model',
            extra: { used: 7 },
          }),
      }),
    )
    const r = await kit.send({ dialect, body: { stream: true } })
    expect(r).toMatchObject({ status: 429, json: { error: { message: 'Slow down.', used: 7 } } })
    expect(Object.fromEntries(r.headers)).toMatchObject({
      'x-why': 'because',
      'retry-after': '2',
      'x-request-id': r.id,
      'content-type': 'application/json',
    })
    await kit.close()
  })

  test('without words has those of the catalogue; a text is its message; a status overrides', async () => {
    const said: AnyHooks['request'][] = [
      (x) => x.refuse('permission_denied'),
      (x) => x.refuse('permission_denied', 'Not you.'),
      (x) => x.refuse('permission_denied', { status: 418 }),
    ]
    const seen: unknown[] = []
    for (const request of said) {
      const kit = await testPlugin(plug('strict', { request } as AnyHooks))
      const { status, json } = await kit.chat()
      seen.push([status, (json as { error: { message: string } }).error.message])
      await kit.close()
    }
    expect(seen).toEqual([
      [403, 'This key may not do that.'],
      [403, 'Not you.'],
      [418, 'This key may not do that.'],
    ])
  })

  test('reply hooks see it and may add headers, also that of the refusing plugin', async () => {
    const heads: unknown[] = []
    const kit = await testPlugin(
      plug('strict', {
        admit: (x) => x.refuse('rate_limited'),
        reply(_x, { ok, status, code, by, headers }) {
          heads.push({ ok, status, code, by })
          headers.set('x-mine', '1')
        },
      }),
    )
    const r = await kit.chat()
    expect(heads).toEqual([{ ok: false, status: 429, code: 'rate_limited', by: 'strict' }])
    expect(r.headers.get('x-mine')).toBe('1')
    await kit.close()
  })

  test('with headers that cannot be sent is told as a failure, and settles', async () => {
    const kit = await testPlugin(plug('strict', { request: (x) => x.refuse('rate_limited', { headers: { 'bad name': '1' } }) }))
    expect(await kit.chat()).toMatchObject({ status: 500, json: { error: { type: 'server_error' } } })
    expect(await kit.close()).toBe(true)
  })
})
