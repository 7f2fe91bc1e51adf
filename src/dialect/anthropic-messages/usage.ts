/**
 * Token usage of Anthropic Messages, to and from the neutral classes (PROTOCOL §0.6 and §1.5).
 *
 * `input_tokens` excludes cache reads and writes; `output_tokens` includes thinking. `message_delta` restates figures and wins over
 * `message_start`, member by member (E03). Cache writes have a lifetime (E05). The top figures are those of the model that was asked: other
 * `iterations`, such as a compaction or an adviser on another model, stand apart and become `extra` (E04).
 */

import type { ExtraUsage, Usage } from '../../plugin/outcome.ts'
import type { Json } from '../../plugin/request.ts'
import { countOf, type JsonObject, jsonText, listOf, objectOf, tokensOf, wordOf } from '../shape.ts'

/** Usage of a `usage` object; undefined when the value holds no token count. `final` is false for what `message_start` says. */
export function messagesUsage(value: Json | undefined, final: boolean): Usage | undefined {
  const u = objectOf(value)
  if (!u) return undefined
  const input = tokensOf(u.input_tokens)
  const output = tokensOf(u.output_tokens)
  if (input === undefined && output === undefined) return undefined
  const byLifetime = objectOf(u.cache_creation)
  const stated5m = countOf(byLifetime?.ephemeral_5m_input_tokens) ?? 0
  const stated1h = countOf(byLifetime?.ephemeral_1h_input_tokens) ?? 0
  const written = countOf(u.cache_creation_input_tokens) ?? stated5m + stated1h
  // A restated total wins over the split of an earlier frame.
  const cacheWrite1h = Math.min(stated1h, written)
  const cacheWrite5m = Math.min(stated5m, written - cacheWrite1h)
  const extra = extraUsage(u.iterations, final)
  const reasoning = Math.min(output ?? 0, countOf(objectOf(u.output_tokens_details)?.thinking_tokens) ?? 0)
  return {
    source: final && input !== undefined && output !== undefined ? 'reported' : 'partial',
    inputUncached: input ?? 0,
    cacheRead: countOf(u.cache_read_input_tokens) ?? 0,
    cacheWrite5m,
    cacheWrite1h,
    cacheWriteOther: written - cacheWrite5m - cacheWrite1h,
    outputVisible: (output ?? 0) - reasoning,
    reasoning,
    inputAudio: 0,
    outputAudio: 0,
    raw: jsonText(u),
    ...(extra.length > 0 && { extra }),
  }
}

/** Iterations of this kind are what the top figures add up (recorded traffic). */
const counted = 'message'
/** More than a reply has; what a body claims is bounded. */
const maxIterations = 100

/** The iterations that the top figures leave out. */
function extraUsage(value: Json | undefined, final: boolean): ExtraUsage[] {
  const extra: ExtraUsage[] = []
  for (const item of listOf(value).slice(0, maxIterations)) {
    const iteration = objectOf(item)
    const kind = wordOf(iteration?.type)
    if (!iteration || kind === undefined || kind === counted) continue
    const { iterations: _, ...own } = iteration
    const read = messagesUsage(own, final)
    if (!read) continue
    const { raw: __, ...usage } = read // it stands in the raw text of the whole
    const model = wordOf(iteration.model)
    extra.push({ kind, ...(model !== undefined && { model }), usage })
  }
  return extra
}

/** The members of an earlier usage object with those that a later one restates; a null restates nothing. */
export function mergeUsage(earlier: JsonObject | undefined, later: JsonObject | undefined): JsonObject {
  const merged: Record<string, Json> = { ...earlier }
  for (const name in later) {
    const value = later[name]
    if (value !== undefined && value !== null) merged[name] = value
  }
  return merged
}

/** The `usage` object of a usage. */
export function messagesUsageObject(usage: Usage): JsonObject {
  return {
    input_tokens: usage.inputUncached,
    cache_creation_input_tokens: usage.cacheWrite5m + usage.cacheWrite1h + usage.cacheWriteOther,
    cache_read_input_tokens: usage.cacheRead,
    cache_creation: { ephemeral_5m_input_tokens: usage.cacheWrite5m, ephemeral_1h_input_tokens: usage.cacheWrite1h },
    output_tokens: usage.outputVisible + usage.reasoning,
    ...(usage.reasoning > 0 && { output_tokens_details: { thinking_tokens: usage.reasoning } }),
    ...(usage.extra && { iterations: usage.extra.map(iterationObject) }),
  }
}

function iterationObject({ kind, model, usage }: ExtraUsage): JsonObject {
  return { type: kind, ...(model !== undefined && { model }), ...messagesUsageObject(usage) }
}

/** What a reply says whose usage nobody knows. */
export const noUsageObject: JsonObject = { input_tokens: 0, output_tokens: 0 }
