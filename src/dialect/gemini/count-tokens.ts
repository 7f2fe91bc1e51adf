/** Counting tokens of a Gemini request: the same requests and errors, but the reply is `{totalTokens}`, which is no usage. */

import type { Dialect } from '../codec.ts'
import { type JsonSource, jsonSource } from '../json-source.ts'
import { countOf, decodeText, jsonText, objectOf, parseJson } from '../shape.ts'
import { errorIn } from '../upstream-error.ts'

/** The dialect of `:countTokens`, made of the dialect of `:generateContent`. */
export function countTokensDialect(generate: Dialect): Dialect {
  const { request } = generate
  return {
    ...generate,
    name: 'gemini-count-tokens',
    ...(request && { request: { ...request, read: (source, report) => request.read(countedRequest(source), report) } }),
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

/** The request that is counted: one may also come whole, in a member of its own. */
function countedRequest(source: JsonSource): JsonSource {
  const inner = source.raw('generateContentRequest') ?? source.raw('generate_content_request')
  return (inner !== undefined && jsonSource(Buffer.from(inner))) || source
}

/** The reply to a request for a count. */
export function countReply(tokens: number): string {
  return jsonText({ totalTokens: tokens })
}
