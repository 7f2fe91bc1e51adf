import { expect, test } from 'bun:test'
import type { PromptUnit } from 'headgate/plugin'
import { chat, kitOf, numbered, read, resultsOf, source } from './conversation.fixture.ts'
import { outsideOf } from './outside.ts'

/** A body in which `tools` and `messages` are the prompt. */
function look(body: object) {
  const text = JSON.stringify(body)
  const units: PromptUnit[] = []
  for (const name of ['tools', 'messages'] as const) {
    const value = (body as Record<string, unknown>)[name]
    if (value === undefined) continue
    const json = JSON.stringify(value)
    const start = text.indexOf(json, text.indexOf(`"${name}":`))
    units.push({ kind: name === 'tools' ? 'tools' : 'message', message: 0, role: '', start, end: start + json.length })
  }
  return outsideOf(Buffer.from(text), units)
}
const messages = [{ role: 'user', content: '"tool_choice":"required","previous_response_id":"x"' }]

test.each([
  [{ tool_choice: 'required', messages }],
  [{ messages, tool_choice: { type: 'function', function: { name: 'f' } } }],
  [{ messages, tool_choice: { type: 'any' }, tools: [{ name: 'f' }] }],
  [{ messages, tool_choice: { type: 'tool', name: 'f' } }],
  [{ messages, toolConfig: { functionCallingConfig: { mode: 'ANY' } } }],
  [{ messages, toolConfig: { toolChoice: { any: {} } } }],
  [{ messages, function_call: { name: 'f' } }],
])('a call is forced: %j', (body) => {
  expect(look(body)).toEqual({ forced: true, continued: false })
})

test.each([
  [{ messages }],
  [{ messages, tool_choice: 'auto' }],
  [{ messages, tool_choice: { type: 'auto' } }],
  [{ messages, tools: [{ name: 'f', parameters: { properties: { tool_choice: { type: 'function' }, previous_response_id: 'x' } } }] }],
  [{ messages, previous_response_id: null, metadata: { text: '"tool_choice":"required"' } }],
])('it is not: %j', (body) => {
  expect(look(body)).toEqual({ forced: false, continued: false })
})

test.each([
  [{ previous_response_id: 'resp_1', messages }],
  [{ messages, cachedContent: 'cachedContents/1' }],
  [{ messages, conversation: { id: 'c' } }],
])('a provider keeps more of it: %j', (body) => {
  expect(look(body)).toEqual({ forced: false, continued: true })
})

test('then nothing is referred to by its number', async () => {
  const kit = await kitOf()
  const file = numbered(source(80))
  const list = chat([{ calls: [read('a', file), read('a', file)] }])
  expect(resultsOf((await kit.chat({ messages: list })).sent[0]!.json)[1]).toContain('same as')
  const r = await kit.chat({ messages: [...list, { role: 'user', content: 'x' }], previous_response_id: 'resp_1' }, {})
  expect(resultsOf(r.sent[0]!.json)[1]).toContain('same as') // what was sent stands
  const fresh = await (await kitOf()).chat({ messages: list, previous_response_id: 'resp_1' })
  expect(resultsOf(fresh.sent[0]!.json)[1]).not.toContain('same as')
})
