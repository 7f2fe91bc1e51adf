/**
 * Token usage of Gemini, to and from the neutral classes (PROTOCOL §0.6 and §1.5).
 *
 * `promptTokenCount` includes cached content; what tools read (`toolUsePromptTokenCount`) and thoughts (E08) stand apart, and the total is the sum
 * of all four. The figures are repeated, cumulative, in each chunk: the last ones count and nothing is added up (E09).
 */

import type { Usage } from '../../plugin/outcome.ts'
import { inputTokens } from '../../plugin/outcome.ts'
import type { Json } from '../../plugin/request.ts'
import { countOf, type JsonObject, jsonText, listOf, objectOf, tokensOf } from '../shape.ts'

/** Usage of a `usageMetadata`; undefined when it holds no token count. `final` is false before a stop reason was seen. */
export function geminiUsage(value: Json | undefined, final: boolean): Usage | undefined {
  const u = objectOf(value)
  if (!u) return undefined
  const prompt = tokensOf(u.promptTokenCount)
  const candidates = tokensOf(u.candidatesTokenCount)
  const total = tokensOf(u.totalTokenCount)
  if (prompt === undefined && candidates === undefined && total === undefined) return undefined
  const reasoning = countOf(u.thoughtsTokenCount) ?? 0
  const tools = countOf(u.toolUsePromptTokenCount) ?? 0
  const known = (prompt ?? 0) + tools + reasoning
  const outputVisible = candidates ?? Math.max(0, (total ?? 0) - known)
  const cacheRead = Math.min(prompt ?? 0, countOf(u.cachedContentTokenCount) ?? 0)
  const input = (prompt ?? 0) + tools
  return {
    source: final && prompt !== undefined ? 'reported' : 'partial',
    inputUncached: input - cacheRead,
    cacheRead,
    cacheWrite5m: 0,
    cacheWrite1h: 0,
    cacheWriteOther: 0,
    outputVisible,
    reasoning,
    inputAudio: Math.min(input, audio(u.promptTokensDetails)),
    outputAudio: Math.min(outputVisible, audio(u.candidatesTokensDetails)),
    raw: jsonText(u),
  }
}

function audio(details: Json | undefined): number {
  let sum = 0
  for (const item of listOf(details)) {
    const detail = objectOf(item)
    if (detail?.modality === 'AUDIO') sum += countOf(detail.tokenCount) ?? 0
  }
  return sum
}

/** The `usageMetadata` of a usage. */
export function geminiUsageObject(usage: Usage): JsonObject {
  const prompt = inputTokens(usage)
  return {
    promptTokenCount: prompt,
    ...(usage.cacheRead > 0 && { cachedContentTokenCount: usage.cacheRead }),
    candidatesTokenCount: usage.outputVisible,
    ...(usage.reasoning > 0 && { thoughtsTokenCount: usage.reasoning }),
    totalTokenCount: prompt + usage.outputVisible + usage.reasoning,
    ...(usage.inputAudio > 0 && { promptTokensDetails: [{ modality: 'AUDIO', tokenCount: usage.inputAudio }] }),
    ...(usage.outputAudio > 0 && { candidatesTokensDetails: [{ modality: 'AUDIO', tokenCount: usage.outputAudio }] }),
  }
}
