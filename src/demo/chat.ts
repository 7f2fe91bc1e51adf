/**
 * The demo's OpenAI Chat Completions: reads questions, writes answers (PROTOCOL §1.5 and §1.6, "Chat order").
 *
 * Owns the wire shapes of this dialect inside the demo and nothing else; what is said comes from `answer.ts`.
 */

import { type Answer, estimateTokens, type OfferedTool, type Question, words } from './answer.ts'
import { type DemoDialect, type Frame, invalid, type Mistake, newId } from './dialect.ts'
import { contentText, count, type Fields, fields, isFields, list, text } from './fields.ts'

export const chat: DemoDialect = {
  paths: ['/v1/chat/completions'],
  read,
  whole,
  frames,
  error: ({ kind, message, param }) => ({
    error: { message, type: 'invalid_request_error', param: param ?? null, code: kind === 'not_found' ? 'model_not_found' : null },
  }),
}

function read(body: Fields): Question | Mistake {
  const messages = body.messages
  if (!Array.isArray(messages) || messages.length === 0)
    return invalid('`messages` must be an array with at least one message.', 'messages')
  if (!messages.every(isFields)) return invalid('Each entry of `messages` must be an object.', 'messages')
  if (body.n !== undefined && body.n !== null && body.n !== 1) return invalid('The demo model gives one choice: leave `n` out.', 'n')
  const last = fields(messages.at(-1))
  const user = messages.findLast((m) => m.role === 'user')
  const limit = count(body.max_completion_tokens) ?? count(body.max_tokens)
  const json = wantedJson(fields(body.response_format))
  return {
    stream: body.stream === true,
    said: contentText(user?.content),
    ...(last.role === 'tool' ? { result: { tool: toolName(messages, last), text: contentText(last.content) } } : {}),
    ...readTools(body),
    ...(json === undefined ? {} : { json }),
    ...(limit === undefined ? {} : { limit }),
    inputTokens: estimateTokens(JSON.stringify([messages, body.tools])),
  }
}

function readTools(body: Fields): Pick<Question, 'tools' | 'choice'> {
  const tools: OfferedTool[] = []
  for (const entry of list(body.tools)) {
    const fn = fields(fields(entry).function)
    if (text(fn.name) !== '') tools.push({ name: text(fn.name), schema: fn.parameters })
  }
  const choice = body.tool_choice
  if (choice === 'none') return { tools, choice: 'none' }
  const allowed = fields(fields(choice).allowed_tools)
  if (Array.isArray(allowed.tools)) {
    const names = new Set(list(allowed.tools).map((t) => text(fields(fields(t).function).name)))
    return { tools: tools.filter((t) => names.has(t.name)), choice: 'auto' }
  }
  const forced = text(fields(fields(choice).function).name)
  return { tools, choice: forced === '' ? 'auto' : { name: forced } }
}

function wantedJson(format: Fields): unknown {
  if (format.type === 'json_object') return {}
  return format.type === 'json_schema' ? fields(format.json_schema).schema : undefined
}

/** The name of the tool whose result a `tool` message is, looked up in the calls before it. */
function toolName(messages: readonly Fields[], result: Fields): string {
  const calls = messages.flatMap((m) => list(m.tool_calls)).map(fields)
  const call = calls.findLast((c) => c.id === result.tool_call_id)
  return text(fields(call?.function).name) || 'you ran'
}

const finish = { end: 'stop', length: 'length', tool_calls: 'tool_calls' } as const

function usage(answer: Answer): unknown {
  return {
    prompt_tokens: answer.inputTokens,
    completion_tokens: answer.outputTokens,
    total_tokens: answer.inputTokens + answer.outputTokens,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
  }
}

function whole(answer: Answer): unknown {
  const call = answer.call
  const message = {
    role: 'assistant',
    content: call ? null : answer.text,
    refusal: null,
    ...(call ? { tool_calls: [{ id: newId('call_'), type: 'function', function: { name: call.name, arguments: call.json } }] } : {}),
  }
  return {
    id: newId('chatcmpl-'),
    object: 'chat.completion',
    created: Math.floor(Date.now() / 1000),
    model: 'demo',
    choices: [{ index: 0, message, logprobs: null, finish_reason: finish[answer.stop] }],
    usage: usage(answer),
  }
}

function* frames(answer: Answer, body: Fields): Generator<Frame> {
  const withUsage = fields(body.stream_options).include_usage === true
  const head = { id: newId('chatcmpl-'), object: 'chat.completion.chunk', created: Math.floor(Date.now() / 1000), model: 'demo' }
  const chunk = (pause: Frame['pause'], choices: readonly unknown[], used: unknown = null): Frame => ({
    pause,
    text: `data: ${JSON.stringify({ ...head, choices, ...(withUsage ? { usage: used } : {}) })}\n\n`,
  })
  const delta = (pause: Frame['pause'], part: unknown, reason: string | null = null): Frame =>
    chunk(pause, [{ index: 0, delta: part, logprobs: null, finish_reason: reason }])

  const call = answer.call
  yield delta('first', { role: 'assistant', content: call ? null : '', refusal: null })
  if (call) {
    yield delta('none', { tool_calls: [{ index: 0, id: newId('call_'), type: 'function', function: { name: call.name, arguments: '' } }] })
    for (const piece of words(call.json)) yield delta('word', { tool_calls: [{ index: 0, function: { arguments: piece } }] })
  } else {
    for (const piece of words(answer.text)) yield delta('word', { content: piece })
  }
  yield delta('none', {}, finish[answer.stop])
  if (withUsage) yield chunk('none', [], usage(answer))
  yield { text: 'data: [DONE]\n\n', pause: 'none' }
}
