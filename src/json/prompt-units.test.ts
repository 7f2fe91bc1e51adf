/** Units of a prompt lie where JSON.parse finds its members, whatever the white space, escapes and order; and no bytes make it throw. */

import { expect, setDefaultTimeout, test } from 'bun:test'
import fc from 'fast-check'
import { promptUnits, spanAt } from './prompt-units.ts'

setDefaultTimeout(30_000)

const layout = { tools: ['tools', 'functions'], system: ['system'], messages: ['messages'] }
const encode = (text: string) => new TextEncoder().encode(text)
const cut = (bytes: Uint8Array, span: { start: number; end: number }) =>
  JSON.parse(new TextDecoder().decode(bytes.subarray(span.start, span.end)))

/** A value as JSON text with odd white space. */
function spaced(value: unknown, indent: number): string {
  return ` \n${JSON.stringify(value, null, indent)}\t`
}

test('units are the values of the members, in the order of the prompt', () => {
  const message = fc.oneof(
    fc.record({ role: fc.constantFrom('user', 'assistant', 'to"ol', 'ü'), content: fc.jsonValue() }),
    fc.record({ type: fc.constantFrom('function_call', 'message'), x: fc.jsonValue() }),
    fc.jsonValue(),
  )
  const body = fc.record(
    {
      x: fc.jsonValue(),
      messages: fc.oneof(fc.array(message), fc.string()),
      'a"b\\': fc.jsonValue(),
      system: fc.jsonValue(),
      tools: fc.array(fc.jsonValue()),
    },
    { requiredKeys: ['messages'] },
  )
  fc.assert(
    fc.property(body, fc.integer({ min: 0, max: 2 }), fc.boolean(), (value, indent, mark) => {
      const bytes = encode((mark ? '\ufeff' : '') + spaced(value, indent))
      const wanted: unknown[] = []
      if (value.tools !== undefined) wanted.push(value.tools)
      if (value.system !== undefined && value.system !== null) wanted.push(value.system)
      wanted.push(...(typeof value.messages === 'string' ? [value.messages] : value.messages))
      const units = promptUnits(bytes, layout)
      expect(units.map((unit) => cut(bytes, unit))).toEqual(JSON.parse(JSON.stringify(wanted)))
      const messages = units.filter((unit) => unit.kind === 'message')
      expect(messages.map((unit) => unit.message)).toEqual(messages.map((_, i) => i))
    }),
    { numRuns: 500 },
  )
})

test('a role is read wherever it stands, and the type where there is none', () => {
  const bytes = encode(
    '{"messages":[{"role":"user"},{"content":"x", "ro\\u006ce" : "assistant"},{"type":"function_call","role":null},{},7,"s"]}',
  )
  expect(promptUnits(bytes, layout).map((unit) => unit.role)).toEqual(['user', 'assistant', '', '', '', 'user'])
})

test('a value inside a unit is found by its pointer', () => {
  const bytes = encode('{"messages":[{"role":"user","content":[{"text":"a"},{"t/e":"b","t/e":"c"}]}]}')
  const [unit] = promptUnits(bytes, layout)
  expect(cut(bytes, spanAt(bytes, unit!.start, ['content', '1', 't/e'])!)).toBe('c')
  expect(spanAt(bytes, unit!.start, ['content', '2'])).toBeUndefined()
  expect(spanAt(bytes, unit!.start, ['content', '0', 'text', 'x'])).toBeUndefined()
})

test('bytes that are no JSON never throw and give spans inside them', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('{', '}', '[', ']', '"', '\\', ',', ':', '"messages"', '"role":"', '1', ' ', 'x')), (pieces) => {
      const bytes = encode(`{"messages":[${pieces.join('')}`)
      for (const unit of promptUnits(bytes, layout)) expect(0 <= unit.start && unit.start < unit.end && unit.end <= bytes.length).toBe(true)
    }),
    { numRuns: 2000 },
  )
})

test('many small messages without a quote take no longer than their bytes', () => {
  // once, the search for the next quote went to the end of the body, for every message
  for (const message of ['{}', '[]', '7', '{"a":1}']) {
    const bytes = encode(`{"messages":[${`${message},`.repeat(100_000)}{}]}`)
    const begun = process.threadCpuUsage()
    expect(promptUnits(bytes, layout)).toHaveLength(100_001)
    const { user, system } = process.threadCpuUsage(begun)
    expect((user + system) / 1000).toBeLessThan(1500)
  }
}, 30_000)
