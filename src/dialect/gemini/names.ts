/**
 * Names of members, which Google's APIs take in two spellings: `functionCall` and `function_call`; and numbers, which they take as strings too.
 *
 * Requests are read through these functions only, so that both spellings mean the same everywhere. Replies are always in camelCase.
 */

import type { Json } from '../../plugin/request.ts'
import type { JsonObject } from '../shape.ts'

/** Only names that stand in our own code get in here. */
const snakes = new Map<string, string>()

/** `functionCall` → `function_call`. */
function snakeName(camel: string): string {
  let snake = snakes.get(camel)
  if (snake === undefined) snakes.set(camel, (snake = camel.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)))
  return snake
}

/** `function_call` → `functionCall`. */
export function camelName(name: string): string {
  return name.includes('_') ? name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()) : name
}

/** The name under which a member stands, if it does. */
export function nameOf(object: JsonObject | undefined, camel: string): string | undefined {
  if (object === undefined) return undefined
  if (object[camel] !== undefined && object[camel] !== null) return camel
  const snake = snakeName(camel)
  return object[snake] !== undefined && object[snake] !== null ? snake : undefined
}

/** A number, which Google's JSON may write as a string; undefined for all else. */
export function numberOf(value: Json | undefined): number | undefined {
  if (typeof value === 'number') return value
  const read = typeof value === 'string' && /^-?\d+(\.\d+)?([eE][-+]?\d+)?$/.test(value) ? Number(value) : Number.NaN
  return Number.isFinite(read) ? read : undefined
}

/** A member in either spelling; null counts as absent. */
export function member(object: JsonObject | undefined, camel: string): Json | undefined {
  const name = nameOf(object, camel)
  return name === undefined ? undefined : object![name]
}
