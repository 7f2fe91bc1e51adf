/** Values that stand where a text is due: tools answer in JSON, and some clients send the value itself instead of its text. */

import type { Json } from '../plugin/request.ts'
import type { JsonSource } from './json-source.ts'
import { jsonText } from './shape.ts'

/** The JSON text of an object, number or boolean at `path`, as it was sent; undefined for texts, lists, null and nothing. */
export function valueText(source: JsonSource, value: Json | undefined, path: readonly (string | number)[]): string | undefined {
  if (value === undefined || value === null || typeof value === 'string' || Array.isArray(value)) return undefined
  return source.raw(...path) ?? jsonText(value)
}

/** The same where the text as it was sent does not matter. */
export function plainValueText(value: Json | undefined): string | undefined {
  return value === undefined || value === null || typeof value === 'string' || Array.isArray(value) ? undefined : jsonText(value)
}
