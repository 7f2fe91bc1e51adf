/** The scripted model as an OpenAI Responses server. */

import { type Asked, items, parsed, type Said, type SaidCall, shape, textOf, tokens, word } from './script.ts'

interface Offered {
  /** With its namespace, as other dialects see it. */
  readonly name: string
  readonly own: string
  readonly namespace: string | undefined
  readonly custom: boolean
  readonly schema: unknown
}

/** The tools of a request, also those that stand in its input (Codex), and in namespaces. */
function offered(body: Record<string, unknown>): Offered[] {
  const input = items(body.input).filter((item) => item.type === 'additional_tools')
  const read = (tools: unknown, namespace?: string): Offered[] =>
    items(tools).flatMap((tool) => {
      const own = word(tool.name)
      if (tool.type === 'namespace') return read(tool.tools, own)
      if (tool.type !== 'function' && tool.type !== 'custom') return []
      const name = namespace === undefined ? own : `${namespace}__${own}`
      return [{ name, own, namespace, custom: tool.type === 'custom', schema: tool.parameters }]
    })
  return [body, ...input].flatMap((holder) => read(holder.tools))
}

export function readResponses(body: Record<string, unknown>): Asked {
  const input = typeof body.input === 'string' ? [{ role: 'user', content: body.input }] : items(body.input)
  const turnOf = (item: Record<string, unknown>) => item.role === 'assistant' || isCall(item) || item.type === 'reasoning'
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
    tools: choice === 'none' ? [] : offered(body),
    forced: choice === 'required' ? true : word(shape(choice).name) || undefined,
    schema: format.type === 'json_schema' ? format.schema : undefined,
    results: input
      .slice(last + 1)
      .filter((item) => item.type === 'function_call_output' || item.type === 'custom_tool_call_output')
      .map((item) => textOf(item.output)),
    calls: assistant
      .filter(isCall)
      .map((item) => ({ id: word(item.call_id), name: word(item.name), args: parsed(word(item.arguments) || word(item.input)) })),
    proofs: assistant.filter((item) => item.type === 'reasoning').map((item) => word(item.encrypted_content)),
  }
}

function isCall(item: Record<string, unknown>): boolean {
  return item.type === 'function_call' || item.type === 'custom_tool_call'
}

/** A call, as the kind of its tool demands. */
function callItem(call: SaidCall, tool: Offered | undefined, id: string): Record<string, unknown> {
  const about = {
    call_id: `call_${id}`,
    name: tool?.own ?? call.name,
    ...(tool?.namespace !== undefined && { namespace: tool.namespace }),
    status: 'completed',
  }
  if (tool?.custom) return { type: 'custom_tool_call', id: `ctc_${id}`, input: word(call.args.input), ...about }
  return { type: 'function_call', id: `fc_${id}`, arguments: JSON.stringify(call.args), ...about }
}

function outputOf(said: Said, id: string, tools: readonly Offered[]): Record<string, unknown>[] {
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
    ...said.calls.map((call, i) =>
      callItem(
        call,
        tools.find((tool) => tool.name === call.name),
        `${id}_${i}`,
      ),
    ),
  ]
}

export function writeResponses(model: string, said: Said, id: string, body: Record<string, unknown>): Record<string, unknown> {
  return {
    id: `resp_${id}`,
    object: 'response',
    created_at: 1_790_000_000,
    status: 'completed',
    error: null,
    incomplete_details: null,
    model,
    output: outputOf(said, id, offered(body)),
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

export function* streamResponses(model: string, said: Said, id: string, body: Record<string, unknown>): Generator<string> {
  let sequence = 0
  const frame = (type: string, members: object) =>
    `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: sequence++, ...members })}\n\n`
  const whole = writeResponses(model, said, id, body)
  const begun = { response: { ...whole, status: 'in_progress', output: [], usage: null } }
  yield frame('response.created', begun)
  yield frame('response.in_progress', begun)
  for (const [output_index, item] of items(whole.output).entries()) {
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
      const custom = item.type === 'custom_tool_call'
      const [key, event] = custom ? ['input', 'response.custom_tool_call_input'] : ['arguments', 'response.function_call_arguments']
      const text = word(item[key])
      yield frame('response.output_item.added', { output_index, item: { ...item, status: 'in_progress', [key]: '' } })
      for (let i = 0; i < text.length; i += 7) yield frame(`${event}.delta`, { item_id, output_index, delta: text.slice(i, i + 7) })
      yield frame(`${event}.done`, { item_id, output_index, [key]: text })
    }
    yield frame('response.output_item.done', { output_index, item })
  }
  yield frame('response.completed', { response: whole })
}
