/**
 * Random conversations that every dialect can say: system, turns of text, calls with their results in any order, tools. And their gist, which no
 * translation may change.
 */

import fc from 'fast-check'
import type { Content, Conversation, Tool, Turn } from '../../src/dialect/conversation.ts'

const someText = fc.oneof(
  fc.constantFrom('Hello', 'a b', 'ünï', '漢字🙂', '{"a":1}', '$ref', 'line\nline', '<x>'),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }).filter((text) => text.trim() !== ''),
)

const someArguments = fc.oneof(
  fc.constantFrom('', '{}', '{"path":"/tmp/a","n":1.50,"big":12345678901234567890}'),
  fc
    .dictionary(fc.constantFrom('a', 'b', '$ref', 'ä'), fc.oneof(fc.string({ maxLength: 5 }), fc.integer(), fc.constant(null)), {
      maxKeys: 3,
    })
    .map((value) => JSON.stringify(value)),
)

interface SomeCall {
  readonly name: string
  readonly args: string
  readonly result: string
  readonly error: boolean
}
interface Exchange {
  readonly asked: readonly string[]
  readonly said: string | undefined
  readonly calls: readonly SomeCall[]
  readonly order: number
  readonly after: string | undefined
}

const names = ['read_file', 'Bash', 'get-weather'] as const
const someExchange: fc.Arbitrary<Exchange> = fc.record({
  asked: fc.array(someText, { minLength: 1, maxLength: 3 }),
  said: fc.option(someText, { nil: undefined }),
  calls: fc.array(
    fc.record({ name: fc.constantFrom(...names), args: someArguments, result: fc.oneof(someText, fc.constant('')), error: fc.boolean() }),
    { maxLength: 3 },
  ),
  order: fc.nat(),
  after: fc.option(someText, { nil: undefined }),
})

const tools: readonly Tool[] = names.map((name, i) => ({
  kind: 'function',
  name,
  description: `Tool ${i}`,
  schema: '{"type":"object","properties":{"z":{"type":"string"},"a":{"type":["integer","null"]}},"required":["z"]}',
  field: `tools[${i}]`,
}))

/** With all calls answered, and a question last. */
export const someConversation: fc.Arbitrary<Conversation> = fc
  .record({
    system: fc.array(someText, { maxLength: 2 }),
    exchanges: fc.array(someExchange, { minLength: 1, maxLength: 4 }),
    last: someText,
    maxOutput: fc.option(fc.integer({ min: 16, max: 4000 }), { nil: undefined }),
    ids: fc.constantFrom('call_', 'toolu_', 'a|b:', 'x'.repeat(70)),
    split: fc.boolean(),
  })
  .map(({ system, exchanges, last, maxOutput, ids, split }): Conversation => {
    const turns: Turn[] = system.map((text) => ({ role: 'system', content: [{ type: 'text', text }] }))
    let made = 0
    for (const { asked, said, calls, order, after } of exchanges) {
      turns.push({ role: 'user', content: asked.map((text) => ({ type: 'text', text })) })
      const content: Content[] = said === undefined ? [] : [{ type: 'text', text: said }]
      const results: Content[] = []
      for (const { name, args, result, error } of calls) {
        const id = `${ids}${made++}`
        content.push({ type: 'call', id, name, kind: 'function', arguments: args })
        results.push({ type: 'result', id, name, content: [{ type: 'text', text: result }], ...(error && { error: true }) })
      }
      if (content.length > 0) turns.push({ role: 'assistant', content })
      // results come in any order, together or each in a message of its own (C08)
      const shuffled = results.map((_, i) => results[(i + order) % results.length]!)
      if (split) for (const result of shuffled) turns.push({ role: 'user', content: [result] })
      else if (shuffled.length > 0) turns.push({ role: 'user', content: shuffled })
      if (after !== undefined && results.length > 0) turns.push({ role: 'user', content: [{ type: 'text', text: after }] })
    }
    turns.push({ role: 'user', content: [{ type: 'text', text: last }] })
    return {
      source: 'test',
      stream: false,
      turns,
      tools,
      params: { ...(maxOutput !== undefined && { maxOutput }) },
      names: {},
      extras: [],
    }
  })

export interface Gist {
  readonly system: string
  readonly turns: {
    role: string
    text: string
    calls: { name: string; args: unknown }[]
    results: { of: number; text: string; error: boolean }[]
  }[]
  readonly tools: { name: string; description: string | undefined; schema: unknown }[]
}

const squeezed = (text: string) => text.replace(/\s+/g, '')
/** What stands before the result of a call that failed, where a dialect has no mark for it. */
const errorMark = squeezed('[The tool call failed.]')

/** What must survive: who said what, which calls with which results, in order. */
export function gistOf(conversation: Conversation): Gist {
  const turns: Gist['turns'] = []
  let system = ''
  const places = new Map<string, number>()
  for (const turn of conversation.turns) {
    if (turn.role === 'system' || turn.role === 'developer') {
      for (const content of turn.content) if (content.type === 'text') system += squeezed(content.text)
      continue
    }
    let last = turns.at(-1)
    if (last?.role !== turn.role) turns.push((last = { role: turn.role, text: '', calls: [], results: [] }))
    for (const content of turn.content) {
      if (content.type === 'text') last.text += squeezed(content.text)
      else if (content.type === 'call') {
        places.set(content.id, last.calls.length)
        last.calls.push({ name: content.name, args: content.arguments.trim() === '' ? {} : JSON.parse(content.arguments) })
      } else if (content.type === 'result') {
        const text = squeezed(content.content.map((part) => (part.type === 'text' ? part.text : '')).join(''))
        const marked = text.startsWith(errorMark)
        last.results.push({
          of: places.get(content.id) ?? -1,
          text: marked ? text.slice(errorMark.length) : text,
          error: marked || content.error === true,
        })
      }
    }
  }
  for (const turn of turns) turn.results.sort((a, b) => a.of - b.of)
  return {
    system,
    turns: turns.filter((turn) => turn.text !== '' || turn.calls.length > 0 || turn.results.length > 0),
    tools: conversation.tools.map(({ name, description, schema }) => ({
      name,
      description,
      schema: schema === undefined ? undefined : JSON.parse(schema),
    })),
  }
}
