/** C21: Codex on an upstream that knows nothing of its tools: what it offers can be called, and comes back as the kinds of items that it knows. */

import { expect, test } from 'bun:test'
import type { StreamEvent } from '../../plugin/events.ts'
import { capabilitiesOf } from '../capabilities.ts'
import { jsonSource } from '../json-source.ts'
import { openaiChat } from '../openai-chat/index.ts'
import { ReplyTranslation, translateRequest } from '../translate.ts'
import { openaiResponses } from './index.ts'

test('C21: custom tools and namespaces on a Chat upstream, there and back', () => {
  const request = {
    model: 'm',
    input: [
      { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Fix it' }] },
      { type: 'function_call', name: 'read', namespace: 'files', arguments: '{"p":1.0}', call_id: 'c1' },
      { type: 'custom_tool_call', name: 'apply_patch', input: '*** Begin', call_id: 'c2' },
      { type: 'custom_tool_call_output', call_id: 'c2', output: 'done' },
      { type: 'function_call_output', call_id: 'c1', output: 'text' },
    ],
    tools: [
      { type: 'custom', name: 'apply_patch', description: 'Patches', format: { type: 'grammar', syntax: 'lark', definition: 'start: x' } },
      { type: 'namespace', name: 'files', description: '', tools: [{ type: 'function', name: 'read', parameters: { type: 'object' } }] },
      { type: 'web_search' },
    ],
    stream: true,
  }
  const can = capabilitiesOf('openai-chat', 'api.openai.com', 'gpt-x')
  const source = jsonSource(Buffer.from(JSON.stringify(request)))!
  const target = { model: 'gpt-x', upstream: 'up', can, stream: true }
  const made = translateRequest(source, openaiResponses.request!, openaiChat.request!, target)
  expect([made.report.refusal, made.report.dropped]).toEqual([undefined, ['tools[2]']])
  const body = JSON.parse(Buffer.from(made.body).toString())
  const names = body.tools.map(
    (tool: { function?: { name: string }; custom?: { name: string } }) => tool.function?.name ?? tool.custom?.name,
  )
  expect(names).toEqual(['apply_patch', 'files__read'])
  expect(body.messages[1].tool_calls[0].function).toEqual({ name: 'files__read', arguments: '{"p":1.0}' })
  expect(body.messages.map((message: { role: string; tool_call_id?: string }) => message.tool_call_id ?? message.role)).toEqual([
    'user',
    'assistant',
    'c1',
    'c2',
  ])

  const translation = new ReplyTranslation({ dialect: 'openai-chat', upstream: 'up' }, made.names, made.conversation, can)
  const told: StreamEvent[] = [
    { type: 'start', id: 'chatcmpl-1', model: 'gpt-x' },
    { type: 'tool_call', index: 0, choice: 0, id: 'call_1', name: 'files__read', arguments: '{}' },
    { type: 'tool_call', index: 1, choice: 0, id: 'call_2', name: 'apply_patch', arguments: '{"input":"*** Begin ' },
    { type: 'tool_call', index: 1, choice: 0, arguments: 'Patch"}' },
    { type: 'stop', reason: 'end', raw: 'stop', choice: 0 },
    { type: 'end' },
  ]
  const events: StreamEvent[] = []
  for (const event of told) translation.pass(event, events)
  const whole = JSON.parse(openaiResponses.encodeWhole(events, { id: 'r', model: 'm', created: 1, request: source.json }))
  expect(whole.output).toMatchObject([
    { type: 'function_call', name: 'read', namespace: 'files', call_id: 'call_1', arguments: '{}' },
    { type: 'custom_tool_call', name: 'apply_patch', call_id: 'call_2', input: '*** Begin Patch' },
  ])
  expect(whole.tools).toEqual(request.tools)
})
