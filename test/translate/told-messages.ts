/** What Anthropic Messages tell, whole and streamed. */

import { count, framesOf, isObject, list, nothingTold, object, parse, type Told, text } from './told.ts'

const stops: Readonly<Record<string, string>> = {
  end_turn: 'end',
  stop_sequence: 'end',
  pause_turn: 'end',
  tool_use: 'tool_calls',
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  refusal: 'filter',
}

export function toldByMessages(body: string): Told {
  const told = nothingTold()
  const value = parse(body)
  if (!isObject(value)) {
    told.wrong.push('not an object')
    return told
  }
  if (value.type === 'error') {
    told.error = text(object(value.error).message)
    if (typeof object(value.error).type !== 'string') told.wrong.push('error without type')
    return told
  }
  for (const key of ['id', 'type', 'role', 'model', 'content', 'stop_reason', 'stop_sequence', 'usage'])
    if (!(key in value)) told.wrong.push(`no ${key}`)
  for (const block of list(value.content).map(object)) addBlock(told, block)
  told.stop = stops[text(value.stop_reason)] ?? `? ${String(value.stop_reason)}`
  told.usage = usageOf(object(value.usage))
  told.complete = told.stop !== 'none'
  return told
}

function addBlock(told: Told, block: Record<string, unknown>): void {
  if (block.type === 'text') told.text += text(block.text)
  else if (block.type === 'thinking') told.reasoning += text(block.thinking)
  else if (block.type === 'tool_use') {
    if (!/^[a-zA-Z0-9_-]+$/.test(text(block.id))) told.wrong.push(`tool_use id ${String(block.id)}`)
    if (!isObject(block.input)) told.wrong.push('tool_use input is no object')
    told.calls.push({ id: text(block.id), name: text(block.name), args: block.input })
  }
}

export function toldByMessagesStream(body: string): Told {
  const told = nothingTold()
  const usage: Record<string, unknown> = {}
  let open: { index: number; block: Record<string, unknown>; json: string } | undefined
  let blocks = 0
  let phase: 'before' | 'started' | 'delta' | 'over' = 'before'
  for (const { event, data } of framesOf(body)) {
    const value = parse(data)
    if (!isObject(value)) {
      told.wrong.push('a frame that is no object')
      continue
    }
    if (event !== value.type) told.wrong.push(`event ${event} for ${String(value.type)}`)
    if (phase === 'over') told.wrong.push(`${String(value.type)} after message_stop`)
    if (told.error !== undefined) told.wrong.push(`${String(value.type)} after the error`)
    switch (value.type) {
      case 'ping':
        break
      case 'message_start': {
        if (phase !== 'before') told.wrong.push('a second message_start')
        phase = 'started'
        const message = object(value.message)
        for (const key of ['id', 'type', 'role', 'model', 'content', 'stop_reason', 'usage'])
          if (!(key in message)) told.wrong.push(`message_start without ${key}`)
        Object.assign(usage, object(message.usage))
        break
      }
      case 'content_block_start':
        if (phase !== 'started') told.wrong.push('a block outside the message')
        if (open) told.wrong.push('two open blocks')
        if (value.index !== blocks) told.wrong.push(`block index ${String(value.index)}, expected ${blocks}`)
        blocks++
        open = { index: count(value.index), block: { ...object(value.content_block) }, json: '' }
        break
      case 'content_block_delta': {
        if (open?.index !== value.index) told.wrong.push('a delta of a block that is not open')
        const delta = object(value.delta)
        if (open) applyDelta(told, open, delta)
        break
      }
      case 'content_block_stop':
        if (open?.index !== value.index) told.wrong.push('the stop of a block that is not open')
        if (open) {
          if (open.block.type === 'tool_use' && open.json !== '') open.block.input = parse(open.json) ?? open.json
          addBlock(told, open.block)
        }
        open = undefined
        break
      case 'message_delta': {
        if (open) told.wrong.push('message_delta while a block is open')
        if (phase !== 'started') told.wrong.push('message_delta out of place')
        phase = 'delta'
        const reason = object(value.delta).stop_reason
        told.stop = stops[text(reason)] ?? `? ${String(reason)}`
        if (!isObject(value.usage)) told.wrong.push('message_delta without usage')
        for (const [key, n] of Object.entries(object(value.usage))) if (n !== null) usage[key] = n
        break
      }
      case 'message_stop':
        if (phase !== 'delta') told.wrong.push('message_stop without message_delta')
        phase = 'over'
        break
      case 'error':
        told.error = text(object(value.error).message)
        break
      default:
        told.wrong.push(`unknown event ${String(value.type)}`)
    }
  }
  told.usage = Object.keys(usage).length > 0 ? usageOf(usage) : undefined
  told.complete = phase === 'over' && told.error === undefined
  if (phase === 'over' && told.error !== undefined) told.wrong.push('message_stop and an error')
  return told
}

function applyDelta(told: Told, open: { block: Record<string, unknown>; json: string }, delta: Record<string, unknown>): void {
  const { block } = open
  const wanted = { text_delta: 'text', thinking_delta: 'thinking', signature_delta: 'thinking', input_json_delta: 'tool_use' }[
    text(delta.type)
  ]
  if (delta.type !== 'citations_delta' && wanted !== block.type) told.wrong.push(`${text(delta.type)} in a ${text(block.type)} block`)
  if (delta.type === 'text_delta') block.text = text(block.text) + text(delta.text)
  else if (delta.type === 'thinking_delta') block.thinking = text(block.thinking) + text(delta.thinking)
  else if (delta.type === 'input_json_delta') open.json += text(delta.partial_json)
}

function usageOf(usage: Record<string, unknown>): Told['usage'] {
  const cacheRead = count(usage.cache_read_input_tokens)
  return {
    input: count(usage.input_tokens) + cacheRead + count(usage.cache_creation_input_tokens),
    output: count(usage.output_tokens),
    cacheRead,
  }
}
