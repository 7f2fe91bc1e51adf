/**
 * Schemas for structured output, cut to what Anthropic's API takes.
 *
 * The API refuses schemas whose objects are open, and most constraints on values. As its own SDK does, objects are closed and what can't be said is told to
 * the model in the description. A schema that fits leaves as it came.
 */

import type { Json } from '../../plugin/request.ts'
import { RawJson, type Writable } from '../json-text.ts'
import { type JsonObject, jsonText, objectOf, parseJson } from '../shape.ts'

const kept = new Set(['type', 'description', 'title', 'enum', 'const', '$ref', 'required', 'default', 'additionalProperties', '$schema'])
const maps = new Set(['properties', '$defs', 'definitions'])
const lists = new Set(['anyOf', 'allOf', 'oneOf'])
const formats = new Set(['date-time', 'time', 'date', 'duration', 'email', 'hostname', 'uri', 'ipv4', 'ipv6', 'uuid'])

/** A schema as it may be sent; undefined when it is no object schema. Deep schemas that can't be walked leave as they came. */
export function outputSchema(text: string | undefined): RawJson | Writable {
  if (text === undefined) return undefined
  const schema = objectOf(parseJson(text))
  if (!schema) return undefined
  try {
    return fits(schema) ? new RawJson(text) : (closed(schema) as Writable)
  } catch {
    return new RawJson(text)
  }
}

function isObjectSchema(schema: JsonObject): boolean {
  return schema.type === 'object' || (schema.type === undefined && schema.properties !== undefined)
}

/** True for a member that may stay as it is; what it holds is looked at apart. */
function isSaid(name: string, value: Json | undefined): boolean {
  if (kept.has(name) || maps.has(name) || name === 'anyOf' || name === 'allOf' || name === 'items') return true
  if (name === 'format') return typeof value === 'string' && formats.has(value)
  return name === 'minItems' && (value === 0 || value === 1)
}

function fits(schema: JsonObject): boolean {
  if (isObjectSchema(schema) && schema.additionalProperties !== false) return false
  for (const name in schema) {
    const value = schema[name]
    if (!isSaid(name, value)) return false
    if (!inner(name, value).every(fits)) return false
  }
  return true
}

/** The schemas that a member holds. */
function inner(name: string, value: Json | undefined): JsonObject[] {
  const held = maps.has(name)
    ? Object.values(objectOf(value) ?? {})
    : lists.has(name) && Array.isArray(value)
      ? value
      : name === 'items'
        ? [value]
        : []
  return held.map((item) => objectOf(item)).filter((item) => item !== undefined)
}

function closed(value: Json | undefined): Json {
  const schema = objectOf(value)
  if (!schema) return value ?? null
  const out: Record<string, Json> = {}
  const unsaid: Record<string, Json> = {}
  for (const name in schema) {
    const member = schema[name]
    if (member === undefined) continue
    if (maps.has(name)) {
      out[name] = Object.fromEntries(Object.entries(objectOf(member) ?? {}).map(([key, held]) => [key, closed(held)]))
    } else if (lists.has(name) && Array.isArray(member)) out[name === 'oneOf' ? 'anyOf' : name] = member.map(closed)
    else if (name === 'items') out[name] = closed(member)
    else if (isSaid(name, member)) out[name] = member
    else unsaid[name] = member
  }
  if (isObjectSchema(schema)) {
    out.type = 'object'
    out.additionalProperties = false
  }
  const told = Object.keys(unsaid).length > 0 ? jsonText(unsaid) : ''
  if (told !== '') out.description = typeof out.description === 'string' ? `${out.description}\n\n${told}` : told
  return out
}
