/** What replies to Chat clients have beyond OpenAI's own members, and what depends on the form of their request. */

import { type JsonObject, listOf } from '../shape.ts'

/** The member that carries the proof of a text or a call; Google's spelling, which its compatible endpoint and SDKs use (C18). */
export function thoughtExtra(signature: string): JsonObject {
  return { extra_content: { google: { thought_signature: signature } } }
}

/** True when a request names its tools in the way of old: its reply must have `function_call` instead of `tool_calls`. */
export function usesFunctions(request: JsonObject | undefined): boolean {
  return request !== undefined && listOf(request.functions).length > 0 && listOf(request.tools).length === 0
}
