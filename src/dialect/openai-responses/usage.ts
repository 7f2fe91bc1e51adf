/**
 * Token usage of Responses, to and from the neutral classes (PROTOCOL §0.6 and §1.5).
 *
 * `input_tokens` includes cache reads and writes, `output_tokens` includes reasoning. Strict clients require both details objects. No class
 * is ever negative and the classes of a side add up to its total (E01, E06).
 */

import { inputTokens, outputTokens, type Usage } from '../../plugin/outcome.ts'
import type { Json } from '../../plugin/request.ts'
import { countOf, type JsonObject, jsonText, objectOf, tokensOf } from '../shape.ts'

/** Usage of a `usage` object; undefined when the value holds no token count. */
export function responsesUsage(value: Json | undefined): Usage | undefined {
  const u = objectOf(value)
  if (!u) return undefined
  const stated = { input: tokensOf(u.input_tokens), output: tokensOf(u.output_tokens), total: tokensOf(u.total_tokens) }
  if (stated.input === undefined && stated.output === undefined) return undefined
  const input = stated.input ?? Math.max(0, (stated.total ?? 0) - (stated.output ?? 0))
  const output = stated.output ?? Math.max(0, (stated.total ?? 0) - input)
  const details = objectOf(u.input_tokens_details) ?? {}
  const cacheRead = Math.min(input, countOf(details.cached_tokens) ?? 0)
  const cacheWriteOther = Math.min(input - cacheRead, countOf(details.cache_write_tokens) ?? 0)
  const reasoning = Math.min(output, countOf(objectOf(u.output_tokens_details)?.reasoning_tokens) ?? 0)
  return {
    source: stated.input === undefined || stated.output === undefined ? 'partial' : 'reported',
    inputUncached: input - cacheRead - cacheWriteOther,
    cacheRead,
    cacheWrite5m: 0,
    cacheWrite1h: 0,
    cacheWriteOther,
    outputVisible: output - reasoning,
    reasoning,
    inputAudio: 0,
    outputAudio: 0,
    raw: jsonText(u),
  }
}

/** The `usage` object of a usage. */
export function responsesUsageObject(usage: Usage): JsonObject {
  const input = inputTokens(usage)
  const output = outputTokens(usage)
  return {
    input_tokens: input,
    input_tokens_details: {
      cached_tokens: usage.cacheRead,
      cache_write_tokens: usage.cacheWrite5m + usage.cacheWrite1h + usage.cacheWriteOther,
    },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: usage.reasoning },
    total_tokens: input + output,
  }
}
