/** Counting tokens of a Messages request: the same requests and errors, but the reply is `{input_tokens}`, which is no usage. */

import type { Dialect } from '../codec.ts'
import { nativeReplies } from '../native-reply.ts'
import { countOf } from '../shape.ts'

/** The dialect of `/v1/messages/count_tokens`, made of the dialect of Messages. */
export function countTokensDialect(messages: Dialect): Dialect {
  const replies = nativeReplies((reply) => countOf(reply.input_tokens) !== undefined, countReply(0))
  return { ...messages, ...replies, name: 'anthropic-count-tokens' }
}

/** The reply to a request for a count. */
export function countReply(tokens: number): string {
  return `{"input_tokens":${tokens}}`
}
