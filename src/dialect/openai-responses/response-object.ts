/**
 * The response object that a synthesised reply carries in its first and last frames, or is when it is whole.
 *
 * Strict clients want all of it: what the request asked for is repeated, with the API's defaults where it asked for nothing.
 */

import type { UsageEvent } from '../../plugin/events.ts'
import type { Usage } from '../../plugin/outcome.ts'
import type { Json } from '../../plugin/request.ts'
import type { ReplyIdentity } from '../codec.ts'
import { type JsonObject, objectOf } from '../shape.ts'
import { withExtra } from '../usage-edits.ts'
import { responsesUsageObject } from './usage.ts'

/** What changes while a reply goes on. */
export interface ResponseState {
  readonly id: string
  readonly model: string
  readonly created: number
  readonly status: 'in_progress' | 'completed' | 'incomplete' | 'failed'
  readonly output: readonly Json[]
  readonly usage?: Usage | undefined
  /** What plugins added to it. */
  readonly usageExtra?: UsageEvent['extra']
  /** Why it is incomplete. */
  readonly reason?: string | undefined
  readonly error?: { readonly code: string; readonly message: string } | undefined
}

/** Makes the response objects of one reply. */
export function responseObjects(head: ReplyIdentity): (state: ResponseState) => JsonObject {
  let echo: JsonObject | undefined
  return (state) => {
    echo ??= echoOf(head.request ?? {})
    const { usage, usageExtra } = state
    const counted = usage && usage.source !== 'unknown' ? withExtra(responsesUsageObject(usage), usageExtra) : undefined
    return {
      id: state.id,
      object: 'response',
      created_at: state.created,
      status: state.status,
      background: false,
      error: state.error ? { code: state.error.code, message: state.error.message } : null,
      incomplete_details: state.reason === undefined ? null : { reason: state.reason },
      model: state.model,
      output: [...state.output],
      ...echo,
      usage: counted ?? (state.status === 'in_progress' ? null : noUsage),
    }
  }
}

const noUsage: JsonObject = {
  input_tokens: 0,
  input_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 },
  output_tokens: 0,
  output_tokens_details: { reasoning_tokens: 0 },
  total_tokens: 0,
}

/** Members that repeat the request. The reply is not stored here, whatever was asked. */
function echoOf(request: JsonObject): JsonObject {
  const reasoning = objectOf(request.reasoning)
  return {
    instructions: request.instructions ?? null,
    max_output_tokens: request.max_output_tokens ?? null,
    max_tool_calls: request.max_tool_calls ?? null,
    metadata: request.metadata ?? {},
    parallel_tool_calls: request.parallel_tool_calls ?? true,
    previous_response_id: null,
    prompt_cache_key: request.prompt_cache_key ?? null,
    reasoning: { effort: reasoning?.effort ?? null, summary: reasoning?.summary ?? null },
    safety_identifier: request.safety_identifier ?? null,
    service_tier: null,
    store: false,
    temperature: request.temperature ?? 1,
    text: { format: { type: 'text' }, ...objectOf(request.text) },
    tool_choice: request.tool_choice ?? 'auto',
    tools: request.tools ?? [],
    top_logprobs: request.top_logprobs ?? 0,
    top_p: request.top_p ?? 1,
    truncation: 'disabled',
    user: request.user ?? null,
  }
}
