/**
 * Whole replies that pass as they are: one native event, which a plugin may replace.
 *
 * For calls that are made by model and answer with no words of it: counts of tokens, compactions. There are no streams of them.
 */

import type { DecodedWhole, Dialect, WholeSummary } from './codec.ts'
import { decodeText, type JsonObject, objectOf, parseJson } from './shape.ts'
import { notAReply } from './upstream-error.ts'

/** What a dialect does with replies of that kind. */
export type NativeReplies = Pick<Dialect, 'interesting' | 'summary' | 'decodeWhole' | 'encodeWhole'>

/**
 * @param isReply true for a reply of the dialect
 * @param nothing a reply where a plugin left none
 * @param tell what the record needs of a reply besides
 */
export function nativeReplies(
  isReply: (reply: JsonObject) => boolean,
  nothing: string,
  tell?: (reply: JsonObject) => Omit<WholeSummary, 'valid'>,
): NativeReplies {
  return {
    interesting: (chunk, from) => (from < chunk.length ? from : -1),
    summary(body) {
      const value = parseJson(decodeText(body))
      const reply = objectOf(value)
      return reply && isReply(reply) ? { valid: true, ...tell?.(reply) } : notAReply(value)
    },
    decodeWhole(body) {
      const data = decodeText(body)
      const reply = objectOf(parseJson(data))
      return reply && isReply(reply) ? nativeWhole(body, data) : null
    },
    encodeWhole(events) {
      const native = events.find((event) => event.type === 'native')
      return native?.type === 'native' ? native.data : nothing
    },
  }
}

/** One native event: the reply as it is. */
export function nativeWhole(body: Uint8Array, data: string): DecodedWhole {
  return {
    events: [{ type: 'native', data }],
    apply(after) {
      const now = after[0]?.find((event) => event.type === 'native')
      return now?.type === 'native' && now.data !== data ? Buffer.from(now.data) : body
    },
  }
}
