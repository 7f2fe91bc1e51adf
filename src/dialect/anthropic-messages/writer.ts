/**
 * Messages frames made of events alone, in the order of PROTOCOL §1.6: message_start, blocks one at a time with dense indices,
 * message_delta, message_stop (hazards B05, B06). Used for answers by plugins, for translated streams and for insertions into a
 * stream that is forwarded, whose own block may be open.
 *
 * What can't be written because a block is open that must not be closed yet (the upstream's, or a call whose arguments are not
 * complete) waits until that block closes.
 */

import type { NativeEvent, ReasoningEvent, StopEvent, StreamEvent, TextEvent, ToolCallEvent, UsageEvent } from '../../plugin/events.ts'
import type { Usage } from '../../plugin/outcome.ts'
import type { Json } from '../../plugin/request.ts'
import { legalCallId } from '../call-ids.ts'
import type { ReplyIdentity } from '../codec.ts'
import { unsigned } from '../proof.ts'
import { type JsonObject, jsonText, objectOf, parseJson, wordOf } from '../shape.ts'
import { commentText, frameText } from '../sse.ts'
import { withExtra } from '../usage-edits.ts'
import { type BlockKind, blockKind } from './blocks.ts'
import { isHidden } from './blocks-of.ts'
import { inStreamError, messagesErrorType } from './errors.ts'
import { messagesStopWord } from './stop-reasons.ts'
import { messagesUsageObject, noUsageObject } from './usage.ts'

/** The block that the client has open. */
export interface OpenBlock {
  readonly index: number
  readonly kind: BlockKind
  /** Index of the call, for `tool_use`. */
  readonly call: number
  /** Only the upstream's own stop closes it. */
  readonly upstreams: boolean
  /** Arguments so far, for calls that are written here. */
  args: string
  /** A signature was written: the next thought is another block. */
  signed: boolean
}

export interface MessagesWriter {
  /** Index of the next block. */
  next: number
  open: OpenBlock | undefined
  /** Events that wait for a block to close. */
  readonly waiting: number
  /** Nothing may follow: `end` or an error was written. */
  readonly ended: boolean
  /** `message_start` was sent by the upstream. */
  begun(): void
  /** The upstream brings nothing more: its open block is ours. */
  takeOver(): void
  /** SSE text for one event. */
  event(event: StreamEvent): string
  /** Closes what may be closed. At the end of a list of events in a forwarded stream, so that no block of ours stays open. */
  settle(): string
  /** Writes all that waits, closing a call whose arguments never were complete. */
  force(): string
  /** Sends a `message_start` that waited for usage. */
  flush(): string
}

/** Calls whose name has not come yet. */
const maxNameless = 256

/** The writer of one stream. */
export function messagesWriter(head: ReplyIdentity): MessagesWriter {
  let id = head.id.startsWith('msg_') ? head.id : `msg_${head.id}`
  let model = head.model
  let usage: Usage | undefined
  let usageExtra: UsageEvent['extra']
  let stop: StopEvent | undefined
  let begun = false
  let startWaits = false
  let ended = false
  let calls = 0
  let queue: StreamEvent[] = []
  let forwarding = false
  /** Calls that were given a name, by index. */
  const named = new Set<number>()
  /** The first fragments of calls whose name comes later (C04). */
  const nameless = new Map<number, ToolCallEvent>()

  const frame = (type: string, members: JsonObject): string => frameText(type, jsonText({ type, ...members }))
  const start = (): string => {
    startWaits = false
    if (begun) return ''
    begun = true
    // clients that add the output of message_start to that of message_delta would count it twice
    const { output_tokens_details: _, ...input } = usage && usage.source !== 'unknown' ? messagesUsageObject(usage) : noUsageObject
    const counted = { ...input, output_tokens: 0 }
    const message = { id, type: 'message', role: 'assistant', model, content: [], stop_reason: null, stop_sequence: null, usage: counted }
    return frame('message_start', { message })
  }
  const close = (): string => {
    const block = writer.open
    if (!block) return ''
    writer.open = undefined
    const bare = block.kind === 'thinking' && !block.signed && !block.upstreams
    const signature = bare ? delta(block, { type: 'signature_delta', signature: unsigned }) : ''
    return signature + frame('content_block_stop', { index: block.index })
  }
  const begin = (kind: BlockKind, content: JsonObject, call = -1): string => {
    const text = start() + close()
    const index = writer.next++
    writer.open = { index, kind, call, upstreams: false, args: '', signed: false }
    return text + frame('content_block_start', { index, content_block: content })
  }
  const delta = (block: OpenBlock, content: JsonObject): string => frame('content_block_delta', { index: block.index, delta: content })

  /** True when the open block may be closed to make room for another. */
  const yields = (): boolean => {
    const block = writer.open
    if (!block) return true
    if (block.upstreams) return false
    return block.kind !== 'tool_use' || isComplete(block.args)
  }
  const text = ({ text: value, signature }: TextEvent): string => {
    let out = ''
    if (value !== '') {
      if (writer.open?.kind !== 'text') out = begin('text', { type: 'text', text: '' })
      out += delta(writer.open!, { type: 'text_delta', text: value })
    }
    return signature === undefined || writer.open?.upstreams ? out : out + hidden(signature)
  }
  /** A proof without visible thought: of a hidden one, or of the text before it. */
  const hidden = (data: string): string => begin('native', { type: 'redacted_thinking', data }) + close()
  const reasoning = (event: ReasoningEvent): string => {
    if (event.text === '' && event.signature === undefined) return ''
    const { signature } = event
    const begins = writer.open?.kind !== 'thinking' || writer.open.signed
    if (signature !== undefined && (event.redacted || (begins && isHidden(event.text, signature)))) return hidden(signature)
    if (event.redacted) return ''
    const block = writer.open
    const fits = block?.kind === 'thinking' && (!block.signed || event.text === '')
    let out = fits ? '' : begin('thinking', { type: 'thinking', thinking: '', signature: '' })
    if (event.text !== '') out += delta(writer.open!, { type: 'thinking_delta', thinking: event.text })
    if (event.signature !== undefined) {
      writer.open!.signed = true
      out += delta(writer.open!, { type: 'signature_delta', signature: event.signature })
    }
    return out
  }
  const toolCall = (event: ToolCallEvent): string => {
    let out = ''
    if (!continues(event)) {
      const callId = legalCallId(event.id ?? `toolu_${id.slice(-24)}_${calls}`, 'word')
      calls++
      if (event.signature !== undefined) out = proofOfCall(event.signature)
      out += begin('tool_use', { type: 'tool_use', id: callId, name: event.name ?? '', input: {} }, event.index)
    }
    if (event.arguments === '') return out
    const block = writer.open!
    block.args += event.arguments
    out += delta(block, { type: 'input_json_delta', partial_json: event.arguments })
    return queue.length > 0 && yields() ? out + drain() : out
  }
  /** The proof of a call is carried by an empty thought right before it (C18); the reader puts it back. */
  const proofOfCall = (signature: string): string => {
    const out = begin('thinking', { type: 'thinking', thinking: '', signature: '' })
    writer.open!.signed = true
    return out + delta(writer.open!, { type: 'signature_delta', signature })
  }
  const continues = (event: ToolCallEvent): boolean =>
    writer.open?.kind === 'tool_use' && writer.open.call === event.index && (event.id === undefined || writer.open.args === '')

  /** A frame that a Messages stream had; frames of other dialects have no place here. */
  const native = (event: NativeEvent): string => {
    const body = objectOf(parseJson(event.data))
    const type = wordOf(body?.type)
    if (!body || type === undefined || event.event === undefined) return ''
    const block = writer.open
    switch (type) {
      case 'content_block_start': {
        const content = objectOf(body.content_block)
        return content ? begin(blockKind(content), content) : ''
      }
      case 'content_block_delta':
        return block ? frame(type, { ...withoutType(body), index: block.index }) : ''
      case 'content_block_stop':
        return close()
      case 'message_start':
      case 'message_delta':
      case 'message_stop':
      case 'error':
        return ''
      default:
        return forwarding || type === 'ping' ? frameText(event.event, event.data) : ''
    }
  }
  const fitsOpen = (event: StreamEvent): boolean => {
    const block = writer.open
    if (!block) return true
    if (event.type === 'text') return (event.text === '' && event.signature === undefined) || block.kind === 'text'
    if (event.type === 'reasoning') return !event.redacted && block.kind === 'thinking' && (!block.signed || event.text === '')
    if (event.type === 'tool_call') return continues(event)
    return event.type !== 'native' || !/"content_block_(start|stop)"/.test(event.data) || !block.upstreams
  }
  const content = (event: StreamEvent): string => {
    switch (event.type) {
      case 'text':
        return text(event)
      case 'reasoning':
        return reasoning(event)
      case 'tool_call':
        return toolCall(event)
      case 'native':
        return native(event)
      default:
        return ''
    }
  }
  /** The event as soon as the name of its call is known. One that never gets a name can't be called, and is not written. */
  const withName = (event: ToolCallEvent): ToolCallEvent | undefined => {
    if (continues(event) || (event.id === undefined && event.name === undefined && named.has(event.index))) return event
    const held = event.id === undefined || nameless.get(event.index)?.id === event.id ? nameless.get(event.index) : undefined
    const known = held ? { ...held, ...event, arguments: held.arguments + event.arguments } : event
    if (known.name !== undefined || nameless.size >= maxNameless) {
      nameless.delete(event.index)
      named.add(event.index)
      return known
    }
    nameless.set(event.index, known)
    return undefined
  }
  const offer = (event: StreamEvent): string => {
    const free = fitsOpen(event) || yields() || (event.type === 'native' && !writer.open?.upstreams)
    // What belongs to the open block goes ahead of what waits: the upstream's own deltas do so too.
    const block = writer.open
    const jumps = block !== undefined && ((event.type === 'tool_call' && continues(event)) || (block.upstreams && fitsOpen(event)))
    if (free && (queue.length === 0 || jumps)) return content(event)
    queue.push(event)
    return ''
  }
  const drain = (): string => {
    const waiting = queue
    queue = []
    return waiting.map(offer).join('')
  }
  const force = (): string => {
    let out = ''
    while (queue.length > 0) out += close() + drain()
    return out
  }

  const writer: MessagesWriter = {
    next: 0,
    open: undefined,
    get waiting() {
      return queue.length
    },
    get ended() {
      return ended
    },
    begun() {
      begun = true
      forwarding = true
    },
    takeOver() {
      forwarding = false
      if (writer.open) writer.open = { ...writer.open, upstreams: false }
    },
    flush: () => (startWaits ? start() : ''),
    settle() {
      let out = writer.open?.upstreams ? '' : drain()
      if (writer.open && !writer.open.upstreams) out += force() + close()
      return out
    },
    force,
    event(event) {
      if (event.type === 'note') return commentText(event.text)
      if (ended) return ''
      switch (event.type) {
        case 'start':
          id = event.id ?? id
          model = event.model ?? model
          startWaits = !begun
          return ''
        case 'usage':
          usage = event.usage
          usageExtra = event.extra
          return ''
        case 'stop': {
          stop = event
          const opening = start()
          return writer.open?.upstreams ? opening : opening + force() + close()
        }
        case 'error':
          ended = true
          return inStreamError(messagesErrorType(event.kind), event.message)
        case 'end': {
          const out = start() + force() + close()
          ended = true
          const word = stop ? messagesStopWord(stop) : calls > 0 ? 'tool_use' : 'end_turn'
          const counted: Json = usage && usage.source !== 'unknown' ? withExtra(messagesUsageObject(usage), usageExtra) : noUsageObject
          return `${out}${frame('message_delta', { delta: { stop_reason: word, stop_sequence: stop?.sequence ?? null }, usage: counted })}${frame('message_stop', {})}`
        }
        case 'native':
          return flushFor(event) + offer(event)
        case 'tool_call': {
          const call = withName(event)
          return call ? offer(call) : ''
        }
        case 'citation': // the dialect's own need proofs of its own search; there is no word for media
        case 'media':
          return ''
        default:
          return offer(event)
      }
    },
  }
  const flushFor = (event: NativeEvent): string => (event.event === 'ping' ? '' : startWaits ? start() : '')
  return writer
}

function withoutType(body: JsonObject): JsonObject {
  const { type: _, ...members } = body
  return members
}

/** True when the arguments of a call are complete JSON. Text that does not end like an object is not parsed. */
function isComplete(args: string): boolean {
  return args.trimEnd().endsWith('}') && parseJson(args) !== undefined
}
