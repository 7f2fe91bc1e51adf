/**
 * The content blocks of Converse as events and back. A block is an object with one member, which is its kind.
 *
 * Used for whole replies and for the frames of a stream, which carry the same pieces.
 */

import type { CitationEvent, StreamEvent } from '../../plugin/events.ts'
import { rawObject, type Writable } from '../json-text.ts'
import type { Piece } from '../reduce.ts'
import { type JsonObject, jsonText, listOf, objectOf, textOf, wordOf } from '../shape.ts'

/** The key under which arguments stand that are no JSON object. */
export const brokenArguments = '_raw'

/** A tool that the provider runs itself: its calls are not for the client. */
export function isHosted(toolUse: JsonObject | undefined): boolean {
  return toolUse?.type !== undefined && toolUse.type !== 'tool_use'
}

/** `reasoningContent` of a block (nested) or of a delta (flat). */
export function reasoningEvent(content: JsonObject): StreamEvent {
  const inner = objectOf(content.reasoningText) ?? content
  const hidden = wordOf(content.redactedContent)
  if (hidden !== undefined) return { type: 'reasoning', text: '', choice: 0, signature: hidden, redacted: true }
  const signature = wordOf(inner.signature)
  return { type: 'reasoning', text: textOf(inner.text), choice: 0, ...(signature !== undefined && { signature }) }
}

/** A citation that has an address; undefined for a place in a document. */
export function citationEvent(citation: JsonObject): CitationEvent | undefined {
  const url = wordOf(objectOf(objectOf(citation.location)?.web)?.url)
  if (url === undefined) return undefined
  const title = wordOf(citation.title)
  const cited = listOf(citation.sourceContent)
    .map((item) => textOf(objectOf(item)?.text))
    .join('')
  return { type: 'citation', choice: 0, url, ...(title !== undefined && { title }), ...(cited !== '' && { cited }) }
}

/** The events of a block of a whole reply. `input` is the text of a tool's input as it was sent. */
export function blockEvents(block: JsonObject, call: number, input: string | undefined): StreamEvent[] {
  if (typeof block.text === 'string') return block.text === '' ? [] : [{ type: 'text', text: block.text, choice: 0 }]
  const toolUse = objectOf(block.toolUse)
  if (toolUse && !isHosted(toolUse)) {
    const id = wordOf(toolUse.toolUseId)
    const name = wordOf(toolUse.name)
    return [
      {
        type: 'tool_call',
        index: call,
        choice: 0,
        ...(id !== undefined && { id }),
        ...(name !== undefined && { name }),
        arguments: input ?? '',
      },
    ]
  }
  const reasoning = objectOf(block.reasoningContent)
  if (reasoning) return [reasoningEvent(reasoning)]
  const image = objectOf(block.image)
  const data = wordOf(objectOf(image?.source)?.bytes)
  if (data !== undefined) return [{ type: 'media', choice: 0, mime: `image/${textOf(image?.format) || 'png'}`, data }]
  const cited = objectOf(block.citationsContent)
  if (cited) {
    const text = listOf(cited.content)
      .map((item) => textOf(objectOf(item)?.text))
      .join('')
    const citations = listOf(cited.citations).flatMap((item) => {
      const citation = objectOf(item)
      return (citation && citationEvent(citation)) ?? []
    })
    return [{ type: 'text', text, choice: 0 }, ...citations]
  }
  return [{ type: 'native', event: 'contentBlock', data: jsonText(block) }]
}

/** The block of a piece of a reply; undefined for what has no place in one. */
export function pieceBlock(piece: Piece): Writable {
  switch (piece.type) {
    case 'text':
      return { text: piece.text }
    case 'reasoning':
      return { reasoningContent: thought(piece.text, piece.signature, piece.redacted) }
    case 'tool_call': {
      const input = rawObject(piece.arguments) ?? { [brokenArguments]: piece.arguments }
      return { toolUse: { toolUseId: piece.id ?? `tooluse_${piece.index}`, name: piece.name ?? '', input } }
    }
    case 'media':
      return { image: { format: piece.media.mime.replace(/^image\//, ''), source: { bytes: piece.media.data } } }
    default:
      return undefined
  }
}

/** The inside of a `reasoningContent`. */
export function thought(text: string, signature: string | undefined, redacted: boolean): Writable {
  return redacted ? { redactedContent: signature } : { reasoningText: { text, signature } }
}
