/**
 * What a recorded stream says, worked out without any of our code: the yardstick of the golden tests.
 *
 * Deliberately simple: split at blank lines, JSON.parse, add up.
 */

// biome-ignore lint/suspicious/noExplicitAny: recorded JSON of unknown shape
type Loose = any

export interface Told {
  text: string
  reasoning: string
  signatures: string
  calls: { id: string; name: string; arguments: string }[]
  stops: string[]
  /** The vendor's usage members, later ones over earlier ones. */
  usage: Loose
  error: string | undefined
  ended: boolean
  /** Kinds of the content blocks, in order (Messages). */
  blocks: string[]
}

function empty(): Told {
  return { text: '', reasoning: '', signatures: '', calls: [], stops: [], usage: undefined, error: undefined, ended: false, blocks: [] }
}

export function dataOf(sse: string): string[] {
  return sse
    .replaceAll('\r\n', '\n')
    .split('\n\n')
    .map((frame) =>
      frame
        .split('\n')
        .filter((line) => line.startsWith('data:'))
        .map((line) => line.slice(5).replace(/^ /, ''))
        .join('\n'),
    )
    .filter((data) => data !== '')
}

export function tellChat(sse: string): Told {
  const told = empty()
  const calls = new Map<string, { id: string; name: string; arguments: string }>()
  let last = ''
  for (const data of dataOf(sse)) {
    if (data.trim() === '[DONE]') {
      told.ended = true
      continue
    }
    const chunk: Loose = JSON.parse(data)
    if (chunk.error) told.error = chunk.error.message
    if (chunk.usage) told.usage = chunk.usage
    for (const choice of chunk.choices ?? []) {
      const delta = choice.delta ?? {}
      if (typeof delta.content === 'string') told.text += delta.content
      for (const item of Array.isArray(delta.content) ? delta.content : []) {
        if (item.type === 'text') told.text += item.text
        for (const thought of item.thinking ?? []) told.reasoning += thought.text
      }
      told.reasoning += delta.reasoning_content || delta.reasoning || ''
      for (const call of delta.tool_calls ?? []) {
        const key: string = call.id ? `${call.index}/${call.id}` : last
        last = key
        const known = calls.get(key) ?? { id: call.id, name: '', arguments: '' }
        if (!calls.has(key)) {
          calls.set(key, known)
          told.calls.push(known)
        }
        known.name ||= call.function?.name ?? ''
        known.arguments += call.function?.arguments ?? ''
      }
      if (choice.finish_reason && told.stops.length === 0) told.stops.push(choice.finish_reason)
    }
  }
  return told
}

export function tellMessages(sse: string): Told {
  const told = empty()
  const open = new Map<number, Loose>()
  let next = 0
  for (const data of dataOf(sse)) {
    const frame: Loose = JSON.parse(data)
    switch (frame.type) {
      case 'message_start':
        told.usage ??= { ...frame.message.usage }
        break
      case 'content_block_start': {
        if (open.size > 0) throw new Error(`block ${frame.index} begins while another is open`)
        if (frame.index !== next) throw new Error(`block ${frame.index} where ${next} was due`)
        next++
        const block = frame.content_block
        told.blocks.push(block.type)
        open.set(frame.index, block)
        if (block.type === 'text') told.text += block.text
        if (block.type === 'tool_use') told.calls.push({ id: block.id, name: block.name, arguments: '' })
        break
      }
      case 'content_block_delta': {
        const block = open.get(frame.index)
        if (!block) throw new Error(`delta for block ${frame.index}, which is not open`)
        const { delta } = frame
        if (delta.type === 'text_delta') told.text += delta.text
        else if (delta.type === 'thinking_delta') told.reasoning += delta.thinking
        else if (delta.type === 'signature_delta') told.signatures += delta.signature
        else if (delta.type === 'input_json_delta' && block.type === 'tool_use') told.calls.at(-1)!.arguments += delta.partial_json
        break
      }
      case 'content_block_stop':
        if (!open.delete(frame.index)) throw new Error(`stop of block ${frame.index}, which is not open`)
        break
      case 'message_delta':
        if (frame.delta.stop_reason) told.stops.push(frame.delta.stop_reason)
        told.usage = { ...told.usage, ...frame.usage }
        break
      case 'message_stop':
        told.ended = true
        break
      case 'error':
        told.error = frame.error.message
    }
  }
  return told
}

/** What parts of a response were told by deltas, by item and part. */
type Parts = Map<string, string>

/** Deltas, done frames and the final response tell the same three times; it throws where they differ. */
export function tellResponses(sse: string): Told {
  const told = empty()
  const parts: Parts = new Map()
  const calls = new Map<number, Told['calls'][number]>()
  let number = -1
  const agree = (key: string, text: string): void => {
    const said = parts.get(key)
    if (said === undefined) parts.set(key, text)
    else if (said !== text) throw new Error(`${key} is ${JSON.stringify(text)} where the deltas said ${JSON.stringify(said)}`)
  }
  const late = (key: string, text: string, kind: 'text' | 'reasoning'): void => {
    if (!parts.has(key)) told[kind] += text
    agree(key, text)
  }
  const item = (index: number, value: Loose): void => {
    for (const [i, part] of (value.content ?? []).entries()) {
      late(`${index}/c${i}`, part.text ?? part.refusal, value.type === 'reasoning' ? 'reasoning' : 'text')
    }
    for (const [i, part] of (value.summary ?? []).entries()) late(`${index}/s${i}`, part.text, 'reasoning')
    if (value.call_id && (value.type === 'function_call' || value.type === 'custom_tool_call')) {
      const args = value.arguments ?? value.input
      const call = calls.get(index)
      if (!call) throw new Error(`call ${index} was not begun`)
      if (!parts.has(`${index}/a`)) call.arguments = args
      agree(`${index}/a`, args)
      if (call.name !== value.name || call.id !== value.call_id) throw new Error(`call ${index} changed its name`)
    }
  }
  for (const data of dataOf(sse)) {
    if (data.trim() === '[DONE]') continue
    const frame: Loose = JSON.parse(data)
    if (typeof frame.sequence_number === 'number') {
      if (frame.sequence_number <= number) throw new Error(`number ${frame.sequence_number} after ${number}`)
      number = frame.sequence_number
    }
    const index: number = frame.output_index
    const add = (key: string, kind: 'text' | 'reasoning'): void => {
      parts.set(key, (parts.get(key) ?? '') + frame.delta)
      told[kind] += frame.delta
    }
    switch (frame.type) {
      case 'response.output_item.added':
        if (frame.item.type === 'function_call' || frame.item.type === 'custom_tool_call') {
          const call = { id: frame.item.call_id, name: frame.item.name, arguments: '' }
          calls.set(index, call)
          told.calls.push(call)
        }
        break
      case 'response.output_text.delta':
      case 'response.refusal.delta':
        add(`${index}/c${frame.content_index}`, 'text')
        break
      case 'response.reasoning_text.delta':
        add(`${index}/c${frame.content_index}`, 'reasoning')
        break
      case 'response.reasoning_summary_text.delta':
        add(`${index}/s${frame.summary_index}`, 'reasoning')
        break
      case 'response.function_call_arguments.delta':
      case 'response.custom_tool_call_input.delta':
        parts.set(`${index}/a`, (parts.get(`${index}/a`) ?? '') + frame.delta)
        calls.get(index)!.arguments += frame.delta
        break
      case 'response.output_text.done':
      case 'response.refusal.done':
        late(`${index}/c${frame.content_index}`, frame.text ?? frame.refusal, 'text')
        break
      case 'response.reasoning_summary_text.done':
        late(`${index}/s${frame.summary_index}`, frame.text, 'reasoning')
        break
      case 'response.function_call_arguments.done':
      case 'response.custom_tool_call_input.done': {
        const args = frame.arguments ?? frame.input
        if (!parts.has(`${index}/a`)) calls.get(index)!.arguments = args
        agree(`${index}/a`, args)
        break
      }
      case 'response.output_item.done':
        if (!calls.has(index) && frame.item.call_id && /^(function|custom_tool)_call$/.test(frame.item.type)) {
          const call = { id: frame.item.call_id, name: frame.item.name, arguments: '' }
          calls.set(index, call)
          told.calls.push(call)
        }
        item(index, frame.item)
        told.signatures += frame.item.type === 'reasoning' ? (frame.item.encrypted_content ?? '') : ''
        break
      case 'response.completed':
      case 'response.incomplete':
        if (frame.response.output.length > 0) for (const [i, value] of frame.response.output.entries()) item(i, value)
        told.stops.push(frame.response.incomplete_details?.reason ?? frame.response.status)
        told.usage = frame.response.usage
        told.ended = true
        break
      case 'response.failed':
        told.error ??= frame.response.error.message
        break
      case 'error':
        told.error = frame.error?.message ?? frame.message
    }
  }
  return told
}
