/**
 * Whether a schema may be sent as a strict one to OpenAI's APIs and those made like them.
 *
 * In strict mode they refuse the whole request unless every object is closed and every property required. Clients of other APIs know nothing of that: theirs
 * mean by `strict` that the schema is kept, or say it by asking for a schema at all. What is doubtful does not fit, for without the word the request is
 * answered.
 */

import type { Json } from '../plugin/request.ts'
import type { Conversation, OutputFormat, Tool } from './conversation.ts'
import type { LossReport } from './loss.ts'
import { type JsonObject, listOf, objectOf, parseJson } from './shape.ts'

/** Keywords that strict mode takes; what schemas they hold is looked at apart. */
const taken = new Set([
  '$schema',
  'type',
  'title',
  'description',
  'enum',
  'const',
  'required',
  'additionalProperties',
  'properties',
  '$defs',
  'definitions',
  'items',
  'anyOf',
  '$ref',
  'pattern',
  'multipleOf',
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'minItems',
  'maxItems',
])
const formats = new Set(['date-time', 'time', 'date', 'duration', 'email', 'hostname', 'ipv4', 'ipv6', 'uuid'])
/** Deeper ones are not walked. */
const maxDepth = 100

/** What to say of a tool's strictness: what a client of OpenAI's said, else true only where the schema fits, and a loss is told. */
export function toolStrictness({ schema, strict, field }: Tool, { source }: Conversation, report: LossReport): boolean | undefined {
  if (strict !== true || source.startsWith('openai-') || fitsStrict(schema)) return strict
  report.drop(`${field}.strict`)
  return false
}

/** The same of the schema for the whole output. @param name the client's name of the field that asks for it */
export function formatStrictness(
  { schema, strict }: OutputFormat,
  { source }: Conversation,
  name: string,
  report: LossReport,
): boolean | undefined {
  if (strict !== true || source.startsWith('openai-') || fitsStrict(schema)) return strict
  const type = objectOf(parseJson(schema ?? ''))?.type
  if (type !== undefined && type !== 'object') {
    // refused there, strict or not, in words about a body that the client did not write
    report.refuse(name, `The model that was asked for answers in objects only: in "${name}", make what you ask for a property of one.`)
  } else report.drop(name)
  return false
}

/** True when strict mode takes the JSON text of a schema. */
export function fitsStrict(text: string | undefined): boolean {
  const schema = objectOf(parseJson(text ?? ''))
  return schema !== undefined && schema.type === 'object' && schema.anyOf === undefined && fits(schema, 0)
}

function fits(value: Json | undefined, depth: number): boolean {
  const schema = objectOf(value)
  if (!schema || depth > maxDepth) return false
  for (const name in schema) {
    if (!taken.has(name) && !(name === 'format' && formats.has(String(schema.format)))) return false
  }
  const all = (schemas: readonly Json[]): boolean => schemas.every((one) => fits(one, depth + 1))
  const { type, $ref, anyOf, items } = schema
  // a reference stands alone, but for what it refers to
  if ($ref !== undefined && !Object.keys(schema).every((name) => name === '$ref' || name === '$defs' || name === 'definitions'))
    return false
  if (type === undefined && $ref === undefined && anyOf === undefined) return false
  const types = typeof type === 'string' ? [type] : listOf(type)
  if ((types.includes('object') || schema.properties !== undefined) && !isClosed(schema)) return false
  if (types.includes('array') && items === undefined) return false
  return (
    all(Object.values(objectOf(schema.properties) ?? {})) &&
    all(Object.values(objectOf(schema.$defs) ?? {})) &&
    all(Object.values(objectOf(schema.definitions) ?? {})) &&
    (anyOf === undefined || (Array.isArray(anyOf) && all(anyOf))) &&
    (items === undefined || fits(items, depth + 1))
  )
}

/** An object of which all properties, and no others, are there. */
function isClosed({ properties, required, additionalProperties }: JsonObject): boolean {
  const names = Object.keys(objectOf(properties) ?? {})
  const wanted = new Set(listOf(required))
  return (
    additionalProperties === false && properties !== undefined && wanted.size === names.length && names.every((name) => wanted.has(name))
  )
}
