/**
 * `groundingMetadata` to citation events and back.
 *
 * Only sources with an address can be told in other dialects. Offsets are counted in bytes of the answer's text and are worked out anew from the
 * cited words (PROTOCOL §1.1 "Citations").
 */

import type { CitationEvent } from '../../plugin/events.ts'
import type { Json } from '../../plugin/request.ts'
import { type JsonObject, listOf, objectOf, wordOf } from '../shape.ts'

/** The citations of a candidate: one for each source of each cited passage, then sources that no passage names. */
export function citationsOf(grounding: Json | undefined, choice: number): CitationEvent[] {
  const body = objectOf(grounding)
  const sources = listOf(body?.groundingChunks).map((item) => {
    const chunk = objectOf(item)
    return objectOf(chunk?.web) ?? objectOf(chunk?.maps) ?? objectOf(chunk?.retrievedContext)
  })
  const events: CitationEvent[] = []
  const told = new Set<number>()
  const tell = (index: number, cited: string | undefined): void => {
    const source = sources[index]
    const url = wordOf(source?.uri)
    if (!source || url === undefined) return
    told.add(index)
    const title = wordOf(source.title)
    events.push({ type: 'citation', choice, url, ...(title !== undefined && { title }), ...(cited !== undefined && { cited }) })
  }
  for (const item of listOf(body?.groundingSupports)) {
    const support = objectOf(item)
    const cited = wordOf(objectOf(support?.segment)?.text)
    for (const index of listOf(support?.groundingChunkIndices)) if (typeof index === 'number') tell(index, cited)
  }
  for (const index of sources.keys()) if (!told.has(index)) tell(index, undefined)
  return events
}

/** The `groundingMetadata` of citations. `text` is the answer that they belong to. */
export function groundingOf(citations: readonly CitationEvent[], text: string): JsonObject {
  const chunks: JsonObject[] = []
  const indices = new Map<string, number>()
  const supports = new Map<string, number[]>()
  for (const { url, title, cited } of citations) {
    let index = indices.get(url)
    if (index === undefined) {
      indices.set(url, (index = chunks.length))
      chunks.push({ web: { uri: url, ...(title !== undefined && { title }) } })
    }
    if (cited === undefined) continue
    const list = supports.get(cited)
    if (!list) supports.set(cited, [index])
    else if (!list.includes(index)) list.push(index)
  }
  return {
    groundingChunks: chunks,
    ...(supports.size > 0 && {
      groundingSupports: [...supports].map(([cited, groundingChunkIndices]) => ({ segment: segment(cited, text), groundingChunkIndices })),
    }),
  }
}

function segment(cited: string, text: string): JsonObject {
  const at = text.indexOf(cited)
  if (at === -1) return { text: cited }
  const startIndex = Buffer.byteLength(text.slice(0, at))
  return { ...(startIndex > 0 && { startIndex }), endIndex: startIndex + Buffer.byteLength(cited), text: cited }
}
