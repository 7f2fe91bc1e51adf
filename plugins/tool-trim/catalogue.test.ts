/** Ways in which trimmers of others went wrong: each by the name under which it is known. */

import { describe, expect, test } from 'bun:test'
import { definePlugin, type Trimmer, Trimmers } from 'headgate/plugin'
import type { PluginKit } from 'headgate/testkit'
import {
  chat,
  kitOf,
  messages,
  numbered,
  read,
  resultsOf,
  run,
  type Step,
  send,
  sentBy,
  sentMessages,
  source,
} from './conversation.fixture.ts'

const file = numbered(source(80))
const step = (i: number): Step => ({
  say: `Step ${i}`,
  calls: [read(`src/${i % 2}.ts`, numbered(source(40 + (i % 3), `f${i % 2}`))), run(`cmd ${i}`, `done\n${source(12, `o${i % 2}`)}`)],
})
const steps = (count: number, from = 0): Step[] => Array.from({ length: count }, (_, i) => step(from + i))

/** Sends a conversation turn by turn; what was sent of earlier messages may never change. */
async function grow(kit: PluginKit, count: number, from = 1, before: string[] = [], session = {}): Promise<string[]> {
  for (let i = from; i <= count; i++) {
    const sent = sentMessages(await send(kit, chat(steps(i)), session))
    expect(sent.slice(0, before.length)).toEqual(before)
    before = sent
  }
  return before
}

test('reserialised bodies: what is not trimmed keeps spaces, escapes, number spellings and doubled members', async () => {
  const kit = await kitOf()
  const odd = '{"role": "user", "content": "caf\\u00e9 \\/ \\ud83d\\ude00", "n": 1.50, "n": 1e2, "big": 12345678901234567891}'
  const [first, ...rest] = chat([{ calls: [read('a', file)] }, { calls: [read('a', file)] }]).map((m) => JSON.stringify(m))
  const r = await kit.chat(`{"model":"test-model","messages":[${odd},${first}, ${rest.join(' ,\n')}]}`)
  expect(sentBy(r)).toContain(`[${odd},${first}, ${rest.slice(0, 3).join(' ,\n')}`)
  expect(resultsOf(r.sent[0]!.json)[1]).toContain('same as')
})

test('background recompression: nothing is made anew while time passes', async () => {
  const kit = await kitOf()
  const before = await grow(kit, 4)
  for (let hour = 0; hour < 5; hour++) {
    await kit.clock.advance(3600_000)
    expect(sentMessages(await send(kit, chat(steps(4))))).toEqual(before)
  }
  await grow(kit, 6, 5, before)
})

test('injected content appended twice: the same request again is the same bytes, one after the other and at once', async () => {
  const kit = await kitOf()
  await grow(kit, 3)
  const list = chat(steps(4))
  const all = await Promise.all(Array.from({ length: 8 }, () => send(kit, list)))
  for (const r of [...all, await send(kit, list)]) expect(sentBy(r)).toBe(sentBy(all[0]!))
})

test('sub-agents sharing a lane: conversations in turn, in one session, stay as they were', async () => {
  const kit = await kitOf()
  let main: string[] = []
  let sub: string[] = []
  for (let i = 1; i <= 6; i++) {
    const a = sentMessages(await send(kit, chat(steps(i)), { lane: 'lane' }))
    const b = sentMessages(await send(kit, chat(steps(i, 50), 'Look around'), { lane: 'lane' }))
    expect(a.slice(0, main.length)).toEqual(main)
    expect(b.slice(0, sub.length)).toEqual(sub)
    main = a
    sub = b
  }
})

describe('policy change on restart', () => {
  const strict = { classes: { ref: false, byte: false, void: false } }
  test.each([
    ['another config', strict],
    ['a shorter reach', { ref_distance: 1 }],
    ['the same', {}],
  ])('%s: running sessions go on as they began, new ones follow it', async (_, config) => {
    const kit = await kitOf()
    const before = await grow(kit, 4)
    expect(await kit.reload({ fresh: true, with: { control_share: 0, ...config } })).toEqual([])
    const after = await grow(kit, 8, 5, before)
    const plain = await kitOf()
    expect(after).toEqual(await grow(plain, 8))
    if (config === strict) {
      const fresh = await send(kit, chat(steps(4)), { id: 'ses_new' })
      expect(sentBy(fresh)).not.toContain('same ')
    }
  })

  test('a session that was forked from a running one goes on under the policy of that one', async () => {
    const kit = await kitOf()
    const before = await grow(kit, 4)
    expect(await kit.reload({ fresh: true, with: { control_share: 0, ...strict } })).toEqual([])
    const forked = { id: 'ses_fork', parent: 'ses_1' }
    const after = sentMessages(await send(kit, chat(steps(6)), forked))
    expect(after.slice(0, before.length)).toEqual(before)
    const plain = await kitOf()
    await grow(plain, 4)
    expect(after).toEqual(sentMessages(await send(plain, chat(steps(6)), forked)))
    expect(after.slice(before.length).join('')).toContain('same as')
  })

  test('a restart without a ledger: what was sent before is left alone, what is new is trimmed', async () => {
    const kit = await kitOf()
    const list = chat(steps(5))
    const sent = sentMessages(await send(kit, list, { source: 'client' }))
    // everything up to the last answer may be in a cache somewhere as it is
    const answer = list.findLastIndex((m) => m.role === 'assistant')
    expect(sent.slice(0, answer + 1)).toEqual(list.slice(0, answer + 1).map((m) => JSON.stringify(m)))
    expect(sent.slice(answer + 1).join('')).toContain('same')
    await grow(kit, 8, 6, sent)
  })

  test('… unless the cache is surely lost: then all is trimmed at once', async () => {
    const kit = await kitOf()
    const now = kit.clock.now
    const sent = await send(kit, chat(steps(5)), { last: { at: now - 600_000, warmUntil: now - 300_000 } })
    const other = await kitOf()
    expect(sentMessages(sent)).toEqual(await grow(other, 5))
    await grow(kit, 7, 6, sentMessages(sent))
  })
})

test('a session that began elsewhere, of which a small call was seen before: its old history is left alone', async () => {
  for (const restart of [false, true]) {
    const kit = await kitOf()
    await send(kit, [{ role: 'user', content: 'Name this session' }], { lane: 'titles' })
    if (restart) expect(await kit.reload({ fresh: true })).toEqual([])
    const list = chat(steps(5))
    const sent = sentMessages(await send(kit, list, { lane: 'main' }))
    const answer = list.findLastIndex((m) => m.role === 'assistant')
    expect(sent.slice(0, answer + 1)).toEqual(list.slice(0, answer + 1).map((m) => JSON.stringify(m)))
    // what was seen of the lane holds after a restart, too: its client has rewritten the history now
    if (restart) expect(await kit.reload({ fresh: true })).toEqual([])
    const summary = sentMessages(await send(kit, chat(steps(5, 40), 'Summary'), { lane: 'main' }))
    expect(summary.slice(0, -2).join('')).toContain('same as')
  }
})

test('two instances with different versions: who comes second sends what the first one sent', async () => {
  const shouting = (word: string): Trimmer => ({
    name: 'version',
    class: 'byte',
    encode: ({ text }) => (text.startsWith('done\n') ? `${word}${text.slice(5)}` : undefined),
    decode: (text) => (text.startsWith(word) ? `done\n${text.slice(word.length)}` : undefined),
  })
  const version = { word: 'v1:' }
  const provider = definePlugin({
    api: 1,
    name: 'provider',
    summary: 'Brings a class that changes between versions',
    provides: [Trimmers],
    failure: 'closed',
    setup: () => {
      const made = [shouting(version.word)]
      return { request: (x) => x.put(Trimmers, made) }
    },
  })
  const kit = await kitOf({}, { above: [provider] })
  const list = (count: number): object[] =>
    chat(Array.from({ length: count }, (_, i) => ({ calls: [run(`cmd ${i}`, `done\n${'x'.repeat(20)} ${i}\n${source(30, `s${i}`)}`)] })))
  await send(kit, list(1))
  const before = sentMessages(await send(kit, list(3)))
  version.word = 'version 2: '
  expect(await kit.reload({ fresh: true })).toEqual([])
  expect(sentMessages(await send(kit, list(3)))).toEqual(before)
  expect(sentMessages(await send(kit, list(4))).slice(0, before.length)).toEqual(before)
})

describe('reference to a message the client compacted away', () => {
  const again: Step[] = [{ calls: [read('src/a.ts', file)] }, ...steps(2), { say: 'Again', calls: [read('src/a.ts', file)] }]
  test('the reference is expanded in place, and stays so', async () => {
    const kit = await kitOf()
    for (let i = 1; i <= again.length; i++) await send(kit, chat(again.slice(0, i)))
    const whole = chat(again)
    // the first four messages are replaced by a summary
    const compacted = [{ role: 'user', content: 'Summary: a.ts was read' }, ...whole.slice(3)]
    const r = await send(kit, compacted)
    expect(resultsOf(r.sent[0]!.json).at(-1)).not.toContain('same as')
    expect(resultsOf(r.sent[0]!.json).at(-1)!.length).toBeGreaterThan(3000)
    const after = await send(kit, [...compacted, { role: 'assistant', content: 'Good' }, { role: 'user', content: 'And?' }])
    expect(sentMessages(after).slice(0, compacted.length)).toEqual(sentMessages(r))
  })
})

test('an expired ledger: what is worked out again is the same', async () => {
  const kit = await kitOf({ keep: '1m' })
  const before = await grow(kit, 4)
  await kit.clock.advance(2 * 60_000)
  expect(await kit.reload({ fresh: true })).toEqual([])
  // nothing is known of the session any more: it is left as it is from then on
  const after = sentMessages(await send(kit, chat(steps(5))))
  expect(after.join('').length).toBeGreaterThan(before.join('').length)
  await grow(kit, 7, 6, after)
})

test('a ledger in use does not expire', async () => {
  const kit = await kitOf({ keep: '10m' })
  let before = await grow(kit, 2)
  for (let i = 3; i <= 9; i++) {
    await kit.clock.advance(6 * 60_000)
    before = await grow(kit, i, i, before)
  }
  expect(await kit.reload({ fresh: true })).toEqual([])
  await grow(kit, 10, 10, before)
})

describe.each([
  ['non-ASCII line separators', 'one\u2028two\u2029three\u0085four\u000bfive\u000csix\r\nseven\n'],
  ['\\r progress bars', Array.from({ length: 90 }, (_, i) => `\r[${'='.repeat(i % 40)}] ${i} %`).join('')],
  ['numbers above 2^53', JSON.stringify(Array.from({ length: 30 }, () => 0)).replaceAll('0', '{"id":12345678901234567890,"v":1.10e5}')],
  ['duplicate JSON keys', `[${Array.from({ length: 30 }, (_, i) => `{"a":1,  "a":${i}, "b":"x"}`).join(', ')}]`],
  ['100 kB single lines', 'x y, '.repeat(20_000)],
  ['half a surrogate pair', `\ud800 ${'text of a line\n'.repeat(40)}`],
  ['something that looks like a reference', `[same as tool result #1 (Read a), all 80 lines]\n${source(30)}`],
])('%s', (_, text) => {
  test.each(['api', 'shell', 'file'] as const)(
    'of a tool of kind %s: the body is JSON, nothing else is touched, nothing waits',
    async (kind) => {
      const kit = await kitOf({ tools: { [kind]: ['thing'] } })
      const list = chat([
        { calls: [{ tool: 'thing', input: { q: 1 }, result: text }] },
        { calls: [{ tool: 'thing', input: { q: 2 }, result: text }, run('next', source(30, 'n'))] },
      ])
      const began = performance.now()
      const r = await send(kit, list)
      expect(performance.now() - began).toBeLessThan(2000)
      const sent = (r.sent[0]!.json as { messages: { role: string }[] }).messages
      expect(sent.filter((m) => m.role !== 'tool')).toEqual(list.filter((m) => m.role !== 'tool') as never)
      expect(kit.metrics()).not.toContain('tool_trim_decode_refusals{')
    },
  )
})

test('cache marks that move with every turn do not make a conversation another one', async () => {
  const kit = await kitOf()
  const bare = (r: Awaited<ReturnType<typeof send>>) =>
    sentMessages(r).map((m) => m.replace(/,"cache_control":\{"type":"ephemeral"\}/g, ''))
  let before: string[] = []
  for (let i = 1; i <= 6; i++) {
    const r = await kit.messages({ messages: messages(steps(i), 'Fix it', true) })
    expect(sentBy(r)).toContain('"cache_control":{"type":"ephemeral"}')
    const sent = bare(r)
    expect(sent.slice(0, before.length)).toEqual(before)
    before = sent
  }
  expect(before.join('')).toContain('same as')
})

test('what was left alone stays so when another version would shorten it', async () => {
  const version = { on: false }
  const late: Trimmer = {
    name: 'late',
    class: 'byte',
    encode: ({ text }) => (version.on && text.startsWith('  const ') ? text.replace(/^ {2}const /gm, '') : undefined),
    decode: (text) => text.replace(/^/gm, '  const '),
  }
  const made = [late]
  const provider = definePlugin({
    api: 1,
    name: 'provider',
    summary: 'Brings a class that is new in a version',
    provides: [Trimmers],
    failure: 'closed',
    setup: () => ({ request: (x) => x.put(Trimmers, made) }),
  })
  const kit = await kitOf({ min_prompt: 0 }, { above: [provider] })
  const list = (count: number) => chat(Array.from({ length: count }, (_, i) => ({ calls: [run(`cmd ${i}`, source(40, `s${i}`))] })))
  await send(kit, list(1))
  const before = sentMessages(await send(kit, list(2)))
  expect(before).toEqual(list(2).map((m) => JSON.stringify(m)))
  version.on = true
  expect(await kit.reload({ fresh: true })).toEqual([])
  const after = sentMessages(await send(kit, list(3)))
  expect(after.slice(0, before.length)).toEqual(before)
  expect(after.at(-1)).not.toContain('const')
  expect(kit.metrics()).toMatch(/tool_trim_ledger_mismatches [1-9]/)
})
