import { expect, test } from 'bun:test'
import { definePlugin, PromptCache, Trim, type Usage, unknownUsage } from 'headgate/plugin'
import { alice, aliceToo, assistant, talk, user } from './talk.fixture.ts'

const used: Usage = { ...unknownUsage, source: 'reported', inputUncached: 101, cacheRead: 900, cacheWrite5m: 50, outputVisible: 10 }
const events = (usage: Usage) =>
  [
    { type: 'start', id: 'r1', model: 'm' },
    { type: 'text', text: 'Hi', choice: 0 },
    { type: 'stop', reason: 'end', raw: 'end_turn', choice: 0 },
    { type: 'usage', usage },
    { type: 'end' },
  ] as const
const price = { input: 3, output: 15, cache_read: 0.3, cache_write: 3.75 }
const models = { 'test-model': { targets: [{ upstream: 'anthropic', model: 'test-model' }], price } }
/** (101 × 3 + 900 × 0.3 + 50 × 3.75 + 10 × 15) / 1e6 */
const each = 910.5e-6

const trimmer = definePlugin({
  api: 1,
  name: 'trimmer',
  summary: 'Says that it trimmed',
  provides: [Trim],
  failure: 'open',
  setup: () => ({
    request: (x) => x.put(Trim, { tokens: 40, newTokens: 0, classes: { byte: 40 }, savings: (usage) => BigInt(usage.cacheRead) }),
  }),
})

test('a session by its id: turns, spend, tokens, caches, savings, lanes; exact', async () => {
  const { kit, say } = await talk({ models, upstream: { events: events(used) }, below: [trimmer] })
  const body = (...messages: object[]) => ({ max_tokens: 9, messages })
  const first = await say('anthropic-messages', body(user('one')))
  await say('anthropic-messages', body(user('one'), assistant('1'), user('two')))
  kit.upstream({ events: events({ ...used, inputUncached: 1051, cacheRead: 0, cacheWrite5m: 0 }) })
  const third = await say('anthropic-messages', body(user('one'), assistant('1'), user('two'), assistant('2'), user('three')))
  kit.upstream({ status: 500 })
  await say('anthropic-messages', body(user('one'), assistant('1'), user('two'), assistant('2'), user('three'), assistant('3'), user('4')))
  expect(third.session!.id).toBe(first.session!.id)

  const got = (await (await kit.admin(`/v1/sessions/${first.session!.id}`)).json()) as Record<string, unknown>
  expect(got).toMatchObject({
    id: first.session!.id,
    object: 'session',
    parent: null,
    source: 'new',
    key: 'key_a',
    account: 'acct_1',
    turns: 4,
    requests: { total: 4, failed: 1, from_response_cache: 0, without_usage: 0 },
    requests_without_price: 0,
    tokens: { input_uncached: 101 * 2 + 1051, cache_read: 1800, cache_write_5m: 100, cache_write_1h: 0, cache_write_other: 0, output: 30 },
    // the second hit, the third missed though it came at once
    cache: { hit_share: Math.round((1800 / 3153) * 1e6) / 1e6, warm_requests: 2, warm_misses: 1 },
    savings: { trimmed_tokens: 120, trim_usd: '0.0000000018', requests_not_measurable: 0 },
    lanes: [{ id: first.session!.lane, upstream: 'anthropic', model: 'test-model', input_tokens: 1051, cache_read_tokens: 0 }],
  })
  expect(got.spend_usd).toBe('0.005124')
  expect(Number(got.spend_usd)).toBeCloseTo(each * 2 + 1051 * 3e-6 + 10 * 15e-6, 12)
  // 1800 × 2.7 less 100 × 0.75, per million
  expect((got.savings as Record<string, string>).cache_net_usd).toBe('0.004785')
  expect((got.savings as Record<string, string>).cache_gross_usd).toBe('0.00486')
  expect(new Date(got.first_seen as string).getTime()).toBeLessThanOrEqual(new Date(got.last_seen as string).getTime())
})

test('an answer that is given again costs nothing and spares what the call had cost; where that is not known it is not measurable', async () => {
  const instead = { upstream: 'anthropic', model: 'test-model', usage: used }
  const again = definePlugin({
    api: 1,
    name: 'again',
    summary: 'Answers from what it keeps',
    provides: [PromptCache],
    failure: 'open',
    setup: () => ({
      request(x) {
        x.put(PromptCache, { attribution: 'none', response: 'hit', ...(x.headers.has('x-known') && { instead }) })
        return x.reply(events(used).filter(({ type }) => type !== 'usage'))
      },
    }),
  })
  const { kit, say } = await talk({ models, below: [again] })
  const body = { max_tokens: 9, messages: [user('one')] }
  const headers = { 'x-session-id': 'S' }
  const { session } = await say('anthropic-messages', body, { headers: { ...headers, 'x-known': '1' } })
  await say('anthropic-messages', body, { headers })
  expect(await (await kit.admin(`/v1/sessions/${session!.id}`)).json()).toMatchObject({
    spend_usd: '0',
    requests: { total: 2, failed: 0, from_response_cache: 2 },
    savings: { response_cache_usd: '0.0009105', cache_net_usd: '0', requests_not_measurable: 1 },
  })
})

test('a cost that is not known is counted, and the spend is what all cost at least', async () => {
  const { kit, say } = await talk({ upstream: { events: events(used) } })
  const { session } = await say('anthropic-messages', { max_tokens: 9, messages: [user('one')] })
  expect(await (await kit.admin(`/v1/sessions/${session!.id}`)).json()).toMatchObject({ spend_usd: '0', requests_without_price: 1 })
})

test('the list: the last first, by key and account, at most so many', async () => {
  const { kit, chat } = await talk()
  const one = await chat([user('one')])
  const two = await chat([user('two')], { who: aliceToo })
  const three = await chat([user('three')], { who: alice })
  const list = async (query = '') => (await kit.admin(`/v1/sessions${query}`)).json() as Promise<{ data: { id: string; lanes: number }[] }>
  const ids = async (query?: string) => (await list(query)).data.map(({ id }) => id)
  expect(new Set(await ids())).toEqual(new Set([one, two, three].map(({ session }) => session!.id)))
  expect(await ids('?key=key_b')).toEqual([two.session!.id])
  expect(await ids('?account=acct_1&limit=2')).toHaveLength(2)
  expect(await ids('?key=nobody')).toEqual([])
  expect((await list()).data[0]!.lanes).toBe(1)
  for (const limit of ['0', '201', 'x', '1.5']) expect((await kit.admin(`/v1/sessions?limit=${limit}`)).status).toBe(400)
})

test('a session that is not known, or forgotten', async () => {
  const { kit, chat } = await talk({ with: { idle: '1h' } })
  expect((await kit.admin('/v1/sessions/s_nosuch')).status).toBe(404)
  const { session } = await chat([user('one')])
  await kit.clock.advance(3_700_000)
  expect((await kit.admin(`/v1/sessions/${session!.id}`)).status).toBe(404)
  // its id does not come back with the same words
  const again = await chat([user('one')])
  expect(again.session!.id).not.toBe(session!.id)
})

test('no more sessions than allowed: the least recently used give way', async () => {
  const { kit, chat } = await talk({ with: { sessions: 3 } })
  for (const text of ['1', '2', '3', '4', '5']) await chat([user(text)])
  const { data } = (await (await kit.admin('/v1/sessions')).json()) as { data: unknown[] }
  expect(data).toHaveLength(3)
})
