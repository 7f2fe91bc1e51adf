/**
 * Careful reading of JSON of unknown shape: every reader gives a safe value instead of throwing.
 *
 * Replies and requests come from anybody. Codecs read them through these functions only, so that an odd shape is skipped
 * and never breaks an exchange.
 */

import type { Json } from '../plugin/request.ts'

export type JsonObject = { readonly [key: string]: Json }

/** The parsed value, or undefined when the text is not JSON. A BOM and surrounding white space are accepted (hazard A06). */
export function parseJson(text: string): Json | undefined {
  try {
    return JSON.parse(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text) as Json
  } catch {
    return undefined
  }
}

/** The value if it is an object that is not an array. */
export function objectOf(value: Json | undefined): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined
}

const nothing: readonly Json[] = []

/** The value if it is an array, else an empty one. */
export function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : nothing
}

/** The value if it is a string, else an empty one. */
export function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : ''
}

/** The value if it is a string that is not empty. */
export function wordOf(value: Json | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** A count of tokens: a whole number, 0 or more. Undefined for everything that is not a finite number. */
export function countOf(value: Json | undefined): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? Math.max(0, Math.round(value)) : undefined
}

/**
 * The tokens that one side of a reply states. Undefined for what no reply can have used: then its usage is not known, for a figure below 0 or of
 * billions is a mistake of the provider's, and neither free nor to be billed.
 */
export function tokensOf(value: Json | undefined): number | undefined {
  return typeof value === 'number' && value >= 0 && value <= mostTokens ? Math.round(value) : undefined
}

const mostTokens = 1e9

/** JSON text of a value; empty when it can't be written (nested too deep). */
export function jsonText(value: Json): string {
  try {
    return JSON.stringify(value)
  } catch {
    return ''
  }
}

const utf8 = new TextDecoder()

/** Bytes as text; a BOM at the start is dropped. */
export function decodeText(bytes: Uint8Array): string {
  return utf8.decode(bytes)
}
