/**
 * The JSON Schema of gateway.yaml for editors (yaml-language-server, draft-07), with the config of each known plugin.
 *
 * Made from the same schemas that the loader checks with. Where the file may hold `${…}`, so may the schema. The output depends
 * on nothing but the input: the same plugins give the same text.
 */

import type { TObject, TSchema } from 'typebox'
import { apis, fileSchemaOf } from './model.ts'
import { choices, type Shape } from './shape.ts'

/** A plugin that editors should know. */
export interface KnownPlugin {
  /** As written in `use`. */
  readonly use: string
  readonly schema?: TObject
  readonly summary: string
  /** Names of the dialects that it brings. */
  readonly dialects?: readonly string[]
}

type Schema = Record<string, unknown>

const reference = { type: 'string', pattern: '\\$\\{(env|file):[^}]+\\}' }
const units: Readonly<Record<string, Schema>> = {
  duration: { type: 'string', pattern: '^(0|[0-9]+(\\.[0-9]+)?(ms|s|m|h|d))$' },
  size: { type: ['string', 'integer'], pattern: '^[0-9]+(\\.[0-9]+)?([bB]|[kmgKMG][bB])?$', minimum: 0 },
  decimal: { type: ['number', 'string'], pattern: '^[0-9]+(\\.[0-9]+)?$', minimum: 0 },
  price: { type: ['number', 'string'], pattern: '^[0-9]{1,12}(\\.[0-9]{1,6})?$', minimum: 0 },
  listen: { type: ['string', 'integer'] },
  'listen-or-off': { type: ['string', 'integer'] },
}
/** `0` may be written as a number; TypeBox's own pattern knows only texts. */
const zero = { const: 0 }

/** The schema of the whole file. Plugins are listed by name. */
export function gatewaySchema(plugins: readonly KnownPlugin[]): object {
  const known = plugins.toSorted((a, b) => (a.use < b.use ? -1 : a.use > b.use ? 1 : 0))
  const dialects = new Set([...apis, ...known.flatMap((one) => one.dialects ?? [])])
  const file: TSchema = fileSchemaOf([...dialects])
  const whole = editable(file as Shape) as Schema & { properties: Record<string, Schema> }
  const list = whole.properties.plugins as Schema & { items: Schema & { properties: Record<string, Schema> } }
  const item = list.items
  const use = item.properties.use as Schema
  item.properties.use = {
    description: use.description,
    anyOf: [...known.map((one) => ({ const: one.use, description: one.summary })), { type: 'string', minLength: 1 }],
  }
  item.properties.with = { description: item.properties.with?.description }
  if (known.length > 0) item.allOf = known.map(condition)
  const { patternProperties, additionalProperties } = whole.properties.upstreams as {
    patternProperties?: object
    additionalProperties: Schema
  }
  // an upstream is somewhere: its host says where, or its base URL
  for (const upstream of patternProperties ? Object.values(patternProperties) : [additionalProperties]) {
    upstream.anyOf = [{ required: ['base_url'] }, { required: ['host'] }]
  }
  return { $schema: 'http://json-schema.org/draft-07/schema#', ...whole }
}

/** If `use` names this plugin, `with` is its config. */
function condition(plugin: KnownPlugin): Schema {
  const config = editable((plugin.schema ?? { type: 'object', properties: {} }) as Shape)
  const needed = Array.isArray(config.required) && config.required.length > 0
  return {
    if: { properties: { use: { const: plugin.use } }, required: ['use'] },
    // biome-ignore lint/suspicious/noThenProperty: JSON Schema's word, never awaited
    then: { properties: { with: { description: plugin.summary, ...config } }, ...(needed ? { required: ['with'] } : {}) },
  }
}

/** A schema as an editor needs it: strict, defaults not required, `${…}` allowed. */
function editable(shape: Shape): Schema {
  const { description, title } = shape
  const words: Schema = {
    ...(title === undefined ? {} : { title }),
    ...(description === undefined ? {} : { description }),
    ...(shape.default === undefined ? {} : { default: shape.default }),
  }
  const unit = shape['x-unit']
  if (unit === 'duration') return { ...words, anyOf: [units.duration, zero, reference] }
  if (unit !== undefined && units[unit]) return { ...words, anyOf: [units[unit], reference] }
  if (unit === 'texts') return { ...words, anyOf: (shape.anyOf ?? []).map(editable) }
  if (unit !== undefined) return { ...words, type: 'string', minLength: 1 }
  const fixed = choices(shape)
  if (fixed) return { ...words, anyOf: [{ enum: fixed }, reference] }
  const alternatives = shape.anyOf ?? shape.oneOf
  if (alternatives) return { ...words, anyOf: alternatives.map(editable) }
  if (shape.allOf) return { ...words, allOf: shape.allOf.map((part) => editable(part)) }
  if (shape.type === 'object' || shape.properties) return { ...words, ...editableMap(shape) }
  if (shape.type === 'array') return { ...words, ...editableList(shape) }
  if (shape.type === 'string') return { ...words, ...(shape.pattern === undefined ? bare(shape) : { anyOf: [bare(shape), reference] }) }
  if (shape.type === 'integer' || shape.type === 'number' || shape.type === 'boolean') return { ...words, anyOf: [bare(shape), reference] }
  return { ...words, ...bare(shape) }
}

function editableMap(shape: Shape): Schema {
  const properties = Object.entries(shape.properties ?? {})
  const patterns = Object.entries(shape.patternProperties ?? {})
  const required = (shape.required ?? []).filter((key) => shape.properties?.[key]?.default === undefined)
  const { additionalProperties: more } = shape
  return {
    type: 'object',
    ...(properties.length === 0 ? {} : { properties: Object.fromEntries(properties.map(([key, own]) => [key, editable(own)])) }),
    ...(patterns.length === 0 ? {} : { patternProperties: Object.fromEntries(patterns.map(([key, own]) => [key, editable(own)])) }),
    ...(required.length === 0 ? {} : { required }),
    additionalProperties: typeof more === 'object' ? editable(more) : more === true,
  }
}

function editableList(shape: Shape): Schema {
  const { minItems, maxItems, items } = shape
  const own = Array.isArray(items) ? (items as readonly Shape[]).map(editable) : items === undefined ? {} : editable(items as Shape)
  return { type: 'array', ...(minItems === undefined ? {} : { minItems }), ...(maxItems === undefined ? {} : { maxItems }), items: own }
}

/** The schema without its words and without what is only ours. */
function bare(shape: Shape): Schema {
  const { description: _d, title: _t, default: _v, 'x-unit': _u, ...rest } = shape
  return rest
}
