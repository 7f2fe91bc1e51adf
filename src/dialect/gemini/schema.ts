/**
 * Google's schemas (an OpenAPI subset: `parameters`, `responseSchema`) as JSON Schema, which all other dialects speak.
 *
 * Types are in upper case there, null is a flag, and counts are strings. Property order is kept (I10). A schema that is JSON Schema already keeps its text.
 */

import type { Json } from '../../plugin/request.ts'
import { type JsonObject, jsonText, listOf, objectOf } from '../shape.ts'
import { camelName } from './names.ts'

const counts = new Set(['minItems', 'maxItems', 'minLength', 'maxLength', 'minProperties', 'maxProperties'])
const maxDepth = 100

/** The JSON text of a schema; `raw` is its text as it was sent. */
export function jsonSchemaText(schema: JsonObject, raw: string): string {
  return isGoogles(schema, 0) ? jsonText(converted(schema, 0)) : raw
}

/** True when something in it is spelled as only Google spells it. */
function isGoogles(value: Json, depth: number): boolean {
  if (depth > maxDepth) return false
  if (Array.isArray(value)) return value.some((item) => isGoogles(item, depth + 1))
  const schema = objectOf(value)
  if (!schema) return false
  const { type } = schema
  if (typeof type === 'string' && type !== type.toLowerCase()) return true
  if (schema.nullable === true || schema.propertyOrdering !== undefined || schema.property_ordering !== undefined) return true
  return Object.values(schema).some((inner) => isGoogles(inner, depth + 1))
}

function converted(schema: JsonObject, depth: number): JsonObject {
  if (depth > maxDepth) return {}
  const out: Record<string, Json> = {}
  const nullable = schema.nullable === true
  for (const key in schema) {
    const value = schema[key]!
    const name = camelName(key)
    if (name === 'nullable' || name === 'propertyOrdering') continue
    if (name === 'type') {
      const type = typeof value === 'string' ? value.toLowerCase() : value
      if (type === 'type_unspecified') continue
      out.type = nullable && typeof type === 'string' && type !== 'null' ? [type, 'null'] : type
    } else if (name === 'properties' || name === 'defs') {
      const members: Record<string, Json> = {}
      const given = objectOf(value)
      for (const property in given) members[property] = inner(given[property]!, depth)
      out[name] = members
    } else if (name === 'items' || name === 'additionalProperties') out[name] = inner(value, depth)
    else if (name === 'anyOf' || name === 'oneOf' || name === 'allOf' || name === 'prefixItems') {
      const list = listOf(value).map((item) => inner(item, depth))
      out[name] = nullable && name === 'anyOf' && schema.type === undefined ? [...list, { type: 'null' }] : list
    } else if (name === 'enum' && nullable) out.enum = [...listOf(value), null]
    else if (name === 'format' && value === 'enum') continue
    else if (name === 'example') out.examples = [value]
    else if (counts.has(name) && typeof value === 'string' && /^\d+$/.test(value)) out[name] = Number(value)
    else out[key.startsWith('$') ? key : name] = value
  }
  return out
}

function inner(value: Json, depth: number): Json {
  const schema = objectOf(value)
  return schema ? converted(schema, depth + 1) : value
}
