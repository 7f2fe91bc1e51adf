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
