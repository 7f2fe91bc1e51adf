import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import fc from 'fast-check'
import type { PromptUnit } from 'headgate/plugin'
import { cacheMarks, without } from './cache-marks.ts'
import { chainOf } from './chain.ts'
import { envelopeOf } from './envelope.ts'

setDefaultTimeout(30_000)

const utf8 = new TextEncoder()

/** A body out of messages, with its units. */
function bodyOf(messages: readonly object[], space = '', around: object = {}): { bytes: Uint8Array; units: PromptUnit[] } {
  const units: PromptUnit[] = []
  let text = `{${space}"messages":${space}[`
  for (const [i, message] of messages.entries()) {
    if (i > 0) text += `,${space}`
    const start = utf8.encode(text).length
    text += JSON.stringify(message)
    units.push({ kind: 'message', message: i, role: (message as { role: string }).role, start, end: utf8.encode(text).length })
  }
  return { bytes: utf8.encode(`${text}],${JSON.stringify({ model: 'm', ...around }).slice(1)}`), units }
}
/** Where members lie, by their text. */
function promptUnitsOf(
  bytes: Uint8Array,
  { tools, system, messages }: Record<'tools' | 'system' | 'messages', readonly object[]>,
): PromptUnit[] {
  const text = new TextDecoder().decode(bytes)
  const at = (value: unknown) => {
    const json = JSON.stringify(value)
    return { start: text.indexOf(json), end: text.indexOf(json) + json.length }
  }
  return [
    { kind: 'tools', message: -1, role: '', ...at(tools) },
    { kind: 'system', message: -1, role: 'system', ...at(system) },
    ...messages.map((message, i) => ({ kind: 'message' as const, message: i, role: (message as { role: string }).role, ...at(message) })),
  ]
}
const chain = (messages: readonly object[], seed = 1n) => {
  const { bytes, units } = bodyOf(messages)
  return chainOf(bytes, units, seed)
}
const last = (messages: readonly object[], seed?: bigint) => chain(messages, seed).hashes.at(-1)

describe('the chain', () => {
  const message = fc.record({
    role: fc.constantFrom('user', 'assistant', 'tool'),
    content: fc.oneof(
      fc.string({ maxLength: 20 }),
      fc.array(fc.record({ type: fc.constant('text'), text: fc.string({ maxLength: 9 }) }), { maxLength: 3 }),
    ),
  })
  const messages = fc.array(message, { minLength: 1, maxLength: 8 })
  test('has a value for each beginning, and only equal beginnings have equal values', () => {
    fc.assert(
      fc.property(messages, messages, (a, b) => {
        const [one, two] = [chain(a), chain(b)]
        expect(one.hashes).toHaveLength(a.length + 1)
        let same = 0
        while (same < Math.min(a.length, b.length) && plain(a[same]!) === plain(b[same]!)) same++
        for (let i = 0; i < Math.min(one.hashes.length, two.hashes.length); i++) expect(one.hashes[i] === two.hashes[i]).toBe(i <= same)
        expect(chain([...a, ...b]).hashes.slice(0, a.length + 1)).toEqual([...one.hashes])
      }),
    )
  })
  /** What counts of a message: a list of one text is that text. */
  const plain = ({ role, content }: { role: string; content: unknown }) =>
    JSON.stringify([role, Array.isArray(content) && content.length === 1 ? (content[0] as { text: string }).text : content])
  test('callers have nothing in common, whatever they say', () => {
    fc.assert(
      fc.property(messages, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (said, a, b) => {
        if (a === b) return
        const others = new Set(chain(said, b).hashes)
        expect(chain(said, a).hashes.some((hash) => others.has(hash))).toBe(false)
      }),
    )
  })
  test('the white space between messages does not count', () => {
    const said = [
      { role: 'user', content: 'a' },
      { role: 'assistant', content: 'b' },
    ]
    const { bytes, units } = bodyOf(said, '\n  ')
    expect(chainOf(bytes, units, 1n).hashes).toEqual(chain(said).hashes)
  })
  test('marks do not count, wherever they stand and however they are spelled', () => {
    const mark = { cache_control: { type: 'ephemeral', ttl: '1h' } }
    const text = { type: 'text', text: 'say "cache_control" { } \\' }
    const result = { type: 'tool_result', tool_use_id: 't', content: [text] }
    const said = (a: object, b: object) => [
      { role: 'user', content: [{ ...text, ...a }, text] },
      { role: 'user', content: [{ ...result, ...b }] },
    ]
    expect(last(said(mark, {}))).toBe(last(said({}, mark))!)
    expect(last(said(mark, { cache_control: null }))).toBe(last(said({}, {}))!)
    expect(last(said({ prompt_cache_breakpoint: { type: 'x' } }, {}))).toBe(last(said({}, {}))!)
    const converse = (...more: object[]) => [{ role: 'user', content: [{ text: 'a' }, ...more] }]
    expect(last(converse({ cachePoint: { type: 'default' } }))).toBe(last(converse())!)
    // the words alone are text, and count
    expect(last([{ role: 'user', content: '"cache_control": null' }])).not.toBe(last([{ role: 'user', content: '' }]))
  })
  test('the same words of another role are another message', () => {
    expect(last([{ role: 'user', content: 'a' }])).not.toBe(last([{ role: 'assistant', content: 'a' }]))
  })
  test('ends of requests: before each answer, and the whole', () => {
    const said = ['system', 'user', 'assistant', 'tool', 'tool', 'assistant', 'user'].map((role) => ({ role, content: role }))
    const { ends, opening, lead, answered, answersAfter } = chain(said)
    expect({ ends, opening, lead, answered }).toEqual({ ends: [2, 5, 7], opening: 2, lead: 1, answered: true })
    expect([answersAfter(0), answersAfter(3), answersAfter(6)]).toEqual([2, 1, 0])
  })
  test('a line of a client in its system prompt that changes by itself does not change the lane', () => {
    const shape = (text: string) => {
      const bytes = utf8.encode(
        JSON.stringify({
          system: [
            { type: 'text', text },
            { type: 'text', text: 'Be good.' },
          ],
          messages: [],
        }),
      )
      const start = 10
      return chainOf(bytes, [{ kind: 'system', message: -1, role: 'system', start, end: bytes.length - 15 }], 1n).shape
    }
    expect(shape('x-anthropic-billing-header: cc_version=1; cch=a;')).toBe(shape('x-anthropic-billing-header: cc_version=2; cch=b;'))
    expect(shape('Be bad.')).not.toBe(shape('Be kind.'))
  })
  test('bodies that have the messages before system and tools: marks and that line do not count there, either', () => {
    const mark = { cache_control: { type: 'ephemeral' } }
    const of = (cch: string, marked: number) => {
      const messages = ['user', 'assistant', 'user', 'assistant', 'user'].map((role, i) => ({
        role,
        content: [
          { type: 'text', text: `${i}` },
          { type: 'text', text: 'x', ...(i === marked && mark) },
        ],
      }))
      const system = [
        { type: 'text', text: `x-anthropic-billing-header: cch=${cch};` },
        { type: 'text', text: 'Be good.', ...mark },
      ]
      const tools = [{ name: 'read', description: 'y'.repeat(3000) }]
      const bytes = utf8.encode(JSON.stringify({ model: 'm', messages, system, tools }))
      return chainOf(bytes, promptUnitsOf(bytes, { tools, system, messages }), 1n)
    }
    const one = of('a', 4)
    for (const marked of [0, 1, 2, 3]) {
      const two = of('b', marked)
      expect({ hashes: two.hashes, shape: two.shape }).toEqual({ hashes: one.hashes, shape: one.shape })
    }
  })
  test('any bytes: no error, no long time', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const units = [{ kind: 'message', message: 0, role: 'user', start: 0, end: bytes.length }] as const
        expect(chainOf(bytes, units, 1n).hashes).toHaveLength(2)
        for (const { from, to } of cacheMarks(bytes, 0, bytes.length)) expect(from < to && to <= bytes.length).toBe(true)
      }),
    )
    const hostile = utf8.encode(`${'"cache_control":{"a":'.repeat(50_000)}`)
    const begun = performance.now()
    without(hostile, 0, hostile.length, cacheMarks(hostile, 0, hostile.length))
    expect(performance.now() - begun).toBeLessThan(250)
  })
})

describe('the envelope', () => {
  test('is the body without its conversation', () => {
    const { bytes, units } = bodyOf(
      [
        { role: 'user', content: '"metadata":{}' },
        { role: 'user', content: 'b' },
      ],
      ' ',
      { metadata: { user_id: 'ü' }, stream: true },
    )
    expect(envelopeOf(bytes, units)).toEqual({ messages: [0], model: 'm', metadata: { user_id: 'ü' }, stream: true })
  })
  test('of what is no object, too large or broken: nothing', () => {
    for (const text of ['', '[]', '{"a":', `{"a":"${'x'.repeat(300_000)}"}`]) expect(envelopeOf(utf8.encode(text), [])).toEqual({})
  })
})
