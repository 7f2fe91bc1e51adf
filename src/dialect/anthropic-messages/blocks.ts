/**
 * The content blocks of Messages: what events a block consists of, and where in it each stands.
 *
 * Used for whole replies, for `message_start` frames that already carry content (B22) and for `content_block_start`.
 */

import type { StreamEvent } from '../../plugin/events.ts'
import type { Json } from '../../plugin/request.ts'
import { type JsonObject, jsonText, objectOf, textOf, wordOf } from '../shape.ts'

/** An event of a block and the member of the block that holds it; `member` is empty when the whole block is the event. */
export interface BlockSite {
  readonly event: StreamEvent
  readonly member: string
}

/** The kinds of block that have neutral events; all others are `native`. */
export type BlockKind = 'text' | 'thinking' | 'tool_use' | 'native'

/** The kind of a block, by its type. */
export function blockKind(block: JsonObject): BlockKind {
  const type = block.type
  return type === 'text' || type === 'thinking' || type === 'tool_use' ? type : 'native'
}

/** The members of a block that can be edited as text. */
export function blockSite(block: JsonObject, index: number, call: number, input?: string): BlockSite {
  switch (blockKind(block)) {
    case 'text':
      return { event: { type: 'text', text: textOf(block.text), choice: 0 }, member: 'text' }
    case 'thinking': {
      const signature = wordOf(block.signature)
      const event: StreamEvent = {
        type: 'reasoning',
        text: textOf(block.thinking),
        choice: 0,
        ...(signature !== undefined && { signature }),
      }
      return { event, member: 'thinking' }
    }
    case 'tool_use': {
      const id = wordOf(block.id)
      const name = wordOf(block.name)
      return {
        event: {
          type: 'tool_call',
          index: call,
          choice: 0,
          ...(id !== undefined && { id }),
          ...(name !== undefined && { name }),
          arguments: input ?? inputText(block.input),
        },
        member: 'input',
      }
    }
    case 'native':
      return { event: nativeBlock(block, index), member: '' }
  }
}

/** A block without neutral meaning, as the frame that would begin it. */
function nativeBlock(block: JsonObject, index: number): StreamEvent {
  return { type: 'native', event: 'content_block_start', data: jsonText({ type: 'content_block_start', index, content_block: block }) }
}

/** The JSON text of a tool's input; empty when there is none. Some compatible upstreams send a string (C07). */
function inputText(input: Json | undefined): string {
  if (typeof input === 'string') return input
  return objectOf(input) ? jsonText(input!) : ''
}
