/** The scripted model as an OpenAI Responses server. */

import { type Asked, items, parsed, type Said, shape, textOf, tokens, word } from './script.ts'

export function readResponses(body: Record<string, unknown>): Asked {
  const input = typeof body.input === 'string' ? [{ role: 'user', content: body.input }] : items(body.input)
  const turnOf = (item: Record<string, unknown>) => item.role === 'assistant' || item.type === 'function_call' || item.type === 'reasoning'
  const last = input.findLastIndex(turnOf)
  const first = input.slice(0, last + 1).findLastIndex((item) => !turnOf(item)) + 1
  const assistant = input.slice(first, last + 1)
  const choice = body.tool_choice
  const format = shape(shape(body.text).format)
  return {
    model: word(body.model),
    stream: body.stream === true,
    system: [
      word(body.instructions),
      ...input.filter((i) => i.role === 'system' || i.role === 'developer').map((i) => textOf(i.content)),
    ].filter(Boolean),
    prompt: textOf(input.findLast((item) => item.role === 'user')?.content),
    tools:
      choice === 'none'
        ? []
        : items(body.tools)
            .filter((t) => t.type === 'function')
            .map((tool) => ({ name: word(tool.name), schema: tool.parameters })),
    forced: choice === 'required' ? true : word(shape(choice).name) || undefined,
    schema: format.type === 'json_schema' ? format.schema : undefined,
    results: input
      .slice(last + 1)
      .filter((item) => item.type === 'function_call_output')
      .map((item) => textOf(item.output)),
    calls: assistant
      .filter((item) => item.type === 'function_call')
      .map((item) => ({ id: word(item.call_id), name: word(item.name), args: parsed(word(item.arguments)) })),
    proofs: assistant.filter((item) => item.type === 'reasoning').map((item) => word(item.encrypted_content)),
  }
}

function outputOf(said: Said, id: string): Record<string, unknown>[] {
  return [
    ...(said.thought === ''
      ? []
      : [{ type: 'reasoning', id: `rs_${id}`, summary: [{ type: 'summary_text', text: said.thought }], encrypted_content: said.proof }]),
    ...(said.text === ''
      ? []
      : [
          {
            type: 'message',
            id: `msg_${id}`,
            role: 'assistant',
            status: 'completed',
            content: [{ type: 'output_text', text: said.text, annotations: [], logprobs: [] }],
          },
        ]),
    ...said.calls.map((call, i) => ({
      type: 'function_call',
      id: `fc_${id}_${i}`,
      call_id: `call_${id}_${i}`,
      name: call.name,
      arguments: JSON.stringify(call.args),
      status: 'completed',
    })),
  ]
}

export function writeResponses(model: string, said: Said, id: string): Record<string, unknown> {
  return {
    id: `resp_${id}`,
    object: 'response',
    created_at: 1_790_000_000,
    status: 'completed',
    error: null,
    incomplete_details: null,
    model,
    output: outputOf(said, id),
    parallel_tool_calls: true,
    tool_choice: 'auto',
    tools: [],
    usage: {
      input_tokens: tokens.input,
      input_tokens_details: { cached_tokens: tokens.cached },
      output_tokens: tokens.output,
      output_tokens_details: { reasoning_tokens: tokens.reasoning },
      total_tokens: tokens.input + tokens.output,
    },
  }
}

export function* streamResponses(model: string, said: Said, id: string): Generator<string> {
  let sequence = 0
  const frame = (type: string, members: object) =>
    `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: sequence++, ...members })}\n\n`
  const whole = writeResponses(model, said, id)
  const begun = { response: { ...whole, status: 'in_progress', output: [], usage: null } }
  yield frame('response.created', begun)
  yield frame('response.in_progress', begun)
  for (const [output_index, item] of outputOf(said, id).entries()) {
    const item_id = item.id
    if (item.type === 'reasoning') {
      const part = { type: 'summary_text', text: said.thought }
      const at = { item_id, output_index, summary_index: 0 }
      yield frame('response.output_item.added', { output_index, item: { ...item, summary: [], encrypted_content: '' } })
      yield frame('response.reasoning_summary_part.added', { ...at, part: { ...part, text: '' } })
      yield frame('response.reasoning_summary_text.delta', { ...at, delta: said.thought })
      yield frame('response.reasoning_summary_text.done', { ...at, text: said.thought })
      yield frame('response.reasoning_summary_part.done', { ...at, part })
    } else if (item.type === 'message') {
      const at = { item_id, output_index, content_index: 0 }
      yield frame('response.output_item.added', { output_index, item: { ...item, status: 'in_progress', content: [] } })
      yield frame('response.content_part.added', { ...at, part: { type: 'output_text', text: '', annotations: [], logprobs: [] } })
      for (const delta of said.text.split(/(?<= )/)) yield frame('response.output_text.delta', { ...at, delta, logprobs: [] })
      yield frame('response.output_text.done', { ...at, text: said.text, logprobs: [] })
      yield frame('response.content_part.done', { ...at, part: { type: 'output_text', text: said.text, annotations: [], logprobs: [] } })
    } else {
      const text = word(item.arguments)
      yield frame('response.output_item.added', { output_index, item: { ...item, status: 'in_progress', arguments: '' } })
      for (let i = 0; i < text.length; i += 7)
        yield frame('response.function_call_arguments.delta', { item_id, output_index, delta: text.slice(i, i + 7) })
      yield frame('response.function_call_arguments.done', { item_id, output_index, arguments: text })
    }
    yield frame('response.output_item.done', { output_index, item })
  }
  yield frame('response.completed', { response: whole })
}
