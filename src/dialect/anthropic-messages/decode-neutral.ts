/**
 * Messages replies for other dialects: natives that have a neutral word get it, frames that only give the stream its shape give nothing.
 *
 * Hidden thoughts keep their proof (D01), citations with a URL become events, and what the provider's own tools did stays native: no other dialect can
 * show it, and the text says what came of it.
 */

import type { CitationEvent, NativeEvent, StreamEvent } from '../../plugin/events.ts'
import type { Json } from '../../plugin/request.ts'
import type { StreamDecoder } from '../codec.ts'
import { type JsonObject, listOf, objectOf, parseJson, textOf, wordOf } from '../shape.ts'

/** A decoder of neutral events over one of native ones. */
export function neutralDecoder(native: StreamDecoder): StreamDecoder {
  return {
    decode(frame) {
      const events = native.decode(frame)
      if (!events.some((event) => event.type === 'native' || (event.type === 'stop' && event.reason === 'filter'))) return events
      return events.flatMap((event) => {
        if (event.type === 'native') return neutralNative(event)
        if (event.type !== 'stop' || event.reason !== 'filter') return [event]
        const body = objectOf(parseJson(frame.data))
        return [...refusalOf(objectOf(body?.delta) ?? objectOf(body?.message)), event]
      })
    },
  }
}

/** What a native event of a reply means to others. */
export function neutralNative(native: NativeEvent): readonly StreamEvent[] {
  const body = objectOf(parseJson(native.data))
  switch (body?.type) {
    case 'content_block_start': {
      const block = objectOf(body.content_block)
      if (block?.type === 'redacted_thinking')
        return [{ type: 'reasoning', text: '', choice: 0, signature: textOf(block.data), redacted: true }]
      if (block?.type === 'text') return citationsOf(block)
      return block?.type === 'thinking' ? [] : [native]
    }
    case 'content_block_delta': {
      const delta = objectOf(body.delta)
      return delta?.type === 'citations_delta' ? citation(delta.citation) : [native]
    }
    case 'content_block_stop':
    case 'message_delta':
      return []
    default:
      return [native]
  }
}

/** The citations of a text block that others can show. */
export function citationsOf(block: JsonObject): CitationEvent[] {
  return listOf(block.citations).flatMap(citation)
}

/** Places in documents have no address that another dialect could show. */
function citation(value: Json | undefined): CitationEvent[] {
  const cited = objectOf(value)
  const url = wordOf(cited?.url) ?? wordOf(cited?.source)
  if (!cited || url === undefined || !/^https?:/.test(url)) return []
  const title = wordOf(cited.title)
  const words = wordOf(cited.cited_text)
  return [{ type: 'citation', choice: 0, url, ...(title !== undefined && { title }), ...(words !== undefined && { cited: words }) }]
}

/** The provider's own words about a refusal, out of whatever holds the stop reason. */
export function refusalOf(holder: JsonObject | undefined): StreamEvent[] {
  const words = wordOf(objectOf(holder?.stop_details)?.explanation)
  return words === undefined ? [] : [{ type: 'text', text: words, choice: 0, refusal: true }]
}
