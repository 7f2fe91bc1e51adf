/**
 * The demo's Anthropic Messages and its token count: reads questions, writes answers (PROTOCOL §1.6, "Ant order").
 *
 * Owns the wire shapes of this dialect inside the demo and nothing else; what is said comes from `answer.ts`.
 */

import { type Answer, estimateTokens, type OfferedTool, type Question, words } from './answer.ts'
import { type DemoDialect, type Frame, invalid, type Mistake, newId } from './dialect.ts'
import { contentText, count, type Fields, fields, isFields, list, text } from './fields.ts'

const countPath = '/v1/messages/count_tokens'

export const messages: DemoDialect = {
  paths: ['/v1/messages', countPath],
  read,
  count: (path, question) => (path === countPath ? { input_tokens: question.inputTokens } : undefined),
  whole: (answer) => reply([content(answer)], stop[answer.stop], usage(answer, answer.outputTokens)),
  frames,
  error: ({ kind, message, param }) => ({
    type: 'error',
    error: {
      type: kind === 'not_found' ? 'not_found_error' : 'invalid_request_error',
      message: param === undefined ? message : `${param}: ${message}`,
    },
    request_id: newId('req_'),
  }),
}

function read(body: Fields): Question | Mistake {
  const all = body.messages
  if (!Array.isArray(all) || all.length === 0) return invalid('must be an array with at least one message', 'messages')
  if (!all.every(isFields)) return invalid('each entry must be an object', 'messages')
  const last = fields(all.at(-1))
  const user = all.findLast((m) => m.role === 'user')
  const results =
    last.role === 'user'
      ? list(last.content)
          .map(fields)
          .filter((b) => b.type === 'tool_result')
      : []
  const result = results[0]
  const limit = count(body.max_tokens)
  const format = fields(fields(body.output_config).format)
  return {
    stream: body.stream === true,
    said: contentText(user?.content),
    ...(result ? { result: { tool: toolName(all, result), text: results.map((r) => contentText(r.content)).join('\n') } } : {}),
    ...readTools(body),
    ...(format.type === 'json_schema' ? { json: format.schema } : {}),
    ...(limit === undefined ? {} : { limit }),
    inputTokens: estimateTokens(JSON.stringify([body.system, all, body.tools])),
  }
}

/** Tools with an input schema; server tools have none and can't be called by a demo. */
function readTools(body: Fields): Pick<Question, 'tools' | 'choice'> {
  const tools: OfferedTool[] = []
  for (const entry of list(body.tools).map(fields)) {
    if (isFields(entry.input_schema) && text(entry.name) !== '') tools.push({ name: text(entry.name), schema: entry.input_schema })
  }
  const choice = fields(body.tool_choice)
  if (choice.type === 'none') return { tools, choice: 'none' }
  return { tools, choice: choice.type === 'tool' ? { name: text(choice.name) } : 'auto' }
}

/** The name of the tool whose result this block is, looked up in the calls before it. */
function toolName(all: readonly Fields[], result: Fields): string {
  const blocks = all.flatMap((m) => list(m.content)).map(fields)
  const call = blocks.findLast((b) => b.type === 'tool_use' && b.id === result.tool_use_id)
  return text(call?.name) || 'you ran'
}

const stop = { end: 'end_turn', length: 'max_tokens', tool_calls: 'tool_use' } as const

function usage(answer: Answer, output: number): Fields {
  return {
    input_tokens: answer.inputTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
    output_tokens: output,
    service_tier: 'standard',
  }
}

function content({ call, text }: Answer): Fields {
  return call ? { type: 'tool_use', id: newId('toolu_'), name: call.name, input: call.input } : { type: 'text', text, citations: null }
}

function reply(blocks: readonly Fields[], reason: string | null, used: Fields): Fields {
  return {
    id: newId('msg_'),
    type: 'message',
    role: 'assistant',
    model: 'demo',
    content: blocks,
    stop_reason: reason,
    stop_sequence: null,
    usage: used,
  }
}

function* frames(answer: Answer): Generator<Frame> {
  const event = (pause: Frame['pause'], data: { readonly type: string } & Fields): Frame => ({
    pause,
    text: `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`,
  })
  const delta = (part: Fields): Frame => event('word', { type: 'content_block_delta', index: 0, delta: part })

  yield event('first', { type: 'message_start', message: reply([], null, usage(answer, 1)) })
  const block = content(answer)
  const opening = answer.call ? { ...block, input: {} } : { ...block, text: '' }
  yield event('none', { type: 'content_block_start', index: 0, content_block: opening })
  yield event('none', { type: 'ping' })
  if (answer.call) {
    for (const piece of words(answer.call.json)) yield delta({ type: 'input_json_delta', partial_json: piece })
  } else {
    for (const piece of words(answer.text)) yield delta({ type: 'text_delta', text: piece })
  }
  yield event('none', { type: 'content_block_stop', index: 0 })
  yield event('none', {
    type: 'message_delta',
    delta: { stop_reason: stop[answer.stop], stop_sequence: null },
    usage: { output_tokens: answer.outputTokens },
  })
  yield event('none', { type: 'message_stop' })
}
