import { expect, test } from 'bun:test'
import type { Session, SessionValue } from 'headgate/plugin'
import type { PluginKit } from 'headgate/testkit'
import { chat, kitOf, numbered, read, resultsOf, run, type Step, send, sentMessages, source, told } from './conversation.fixture.ts'

type Given = Partial<SessionValue>

export type { Session }

/** Reads a.ts twice, b.ts once, runs a command each turn. */
const steps = (count: number): Step[] =>
  Array.from({ length: count }, (_, i) => ({
    say: `Step ${i}`,
    calls: [
      ...(i === 0 || i === 2 ? [read('src/a.ts', numbered(source(60, `a${i}`)))] : []),
      ...(i === 1 ? [read('src/b.ts', numbered(source(60, 'b')))] : []),
      run(`make ${i}`, source(12, `m${i}`)),
    ],
  }))
const on = { cold_mask: { enabled: true, turns: 3 } }
const warm = (kit: PluginKit): Given => ({ last: { at: kit.clock.now, warmUntil: kit.clock.now + 300_000 } })
const cold = (kit: PluginKit): Given => ({ last: { at: kit.clock.now - 600_000, warmUntil: kit.clock.now - 300_000 } })

async function until(kit: PluginKit, count: number): Promise<string[]> {
  let sent: string[] = []
  for (let i = 1; i <= count; i++) sent = sentMessages(await send(kit, chat(steps(i)), warm(kit)))
  return sent
}
const cleared = (text: string) => text.includes('cleared; run it again if needed]')

test('old results are cleared when the cache is lost, but for the latest read of a file, and stay cleared', async () => {
  const kit = await kitOf(on)
  const before = await until(kit, 8)
  expect(before.some(cleared)).toBe(false)
  const r = await send(kit, chat(steps(9)), cold(kit))
  const results = resultsOf(r.sent[0]!.json)
  expect(results.map(cleared)).toEqual([true, true, false, true, false, true, true, true, true, false, false, false])
  expect(results[0]).toBe('[result of Read src/a.ts, 60 lines, cleared; run it again if needed]')
  expect(results[1]).toBe('[result of Bash make 0, 12 lines, cleared; run it again if needed]')
  expect(told.trim!.classes['cold-mask']).toBeGreaterThan(500)
  const sent = sentMessages(r)
  for (const given of [warm(kit), cold(kit)]) {
    const after = sentMessages(await send(kit, chat(steps(10)), given))
    if (given.last!.warmUntil! > kit.clock.now) expect(after.slice(0, sent.length)).toEqual(sent)
    expect(after.filter(cleared).length).toBeGreaterThanOrEqual(sent.filter(cleared).length)
  }
})

test('never while it may be warm, nor when nobody knows', async () => {
  const kit = await kitOf(on)
  await until(kit, 8)
  for (const given of [warm(kit), {}, { last: { at: kit.clock.now - 86_400_000 } }, { last: { at: 0, warmUntil: kit.clock.now - 1000 } }])
    expect(sentMessages(await send(kit, chat(steps(9)), given)).some(cleared)).toBe(false)
})

test('off by default', async () => {
  const kit = await kitOf()
  const before = await until(kit, 8)
  expect(sentMessages(await send(kit, chat(steps(9)), cold(kit))).slice(0, before.length)).toEqual(before)
})

test('results of API tools only where they may be run again', async () => {
  const api = (count: number) =>
    chat(
      Array.from({ length: count }, (_, i) => ({
        calls: [{ tool: i % 2 ? 'get_order' : 'pay', input: { id: i }, result: source(20, `x${i}`) }],
      })),
    )
  const kit = await kitOf({ cold_mask: { enabled: true, turns: 2, tools: ['get_*'] } })
  for (let i = 1; i <= 6; i++) await send(kit, api(i), warm(kit))
  const results = resultsOf((await send(kit, api(7), cold(kit))).sent[0]!.json)
  expect(results.map(cleared)).toEqual([false, true, false, true, false, false, false])
})

test('a reference to what is cleared is expanded again', async () => {
  const kit = await kitOf(on)
  const text = source(40, 'log')
  const all: Step[] = [
    { calls: [run('make log', text)] },
    ...steps(4),
    { say: 'again', calls: [run('tail log', text)] },
    { say: 'a', user: 'b' },
  ]
  let before: string[] = []
  for (let i = 1; i <= all.length; i++) before = resultsOf((await send(kit, chat(all.slice(0, i)), warm(kit))).sent[0]!.json)
  expect(before.at(-1)).toContain('same as tool result #1')
  const after = await send(kit, chat([...all, { say: 'c', user: 'd' }]), cold(kit))
  const results = resultsOf(after.sent[0]!.json)
  expect(cleared(results[0]!)).toBe(true)
  expect(results.at(-1)).toBe(text)
})

test('a restart in the middle, and a gateway of another config, send what was cleared', async () => {
  const kit = await kitOf(on)
  await until(kit, 8)
  const sent = sentMessages(await send(kit, chat(steps(9)), cold(kit)))
  expect(sent.some(cleared)).toBe(true)
  for (const config of [on, {}]) {
    expect(await kit.reload({ fresh: true, with: { control_share: 0, ...config } })).toEqual([])
    expect(sentMessages(await send(kit, chat(steps(10)), warm(kit))).slice(0, sent.length)).toEqual(sent)
    expect(sentMessages(await send(kit, chat(steps(9)), cold(kit)))).toEqual(sent)
  }
})

test('when it can not be written down it is not done', async () => {
  const kit = await kitOf(on)
  const before = await until(kit, 8)
  kit.stores.records.down()
  const sent = sentMessages(await send(kit, chat(steps(9)), cold(kit)))
  expect(sent.slice(0, before.length)).toEqual(before)
  expect(kit.metrics()).toMatch(/tool_trim_store_failures [1-9]/)
  await kit.stores.records.up()
})

test('a client that has rewritten its history has lost its cache', async () => {
  const kit = await kitOf(on)
  await until(kit, 8)
  const rewritten = chat(steps(9), 'Summary of what was before')
  const sent = sentMessages(await send(kit, rewritten, warm(kit)))
  expect(sent.some(cleared)).toBe(true)
})

test('a client that has changed one message far back has lost what stands behind it, and nothing before', async () => {
  const kit = await kitOf(on)
  const before = await until(kit, 26)
  const list = chat(steps(27))
  const at = list.findIndex((m, i) => i > 12 && m.role === 'tool')
  list[at] = { ...list[at], content: '[Old tool result content cleared]' }
  const sent = sentMessages(await send(kit, list, warm(kit)))
  expect(sent.slice(0, at)).toEqual(before.slice(0, at))
  expect(sent.slice(0, at).some(cleared)).toBe(false)
  expect(sent.slice(at).filter(cleared).length).toBeGreaterThan(10)
  const after = sentMessages(await send(kit, [...list, { role: 'assistant', content: 'a' }, { role: 'user', content: 'b' }], warm(kit)))
  expect(after.slice(0, sent.length)).toEqual(sent)
})
