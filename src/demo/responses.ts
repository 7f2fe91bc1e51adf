/**
 * The demo's OpenAI Responses and its token count: reads questions, writes answers (PROTOCOL §1.6, "Responses order").
 *
 * Owns the wire shapes of this dialect inside the demo and nothing else. It keeps nothing, so that no earlier response can be gone on from.
 */

import { type Answer, estimateTokens, type OfferedTool, type Question, words } from './answer.ts'
import { chat } from './chat.ts'
import { type DemoDialect, type Frame, invalid, type Mistake, newId } from './dialect.ts'
import { contentText, count, type Fields, fields, isFields, list, text } from './fields.ts'

const countPath = '/v1/responses/input_tokens'

export const responses: DemoDialect = {
  paths: ['/v1/responses', countPath],
  read,
  count: (path, { inputTokens }) => (path === countPath ? { object: 'response.input_tokens', input_tokens: inputTokens } : undefined),
  whole: (answer, body) => finished(started(body), answer, [item(answer)]),
  frames,
  error: chat.error,
}

function read(body: Fields): Question | Mistake {
  if (text(body.previous_response_id) !== '') {
    return invalid('The demo model keeps nothing: send the whole conversation.', 'previous_response_id')
  }
  const given = body.input
  const items = typeof given === 'string' ? [{ role: 'user', content: given }] : given
  if (!Array.isArray(items) || items.length === 0 || !items.every(isFields)) {
    return invalid('`input` must be a text or a list of at least one item.', 'input')
  }
  const last = fields(items.at(-1))
  const result = last.type === 'function_call_output' ? last : undefined
  const format = fields(fields(body.text).format)
  const limit = count(body.max_output_tokens)
  return {
    stream: body.stream === true,
    said: contentText(items.findLast((one) => one.role === 'user')?.content),
    ...(result ? { result: { tool: toolName(items, result), text: contentText(result.output) } } : {}),
    ...readTools(body),
    ...(format.type === 'json_schema' ? { json: format.schema } : format.type === 'json_object' ? { json: {} } : {}),
    ...(limit === undefined ? {} : { limit }),
    inputTokens: estimateTokens(JSON.stringify([body.instructions, items, body.tools])),
  }
}

/** Functions; tools that OpenAI runs itself can't be called by a demo. */
function readTools(body: Fields): Pick<Question, 'tools' | 'choice'> {
  const tools: OfferedTool[] = []
  for (const tool of list(body.tools).map(fields)) {
    if (tool.type === 'function' && text(tool.name) !== '') tools.push({ name: text(tool.name), schema: tool.parameters })
  }
  const choice = body.tool_choice
  if (choice === 'none') return { tools, choice: 'none' }
  const allowed = fields(choice).type === 'allowed_tools' ? list(fields(choice).tools).map((tool) => text(fields(tool).name)) : undefined
  if (allowed) return { tools: tools.filter((tool) => allowed.includes(tool.name)), choice: 'auto' }
  const forced = text(fields(choice).name)
  return { tools, choice: forced === '' ? 'auto' : { name: forced } }
}

function toolName(items: readonly Fields[], result: Fields): string {
  const call = items.findLast((one) => one.type === 'function_call' && one.call_id === result.call_id)
  return text(call?.name) || 'you ran'
}

/** The response before its first word. */
function started(body: Fields): Fields {
  return {
    id: newId('resp_'),
    object: 'response',
    created_at: Math.floor(Date.now() / 1000),
    status: 'in_progress',
    background: false,
    error: null,
    incomplete_details: null,
    instructions: body.instructions ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    model: 'demo',
    output: [],
    parallel_tool_calls: true,
    previous_response_id: null,
    reasoning: { effort: null, summary: null },
    store: false,
    temperature: 1,
    text: body.text ?? { format: { type: 'text' } },
    tool_choice: body.tool_choice ?? 'auto',
    tools: body.tools ?? [],
    top_p: 1,
    truncation: 'disabled',
    usage: null,
    metadata: body.metadata ?? {},
  }
}

function finished(response: Fields, { inputTokens, outputTokens, stop }: Answer, output: readonly Fields[]): Fields {
  return {
    ...response,
    status: stop === 'length' ? 'incomplete' : 'completed',
    incomplete_details: stop === 'length' ? { reason: 'max_output_tokens' } : null,
    output,
    usage: {
      input_tokens: inputTokens,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: outputTokens,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: inputTokens + outputTokens,
    },
  }
}

function item({ call, text: said, stop }: Answer): Fields {
  if (call) {
    return { id: newId('fc_'), type: 'function_call', status: 'completed', call_id: newId('call_'), name: call.name, arguments: call.json }
  }
  const content = [{ type: 'output_text', text: said, annotations: [], logprobs: [] }]
  return { id: newId('msg_'), type: 'message', status: stop === 'length' ? 'incomplete' : 'completed', role: 'assistant', content }
}

function* frames(answer: Answer, body: Fields): Generator<Frame> {
  let made = 0
  const event = (pause: Frame['pause'], type: string, members: Fields): Frame => ({
    pause,
    text: `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: made++, ...members })}\n\n`,
  })
  const response = started(body)
  const done = item(answer)
  const at = { item_id: done.id, output_index: 0 }
  yield event('none', 'response.created', { response })
  yield event('first', 'response.in_progress', { response })
  if (answer.call) {
    const { json, name } = answer.call
    yield event('none', 'response.output_item.added', { output_index: 0, item: { ...done, status: 'in_progress', arguments: '' } })
    for (const delta of words(json)) yield event('word', 'response.function_call_arguments.delta', { ...at, delta })
    yield event('none', 'response.function_call_arguments.done', { ...at, name, arguments: json })
  } else {
    const part = { type: 'output_text', text: '', annotations: [], logprobs: [] }
    const place = { ...at, content_index: 0 }
    yield event('none', 'response.output_item.added', { output_index: 0, item: { ...done, status: 'in_progress', content: [] } })
    yield event('none', 'response.content_part.added', { ...place, part })
    for (const delta of words(answer.text)) yield event('word', 'response.output_text.delta', { ...place, delta, logprobs: [] })
    yield event('none', 'response.output_text.done', { ...place, text: answer.text, logprobs: [] })
    yield event('none', 'response.content_part.done', { ...place, part: { ...part, text: answer.text } })
  }
  yield event('none', 'response.output_item.done', { output_index: 0, item: done })
  const last = finished(response, answer, [done])
  yield event('none', `response.${text(last.status)}`, { response: last })
}
