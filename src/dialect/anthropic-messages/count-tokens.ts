/** Counting tokens of a Messages request: the same requests and errors, but the reply is `{input_tokens}`, which is no usage. */

import type { Dialect } from '../codec.ts'
import { countOf, decodeText, objectOf, parseJson } from '../shape.ts'
import { errorIn } from '../upstream-error.ts'

/** The dialect of `/v1/messages/count_tokens`, made of the dialect of Messages. */
export function countTokensDialect(messages: Dialect): Dialect {
  return {
    ...messages,
    name: 'anthropic-count-tokens',
    interesting: (chunk, from) => (from < chunk.length ? from : -1),
    summary(body) {
      const value = parseJson(decodeText(body))
      if (countOf(objectOf(value)?.input_tokens) !== undefined) return { valid: true }
      const error = value === undefined ? undefined : errorIn(value)
      return error ? { valid: false, error } : { valid: false }
    },
    decodeWhole(body) {
      const data = decodeText(body)
      if (countOf(objectOf(parseJson(data))?.input_tokens) === undefined) return null
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
      return native?.type === 'native' ? native.data : '{"input_tokens":0}'
    },
  }
}
