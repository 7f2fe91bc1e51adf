/**
 * An example value for a JSON Schema: what the demo model "decides" to pass to a tool.
 *
 * Owns the choice of plausible values. Fills required properties only, follows local `$ref`s, stops at a fixed depth, and
 * never throws: for a schema it does not understand it gives a string.
 */

import { type Fields, fields, isFields, list, text } from './fields.ts'

const maxDepth = 8

/** Values that make sense for well-known argument names; the first name that is contained wins. */
const byName: readonly (readonly [part: string, value: string])[] = [
  ['city', 'Paris'],
  ['location', 'Paris'],
  ['country', 'France'],
  ['url', 'https://example.com/'],
  ['email', 'ada@example.com'],
  ['path', '/tmp/example.txt'],
  ['file', 'example.txt'],
  ['command', 'echo hello'],
  ['query', 'hello world'],
  ['date', '2026-01-31'],
  ['unit', 'celsius'],
  ['name', 'Ada'],
]

const byFormat: Readonly<Record<string, string>> = {
  date: '2026-01-31',
  time: '12:00:00Z',
  'date-time': '2026-01-31T12:00:00Z',
  email: 'ada@example.com',
  uri: 'https://example.com/',
  uuid: '00000000-0000-4000-8000-000000000000',
  ipv4: '192.0.2.1',
  ipv6: '2001:db8::1',
}

/** A value that fits `schema`; `name` is the property it is for and steers the choice of strings. */
export function exampleOf(schema: unknown, name = ''): unknown {
  return example(schema, name, fields(schema), 0)
}

/** Like {@link exampleOf}, for the arguments of a tool: always an object. */
export function exampleArguments(schema: unknown): Fields {
  const value = exampleOf(isFields(schema) ? { type: 'object', ...schema } : { type: 'object' })
  return fields(value)
}

function example(schema: unknown, name: string, root: Fields, depth: number): unknown {
  if (!isFields(schema) || depth > maxDepth) return 'example'
  if ('const' in schema) return schema.const
  if ('default' in schema) return schema.default
  const given = list(schema.examples)
  if (given.length > 0) return given[0]
  const allowed = list(schema.enum)
  if (allowed.length > 0) return allowed[0]

  const ref = text(schema.$ref)
  if (ref !== '') return example(resolve(ref, root), name, root, depth + 1)
  const branches = [...list(schema.anyOf), ...list(schema.oneOf)]
  if (branches.length > 0) return example(branches.find((b) => fields(b).type !== 'null') ?? branches[0], name, root, depth + 1)
  const parts = list(schema.allOf)
  if (parts.length > 0) return example(merged(schema, parts, root), name, root, depth + 1)

  switch (typeOf(schema)) {
    case 'object':
      return exampleObject(schema, root, depth)
    case 'array':
      return exampleArray(schema, name, root, depth)
    case 'integer':
      return Math.ceil(exampleNumber(schema, 1))
    case 'number':
      return exampleNumber(schema, 1.5)
    case 'boolean':
      return true
    case 'null':
      return null
    default:
      return exampleString(schema, name)
  }
}

function typeOf(schema: Fields): string {
  const type = schema.type
  if (typeof type === 'string') return type
  const first = list(type).find((t) => t !== 'null')
  if (typeof first === 'string') return first
  if (isFields(schema.properties)) return 'object'
  return 'items' in schema ? 'array' : 'string'
}

function exampleObject(schema: Fields, root: Fields, depth: number): Fields {
  const properties = fields(schema.properties)
  const made: Record<string, unknown> = {}
  for (const key of list(schema.required)) {
    if (typeof key === 'string') made[key] = example(properties[key], key, root, depth + 1)
  }
  return made
}

function exampleArray(schema: Fields, name: string, root: Fields, depth: number): unknown[] {
  const most = typeof schema.maxItems === 'number' ? schema.maxItems : Number.POSITIVE_INFINITY
  const least = typeof schema.minItems === 'number' ? schema.minItems : 1
  const size = Math.min(Math.max(least, 1), most, 16)
  return Array.from({ length: size }, () => example(schema.items, name, root, depth + 1))
}

function exampleNumber(schema: Fields, usual: number): number {
  const low = schema.minimum
  const above = schema.exclusiveMinimum
  const high = schema.maximum
  let value = usual
  if (typeof low === 'number' && value < low) value = low
  if (typeof above === 'number' && value <= above) value = above + 1
  if (typeof high === 'number' && value > high) value = high
  return value
}

function exampleString(schema: Fields, name: string): string {
  const format = byFormat[text(schema.format)]
  if (format !== undefined) return format
  const lower = name.toLowerCase()
  let value = byName.find(([part]) => lower.includes(part))?.[1] ?? 'example'
  const least = schema.minLength
  if (typeof least === 'number' && value.length < least) value = value.padEnd(Math.min(least, 1000), '-')
  const most = schema.maxLength
  return typeof most === 'number' && value.length > most ? value.slice(0, most) : value
}

/** The schema at a local pointer such as `#/$defs/Place`; undefined when there is none. */
function resolve(ref: string, root: Fields): unknown {
  if (!ref.startsWith('#')) return undefined
  let at: unknown = root
  for (const raw of ref.slice(1).split('/').slice(1)) {
    at = fields(at)[raw.replaceAll('~1', '/').replaceAll('~0', '~')]
  }
  return at
}

/** One object schema out of an `allOf`: properties and required names of all its parts. */
function merged(schema: Fields, parts: readonly unknown[], root: Fields): Fields {
  const { allOf: _, ...own } = schema
  let properties: Fields = fields(own.properties)
  let required = list(own.required)
  let rest: Fields = own
  for (const part of parts) {
    const ref = text(fields(part).$ref)
    const one = fields(ref === '' ? part : resolve(ref, root))
    properties = { ...properties, ...fields(one.properties) }
    required = [...required, ...list(one.required)]
    rest = { ...one, ...rest }
  }
  return { ...rest, properties, required }
}
