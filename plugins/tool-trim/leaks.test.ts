import { describe, expect, test } from 'bun:test'
import type { StreamEvent } from 'headgate/plugin'
import { chat, kitOf, numbered, read, resultsOf, type Step, send, source } from './conversation.fixture.ts'
import { leakWatch } from './leaks.ts'

const file = numbered(source(80))
const twice: readonly Step[] = [{ calls: [read('src/a.ts', file)] }, { say: 'Once more', calls: [read('src/a.ts', file)] }]
const mark = '[same as tool result #1 (Read src/a.ts), all 80 lines]'

/** A reply that writes a file, its arguments in pieces of so many characters. */
function writes(content: string, size: number): StreamEvent[] {
  const args = JSON.stringify({ path: 'b.ts', content })
  const pieces = args.match(new RegExp(`[^]{1,${size}}`, 'g'))!
  return [
    { type: 'start', id: 'r', model: 'm' },
    { type: 'text', text: 'I write [', choice: 0 },
    { type: 'text', text: 'x] and ', choice: 0 },
    ...pieces.map(
      (piece, i): StreamEvent => ({
        type: 'tool_call',
        index: 0,
        choice: 0,
        arguments: piece,
        ...(i === 0 && { id: 'c1', name: 'Write' }),
      }),
    ),
    { type: 'stop', reason: 'tool_calls', raw: 'tool_calls', choice: 0 },
    { type: 'end' },
  ]
}
const argumentsOf = (events: readonly StreamEvent[]) => events.map((e) => (e.type === 'tool_call' ? e.arguments : '')).join('')

describe.each([true, false])('a model that writes a reference into a file, stream: %p', (stream) => {
  test.each([1, 3, 7, 50, 5000])('gives the client the lines that it stands for, in pieces of %d', async (size) => {
    const kit = await kitOf()
    await send(kit, chat(twice.slice(0, 1)))
    kit.upstream({ events: writes(`// begin\n${mark}\n// end [of] [lines 1-2`, size) })
    const r = await send(kit, chat(twice), {}, { stream })
    expect(JSON.parse(argumentsOf(r.events))).toEqual({ path: 'b.ts', content: `// begin\n${source(80)}\n// end [of] [lines 1-2` })
    expect(r.text).toBe('I write [x] and ')
    expect(kit.metrics()).toContain('tool_trim_marks_leaked{what="reference"} 1')
    expect(r.verdicts).toContainEqual(expect.objectContaining({ detail: 'the model wrote 1 of our texts itself' }))
  })

  test('gets no more references in this session, on any instance; what was sent stays', async () => {
    const kit = await kitOf()
    await send(kit, chat(twice.slice(0, 1)))
    kit.upstream({ events: writes(mark, 10) })
    const before = resultsOf((await send(kit, chat(twice), {}, { stream })).sent[0]!.json)
    expect(before[1]).toBe(mark)
    kit.upstream({ text: 'ok' })
    for (const fresh of [false, true]) {
      if (fresh) expect(await kit.reload({ fresh })).toEqual([])
      const after = resultsOf((await send(kit, chat([...twice, ...twice]))).sent[0]!.json)
      expect(after.slice(0, 2)).toEqual(before)
      expect(after.slice(2).join()).not.toContain('same as')
    }
    const other = resultsOf((await send(kit, chat(twice), { id: 'ses_2' })).sent[0]!.json)
    expect(other[1]).toBe(mark)
  })

  test('a reply without one leaves as it came', async () => {
    const kit = await kitOf()
    await send(kit, chat(twice.slice(0, 1)))
    const events = writes('[a] [same but different] [lines 5-9] of [12 lines: none]', 4)
    kit.upstream({ events })
    const r = await send(kit, chat(twice), {}, { stream })
    expect(argumentsOf(r.events)).toBe(argumentsOf(events))
    expect(r.outcome.verdicts.some((v) => v.detail?.includes('itself'))).toBe(false)
  })
})

test('text that is held back is let go before anything else, and never more than one bracket long', () => {
  const watch = leakWatch(() => undefined)
  const out: StreamEvent[] = []
  const feed = (event: StreamEvent) => out.push(...(watch.event(event) ?? [event]))
  feed({ type: 'text', text: 'a [lines 1', choice: 0 })
  expect(out).toEqual([{ type: 'text', text: 'a ', choice: 0 }])
  feed({ type: 'tool_call', index: 0, choice: 0, id: 'x', name: 'n', arguments: '[same' })
  feed({ type: 'stop', reason: 'tool_calls', raw: 'tool_calls', choice: 0 })
  expect(out.slice(1)).toEqual([
    { type: 'text', text: '[lines 1', choice: 0 },
    { type: 'tool_call', index: 0, choice: 0, id: 'x', name: 'n', arguments: '' },
    { type: 'tool_call', index: 0, choice: 0, arguments: '[same' },
    { type: 'stop', reason: 'tool_calls', raw: 'tool_calls', choice: 0 },
  ])
  const long = leakWatch(() => undefined)
  const held = long.event({ type: 'text', text: `[same as ${'x'.repeat(2000)}`, choice: 0 })
  expect(held).toBeUndefined()
})
