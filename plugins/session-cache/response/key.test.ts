/** No two tenants ever meet in an entry; equal requests of one tenant do. */

import { expect, test } from 'bun:test'
import fc from 'fast-check'
import type { Json, PrincipalValue } from 'headgate/plugin'
import { unfit } from './eligible.ts'
import { createFlights, Landed } from './flights.ts'
import { type Asked, keyOf, namespaceOf } from './key.ts'
import { repeatsMember } from './repeats.ts'

type Body = { readonly [key: string]: Json }

const asked = (body: Body, more: Partial<Asked> = {}): Asked => ({
  operation: 'chat',
  dialect: 'openai-chat',
  path: '/v1/chat/completions',
  query: '',
  headers: new Headers(),
  ip: '10.0.0.1',
  body,
  places: '[]',
  ...more,
})
const principal = (id: string, account: string, kind: PrincipalValue['kind'] = 'key'): PrincipalValue => ({ id, account, kind, tags: [] })

const word = fc.oneof(fc.string({ maxLength: 6 }), fc.constantFrom('key', '"],["key","', ',', '","', '', 'account'))
const body = fc.dictionary(word, fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4 }) as fc.Arbitrary<Body>

test('two keys never share an entry, and two accounts never do, whatever they are called and send', () => {
  fc.assert(
    fc.property(word, word, word, word, body, (id, otherId, account, otherAccount, sent) => {
      const about = asked(sent)
      const key = (scope: 'key' | 'account', who: PrincipalValue) => keyOf(namespaceOf(scope, who, about), about, [])
      if (id !== otherId) expect(key('key', principal(id, account))).not.toBe(key('key', principal(otherId, account)))
      if (account !== otherAccount) expect(key('account', principal(id, account))).not.toBe(key('account', principal(id, otherAccount)))
      expect(key('key', principal(id, account))).not.toBe(key('account', principal(id, account)))
      expect(key('account', principal(id, account))).toBe(key('account', principal(otherId, account)))
    }),
    { numRuns: 1000 },
  )
})

test('callers without a name are told apart by their credential, or else by their address', () => {
  const of = (headers: Record<string, string>, ip: string, who?: PrincipalValue, query = '') => {
    const about = asked({}, { headers: new Headers(headers), ip, query })
    return keyOf(namespaceOf('key', who, about), about, [])
  }
  const all = [
    of({}, '10.0.0.1'),
    of({}, '10.0.0.2'),
    of({ authorization: 'Bearer a' }, '10.0.0.1'),
    of({ authorization: 'Bearer b' }, '10.0.0.1'),
    of({ 'x-api-key': 'a' }, '10.0.0.1'),
    of({ cookie: 'a' }, '10.0.0.1'),
    // Gemini's clients put theirs into the address
    of({}, '10.0.0.1', undefined, 'key=a'),
    of({}, '10.0.0.1', undefined, 'key=b'),
    of({}, '10.0.0.1', undefined, 'alt=sse&key=%62c'),
  ]
  expect(new Set(all).size).toBe(all.length)
  expect(of({ authorization: 'Bearer a' }, '10.0.0.9')).toBe(all[2]!)
  const anonymous = principal('anonymous', 'anonymous', 'anonymous')
  expect(of({}, '10.0.0.1', anonymous)).not.toBe(of({}, '10.0.0.2', anonymous))
})

test('bodies that differ in anything that counts have keys of their own; order of members and what only says how to tell it do not count', () => {
  const key = (sent: Body, more: Partial<Asked> = {}, vary: string[] = []) => keyOf('n', asked(sent, more), vary)
  expect(key({ a: 1, b: { c: 2, d: 3 } })).toBe(key({ b: { d: 3, c: 2 }, a: 1 }))
  expect(key({ a: 1, stream: true, stream_options: {}, user: 'x', metadata: {} })).toBe(key({ a: 1 }))
  const others = [
    key({ a: 2 }),
    key({ a: '1' }),
    key({ a: 1, max_tokens: 1 }),
    key({ a: 1 }, { dialect: 'anthropic-messages' }),
    key({ a: 1 }, { operation: 'responses' }),
    key({ a: [1] }),
    key({ a: 1 }, { path: '/v1/other' }),
    key({ a: 1 }, { places: '["other"]' }),
    key({ a: 1 }, { query: 'beta=true' }),
    key({ a: 1 }, { headers: new Headers({ 'anthropic-beta': 'x' }) }),
    key({ a: 1 }, { headers: new Headers({ 'x-own': 'x' }) }, ['x-own']),
    key({ a: 1 }),
  ]
  expect(new Set(others).size).toBe(others.length)
  fc.assert(
    fc.property(body, body, (one, two) => {
      const same = Bun.deepEquals(JSON.parse(JSON.stringify(one)), JSON.parse(JSON.stringify(two)))
      if (!same && !('model' in one) && !('model' in two)) expect(key({ x: one })).not.toBe(key({ x: two }))
    }),
  )
})

test.each<[string, Body, string | undefined]>([
  ['plain', { temperature: 0 }, undefined],
  ['own tools', { temperature: 0, tools: [{ type: 'function', function: {} }] }, undefined],
  ['tools of Anthropic clients', { temperature: 0, tools: [{ name: 'a', input_schema: {} }] }, undefined],
  ['a default temperature', {}, 'temperature'],
  ['a temperature', { temperature: 0.2 }, 'temperature'],
  ['a search of the provider', { temperature: 0, tools: [{ type: 'web_search_20250305', name: 'web_search' }] }, 'tools'],
  ['Google search', { temperature: 0, tools: [{ googleSearch: {} }] }, 'tools'],
  ['Google search alone', { temperature: 0, tools: { googleSearch: {} } }, 'tools'],
  ['several choices', { temperature: 0, n: 2 }, 'n'],
  ['probabilities', { temperature: 0, logprobs: true }, 'logprobs'],
  ['no probabilities', { temperature: 0, logprobs: false }, undefined],
  ['sound', { temperature: 0, modalities: ['text', 'audio'] }, 'modalities'],
  ['text alone', { temperature: 0, modalities: ['text'] }, undefined],
  ['a kept completion', { temperature: 0, store: true }, 'store'],
  ['a number that two spellings could mean', { temperature: 0, seed: 2 ** 53 }, 'numbers'],
])('%s', (_, sent, why) => {
  expect(unfit('chat', sent, false)).toBe(why)
})

test('Responses are kept by the provider unless told otherwise, and those that go on from one depend on it', () => {
  expect(unfit('responses', { temperature: 0 }, false)).toBe('store')
  expect(unfit('responses', { temperature: 0, store: false }, false)).toBeUndefined()
  expect(unfit('responses', { temperature: 0, store: false, previous_response_id: 'x' }, false)).toBe('previous_response_id')
  expect(unfit('embeddings', { temperature: 0 }, false)).toBe('operation')
})

test('whoever leaves is never made the leader, and the last of them ends the flight', async () => {
  const flights = createFlights()
  const led: string[] = []
  const join = (name: string) => flights.join('k', 10_000, () => led.push(name))
  expect(join('a')).toBeUndefined()
  const b = join('b')!
  const c = join('c')!
  b.leave()
  await b.over
  flights.done('k', undefined)
  await c.over
  expect(led).toEqual(['a', 'c'])
  const d = join('d')!
  flights.done('k', { reply: { dialect: 'x', form: 'whole', body: '{}' } })
  expect(await d.over.catch((error: unknown) => error)).toBeInstanceOf(Landed)
  expect(join('e')).toBeUndefined()
})

test('a member that stands twice is found, however its name is spelled, and nothing else is taken for one', () => {
  const twice = (text: string) => repeatsMember(Buffer.from(text))
  for (const text of [
    '{"a":1,"a":2}',
    '{"a":1, "b":{"c":[{"d":1,"d" : 2}]}}',
    '{"messages":1,"mess\\u0061ges":2}',
    '{"a\\\\":1,"a\\\\":2}',
    '{"a":{"x":1},"b":"\\"","a":2}',
  ])
    expect(twice(text)).toBe(true)
  for (const text of ['', '{', '"a', '{"a":"a","b":["a","a"],"c":{"a":1}}', '{"a":"{\\"a\\":1,\\"a\\":2}"}', '[{"a":1},{"a":1}]'])
    expect(twice(text)).toBe(false)
  fc.assert(fc.property(fc.jsonValue(), (value) => expect(twice(JSON.stringify(value))).toBe(false)))
})

test('a number that has no value of its own is not told from others, so its request is not kept', () => {
  const body = JSON.parse('{"temperature":0,"top_p":1e999}') as Body
  expect(unfit('chat', body, false)).toBe('numbers')
})
