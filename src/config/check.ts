/**
 * Checks a value against a schema and converts it: defaults filled in, durations in ms, sizes in bytes.
 *
 * Goes on after a mistake, so that all are reported at once, each at its own place. The same checker serves the file and the
 * `with` of every plugin. What it does not know (formats, uniqueItems, references …) TypeBox judges at the end.
 */

import type { TSchema } from 'typebox'
import { Check, Errors } from 'typebox/schema'
import { checkChoice, checkScalar, checkUnit, found, matches, wrongKind } from './check-scalar.ts'
import { type Diagnostic, type Path, pathText } from './diagnostics.ts'
import { branches, choices, joined, kindOf, kinds, noun, type Shape } from './shape.ts'
import { type Places, put, unresolved } from './source.ts'
import { nearest } from './suggest.ts'

/** One run of the checker. */
export interface Checking {
  readonly places: Places
  readonly diagnostics: Diagnostic[]
  /** Values of secret fields. */
  readonly secrets: Set<string>
  /** Inside a default of the schema, which no one wrote in the file. */
  readonly ofDefault: boolean
  /** Something could not be interpolated; it has its diagnostic already. */
  gaps: number
  report(path: Path, message: string, fix: string, place?: 'value' | 'key'): void
  fail(path: Path, message: string, fix: string): Checked
}

/** `raw`: with defaults, in the schema's own terms. `out`: converted. Meaningless after a mistake. */
export interface Checked {
  readonly raw: unknown
  readonly out: unknown
}

export interface CheckResult {
  /** The converted value; undefined after a mistake. */
  readonly value: unknown
  readonly diagnostics: readonly Diagnostic[]
  readonly secrets: ReadonlySet<string>
}

/** Checks a whole value. `path` is where it stands in the file. Never throws. */
export function check(schema: TSchema, value: unknown, places: Places, path: Path = []): CheckResult & { readonly out: unknown } {
  const c = checking(places)
  const { raw, out } = checkShape(schema as Shape, value, path, c)
  if (c.diagnostics.length === 0 && c.gaps === 0) referee(schema, raw, path, c)
  return { value: c.diagnostics.length === 0 ? out : undefined, out, diagnostics: c.diagnostics, secrets: c.secrets }
}

function checking(places: Places, ofDefault = false): Checking {
  const c: Checking = {
    places,
    ofDefault,
    diagnostics: [],
    secrets: new Set(),
    gaps: 0,
    report(path, message, fix, place = 'value') {
      const at = place === 'key' ? places.locateKey(path) : places.locate(path)
      c.diagnostics.push({ severity: 'error', file: places.file, ...at, path: pathText(path), message, fix })
    },
    fail(path, message, fix) {
      c.report(path, message, fix)
      return { raw: undefined, out: undefined }
    },
  }
  return c
}

function absorb(from: Checking, into: Checking): void {
  into.diagnostics.push(...from.diagnostics)
  for (const secret of from.secrets) into.secrets.add(secret)
  into.gaps += from.gaps
}

function checkShape(shape: Shape, value: unknown, path: Path, c: Checking): Checked {
  if (value === unresolved) {
    c.gaps++
    return { raw: unresolved, out: unresolved }
  }
  const unit = shape['x-unit']
  if (unit === 'texts') return checkTexts(shape, value, path, c)
  if (unit !== undefined) return checkUnit(unit, shape, value, path, c)
  const fixed = choices(shape)
  if (fixed) {
    const kind = kindOf(value)
    return kind === 'map' || kind === 'list' || kind === 'nothing' ? wrongKind(shape, value, path, c) : checkChoice(fixed, value, path, c)
  }
  const alternatives = branches(shape)
  if (alternatives) return checkUnion(alternatives, value, path, c)
  if (shape.allOf) {
    const whole = joined(shape)
    return whole ? checkMap(whole, value, path, c) : checkAll(shape.allOf, value, path, c)
  }
  const type = typeof shape.type === 'string' ? shape.type : undefined
  if (type === 'object' || (type === undefined && shape.properties)) return checkMap(shape, value, path, c)
  if (type === 'array') return checkList(shape, value, path, c)
  if (type !== undefined) return checkScalar(type, shape, value, path, c)
  c.gaps += countGaps(value)
  return { raw: value, out: value }
}

function checkTexts(shape: Shape, value: unknown, path: Path, c: Checking): Checked {
  const made =
    kindOf(value) === 'text' || kindOf(value) === 'list' ? checkUnion(shape.anyOf!, value, path, c) : wrongKind(shape, value, path, c)
  return { raw: made.raw, out: typeof made.out === 'string' ? [made.out] : made.out }
}

function checkMap(shape: Shape, given: unknown, path: Path, c: Checking): Checked {
  const value = given === null || given === undefined ? {} : given
  if (kindOf(value) !== 'map') return wrongKind(shape, given, path, c)
  const map = value as Record<string, unknown>
  const properties = shape.properties ?? {}
  const raw: Record<string, unknown> = {}
  const out: Record<string, unknown> = {}
  const keep = (key: string, made: Checked): void => {
    put(raw, key, made.raw)
    put(out, key, made.out)
  }
  for (const [key, item] of Object.entries(map)) {
    const at = [...path, key]
    const own = Object.hasOwn(properties, key) ? properties[key] : undefined
    if (own) {
      if (item === null && !kinds(own).has('nothing') && !kinds(own).has('map') && !kinds(own).has('list')) wrongKind(own, item, at, c)
      else keep(key, checkShape(own, item, at, c))
      continue
    }
    const other = extra(shape, key)
    if (other) keep(key, checkShape(other, item, at, c))
    else unknownKey(shape, key, map, at, c)
  }
  for (const key of Object.keys(properties)) {
    if (Object.hasOwn(map, key)) continue
    const own = properties[key]!
    if (own.default !== undefined) {
      const inner = checking(c.places, true)
      keep(key, checkShape(own, structuredClone(own.default), [...path, key], inner))
      absorb(inner, c)
    } else if (shape.required?.includes(key)) {
      c.report(path, `\`${key}\` is missing`, `add \`${key}\`: ${own.description ?? noun(own)}`, 'key')
    }
  }
  return { raw, out }
}

/** The schema of a key that is not among the named ones; undefined when there may be none. */
function extra(shape: Shape, key: string): Shape | undefined {
  for (const [pattern, own] of Object.entries(shape.patternProperties ?? {})) if (matches(pattern, key)) return own
  if (shape.additionalProperties === true) return {}
  return typeof shape.additionalProperties === 'object' ? shape.additionalProperties : undefined
}

function unknownKey(shape: Shape, key: string, map: Record<string, unknown>, path: Path, c: Checking): void {
  const names = Object.keys(shape.properties ?? {})
  const guess = nearest(key, names)
  const twice = guess !== undefined && Object.hasOwn(map, guess) ? ' It stands here already.' : ''
  const shown = key.length > 60 ? `${key.slice(0, 60)}…` : key
  const all = names.length === 0 ? 'remove it: nothing can be set here' : `known here: ${names.join(', ')}`
  c.report(path, `unknown key \`${shown}\``, guess === undefined ? all : `did you mean \`${guess}\`?${twice}`, 'key')
}

function checkList(shape: Shape, given: unknown, path: Path, c: Checking): Checked {
  const value = given === null || given === undefined ? [] : given
  if (!Array.isArray(value)) return wrongKind(shape, given, path, c)
  const items = shape.items
  const raw: unknown[] = []
  const out: unknown[] = []
  value.forEach((item: unknown, i) => {
    const own = Array.isArray(items) ? (items as readonly Shape[])[i] : (items as Shape | undefined)
    const made = checkShape(own ?? {}, item, [...path, i], c)
    raw.push(made.raw)
    out.push(made.out)
  })
  const { minItems = 0, maxItems = Array.isArray(items) ? items.length : Number.POSITIVE_INFINITY } = shape
  if (value.length < minItems) {
    return c.fail(path, value.length === 0 ? 'the list is empty' : `the list has only ${value.length} entries`, `give at least ${minItems}`)
  }
  if (value.length > maxItems) return c.fail(path, `the list has ${value.length} entries`, `give at most ${maxItems}`)
  return { raw, out }
}

/** The first alternative that fits; else the mistakes of the one that was most likely meant. */
function checkUnion(alternatives: readonly Shape[], value: unknown, path: Path, c: Checking): Checked {
  const tries = alternatives.map((shape) => {
    const inner = checking(c.places, c.ofDefault)
    return { shape, inner, made: checkShape(shape, value, path, inner) }
  })
  const fits = tries.find((one) => one.inner.diagnostics.length === 0)
  if (fits) {
    absorb(fits.inner, c)
    return fits.made
  }
  const kind = kindOf(value)
  const near = tries.filter((one) => kinds(one.shape).has(kind))
  if (near.length === 0 || (near.length > 1 && kind !== 'map' && kind !== 'list')) {
    const all = [...new Set((near.length === 0 ? tries : near).map((one) => noun(one.shape)))].join(' or ')
    return c.fail(path, `${found(value, path, c)} is not ${all}`, `write ${all}`)
  }
  const best = near.toSorted(
    (a, b) => agreement(b.shape, value) - agreement(a.shape, value) || a.inner.diagnostics.length - b.inner.diagnostics.length,
  )[0]!
  absorb(best.inner, c)
  return best.made
}

/** How many fixed members of a map schema the value has: they name the alternative. */
function agreement(shape: Shape, value: unknown): number {
  if (kindOf(value) !== 'map') return 0
  const map = value as Record<string, unknown>
  return Object.entries(shape.properties ?? {}).filter(([key, own]) => Object.hasOwn(map, key) && choices(own)?.includes(map[key])).length
}

function checkAll(parts: readonly Shape[], value: unknown, path: Path, c: Checking): Checked {
  let made: Checked = { raw: value, out: value }
  for (const part of parts) made = checkShape(part, value, path, c)
  return made
}

function countGaps(value: unknown): number {
  if (value === unresolved) return 1
  if (value === null || typeof value !== 'object') return 0
  return Object.values(value).reduce((sum: number, item) => sum + countGaps(item), 0)
}

/** TypeBox has the last word, for what this checker does not know. */
function referee(schema: TSchema, raw: unknown, path: Path, c: Checking): void {
  let errors: readonly { instancePath: string; message: string }[]
  try {
    errors = Check(schema, raw) ? [] : Errors(schema, raw)[1]
  } catch {
    c.report(path, 'the schema of this plugin cannot be applied', "report it to the plugin's author")
    return
  }
  for (const error of errors) {
    const inner = error.instancePath
      .split('/')
      .slice(1)
      .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
    const steps = inner.map((step) => (/^(0|[1-9][0-9]*)$/.test(step) ? Number(step) : step))
    c.report([...path, ...steps], error.message, 'correct the value')
  }
}
