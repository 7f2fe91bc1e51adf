/**
 * Whether a request forces the model to call a tool. Looked for outside of the messages only, without parsing: the little that stands there.
 */

import type { PromptUnit } from 'headgate/plugin'

const choice =
  /"tool_choice"\s*:\s*(?:"(?:required|any)"|\{\s*"type"\s*:\s*"(?:tool|any|function|custom|mcp)"|\{[^{}]{0,200}"mode"\s*:\s*"required")/
const mode = /"(?:functionCallingConfig|function_calling_config)"\s*:\s*\{[^{}]*"mode"\s*:\s*"ANY"/
const converse = /"toolChoice"\s*:\s*\{\s*"(?:any|tool)"/
const legacy = /"function_call"\s*:\s*\{\s*"name"/
const names = ['"tool_choice"', '"functionCallingConfig"', '"function_calling_config"', '"toolChoice"', '"function_call"']

export function forcesCall(bytes: Uint8Array, units: readonly PromptUnit[]): boolean {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  // what lies between is long, and text of others
  const inside = units.map(({ start, end }) => ({ start, end })).sort((a, b) => a.start - b.start)
  let from = 0
  for (const { start, end } of [...inside, { start: bytes.length, end: bytes.length }]) {
    // between two messages stands a comma
    if (start - from > 16 && saysSo(buffer.subarray(from, start))) return true
    from = Math.max(from, end)
  }
  return false
}

function saysSo(piece: Buffer): boolean {
  if (!names.some((name) => piece.includes(name))) return false
  const text = piece.toString('latin1')
  return choice.test(text) || mode.test(text) || converse.test(text) || legacy.test(text)
}
