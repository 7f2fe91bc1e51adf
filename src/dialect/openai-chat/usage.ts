/**
 * Token usage of Chat Completions, to and from the neutral classes (PROTOCOL §0.6 and §1.5).
 *
 * `prompt_tokens` includes cache reads and writes; `completion_tokens` includes reasoning, except at xAI and at Gemini's compatible
 * endpoint, where only the total tells (E07). No class is ever negative and the classes of a side add up to its total.
 */

import type { Usage } from '../../plugin/outcome.ts'
import { inputTokens, outputTokens } from '../../plugin/outcome.ts'
import type { Json } from '../../plugin/request.ts'
import { countOf, type JsonObject, jsonText, objectOf, tokensOf } from '../shape.ts'

/** Usage of a `usage` object; undefined when the value holds no token count. */
export function chatUsage(value: Json | undefined): Usage | undefined {
  const u = objectOf(value)
  if (!u) return undefined
  const prompt = tokensOf(u.prompt_tokens)
  const completion = tokensOf(u.completion_tokens)
  const total = tokensOf(u.total_tokens)
  if (prompt === undefined && completion === undefined) return undefined
  const input = prompt ?? Math.max(0, (total ?? 0) - (completion ?? 0))
  const stated = completion ?? 0
  const output = total !== undefined && total > input + stated ? total - input : stated

  const inputDetails = objectOf(u.prompt_tokens_details) ?? {}
  const outputDetails = objectOf(u.completion_tokens_details) ?? {}
  const cacheRead = Math.min(input, first(inputDetails, ['cached_tokens']) ?? first(u, cacheReadNames) ?? 0)
  const cacheWriteOther = Math.min(input - cacheRead, first(inputDetails, cacheWriteNames) ?? first(u, cacheWriteNames) ?? 0)
  const statedReasoning = countOf(outputDetails.reasoning_tokens) ?? countOf(u.reasoning_tokens) ?? 0
  // Tokens that only the total knows are thinking that nothing else names.
  const reasoning = Math.min(output, Math.max(statedReasoning, statedReasoning === 0 ? output - stated : 0))
  return {
    source: prompt === undefined || completion === undefined ? 'partial' : 'reported',
    inputUncached: input - cacheRead - cacheWriteOther,
    cacheRead,
    cacheWrite5m: 0,
    cacheWrite1h: 0,
    cacheWriteOther,
    outputVisible: output - reasoning,
    reasoning,
    inputAudio: Math.min(input, countOf(inputDetails.audio_tokens) ?? 0),
    outputAudio: Math.min(output, countOf(outputDetails.audio_tokens) ?? 0),
    raw: jsonText(u),
  }
}

/** The `usage` object of a usage. */
export function chatUsageObject(usage: Usage): JsonObject {
  const prompt = inputTokens(usage)
  const completion = outputTokens(usage)
  const written = usage.cacheWrite5m + usage.cacheWrite1h + usage.cacheWriteOther
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: {
      cached_tokens: usage.cacheRead,
      ...(written > 0 && { cache_write_tokens: written }),
      audio_tokens: usage.inputAudio,
    },
    completion_tokens_details: { reasoning_tokens: usage.reasoning, audio_tokens: usage.outputAudio },
  }
}

/** DeepSeek, Moonshot and others name cache hits beside the prompt tokens. */
const cacheReadNames = ['prompt_cache_hit_tokens', 'cached_tokens', 'num_cached_tokens', 'cache_read_input_tokens']
const cacheWriteNames = ['cache_write_tokens', 'cache_creation_tokens', 'cache_creation_input_tokens']

function first(object: JsonObject, names: readonly string[]): number | undefined {
  for (const name of names) {
    const n = countOf(object[name])
    if (n !== undefined) return n
  }
  return undefined
}
