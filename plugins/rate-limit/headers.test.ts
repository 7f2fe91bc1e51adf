import { describe, expect, test } from 'bun:test'
import type { SendOptions, TestPluginOptions } from 'headgate/testkit'
import rateLimit from './index.ts'
import { alice, by, figures, kitOf, refusing, route } from './limited.fixture.ts'

describe('what the caller is told', () => {
  const reset = String(Date.UTC(2026, 0, 1, 0, 1) / 1000)

  test('ANYR-9: limit, remaining and reset on every reply', async () => {
    const kit = await kitOf({ requests: 2 }, { below: [route] })
    const at = (remaining: string) => ({ 'x-ratelimit-limit': '2', 'x-ratelimit-remaining': remaining, 'x-ratelimit-reset': reset })
    expect(figures(await kit.chat())).toEqual(at('1'))
    expect(figures(await kit.messages({ stream: true }))).toEqual(at('0'))
    expect(figures(await kit.chat())).toEqual({ ...at('0'), 'retry-after': '60' })
    expect(figures(await kit.fetch('/hello'))).toEqual({ ...at('0'), 'retry-after': '60' })
    await kit.clock.advance(60_000)
    expect(figures(await kit.fetch('/hello'))).toMatchObject({ 'x-ratelimit-remaining': '1' })
  })

  test.each<[string, object, TestPluginOptions, SendOptions]>([
    ['a refusal below, before the body', { requests: 7 }, { below: [refusing('admit')] }, {}],
    ['a refusal below, after the body', { requests: 7 }, { below: [refusing('request')] }, {}],
    [
      'a refusal below, before limits that need the body were asked',
      { limits: [{ requests: 7 }, { requests: 9, by: 'model' }] },
      { below: [refusing('admit')] },
      {},
    ],
    ['a body that is no JSON', { limits: [{ requests: 7 }, { requests: 9, by: 'model' }] }, {}, { body: '{' }],
    ['an upstream that fails', { requests: 7 }, { upstream: { status: 500, message: 'boom' } }, {}],
  ])('ANYR-9: on %s', async (_name, config, options, send) => {
    const kit = await kitOf(config, options)
    const r = await kit.send(send)
    expect(r.status).toBeGreaterThanOrEqual(400)
    expect(figures(r)).toMatchObject({
      'x-ratelimit-limit': '7',
      'x-ratelimit-remaining': expect.stringMatching(/^[67]$/),
      'x-ratelimit-reset': reset,
    })
  })

  test('ANYR-9: on a route under limits that only chats are taken from', async () => {
    const kit = await kitOf({ tokens: 5000 }, { below: [route] })
    expect(figures(await kit.fetch('/hello'))).toEqual({
      'x-ratelimit-limit': '5000',
      'x-ratelimit-remaining': '5000',
      'x-ratelimit-reset': reset,
    })
  })

  test.each([['limited'], ['never'], [false]])('headers: %p', async (headers) => {
    const kit = await kitOf({ requests: 1, headers }, { below: [route] })
    const told = headers === 'limited' ? { 'x-ratelimit-limit': '1', 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': reset } : {}
    expect(figures(await kit.chat())).toEqual({})
    expect(figures(await kit.chat())).toEqual({ ...told, 'retry-after': '60' })
    expect(figures(await kit.fetch('/hello'))).toEqual({ ...told, 'retry-after': '60' })
  })

  test('ANYR-9: headers: missing lets the limit below speak, and speaks where none did', async () => {
    const kit = await kitOf(
      { requests: 600, by: 'ip', headers: 'missing' },
      { below: [{ plugin: rateLimit, id: 'below', with: { requests: 60 }, when: { operation: ['chat'] } }, route] },
    )
    expect(figures(await kit.chat())).toMatchObject({ 'x-ratelimit-limit': '60', 'x-ratelimit-remaining': '59' })
    expect(figures(await kit.fetch('/hello'))).toMatchObject({ 'x-ratelimit-limit': '600', 'x-ratelimit-remaining': '598' })
  })

  test('the tightest of several, and of a refusal the one that refused', async () => {
    const kit = await kitOf({
      limits: [
        { requests: 10 },
        { requests: 4, window: '1h', by: 'account' },
        { requests: 2, by: 'model', when: { model: ['test-model'] } },
      ],
    })
    expect(figures(await kit.send(by(alice)))).toMatchObject({ 'x-ratelimit-limit': '2', 'x-ratelimit-remaining': '1' })
    expect(figures(await kit.send(by(alice)))).toMatchObject({ 'x-ratelimit-limit': '2', 'x-ratelimit-remaining': '0' })
    await kit.clock.advance(60_000)
    await kit.send(by(alice))
    await kit.send(by(alice))
    // both are used up: the one that takes longer decides
    const r = await kit.send(by(alice))
    expect(figures(r)).toMatchObject({ 'x-ratelimit-limit': '4', 'x-ratelimit-remaining': '0', 'retry-after': '3540' })
    expect(r.json).toMatchObject({ error: { message: 'Rate limit reached: 4 requests per 1h for this account. Try again in 3540 s.' } })
  })

  test('a refusal tells of the limit that is short, whatever others have longer to go', async () => {
    const limits = [{ requests: 9, window: '1d', by: 'all' }, { requests: 1 }]
    const kit = await kitOf({ limits })
    await kit.chat()
    expect(figures(await kit.chat())).toMatchObject({ 'x-ratelimit-limit': '1', 'retry-after': '60' })
  })

  test("names as OpenAI's, for requests and tokens apart, in place of the provider's own", async () => {
    const provider = {
      'x-ratelimit-limit-requests': '10000',
      'x-ratelimit-remaining-images': '3',
      'anthropic-ratelimit-unified-status': 'allowed',
      'openai-version': '2020-10-01',
    }
    const names = { limit: 'x-ratelimit-limit-{what}', remaining: 'x-ratelimit-remaining-{what}', reset: 'x-ratelimit-reset-{what}' }
    const kit = await kitOf({ requests: 60, tokens: 1000, header_names: names, reset: 'duration' }, { upstream: { headers: provider } })
    const r = await kit.chat({ max_tokens: 100 })
    expect(figures(r)).toEqual({
      'x-ratelimit-limit-requests': '60',
      'x-ratelimit-remaining-requests': '59',
      'x-ratelimit-reset-requests': '1m0s',
      'x-ratelimit-limit-tokens': '1000',
      'x-ratelimit-remaining-tokens': expect.stringMatching(/^8\d\d$/),
      'x-ratelimit-reset-tokens': '1m0s',
    })
    expect(r.headers.get('openai-version')).toBe('2020-10-01')
  })

  test("names as Anthropic's", async () => {
    const names = {
      limit: 'anthropic-ratelimit-{what}-limit',
      remaining: 'anthropic-ratelimit-{what}-remaining',
      reset: 'anthropic-ratelimit-{what}-reset',
    }
    const kit = await kitOf({ requests: 1, header_names: names, reset: 'iso' })
    await kit.messages()
    expect(figures(await kit.messages())).toEqual({
      'anthropic-ratelimit-requests-limit': '1',
      'anthropic-ratelimit-requests-remaining': '0',
      'anthropic-ratelimit-requests-reset': '2026-01-01T00:01:00Z',
      'retry-after': '60',
    })
  })

  test('two instances: the one nearer the client wins, and leaves what it has no name for', async () => {
    const below = {
      plugin: rateLimit,
      id: 'below',
      with: { requests: 5, header_names: { limit: 'x-ratelimit-limit-low', remaining: 'x-low', reset: 'x-ratelimit-reset' } },
    }
    const kit = await kitOf({ requests: 9 }, { below: [below], upstream: { headers: { 'x-ratelimit-limit-requests': '10000' } } })
    expect(figures(await kit.chat())).toEqual({
      'x-ratelimit-limit': '9',
      'x-ratelimit-limit-low': '5',
      'x-ratelimit-remaining': '8',
      'x-ratelimit-reset': reset,
    })
  })

  test("the provider's figures pass where the operator wants none of ours", async () => {
    const kit = await kitOf({ requests: 9, headers: 'never' }, { upstream: { headers: { 'x-ratelimit-limit-requests': '10000' } } })
    expect(figures(await kit.chat())).toEqual({ 'x-ratelimit-limit-requests': '10000' })
  })

  test('SYNC-5: members of the error', async () => {
    const body = {
      retry_after: 'retry_after_seconds',
      limit: 'limit',
      remaining: 'left',
      reset: 'reset',
      extra: { kind: 'usage', sorry: true, code_number: 7 },
    }
    const kit = await kitOf({ requests: 1, body })
    await kit.chat()
    await kit.clock.advance(30_500)
    for (const r of [await kit.chat(), await kit.messages()]) {
      expect(r.headers.get('retry-after')).toBe('30')
      expect(r.json).toMatchObject({
        error: { retry_after_seconds: 30, limit: 1, left: 0, reset: Number(reset), kind: 'usage', sorry: true, code_number: 7 },
      })
    }
  })

  test('a refusal says limit, window and when, and is counted and noted by limit', async () => {
    const kit = await kitOf({ limits: [{ requests: 1 }, { requests: 5, by: 'all' }] })
    await kit.send(by(alice))
    const r = await kit.send(by(alice))
    expect(r.outcome).toMatchObject({ end: 'refused', code: 'rate_limited', by: 'rate-limit' })
    expect(r.json).toMatchObject({ error: { message: 'Rate limit reached: 1 request per 1m for this API key. Try again in 60 s.' } })
    expect(r.outcome.verdicts).toContainEqual({ plugin: 'rate-limit', hook: '', did: 'noted', detail: 'limit requests/1m/key' })
    expect(kit.metrics()).toMatch(/rate_limit_refused\S*limit="requests\/1m\/key"\S* 1\n/)
  })
})
