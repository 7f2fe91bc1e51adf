/**
 * A plugin's config as a Markdown table, made from its schema: key, type, default, what.
 *
 * Pure. The same schema gives the same text; cells are padded so that the table reads well as plain text too.
 */

import { branches, choices, type Shape, word } from '../config/shape.ts'
import type { Plugin } from '../plugin/define.ts'

export const tableStart = '<!-- config -->'
export const tableEnd = '<!-- /config -->'

/** The lines between the markers, line breaks included. */
export function configTable(schema: Plugin['config']): string {
  const rows = rowsOf((schema ?? {}) as Shape, '')
  if (rows.length === 0) return 'No config.\n'
  const table = [
    ['key', 'type', 'default', 'what'],
    ...rows.map((row) => row.map((cell) => cell.replaceAll('|', '\\|').replace(/\s+/g, ' '))),
  ]
  const widths = [0, 1, 2, 3].map((i) => Math.max(...table.map((row) => row[i]!.length)))
  const line = (cells: readonly string[]) => `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |\n`
  const [head, ...body] = table
  return line(head!) + line(widths.map((width) => '-'.repeat(width))) + body.map(line).join('')
}

/** A README with the table between its markers replaced; undefined when it has none. */
export function withTable(readme: string, table: string): string | undefined {
  const start = readme.indexOf(tableStart)
  const end = readme.indexOf(tableEnd)
  if (start < 0 || end < start) return undefined
  return `${readme.slice(0, start + tableStart.length)}\n${table}${readme.slice(end)}`
}

function rowsOf(shape: Shape, prefix: string): string[][] {
  return Object.entries(shape.properties ?? {}).flatMap(([name, own]) => {
    const key = `${prefix}${name}`
    const item = itemOf(own)
    const map = memberOf(own)
    const inner = own.properties
      ? rowsOf(own, `${key}.`)
      : item?.properties
        ? rowsOf(item, `${key}[].`)
        : map?.properties
          ? rowsOf(map, `${key}.*.`)
          : []
    return [[`\`${key}\``, typeText(own), defaultText(own, shape.required?.includes(name) ?? false), own.description ?? ''], ...inner]
  })
}

function itemOf(shape: Shape): Shape | undefined {
  return shape.type === 'array' && shape.items && !Array.isArray(shape.items) ? (shape.items as Shape) : undefined
}

/** What the values of a map with free keys are. */
function memberOf(shape: Shape): Shape | undefined {
  const first = Object.values(shape.patternProperties ?? {})[0]
  return first ?? (typeof shape.additionalProperties === 'object' ? shape.additionalProperties : undefined)
}

function defaultText(shape: Shape, required: boolean): string {
  if (shape.default === undefined) return required ? 'required' : ''
  return `\`${valueText(shape.default)}\``
}

/** A value as it would be written in YAML, on one line. */
function valueText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(valueText).join(', ')}]`
  if (value !== null && typeof value === 'object') {
    const members = Object.entries(value).map(([key, own]) => `${key}: ${valueText(own)}`)
    return members.length === 0 ? '{}' : `{ ${members.join(', ')} }`
  }
  return typeof value === 'string' ? value || '""' : JSON.stringify(value)
}

/** Above this, the alternatives of a list are not all named. */
const manyChoices = 6

function typeText(shape: Shape): string {
  const unit = shape['x-unit']
  if (unit === 'texts') return 'string or list of strings'
  if (unit !== undefined) return unit.endsWith('-url') ? 'URL' : unit
  const fixed = choices(shape)
  if (fixed) {
    const shown = fixed.length > manyChoices ? fixed.slice(0, 3) : fixed
    const rest = fixed.length > shown.length ? ` | … (${fixed.length})` : ''
    return shown.map((value) => `\`${word(value)}\``).join(' | ') + rest
  }
  const alternatives = branches(shape)
  if (alternatives) return [...new Set(alternatives.map(typeText))].join(' or ')
  switch (shape.type) {
    case 'integer':
    case 'number':
      return `${shape.type}${rangeText(shape)}`
    case 'array': {
      const item = itemOf(shape)
      if (!item || item.type === 'object') return 'list'
      if (item.type === 'string' && !choices(item)) return 'list of strings'
      return `list of ${typeText(item)}`
    }
    case 'object': {
      const value = memberOf(shape)
      return value && value.type !== 'object' ? `map of ${typeText(value)}` : 'map'
    }
    default:
      return typeof shape.type === 'string' ? shape.type : 'any'
  }
}

function rangeText({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: Shape): string {
  if (minimum !== undefined && maximum !== undefined) return ` ${minimum} to ${maximum}`
  if (minimum !== undefined) return ` ≥ ${minimum}`
  if (exclusiveMinimum !== undefined) return ` > ${exclusiveMinimum}`
  if (maximum !== undefined) return ` ≤ ${maximum}`
  return exclusiveMaximum === undefined ? '' : ` < ${exclusiveMaximum}`
}
