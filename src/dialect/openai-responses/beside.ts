/**
 * The calls beside Responses that are made by model and have no stream: compaction of a conversation, and the count of its tokens.
 *
 * Their requests and errors are those of Responses; replies pass as they are. A compaction is readable only to who made it, so that nothing is translated.
 */

import type { Dialect } from '../codec.ts'
import { nativeReplies } from '../native-reply.ts'
import { countOf, type JsonObject, wordOf } from '../shape.ts'
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
  const told = (reply: JsonObject) => ({ id: wordOf(reply.id), model: wordOf(reply.model), usage: responsesUsage(reply.usage) })
  return { ...base, ...nativeReplies(isReply, nothing, told), name }
}
