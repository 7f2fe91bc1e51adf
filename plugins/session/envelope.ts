/**
 * A request body without its prompt: the few members that stand around it.
 *
 * Names of sessions stand in small members beside the conversation. Cutting the conversation out first makes looking at them cheap, however long
 * it is. What comes out is hostile input: any JSON object, or nothing. Pure.
 */

import type { PromptUnit } from 'headgate/plugin'

/** An envelope larger than this is not looked at: it holds something else than options. */
const largest = 262_144
const utf8 = new TextDecoder()

export type Envelope = Readonly<Record<string, unknown>>

/** The members of a body, with `0` in the place of tools, system and messages; empty when it can't be read. */
export function envelopeOf(bytes: Uint8Array, units: readonly PromptUnit[]): Envelope {
  if (units.length === 0 && bytes.length > largest) return {}
  const holes: { start: number; end: number }[] = []
  let messages: { start: number; end: number } | undefined
  for (const { kind, start, end } of units) {
    if (kind !== 'message') holes.push({ start, end })
    // one hole for all: what stands between them is commas
    else if (messages) messages.end = end
    else {
      messages = { start, end }
      holes.push(messages)
    }
  }
  holes.sort((a, b) => a.start - b.start)
  let size = bytes.length
  for (const { start, end } of holes) size -= end - start
  if (size > largest) return {}
  let text = ''
  let at = 0
  for (const { start, end } of holes) {
    text += `${utf8.decode(bytes.subarray(at, start))}0`
    at = end
  }
  text += utf8.decode(bytes.subarray(at))
  try {
    const value: unknown = JSON.parse(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Envelope) : {}
  } catch {
    return {} // a large body is not checked before it is forwarded
  }
}
