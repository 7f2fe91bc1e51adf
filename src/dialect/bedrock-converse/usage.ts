/**
 * Token usage of Bedrock Converse, to and from the neutral classes (PROTOCOL §0.6 and §1.5).
 *
 * `inputTokens` excludes cache reads and writes; `outputTokens` includes reasoning, which is not told apart. Writes have a lifetime (E05).
 */

import type { Usage } from '../../plugin/outcome.ts'
import { inputTokens, outputTokens } from '../../plugin/outcome.ts'
import type { Json } from '../../plugin/request.ts'
import { countOf, type JsonObject, jsonText, listOf, objectOf, tokensOf } from '../shape.ts'

/** Usage of a `usage` object; undefined when the value holds no token count. */
export function converseUsage(value: Json | undefined): Usage | undefined {
  const u = objectOf(value)
  if (!u) return undefined
  const input = tokensOf(u.inputTokens)
  const output = tokensOf(u.outputTokens)
  if (input === undefined && output === undefined) return undefined
  const written = countOf(u.cacheWriteInputTokens) ?? 0
  let cacheWrite5m = 0
  let cacheWrite1h = 0
  for (const item of listOf(u.cacheDetails)) {
    const detail = objectOf(item)
    const tokens = Math.min(countOf(detail?.inputTokens) ?? 0, written - cacheWrite5m - cacheWrite1h)
    if (detail?.ttl === '5m') cacheWrite5m += tokens
    else if (detail?.ttl === '1h') cacheWrite1h += tokens
  }
  return {
    source: input !== undefined && output !== undefined ? 'reported' : 'partial',
    inputUncached: input ?? 0,
    cacheRead: countOf(u.cacheReadInputTokens) ?? 0,
    cacheWrite5m,
    cacheWrite1h,
    cacheWriteOther: written - cacheWrite5m - cacheWrite1h,
    outputVisible: output ?? 0,
    reasoning: 0,
    inputAudio: 0,
    outputAudio: 0,
    raw: jsonText(u),
  }
}

/** The `usage` object of a usage. */
export function converseUsageObject(usage: Usage): JsonObject {
  const lifetimes = [
    { ttl: '5m', inputTokens: usage.cacheWrite5m },
    { ttl: '1h', inputTokens: usage.cacheWrite1h },
  ].filter((detail) => detail.inputTokens > 0)
  return {
    inputTokens: usage.inputUncached,
    outputTokens: outputTokens(usage),
    totalTokens: inputTokens(usage) + outputTokens(usage),
    cacheReadInputTokens: usage.cacheRead,
    cacheWriteInputTokens: usage.cacheWrite5m + usage.cacheWrite1h + usage.cacheWriteOther,
    ...(lifetimes.length > 0 && { cacheDetails: lifetimes }),
  }
}
