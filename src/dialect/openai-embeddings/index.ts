/**
 * The dialect of OpenAI's Embeddings, which many others speak, too. Requests and replies pass as they are: a vector asked for as
 * base64 stays base64 (H18). It can't be translated; replies are whole, and nothing of them but the usage means anything to the
 * gateway.
 */

import type { Usage } from '../../plugin/outcome.ts'
import type { Json, Part } from '../../plugin/request.ts'
import type { DecodedWhole, Dialect, WholeSummary } from '../codec.ts'
import { chatDecoder } from '../openai-chat/decode.ts'
import { chatEncoder } from '../openai-chat/encode.ts'
import { chatErrorFrames, openaiErrorBody } from '../openai-chat/errors.ts'
import { chatInteresting } from '../openai-chat/interesting.ts'
import { chatUsage } from '../openai-chat/usage.ts'
import { partCollector } from '../part-collector.ts'
import { decodeText, listOf, objectOf, parseJson, wordOf } from '../shape.ts'
import { errorIn, readUpstreamError } from '../upstream-error.ts'
import { readMembers } from '../whole-members.ts'

export const openaiEmbeddings: Dialect = {
  name: 'openai-embeddings',
  family: 'openai',
  parts: embeddingsParts,
  // there are no streams; should an upstream send one all the same, it is told as Chat tells it
  interesting: chatInteresting,
  terminal: 'end',
  decoder: chatDecoder,
  encoder: chatEncoder,
  summary: embeddingsSummary,
  decodeWhole: decodeEmbeddings,
  encodeWhole(events) {
    const native = events.find((event) => event.type === 'native')
    return native?.type === 'native' ? native.data : '{"object":"list","data":[]}'
  },
  errorBody: openaiErrorBody,
  errorFrames: chatErrorFrames,
  readError: readUpstreamError,
}

/** The texts to embed. Lists of tokens are no text. */
function embeddingsParts(body: Json): Part[] {
  const input = objectOf(body)?.input
  const parts = partCollector(() => false)
  if (typeof input === 'string') parts.add('user', input, '/input', 0)
  for (const [i, item] of listOf(input).entries()) if (typeof item === 'string') parts.add('user', item, `/input/${i}`, i)
  return parts.done()
}

/** Reads a large reply without decoding its vectors. */
function embeddingsSummary(body: Uint8Array): WholeSummary {
  const read = readMembers(body, ['id', 'model', 'usage', 'error'], { list: 'data', members: [] })
  const reply = read?.object
  if (!reply || !Array.isArray(reply.data)) {
    const error = read === undefined ? undefined : errorIn(read.value)
    return error ? { valid: false, error } : { valid: false }
  }
  return { valid: true, id: wordOf(reply.id), model: wordOf(reply.model), usage: embeddingsUsage(reply.usage) }
}

/** All tokens are input; some say only the total (Voyage). */
function embeddingsUsage(value: Json | undefined): Usage | undefined {
  const usage = objectOf(value)
  if (!usage) return undefined
  const counted = chatUsage({
    ...usage,
    prompt_tokens: usage.prompt_tokens ?? usage.total_tokens ?? null,
    completion_tokens: 0,
    total_tokens: 0,
  })
  return counted && { ...counted, raw: JSON.stringify(usage) }
}

/** One native event: the reply as it is. */
function decodeEmbeddings(body: Uint8Array): DecodedWhole | null {
  const data = decodeText(body)
  if (!Array.isArray(objectOf(parseJson(data))?.data)) return null
  return {
    events: [{ type: 'native', data }],
    apply(after) {
      const now = after[0]?.find((event) => event.type === 'native')
      return now?.type === 'native' && now.data !== data ? Buffer.from(now.data) : body
    },
  }
}
