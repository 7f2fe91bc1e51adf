import { describe, expect, test } from 'bun:test'
import { type AnyHooks, plug } from '../../test/support/plug.ts'
import { type Outcome, type Plugin, type RouteSpec, StoreUnavailable } from '../plugin/index.ts'
import { testPlugin } from '../testkit/index.ts'

/** A plugin with a route, and hooks around it. */
type Handler = RouteSpec['handler']
function served(handler: Handler, hooks: AnyHooks = {}): Plugin {
  return {
    ...plug('served', {}),
    setup(host) {
      host.route({ method: 'GET', path: '/page', summary: 'A page', handler })
      return hooks as ReturnType<Plugin['setup']>
    },
  }
}

async function call(handler: Handler, hooks: AnyHooks = {}, failing: AnyHooks = {}) {
  const outcomes: Outcome[] = []
  const kit = await testPlugin(served(handler, hooks), {
    timeout: 15,
    above: [plug('counter', { settle: (_x, o) => void outcomes.push(o) }), { plugin: plug('failing', failing), timeout: 15 }],
  })
  const response = await kit.fetch('/page')
  const text = await response.text()
  expect(await kit.close()).toBe(true)
  expect(outcomes).toHaveLength(1)
  expect(outcomes[0]!.status).toBe(response.status)
  expect(response.headers.get('x-request-id')).toBe('req_test_1')
  return { response, text, outcome: outcomes[0]! }
}
const page = () => new Response('hello', { status: 201, headers: { 'x-page': '1' } })
const boom = () => {
  throw new Error('boom')
}

describe("a plugin's route", () => {
  test('answers as its handler says, through the reply hooks, and settles once', async () => {
    const { response, text, outcome } = await call(page, { reply: (_x, reply) => reply.headers.set('x-seen', `${reply.status}`) })
    expect([response.status, text, response.headers.get('x-page'), response.headers.get('x-seen')]).toEqual([201, 'hello', '1', '201'])
    expect(outcome).toMatchObject({ end: 'finished', attempts: [] })
  })

  test('is refused by the admit hooks', async () => {
    const { response, text, outcome } = await call(page, {}, { admit: (x) => x.refuse('rate_limited', { retryAfter: 2 }) })
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '2'])
    expect(JSON.parse(text)).toMatchObject({ error: { type: 'rate_limit_error' } })
    expect(outcome).toMatchObject({ end: 'refused', by: 'failing', code: 'rate_limited' })
  })

  test.each<[string, Handler]>([
    ['throws', boom],
    ['gives what is no answer', () => 'boom' as unknown as Response],
  ])('whose handler %s is a failure that says nothing of it', async (_what, handler) => {
    const { response, text, outcome } = await call(handler)
    expect(response.status).toBe(500)
    expect(text).not.toContain('boom')
    expect(outcome).toMatchObject({ end: 'failed', code: 'internal_error' })
  })

  test('refuses in the words of the caller, as hooks do; nothing is a 404; a store that is away is told as that', async () => {
    const refused = await call((_request, _params, own) => own.refuse('conflict', { message: 'Not now.', param: 'when', retryAfter: 3 }))
    expect([refused.response.status, refused.response.headers.get('retry-after')]).toEqual([409, '3'])
    expect(JSON.parse(refused.text)).toMatchObject({ error: { message: 'Not now.', param: 'when', code: 'conflict' } })
    expect(refused.outcome).toMatchObject({ end: 'finished', code: 'conflict' })
    const nothing = await call(() => undefined)
    expect(JSON.parse(nothing.text)).toMatchObject({ error: { code: 'not_found', message: 'There is nothing at GET /page.' } })
    const away = await call(() => Promise.reject(new StoreUnavailable('away')))
    expect([away.response.status, away.response.headers.get('retry-after'), away.outcome.end]).toEqual([503, '1', 'failed'])
  })

  test('a reply hook that fails closed refuses it; one that hangs too', async () => {
    for (const reply of [boom, () => new Promise(() => {})]) {
      const { response, outcome } = await call(page, {}, { reply } as AnyHooks)
      expect([response.status, response.headers.get('x-page')]).toEqual([500, null])
      expect(outcome).toMatchObject({ end: 'refused', code: 'plugin_failed', by: 'failing' })
    }
  })
})
