import { describe, expect, test } from 'bun:test'
import { type AnyHooks, plug } from '../../test/support/plug.ts'
import { globMatcher } from '../plugin/glob.ts'
import { Principal, type PrincipalValue } from '../plugin/index.ts'
import { type SendOptions, testPlugin } from '../testkit/index.ts'
import type { ExchangeCore } from './core.ts'
import { compileCondition } from './match.ts'

const payer: PrincipalValue = { id: 'p', kind: 'key', account: 'a', tier: 'paid', tags: ['beta', 'eu'] }

/** Hooks of a plugin that ran under a condition. */
async function ran(when: Record<string, unknown>, send: SendOptions = {}, hooks: AnyHooks = {}, below: AnyHooks = {}): Promise<string[]> {
  const log: string[] = []
  const say = (hook: string) => () => void log.push(hook)
  const kit = await testPlugin(
    plug('conditional', {
      admit: say('admit'),
      request: say('request'),
      around(_x, next) {
        log.push('around')
        return next()
      },
      attempt: say('attempt'),
      reply: say('reply'),
      event: (_x, e) => void (e.type === 'text' && log.push('event')),
      settle: say('settle'),
      ...hooks,
    }),
    { when, slots: [[Principal, payer]], below: [plug('below', below)], upstream: { text: 'x' } },
  )
  await kit.send(send)
  await kit.close()
  return log
}
const all = ['admit', 'request', 'around', 'attempt', 'reply', 'event', 'settle']

describe('when', () => {
  test.each<[Record<string, unknown>, SendOptions, boolean]>([
    [{ path: ['/v1/*'] }, {}, true],
    [{ inner: false }, {}, true],
    [{ inner: true }, {}, false],
    [{ path: ['/v2/*', '*completions'] }, {}, true],
    [{ path: ['/v1'] }, {}, false],
    [{ operation: ['chat'] }, {}, true],
    [{ operation: ['chat'] }, { dialect: 'anthropic-messages' }, false],
    [{ operation: ['messages'] }, { dialect: 'anthropic-messages' }, true],
    [{ method: ['post'] }, {}, true],
    [{ tier: ['paid'] }, {}, true],
    [{ tier: ['free'] }, {}, false],
    [{ tag: ['eu', 'us'] }, {}, true],
    [{ tag: ['us'] }, {}, false],
    [{ header: { 'X-Team': ['red', 'blue*'] } }, { headers: { 'x-team': 'blueish' } }, true],
    [{ header: { 'x-team': ['red'] } }, {}, false],
    [{ model: ['test-*'] }, {}, true],
    [{ model: ['gpt-*'] }, {}, false],
    [{ stream: true }, { body: { stream: true } }, true],
    [{ stream: true }, {}, false],
    [{ stream: false }, {}, true],
    [{ model: ['test-*'], tier: ['paid'], path: ['/v1/*'] }, {}, true],
    [{ model: ['test-*'], tier: ['free'], path: ['/v1/*'] }, {}, false],
  ])('%j of %j: %p', async (when, send, holds) => {
    expect(await ran(when, send)).toEqual(holds ? all : [])
  })

  test('a tier is that of the principal as it stands when the plugin is first asked', async () => {
    const log: string[] = []
    const kit = await testPlugin(plug('paid-only', { admit: () => void log.push('admit') }), {
      when: { tier: ['paid'] },
      above: [plug('auth', { admit: (x) => x.put(Principal, payer) }, { provides: [Principal] })],
    })
    await kit.chat()
    expect(log).toEqual(['admit'])
    await kit.close()
  })

  test('admit of a plugin that wants a model waits for the body, and stays in its place of the list', async () => {
    const log: string[] = []
    const say = (name: string) =>
      plug(name, { admit: () => void log.push(`${name}.admit`), request: () => void log.push(`${name}.request`) })
    const kit = await testPlugin(say('late'), { when: { model: ['test-*'] }, above: [say('above')], below: [say('below')] })
    await kit.chat()
    expect(log).toEqual(['above.admit', 'below.admit', 'above.request', 'late.admit', 'late.request', 'below.request'])
    log.length = 0
    expect((await kit.chat('not json')).status).toBe(400)
    expect(log).toEqual(['above.admit', 'below.admit'])
    await kit.close()
  })

  test('a deferred admit can refuse, and its slots reach the plugins below', async () => {
    const seen: unknown[] = []
    const kit = await testPlugin(plug('late-auth', { admit: (x) => x.put(Principal, payer) }, { provides: [Principal] }), {
      when: { model: ['test-*'] },
      below: [plug('reader', { request: (x) => void seen.push(x.peek(Principal)?.id) }, { wants: [Principal] })],
    })
    await kit.chat()
    expect(seen).toEqual(['p'])
    await kit.close()
    const refusing = await testPlugin(plug('no', { admit: (x) => x.refuse('permission_denied') }), { when: { model: ['test-*'] } })
    expect(await refusing.chat()).toMatchObject({ status: 403, sent: [], outcome: { by: 'no' } })
    expect((await refusing.chat({ model: 'other' })).status).toBe(200)
    await refusing.close()
  })

  test('the model is the one that the client asked for, wherever the first hook stands and whatever a router makes of it', async () => {
    const only = { admit: undefined, request: undefined, around: undefined } as unknown as AnyHooks
    const rename: AnyHooks = { request: (x) => x.request.setModel('renamed') }
    expect(await ran({ model: ['test-*'] }, {}, only, rename)).toEqual(['attempt', 'reply', 'event', 'settle'])
    expect(await ran({ model: ['renamed'] }, {}, only, rename)).toEqual([])
  })
})

describe('conditions', () => {
  test('say themselves, and whether they need the body', () => {
    const condition = compileCondition({ tier: ['paid', 'team'], model: ['a/*'], stream: true })
    expect(condition.text).toBe('tier: paid | team, model: a/*, stream: true')
    expect(condition.needsBody).toBe(true)
    expect(compileCondition({ tier: ['paid'] }).needsBody).toBe(false)
    expect(compileCondition({}).matches({} as ExchangeCore)).toBe(true)
  })

  test.each([
    ['a*c', 'abc', true],
    ['a*c', 'ac', true],
    ['a*c', 'acb', false],
    ['*', '', true],
    ['a*a', 'a', false],
    ['*b*b*', 'abab', true],
    ['a*b*c*d', 'axbxxcd', true],
    ['a*b*c', 'acb', false],
    ['a.c', 'abc', false],
    ['A*', 'abc', false],
    ['', '', true],
  ])('%j matches %j: %p', (glob, value, matches) => {
    expect(globMatcher([glob])(value)).toBe(matches)
    expect(globMatcher(['never', glob])(value)).toBe(matches)
  })

  test('a glob of many stars over a long value takes no time', () => {
    const start = performance.now()
    expect(globMatcher([`${'a*'.repeat(50)}b`])('a'.repeat(100_000))).toBe(false)
    expect(performance.now() - start).toBeLessThan(200)
  })
})
