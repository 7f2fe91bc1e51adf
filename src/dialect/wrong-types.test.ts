/** Members of another type than they have to be: told to the model where that is what the client means, else refused by name; never lost in silence. */

import { describe, expect, test } from 'bun:test'
import { anthropicMessages } from './anthropic-messages/index.ts'
import { capabilitiesOf } from './capabilities.ts'
import { geminiGenerate } from './gemini/index.ts'
import { jsonSource } from './json-source.ts'
import { openaiChat } from './openai-chat/index.ts'
import { openaiResponses } from './openai-responses/index.ts'
import { translateRequest } from './translate.ts'

const dialects = { chat: openaiChat, responses: openaiResponses, messages: anthropicMessages, gemini: geminiGenerate }
type Name = keyof typeof dialects

function translate(from: Name, body: unknown, to: Name = from === 'messages' ? 'chat' : 'messages') {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const can = capabilitiesOf(dialects[to].name, 'example.org', 'm')
  const source = jsonSource(Buffer.from(text))!
  const made = translateRequest(source, dialects[from].request!, dialects[to].request!, { model: 'm', upstream: 'up', can, stream: false })
  return { refusal: made.report.refusal, body: new TextDecoder().decode(made.body) }
}

/** A body in which a tool's result is `value`, written as it is. */
const answered: Readonly<Record<'chat' | 'responses' | 'messages', (value: string) => string>> = {
  chat: (value) =>
    `{"messages":[{"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c","content":${value}}]}`,
  responses: (value) =>
    `{"input":[{"role":"user","content":"x"},{"type":"function_call","name":"f","arguments":"{}","call_id":"c"},{"type":"function_call_output","call_id":"c","output":${value}}]}`,
  messages: (value) =>
    `{"max_tokens":9,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"tool_use","id":"c","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":${value}}]}]}`,
}

describe('results of tools', () => {
  for (const [from, body] of Object.entries(answered)) {
    test(`${from}: a value is told as its JSON text, as it was sent`, () => {
      for (const value of ['{"temp":21.50, "big":12345678901234567890}', '21.50', 'true', 'false']) {
        const made = translate(from as Name, body(value))
        expect(made.refusal).toBeUndefined()
        expect(made.body).toContain(JSON.stringify(value))
      }
    })
    test(`${from}: plugins see the text that the model is told`, () => {
      const parts = dialects[from as Name].parts(JSON.parse(body('{"temp":21}')))
      expect(parts.find((part) => part.kind === 'tool_result')).toMatchObject({ text: '{"temp":21}' })
    })
    test(`${from}: null, texts and lists are what they were`, () => {
      for (const value of ['null', '""', '"sun"', '[{"type":"text","text":"sun"}]']) {
        const made = translate(from as Name, body(value))
        expect(made.refusal).toBeUndefined()
        expect(made.body.includes('sun')).toBe(value.includes('sun'))
        expect(made.body).not.toContain('"null"')
      }
    })
  }
})

test('C07: arguments that are an object are told as its JSON text', () => {
  const args = '{"a":1.50}'
  const call = `{"type":"function_call","name":"f","arguments":${args},"call_id":"c"}`
  const body = `{"input":[{"role":"user","content":"x"},${call},{"type":"function_call_output","call_id":"c","output":"r"}]}`
  expect(translate('responses', body, 'messages').body).toContain(`"input":${args}`)
  expect(translate('responses', body, 'chat').body).toContain(`"arguments":${JSON.stringify(args)}`)
})
