/** The scripted model as a Chat Completions server. */

import { type Asked, items, parsed, type Said, shape, textOf, tokens, word } from './script.ts'

export function readChat(body: Record<string, unknown>): Asked {
  const messages = items(body.messages)
  const last = messages.findLastIndex((m) => m.role === 'assistant')
  const after = messages.slice(last + 1)
  const choice = body.tool_choice
  const format = shape(body.response_format)
  const assistant = messages[last] ?? {}
  return {
    model: word(body.model),
    stream: body.stream === true,
    system: messages.filter((m) => m.role === 'system' || m.role === 'developer').map((m) => textOf(m.content)),
    prompt: textOf(messages.findLast((m) => m.role === 'user')?.content),
    tools:
      choice === 'none'
        ? []
        : items(body.tools).map((tool) => ({ name: word(shape(tool.function).name), schema: shape(tool.function).parameters })),
    forced:
      choice === 'required' || word(shape(shape(choice).function).name) || undefined
        ? word(shape(shape(choice).function).name) || true
        : undefined,
    schema:
      format.type === 'json_schema' ? shape(format.json_schema).schema : format.type === 'json_object' ? { type: 'object' } : undefined,
    results: after.filter((m) => m.role === 'tool').map((m) => textOf(m.content)),
    calls: items(assistant.tool_calls).map((call) => ({
      id: word(call.id),
      name: word(shape(call.function).name),
      args: parsed(word(shape(call.function).arguments)),
    })),
    proofs: items(assistant.reasoning_details)
      .map((detail) => word(detail.signature) || word(detail.data))
      .filter(Boolean),
  }
}

const usage = {
  prompt_tokens: tokens.input,
  completion_tokens: tokens.output,
  total_tokens: tokens.input + tokens.output,
  prompt_tokens_details: { cached_tokens: tokens.cached },
  completion_tokens_details: { reasoning_tokens: tokens.reasoning },
}

export function writeChat(model: string, said: Said, id: string): object {
  const calls = said.calls.map((call, i) => ({
    id: `call_${id}_${i}`,
    type: 'function',
    function: { name: call.name, arguments: JSON.stringify(call.args) },
  }))
  const details =
    said.proof === ''
      ? {}
      : { reasoning_details: [{ type: 'reasoning.text', text: said.thought, signature: said.proof, format: 'unknown', index: 0 }] }
  const message = {
    role: 'assistant',
    content: said.text === '' ? null : said.text,
    refusal: null,
    ...(said.thought !== '' && { reasoning: said.thought, ...details }),
    ...(calls.length > 0 && { tool_calls: calls }),
  }
  return {
    id: `chatcmpl-${id}`,
    object: 'chat.completion',
    created: 1_790_000_000,
    model,
    choices: [{ index: 0, message, logprobs: null, finish_reason: calls.length > 0 ? 'tool_calls' : 'stop' }],
    usage,
  }
}

export function* streamChat(model: string, said: Said, id: string, body: Record<string, unknown>): Generator<string> {
  const frame = (delta: object, finish: string | null = null) =>
    `data: ${JSON.stringify({ id: `chatcmpl-${id}`, object: 'chat.completion.chunk', created: 1_790_000_000, model, choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`
  yield frame({ role: 'assistant', content: '' })
  if (said.thought !== '') {
    yield frame({ reasoning: said.thought })
    yield frame({ reasoning_details: [{ type: 'reasoning.text', signature: said.proof, format: 'unknown', index: 0 }] })
  }
  for (const word of said.text.split(/(?<= )/)) if (word !== '') yield frame({ content: word })
  for (const [index, call] of said.calls.entries()) {
    yield frame({ tool_calls: [{ index, id: `call_${id}_${index}`, type: 'function', function: { name: call.name, arguments: '' } }] })
    const text = JSON.stringify(call.args)
    for (let at = 0; at < text.length; at += 7) yield frame({ tool_calls: [{ index, function: { arguments: text.slice(at, at + 7) } }] })
  }
  yield frame({}, said.calls.length > 0 ? 'tool_calls' : 'stop')
  if (shape(body.stream_options).include_usage === true)
    yield `data: ${JSON.stringify({ id: `chatcmpl-${id}`, object: 'chat.completion.chunk', created: 1_790_000_000, model, choices: [], usage })}\n\n`
  yield 'data: [DONE]\n\n'
}
