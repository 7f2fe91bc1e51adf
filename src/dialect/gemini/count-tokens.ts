/** Counting tokens of a Gemini request: the same requests and errors, but the reply is `{totalTokens}`, which is no usage. */

import type { Dialect } from '../codec.ts'
import { countOf, decodeText, jsonText, objectOf, parseJson } from '../shape.ts'
import { errorIn } from '../upstream-error.ts'

/** The dialect of `:countTokens`, made of the dialect of `:generateContent`. */
export function countTokensDialect({ request: _, ...generate }: Dialect): Dialect {
  return {
    ...generate,
    name: 'gemini-count-tokens',
    interesting: (chunk, from) => (from < chunk.length ? from : -1),
    summary(body) {
      const value = parseJson(decodeText(body))
      if (countOf(objectOf(value)?.totalTokens) !== undefined) return { valid: true }
      const error = value === undefined ? undefined : errorIn(value)
      return error ? { valid: false, error } : { valid: false }
    },
    decodeWhole(body) {
      const data = decodeText(body)
      if (countOf(objectOf(parseJson(data))?.totalTokens) === undefined) return null
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
      return native?.type === 'native' ? native.data : countReply(0)
    },
  }
}

/** The reply to a request for a count. */
export function countReply(tokens: number): string {
  return jsonText({ totalTokens: tokens })
}
