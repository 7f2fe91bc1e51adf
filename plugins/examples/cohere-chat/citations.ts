/** Citations that have an address. Those of tool results and of documents without one mean something to Cohere's own clients only. */

import { type JsonObject, listOf, objectOf, wordOf } from 'headgate/dialect'
import type { CitationEvent } from 'headgate/plugin'

/** The event of a citation; undefined for one without an address. */
export function citationEvent(citation: JsonObject | undefined): CitationEvent | undefined {
  for (const item of listOf(citation?.sources)) {
    const document = objectOf(objectOf(item)?.document)
    const url = wordOf(document?.url)
    if (url === undefined) continue
    const title = wordOf(document?.title)
    const cited = wordOf(citation?.text)
    return { type: 'citation', choice: 0, url, ...(title !== undefined && { title }), ...(cited !== undefined && { cited }) }
  }
  return undefined
}
