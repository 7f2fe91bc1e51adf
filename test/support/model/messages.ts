/** The scripted model as an Anthropic Messages server. Strict where the real one is: order of turns and blocks, ids, results right after their calls. */

import { type Asked, items, type Said, shape, textOf, tokens, word } from './script.ts'

export function readMessages(body: Record<string, unknown>): Asked {
  const messages = items(body.messages)
  const last = messages.findLastIndex((m) => m.role === 'assistant')
  const after = messages.slice(last + 1).flatMap((m) => items(m.content))
  const choice = shape(body.tool_choice)
  const format = shape(shape(body.output_config).format)
  const assistant = items(messages[last]?.content)
  return {
    model: word(body.model),
    stream: body.stream === true,
    system: typeof body.system === 'string' ? [body.system] : items(body.system).map((block) => word(block.text)),
    prompt: textOf(messages.findLast((m) => m.role === 'user')?.content),
    tools: choice.type === 'none' ? [] : items(body.tools).map((tool) => ({ name: word(tool.name), schema: tool.input_schema })),
    forced: choice.type === 'tool' ? word(choice.name) : choice.type === 'any' ? true : undefined,
    schema: format.type === 'json_schema' ? format.schema : undefined,
    results: after.filter((block) => block.type === 'tool_result').map((block) => textOf(block.content)),
    calls: assistant
      .filter((block) => block.type === 'tool_use')
      .map((block) => ({ id: word(block.id), name: word(block.name), args: block.input })),
    proofs: assistant.filter((block) => block.type === 'thinking').map((block) => word(block.signature)),
  }
}

/** What the real server would refuse a request for; undefined when it would not. */
export function faultOfMessages(body: Record<string, unknown>): string | undefined {
  if (typeof body.max_tokens !== 'number') return 'max_tokens: Field required'
  if (Array.isArray(body.tools) && body.tools.length === 0 && body.tool_choice !== undefined) return 'tool_choice without tools'
  let open: string[] = []
  let before = ''
  for (const [i, message] of items(body.messages).entries()) {
    const role = word(message.role)
    if (role !== 'user' && role !== 'assistant' && role !== 'system') return `messages.${i}.role: ${role}`
    if (role === before && role === 'assistant') return `messages.${i}: two assistant turns in a row`
    const blocks = typeof message.content === 'string' ? [{ type: 'text', text: message.content }] : items(message.content)
    if (blocks.length === 0) return `messages.${i}: empty content`
    const results = blocks.filter((block) => block.type === 'tool_result').map((block) => word(shape(block).tool_use_id))
    if (open.length > 0) {
      if (results.length !== open.length || open.some((id) => !results.includes(id)))
        return `messages.${i}: tool_use ids without tool_result: ${open.join(', ')}`
      if (blocks.slice(0, results.length).some((block) => block.type !== 'tool_result'))
        return `messages.${i}: tool_result blocks must come first`
    } else if (results.length > 0) return `messages.${i}: unexpected tool_result`
    for (const block of blocks) {
      if (block.type === 'text' && word(block.text) === '') return `messages.${i}: text content blocks must be non-empty`
      if (block.type === 'thinking' && word(shape(block).signature) === '') return `messages.${i}: thinking.signature: Field required`
      if (block.type === 'tool_use' && !/^[a-zA-Z0-9_-]+$/.test(word(shape(block).id))) return `messages.${i}: tool_use.id`
    }
    open = blocks.filter((block) => block.type === 'tool_use').map((block) => word(shape(block).id))
    before = role
  }
  return open.length > 0 ? 'tool_use ids without tool_result' : undefined
}

const input = { input_tokens: tokens.input - tokens.cached, cache_read_input_tokens: tokens.cached, cache_creation_input_tokens: 0 }

function blocksOf(said: Said, id: string): Record<string, unknown>[] {
  return [
    ...(said.thought === '' ? [] : [{ type: 'thinking', thinking: said.thought, signature: said.proof }]),
    ...(said.text === '' ? [] : [{ type: 'text', text: said.text }]),
    ...said.calls.map((call, i) => ({ type: 'tool_use', id: `toolu_${id}_${i}`, name: call.name, input: call.args })),
  ]
}

export function writeMessages(model: string, said: Said, id: string): object {
  return {
    id: `msg_${id}`,
    type: 'message',
    role: 'assistant',
    model,
    content: blocksOf(said, id),
    stop_reason: said.calls.length > 0 ? 'tool_use' : 'end_turn',
    stop_sequence: null,
    usage: { ...input, output_tokens: tokens.output },
  }
}

export function* streamMessages(model: string, said: Said, id: string): Generator<string> {
  const frame = (type: string, members: object) => `event: ${type}\ndata: ${JSON.stringify({ type, ...members })}\n\n`
  yield frame('message_start', {
    message: {
      id: `msg_${id}`,
      type: 'message',
      role: 'assistant',
      model,
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: { ...input, output_tokens: 1 },
    },
  })
  yield frame('ping', {})
  for (const [index, block] of blocksOf(said, id).entries()) {
    const delta = (value: object) => frame('content_block_delta', { index, delta: value })
    if (block.type === 'thinking') {
      yield frame('content_block_start', { index, content_block: { type: 'thinking', thinking: '', signature: '' } })
      yield delta({ type: 'thinking_delta', thinking: block.thinking })
      yield delta({ type: 'signature_delta', signature: block.signature })
    } else if (block.type === 'text') {
      yield frame('content_block_start', { index, content_block: { type: 'text', text: '' } })
      for (const part of word(block.text).split(/(?<= )/)) yield delta({ type: 'text_delta', text: part })
    } else {
      yield frame('content_block_start', { index, content_block: { ...block, input: {} } })
      const text = JSON.stringify(block.input)
      yield delta({ type: 'input_json_delta', partial_json: '' })
      for (let at = 0; at < text.length; at += 7) yield delta({ type: 'input_json_delta', partial_json: text.slice(at, at + 7) })
    }
    yield frame('content_block_stop', { index })
  }
  yield frame('message_delta', {
    delta: { stop_reason: said.calls.length > 0 ? 'tool_use' : 'end_turn', stop_sequence: null },
    usage: { ...input, output_tokens: tokens.output },
  })
  yield frame('message_stop', {})
}
