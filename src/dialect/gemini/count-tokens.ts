/** Counting tokens of a Gemini request: the same requests and errors, but the reply is `{totalTokens}`, which is no usage. */

import type { Dialect } from '../codec.ts'
import { type JsonSource, jsonSource } from '../json-source.ts'
import { nativeReplies } from '../native-reply.ts'
import { countOf, jsonText } from '../shape.ts'

/** The dialect of `:countTokens`, made of the dialect of `:generateContent`. */
export function countTokensDialect(generate: Dialect): Dialect {
  const { request } = generate
  return {
    ...generate,
    ...nativeReplies((reply) => countOf(reply.totalTokens) !== undefined, countReply(0)),
    name: 'gemini-count-tokens',
    ...(request && { request: { ...request, read: (source, report) => request.read(countedRequest(source), report) } }),
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
