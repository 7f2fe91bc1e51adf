/**
 * A schema as the checker and the editor's schema see it: the part of JSON Schema that TypeBox writes, plus `x-unit`.
 *
 * Also the words for schemas and values in diagnostics. Pure; knows no places.
 */

export interface Shape {
  readonly type?: string | readonly string[]
  readonly title?: string
  readonly description?: string
  readonly default?: unknown
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Shape[]
  readonly oneOf?: readonly Shape[]
  readonly allOf?: readonly Shape[]
  readonly properties?: Readonly<Record<string, Shape>>
  readonly patternProperties?: Readonly<Record<string, Shape>>
  readonly additionalProperties?: boolean | Shape
  readonly required?: readonly string[]
  readonly minProperties?: number
  readonly items?: Shape | readonly Shape[]
  readonly minItems?: number
  readonly maxItems?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly pattern?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly exclusiveMaximum?: number
  readonly 'x-unit'?: string
}

/** The alternatives of a union; a list of types counts as one. */
export function branches(shape: Shape): readonly Shape[] | undefined {
  if (shape.anyOf) return shape.anyOf
  if (shape.oneOf) return shape.oneOf
  if (Array.isArray(shape.type)) return shape.type.map((type: string) => ({ ...shape, type }))
  return undefined
}

/** The fixed values of a schema that is nothing but a choice between some. */
export function choices(shape: Shape): readonly unknown[] | undefined {
  if (shape.enum) return shape.enum
  if ('const' in shape) return [shape.const]
  const alternatives = shape.anyOf ?? shape.oneOf
  if (!alternatives) return undefined
  const all = alternatives.map(choices)
  return all.every((list) => list !== undefined) ? all.flat() : undefined
}

/** Objects that must hold all of several schemas, as one object schema. */
export function joined(shape: Shape): Shape | undefined {
  const parts = shape.allOf
  if (!parts?.every((part) => part.type === 'object' || part.properties !== undefined)) return undefined
  return {
    ...shape,
    type: 'object',
    properties: Object.assign({}, shape.properties, ...parts.map((part) => part.properties)),
    required: [...(shape.required ?? []), ...parts.flatMap((part) => part.required ?? [])],
    additionalProperties: parts.some((part) => part.additionalProperties === true),
  }
}

const unitNouns: Readonly<Record<string, string>> = {
  duration: 'a duration such as 30s',
  size: 'a size such as 32mb',
  secret: 'a text',
  decimal: 'a plain decimal number such as 0.30',
  price: 'a plain decimal number such as 0.30',
  moment: 'a date such as 2026-01-31',
  network: 'an address or network such as 10.0.0.0/8',
  'base-url': 'a URL such as https://api.openai.com/v1',
  'records-url': 'a place such as sqlite:./data/headgate.db or postgres://localhost:5432/headgate',
  'state-url': 'memory, or a URL such as redis://localhost:6379',
  listen: 'a listen address such as 127.0.0.1:8787',
  'listen-or-off': 'a listen address such as 127.0.0.1:8788, or off',
  texts: 'a text or a list of texts',
}
const typeNouns: Readonly<Record<string, string>> = {
  string: 'a text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map (key: value)',
  null: 'nothing',
}

/** What a schema asks for, in words. */
export function noun(shape: Shape): string {
  const unit = shape['x-unit']
  if (unit !== undefined && unitNouns[unit]) return unitNouns[unit]
  const fixed = choices(shape)
  if (fixed) return fixed.length === 1 ? word(fixed[0]) : `one of ${fixed.map(word).join(', ')}`
  const alternatives = branches(shape)
  if (alternatives) return [...new Set(alternatives.map(noun))].join(' or ')
  return typeNouns[typeof shape.type === 'string' ? shape.type : ''] ?? 'another value'
}

/** A fixed value as it is written in YAML. */
export function word(value: unknown): string {
  return typeof value === 'string' && /^[A-Za-z][A-Za-z0-9 ._/-]*$/.test(value) ? value : JSON.stringify(value)
}

export type Kind = 'text' | 'number' | 'boolean' | 'nothing' | 'list' | 'map'

export function kindOf(value: unknown): Kind {
  if (value === null || value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'list'
  if (typeof value === 'number' || typeof value === 'bigint') return 'number'
  if (typeof value === 'boolean') return 'boolean'
  return typeof value === 'object' ? 'map' : 'text'
}

/** Kinds of values that a schema can hold. */
export function kinds(shape: Shape): ReadonlySet<Kind> {
  const fixed = choices(shape)
  if (fixed) return new Set(fixed.map(kindOf))
  switch (shape['x-unit']) {
    case 'texts':
      return new Set<Kind>(['text', 'list'])
    case 'decimal':
    case 'price':
    case 'size':
    case 'duration':
    case 'listen':
    case 'listen-or-off':
      return new Set<Kind>(['text', 'number'])
  }
  const alternatives = branches(shape)
  if (alternatives) return new Set(alternatives.flatMap((one) => [...kinds(one)]))
  if (shape.allOf) return new Set(shape.allOf.flatMap((one) => [...kinds(one)]))
  const byType: Record<string, Kind> = {
    string: 'text',
    integer: 'number',
    number: 'number',
    boolean: 'boolean',
    array: 'list',
    object: 'map',
    null: 'nothing',
  }
  const kind = typeof shape.type === 'string' ? byType[shape.type] : undefined
  return kind ? new Set([kind]) : new Set<Kind>(['text', 'number', 'boolean', 'nothing', 'list', 'map'])
}
