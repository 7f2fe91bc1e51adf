/**
 * What a request says outside of its prompt: whether it forces the model to call a tool, and whether it goes on from something that a provider keeps. Looked for
 * without parsing, in the little that stands there.
 */

import type { PromptUnit } from 'headgate/plugin'

export interface Outside {
  /** The model has to call a tool. */
  readonly forced: boolean
  /** The provider has more of the conversation than stands here: results can't be counted, nor referred to by their number. */
  readonly continued: boolean
}

const choice =
  /"tool_choice"\s*:\s*(?:"(?:required|any)"|\{\s*"type"\s*:\s*"(?:tool|any|function|custom|mcp)"|\{[^{}]{0,200}"mode"\s*:\s*"required")/
const mode = /"(?:functionCallingConfig|function_calling_config)"\s*:\s*\{[^{}]*"mode"\s*:\s*"ANY"/
const converse = /"toolChoice"\s*:\s*\{\s*"(?:any|tool)"/
const legacy = /"function_call"\s*:\s*\{\s*"name"/
const kept = /"(?:previous_response_id|previous_message_id|cachedContent|cached_content)"\s*:\s*"|"conversation"\s*:\s*["{]/

const choices = ['"tool_choice"', '"functionCallingConfig"', '"function_calling_config"', '"toolChoice"', '"function_call"']
const keeps = ['"previous_response_id"', '"previous_message_id"', '"cachedContent"', '"cached_content"', '"conversation"']

/** More than clients write between and around the pieces of a prompt. */
const mostBytes = 64 * 1024

export function outsideOf(bytes: Uint8Array, units: readonly PromptUnit[]): Outside {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let forced = false
  let continued = false
  let left = mostBytes
  let from = 0
  const look = (to: number) => {
    // between two messages stands a comma
    if (to - from <= 16 || left <= 0) return
    const piece = buffer.subarray(from, Math.min(to, from + left))
    left -= piece.length
    const names = (list: readonly string[]) => list.some((name) => piece.includes(name))
    if (!forced && names(choices)) {
      const text = piece.toString('latin1')
      forced = choice.test(text) || mode.test(text) || converse.test(text) || legacy.test(text)
    }
    if (!continued && names(keeps)) continued = kept.test(piece.toString('latin1'))
  }
  // tools and system come first in the list, wherever they lie
  for (const { start, end } of inOrder(units)) {
    look(start)
    from = Math.max(from, end)
  }
  look(bytes.length)
  return { forced, continued }
}

function inOrder(units: readonly PromptUnit[]): readonly PromptUnit[] {
  for (let i = 1; i < units.length; i++) if (units[i]!.start < units[i - 1]!.start) return [...units].sort((a, b) => a.start - b.start)
  return units
}
