/**
 * The content blocks that events add up to, for whole messages. Their order and form are those of a stream (`writer.ts`).
 */

import type { StreamEvent } from '../../plugin/events.ts'
import { legalCallId } from '../call-ids.ts'
import { rawObject, type Writable } from '../json-text.ts'
import { isTagged, unsigned } from '../proof.ts'
import { type Piece, reduceEvents } from '../reduce.ts'
import { type JsonObject, objectOf, parseJson } from '../shape.ts'
import { brokenArguments } from './write-content.ts'

/** True for a thought that shows nothing but a proof. Anthropic's own may be empty too, and stay what they are. */
export function isHidden(text: string, signature: string, redacted = false): boolean {
  return redacted || (text === '' && isTagged(signature))
}

/** @param prefix for the ids of calls that have none */
export function blocksOf(events: readonly StreamEvent[], prefix: string): Writable[] {
  const blocks: Writable[] = []
  for (const piece of reduceEvents(events).choices[0]?.pieces ?? []) addBlocks(blocks, piece, prefix)
  return blocks
}

function addBlocks(blocks: Writable[], piece: Piece, prefix: string): void {
  switch (piece.type) {
    case 'text':
      if (piece.text !== '') blocks.push({ type: 'text', text: piece.text })
      if (piece.signature !== undefined) blocks.push({ type: 'redacted_thinking', data: piece.signature })
      break
    case 'reasoning':
      if (piece.signature !== undefined && isHidden(piece.text, piece.signature, piece.redacted))
        blocks.push({ type: 'redacted_thinking', data: piece.signature })
      else if (piece.text !== '' || piece.signature !== undefined)
        blocks.push({ type: 'thinking', thinking: piece.text, signature: piece.signature ?? unsigned })
      break
    case 'tool_call': {
      if (piece.signature !== undefined) blocks.push({ type: 'thinking', thinking: '', signature: piece.signature })
      const id = legalCallId(piece.id ?? `toolu_${prefix}_${blocks.length}`, 'word')
      const input: Writable = rawObject(piece.arguments) ?? { [brokenArguments]: piece.arguments }
      blocks.push({ type: 'tool_use', id, name: piece.name ?? '', input })
      break
    }
    case 'native':
      if (piece.native.event === 'content_block_start') {
        const block = objectOf(objectOf(parseJson(piece.native.data))?.content_block)
        if (block && !isEmpty(block)) blocks.push(block)
      }
  }
}

/** A text or thinking block that a stream began empty: its content comes as events of its own. */
function isEmpty(block: JsonObject): boolean {
  return (block.type === 'text' && !block.text) || (block.type === 'thinking' && !block.thinking)
}
