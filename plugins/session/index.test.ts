import { describe, expect, test } from 'bun:test'
import { type Usage, unknownUsage } from 'headgate/plugin'
import { alice, aliceToo, assistant, bob, system, talk, user } from './talk.fixture.ts'

const header = 'x-gateway-session-id'

describe('a client that names its session', () => {
  test.each([
    ['x-claude-code-session-id', {}],
    ['session-id', {}],
    ['session_id', {}],
    ['thread-id', {}],
    ['x-session-affinity', {}],
    ['x-opencode-session', {}],
    ['x-session-id', {}],
    ['x-litellm-session-id', {}],
    ['Helicone-Session-Id', {}],
    ['x-grok-conv-id', {}],
    ['x-client-request-id', { originator: 'codex_cli_rs' }],
  ])('in the header %s', async (name, others) => {
    const { chat } = await talk()
    const as = (id: string) => ({ headers: { [name]: id, ...others } })
    const first = await chat([user('one')], as('A'))
    const second = await chat([user('something else')], as('A'))
    const other = await chat([user('one')], as('B'))
    expect(first.session).toMatchObject({ turn: 1, source: 'client' })
    expect(second.session).toMatchObject({ id: first.session!.id, turn: 2, source: 'client' })
    expect(other.session!.id).not.toBe(first.session!.id)
    expect(first.headers.get(header)).toBe(first.session!.id)
    // nothing of what the client said leaves
    expect(first.session!.id).toMatch(/^s_[a-z2-7]{20}$/)
  })
  const uuid = '0f8b6a9e-52e6-4c9b-9c1d-2f3a4b5c6d7e'
  test.each<[string, object, object]>([
    [
      'metadata.user_id of old',
      { metadata: { user_id: `user_ab12_account_${uuid}_session_${uuid}` } },
      { metadata: { user_id: `user_ab12_account__session_${uuid.replace('0', '1')}` } },
    ],
    [
      'metadata.user_id as JSON',
      { metadata: { user_id: JSON.stringify({ device_id: 'd', account_uuid: '', session_id: 'A' }) } },
      { metadata: { user_id: JSON.stringify({ device_id: 'd', account_uuid: '', session_id: 'B' }) } },
    ],
    ['prompt_cache_key', { prompt_cache_key: 'A' }, { prompt_cache_key: 'B' }],
    ['session_id', { session_id: 'A' }, { session_id: 'B' }],
    ['conversation', { conversation: { id: 'A' } }, { conversation: 'B' }],
  ])('in the body: %s', async (_name, one, another) => {
    const { chat } = await talk()
    const first = await chat([user('one')], { body: one })
    const second = await chat([user('else')], { body: one })
    const other = await chat([user('one')], { body: another })
    expect([first.session?.source, second.session?.turn]).toEqual(['client', 2])
    expect(second.session!.id).toBe(first.session!.id)
    expect(other.session!.id).not.toBe(first.session!.id)
  })
  test('in the order of the list, headers or not; what is empty or endless names nothing', async () => {
    const { chat } = await talk()
    const named = async (headers: Record<string, string>, body = {}) => (await chat([user('one')], { headers, body })).session!.id
    expect(await named({ 'x-session-id': 'A', 'session-id': 'B' }, { prompt_cache_key: 'C' })).toBe(await named({ 'session-id': 'B' }))
    expect(await named({ 'x-session-id': 'A' }, { prompt_cache_key: 'C' })).toBe(await named({}, { prompt_cache_key: 'C' }))
    for (const id of [' ', 'x'.repeat(600)])
      expect((await chat([user('three')], { headers: { 'x-session-id': id } })).session?.source).toBe('new')
  })
  test('a user is a person, and a request id of another client than Codex is one request', async () => {
    const { chat } = await talk()
    const body = { user: 'u1', metadata: { user_id: 'u1' }, safety_identifier: 'u1' }
    const headers = { 'x-client-request-id': 'r1' }
    const one = await chat([user('a')], { body, headers })
    const two = await chat([user('b')], { body, headers })
    expect([one.session?.source, two.session?.source]).toEqual(['new', 'new'])
    expect(two.session!.id).not.toBe(one.session!.id)
  })
  test('a list of the operator: headers, and members of the body', async () => {
    const { chat } = await talk({ with: { ids: ['X-Chat', 'body.my.chat'] } })
    expect((await chat([user('a')], { headers: { 'x-chat': '1' } })).session?.source).toBe('client')
    expect((await chat([user('a')], { body: { my: { chat: '1' } } })).session).toMatchObject({ source: 'client', turn: 2 })
    expect((await chat([user('b')], { headers: { 'session-id': '1' }, body: { prompt_cache_key: 'k' } })).session?.source).toBe('new')
  })
  test('callers who send the same id never meet', async () => {
    const { chat } = await talk()
    const as = { headers: { 'session-id': 'A' } }
    const ids = await Promise.all([alice, aliceToo, bob].map(async (who) => (await chat([user('hi')], { ...as, who })).session!))
    expect(new Set(ids.map(({ id }) => id)).size).toBe(3)
    expect(ids.map(({ turn }) => turn)).toEqual([1, 1, 1])
  })
  test('sub-agents are lanes of their own: by their id, by their tools, and by how they began', async () => {
    const { chat } = await talk()
    const headers = { 'x-claude-code-session-id': 'S' }
    const main = await chat([system('main'), user('build it')], { headers })
    const title = await chat([system('name this'), user('build it')], { headers })
    const named = await chat([system('main'), user('build it')], { headers: { ...headers, 'x-claude-code-agent-id': 'a1' } })
    const unnamed = await chat([system('main'), user('search for x')], { headers })
    const lanes = [main, title, named, unnamed].map(({ session }) => session!.lane)
    expect(new Set(lanes).size).toBe(4)
    const again = await chat([system('main'), user('build it'), assistant('ok'), user('go on')], { headers })
    expect(again.session).toMatchObject({ lane: lanes[0], turn: 5 })
    const deeper = await chat([system('main'), user('search for x'), assistant('ok'), user('more')], { headers })
    expect(deeper.session!.lane).toBe(lanes[3]!)
  })
})

describe('a client that names none', () => {
  test('goes on where it stands, in one session and one lane', async () => {
    const { chat } = await talk()
    const history: object[] = [system('Be brief.'), user('one')]
    const first = await chat(history)
    expect(first.session).toMatchObject({ turn: 1, source: 'new' })
    for (let turn = 2; turn < 6; turn++) {
      history.push(assistant(`answer ${turn}`), user(`question ${turn}`))
      const next = await chat(history)
      expect(next.session).toMatchObject({ id: first.session!.id, lane: first.session!.lane, turn, source: 'prefix' })
      expect(next.session).not.toHaveProperty('parent')
    }
  })
  test('sessions that begin with the same words stay apart, whoever goes on first', async () => {
    const { chat } = await talk()
    const a1 = await chat([user('hello')])
    const a2 = await chat([user('hello'), assistant('A'), user('a')])
    const b1 = await chat([user('hello')])
    const b2 = await chat([user('hello'), assistant('B'), user('b')])
    const a3 = await chat([user('hello'), assistant('A'), user('a'), assistant('A2'), user('aa')])
    expect(a2.session!.id).toBe(a1.session!.id)
    expect(b1.session!.id).not.toBe(a1.session!.id)
    expect(b2.session!.id).toBe(b1.session!.id)
    expect(a3.session!.id).toBe(a1.session!.id)
    expect([b1.session!.parent, b2.session!.parent]).toEqual([undefined, undefined])
  })
  test('a history that was edited is a fork: a new session with its parent; the parent goes on as it was', async () => {
    const { chat } = await talk()
    const trunk = [user('one'), assistant('1'), user('two')]
    const first = await chat([user('one')])
    await chat(trunk)
    const third = await chat([...trunk, assistant('2'), user('three')])
    const edited = await chat([user('one'), assistant('1'), user('two, but otherwise')])
    expect(edited.session).toMatchObject({ source: 'new', turn: 1, parent: first.session!.id })
    const onward = await chat([user('one'), assistant('1'), user('two, but otherwise'), assistant('x'), user('y')])
    expect(onward.session).toMatchObject({ id: edited.session!.id, turn: 2, source: 'prefix', parent: first.session!.id })
    const fourth = await chat([...trunk, assistant('2'), user('three'), assistant('3'), user('four')])
    expect(fourth.session!.id).toBe(third.session!.id)
  })
  test('compaction begins anew: nothing of the old messages is there', async () => {
    const { chat } = await talk()
    await chat([user('one')])
    const before = await chat([user('one'), assistant('1'), user('two')])
    const after = await chat([user('Summary of all that was said: …'), assistant('I see.'), user('go on')])
    expect(after.session!.id).not.toBe(before.session!.id)
    expect(after.session!.turn).toBe(1)
  })
  test('reminders in the middle of a history, new or moved, change nothing', async () => {
    const { chat } = await talk()
    const first = await chat([system('S'), user('one')])
    const second = await chat([system('S'), user('one'), system('reminder: be nice'), assistant('1'), user('two')])
    const third = await chat([
      system('S'),
      user('one'),
      assistant('1'),
      user('two'),
      system('reminder: hurry'),
      assistant('2'),
      user('three'),
    ])
    expect([second, third].map(({ session }) => session!.id)).toEqual([first.session!.id, first.session!.id])
    expect(third.session!.lane).toBe(first.session!.lane!)
  })
  test('cache marks move, and a marked text is a list of one: the same message', async () => {
    const { say } = await talk()
    const mark = { cache_control: { type: 'ephemeral' } }
    const marked = (text: string) => ({ role: 'user', content: [{ type: 'text', text, ...mark }] })
    const body = (...messages: object[]) => ({ max_tokens: 9, system: [{ type: 'text', text: 'S', ...mark }], messages })
    const first = await say('anthropic-messages', body(marked('one')))
    const second = await say('anthropic-messages', body(user('one'), assistant('1'), marked('two')))
    const list = { role: 'user', content: [{ type: 'text', text: 'two' }] }
    const third = await say('anthropic-messages', body(user('one'), assistant('1'), list, assistant('2'), marked('three')))
    expect([second, third].map(({ session }) => [session!.id, session!.lane])).toEqual(
      Array(2).fill([first.session!.id, first.session!.lane]),
    )
    expect(third.session!.turn).toBe(3)
  })
  test('another system or model: the same conversation, another lane', async () => {
    const { chat } = await talk({ models: { '*': { targets: [{ upstream: 'openai', model: '*' }] } } })
    const first = await chat([system('a'), user('one')])
    const second = await chat([system('b'), user('one'), assistant('1'), user('two')])
    const third = await chat([system('b'), user('one'), assistant('1'), user('two'), assistant('2'), user('3')], {
      body: { model: 'another' },
    })
    expect([second, third].map(({ session }) => session!.id)).toEqual([first.session!.id, first.session!.id])
    expect(new Set([first, second, third].map(({ session }) => session!.lane)).size).toBe(3)
  })
  test('callers with the same words never meet; those without a key are told apart by address', async () => {
    const { chat } = await talk()
    const one = await chat([user('hello')], { who: alice })
    const two = await chat([user('hello'), assistant('A'), user('a')], { who: bob })
    expect(two.session).toMatchObject({ source: 'new', turn: 1 })
    expect(two.session!.id).not.toBe(one.session!.id)
    const guest = { id: 'anonymous', kind: 'anonymous', account: 'anonymous', tags: [] } as const
    const here = await chat([user('x')], { who: guest, ip: '192.0.2.7', headers: { 'session-id': 'A' } })
    const there = await chat([user('x')], { who: guest, ip: '192.0.2.8', headers: { 'session-id': 'A' } })
    expect(here.session!.id).not.toBe(there.session!.id)
    // the end user that auth tells them by, and what they hold where nobody looks at it
    const asUser = { ...guest, id: 'anon_1', user: 'u1' }
    const of = (more: object) => chat([user('x')], { who: guest, ip: '192.0.2.7', ...more })
    const ids = [
      (await of({ who: asUser, headers: { 'session-id': 'A' } })).session!.id,
      (await of({ headers: { 'session-id': 'A', authorization: 'Bearer a' } })).session!.id,
      (await of({ headers: { 'session-id': 'A', authorization: 'Bearer b' } })).session!.id,
      (await of({ headers: { 'session-id': 'A', 'x-api-key': 'c' } })).session!.id,
      (await of({ headers: { 'session-id': 'A' }, query: 'key=a' })).session!.id,
      (await of({ headers: { 'session-id': 'A' }, query: 'key=b' })).session!.id,
    ]
    expect(new Set([here.session!.id, ...ids]).size).toBe(7)
    expect((await of({ headers: { 'session-id': 'A', authorization: 'Bearer a' } })).session!.id).toBe(ids[1]!)
  })
  test('turned off', async () => {
    const { chat } = await talk({ with: { prefix: false, header: false } })
    expect((await chat([user('one')])).session).toBeUndefined()
    const named = await chat([user('one')], { headers: { 'session-id': 'A' } })
    expect([named.session?.source, named.headers.get(header)]).toEqual(['client', null])
  })
})

describe('the same request again', () => {
  test('what got no answer and is sent once more is the same turn', async () => {
    const { kit, chat } = await talk({ upstream: { status: 500 } })
    const failed = await chat([user('one')])
    expect(failed.status).toBe(500)
    kit.upstream({})
    const again = await chat([user('one')])
    expect(again.session).toMatchObject({ id: failed.session!.id, turn: 1 })
    const next = await chat([user('one'), assistant('1'), user('two')])
    expect(next.session).toMatchObject({ id: failed.session!.id, turn: 2 })
  })
  test('a client that says so is believed; a conversation that goes on is recognised without', async () => {
    const { chat } = await talk()
    const first = await chat([user('one')])
    const retry = await chat([user('one')], { headers: { 'x-stainless-retry-count': '1' } })
    expect(retry.session).toMatchObject({ id: first.session!.id, turn: 1 })
    const deep = [user('one'), assistant('1'), user('two')]
    const second = await chat(deep)
    const twice = await chat(deep)
    expect([second, twice].map(({ session }) => [session!.id, session!.turn])).toEqual(Array(2).fill([first.session!.id, 2]))
  })
  test('what was broken off may be said otherwise: still the same session', async () => {
    const { kit, chat } = await talk()
    const first = await chat([user('one')])
    kit.upstream({ status: 500 })
    await chat([user('one'), assistant('1'), user('two')])
    kit.upstream({})
    const other = await chat([user('one'), assistant('1'), user('two, please')])
    expect(other.session).toMatchObject({ id: first.session!.id, turn: 3, source: 'prefix' })
  })
  test('parallel copies of one request: of a conversation one session, of a beginning several, which stay apart', async () => {
    const { kit, chat, told } = await talk()
    const gate = Promise.withResolvers<void>()
    kit.upstream({
      body: (async function* () {
        await gate.promise
        yield '{"id":"x","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"ok"},"finish_reason":"stop"}]}'
      })(),
    })
    const copies = [1, 2].map(() => kit.start({ body: { messages: [user('again')] } }))
    while (copies.some(({ id }) => told(id) === undefined)) await Bun.sleep(1)
    const ids = copies.map(({ id }) => told(id)!.id)
    expect(new Set(ids).size).toBe(2)
    for (const copy of copies) copy.abort()
    gate.resolve()
    await Promise.all(copies.map((copy) => copy.outcome()))
    kit.upstream({})
    await chat([user('one')])
    const deep = [user('one'), assistant('1'), user('two')]
    const both = await Promise.all([chat(deep), chat(deep)])
    expect(both[0].session!.id).toBe(both[1].session!.id)
  })
})

describe('the lane', () => {
  const used: Usage = { ...unknownUsage, source: 'reported', inputUncached: 100, cacheRead: 900, cacheWrite5m: 50, outputVisible: 10 }
  const upstream = {
    events: [
      { type: 'start', id: 'r1', model: 'm' },
      { type: 'text', text: 'Hi', choice: 0 },
      { type: 'stop', reason: 'end', raw: 'end_turn', choice: 0 },
      { type: 'usage', usage: used },
      { type: 'end' },
    ],
  } as const
  test('knows what its last exchange was billed, and estimates the next from it', async () => {
    const { kit, say } = await talk({ upstream })
    const body = (...messages: object[]) => ({ max_tokens: 9, messages })
    const first = await say('anthropic-messages', body(user('one')))
    expect(first.session!.last).toBeUndefined()
    expect(first.tokens).toBeGreaterThan(0)
    const second = await say('anthropic-messages', body(user('one'), assistant('1'), user('two words')))
    expect(second.session!.last).toMatchObject({
      upstream: 'anthropic',
      model: 'test-model',
      input: 1050,
      cacheRead: 900,
      cacheWrite: 50,
      units: 1,
    })
    const { at, warmUntil } = second.session!.last!
    expect(warmUntil! - at).toBe(300_000)
    expect(second.tokens).toBeGreaterThan(1050)
    expect(second.tokens).toBeLessThan(1080)
    // an edited history is estimated from the request that it begins with
    await say('anthropic-messages', body(user('one'), assistant('1'), user('two words'), assistant('2'), user('word '.repeat(3000))))
    const back = await say('anthropic-messages', body(user('one'), assistant('1'), user('two words'), assistant('2'), user('else')), {
      headers: { 'session-id': 'X' },
    })
    expect(back.session!.last).toBeUndefined()
    expect(await kit.health()).toBeUndefined()
  })
  test('of a client that names its session: the anchor is the longest counted request that this one begins with', async () => {
    const { say } = await talk({ upstream })
    const as = { headers: { 'session-id': 'X' } }
    const body = (...messages: object[]) => ({ max_tokens: 9, messages })
    await say('anthropic-messages', body(user('one')), as)
    await say('anthropic-messages', body(user('one'), assistant('1'), user('word '.repeat(3000))), as)
    const edited = await say('anthropic-messages', body(user('one'), assistant('1'), user('short')), as)
    expect(edited.tokens).toBeGreaterThan(1050)
    expect(edited.tokens).toBeLessThan(1070)
    // rewritten from its beginning: another line of words, but the lane that it was
    const rewritten = await say('anthropic-messages', body(user('one, rewritten'), assistant('1'), user('short')), as)
    expect(rewritten.session!.lane).toBe(edited.session!.lane!)
    expect(rewritten.session!.last).toBeDefined()
  })
})

test('pictures and hidden thoughts are not counted as text', async () => {
  const { say } = await talk()
  const data = Buffer.alloc(600_000, 7).toString('base64')
  const picture = { type: 'image', source: { type: 'base64', media_type: 'image/png', data } }
  const { tokens } = await say('anthropic-messages', {
    max_tokens: 9,
    messages: [{ role: 'user', content: [picture, { type: 'text', text: 'What is it?' }] }],
  })
  expect(tokens).toBeLessThan(2500)
  const thought = { type: 'thinking', thinking: 'hm', signature: 'A1b2'.repeat(1000) }
  const after = await say('anthropic-messages', {
    max_tokens: 9,
    messages: [user('q'), { role: 'assistant', content: [thought] }, user('r')],
  })
  expect(after.tokens).toBeLessThan(1000)
})

describe('a response that goes on from another', () => {
  test('by the id of the reply', async () => {
    const { say } = await talk({
      below: [],
      models: { 'test-model': { targets: [{ upstream: 'openai', model: 'm' }] } },
      upstream: {
        events: [
          { type: 'start', id: 'resp_first' },
          { type: 'text', text: 'x', choice: 0 },
          { type: 'stop', reason: 'end', raw: 'stop', choice: 0 },
          { type: 'end' },
        ],
      },
    })
    const first = await say('openai-responses', { input: 'hello' })
    expect(first.status).toBe(200)
    const id = (first.json as { id: string }).id
    const next = await say('openai-responses', { input: 'and now?', previous_response_id: id })
    expect(next.session).toMatchObject({ id: first.session!.id, source: 'prefix', turn: 2 })
    expect(next.session!.lane).toBe(first.session!.lane!)
  })
  test('items of the Responses API: calls and reasoning are answers', async () => {
    const { say } = await talk()
    const ask = { role: 'user', content: [{ type: 'input_text', text: 'list files' }] }
    const first = await say('openai-responses', { instructions: 'S', input: [ask] })
    const call = [
      { type: 'reasoning', summary: [], encrypted_content: 'x' },
      { type: 'function_call', name: 'ls', call_id: 'c1', arguments: '{}' },
    ]
    const second = await say('openai-responses', {
      instructions: 'S',
      input: [ask, ...call, { type: 'function_call_output', call_id: 'c1', output: 'a b' }],
    })
    expect(second.session).toMatchObject({ id: first.session!.id, turn: 2, source: 'prefix' })
  })
})

test('a body that is no conversation, or broken, is served as it would be without', async () => {
  const { kit } = await talk()
  for (const body of [
    '{"model":"test-model"}',
    '{"model":"test-model","messages":"no list"}',
    '{"model":"test-model","messages":[1,null,"x",[]]}',
    '{"model":"test-model","messages":[{}]}',
  ])
    expect((await kit.send({ dialect: 'openai-chat', body })).status).toBe(200)
})
