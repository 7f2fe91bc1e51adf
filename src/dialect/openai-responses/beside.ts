/**
 * The calls beside Responses that are made by model and have no stream: compaction of a conversation, and the count of its tokens.
 *
 * Their requests and errors are those of Responses; replies pass as they are. A compaction is readable only to who made it, so that nothing is translated.
 */

import type { Dialect, WholeSummary } from '../codec.ts'
import { countOf, decodeText, type JsonObject, objectOf, parseJson, wordOf } from '../shape.ts'
import { errorIn } from '../upstream-error.ts'
import { responsesUsage } from './usage.ts'

/** The dialect of `/responses/compact`, made of the dialect of Responses. */
export function compactDialect(responses: Dialect): Dialect {
  const { request: _, ...rest } = responses
  return beside(rest, 'openai-responses-compact', (reply) => Array.isArray(reply.output), '{"object":"response.compaction","output":[]}')
}

/** The dialect of `/responses/input_tokens`. Its requests can be read, to estimate what no upstream counts. */
export function inputTokensDialect(responses: Dialect): Dialect {
  return beside(responses, 'openai-input-tokens', (reply) => countOf(reply.input_tokens) !== undefined, inputTokensReply(0))
}

/** The reply that says a count. */
export function inputTokensReply(tokens: number): string {
  return `{"object":"response.input_tokens","input_tokens":${tokens}}`
}

function beside(base: Dialect, name: string, isReply: (reply: JsonObject) => boolean, nothing: string): Dialect {
  return {
    ...base,
    name,
    interesting: (chunk, from) => (from < chunk.length ? from : -1),
    summary(body): WholeSummary {
      const value = parseJson(decodeText(body))
      const reply = objectOf(value)
      if (!reply || !isReply(reply)) {
        const error = value === undefined ? undefined : errorIn(value)
        return error ? { valid: false, error } : { valid: false }
      }
      return { valid: true, id: wordOf(reply.id), model: wordOf(reply.model), usage: responsesUsage(reply.usage) }
    },
    decodeWhole(body) {
      const data = decodeText(body)
      const reply = objectOf(parseJson(data))
      if (!reply || !isReply(reply)) return null
      return {
        events: [{ type: 'native', data }],
        apply(after) {
          const now = after[0]?.find((event) => event.type === 'native')
          return now?.type === 'native' && now.data !== data ? Buffer.from(now.data) : body
        },
      }
    },
    encodeWhole(events) {
      const native = events.find((event) => event.type === 'native')
      return native?.type === 'native' ? native.data : nothing
    },
  }
}
