// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${…} is the notation of the config file
/**
 * Checks one scalar of the config: texts, numbers, switches, fixed choices and values with units.
 *
 * Text that came from outside the file (`${…}`) may spell a number or a switch. What is found is named in the diagnostic, except
 * where it is secret or came from outside. Maps, lists and unions are the business of `check.ts`.
 */

import { parseDuration, parseSize } from '../plugin/units.ts'
import type { Checked, Checking } from './check.ts'
import type { Path } from './diagnostics.ts'
import { type Read, readBaseUrl, readDecimal, readListen, readMoment, readPrice } from './kinds.ts'
import { readNetwork } from './network.ts'
import { soundsSecret } from './secrets.ts'
import { kindOf, noun, type Shape, word } from './shape.ts'
import { maskUrl, readRecordsUrl, readStateUrl, urlSecrets } from './store-url.ts'
import { nearest } from './suggest.ts'

const failed: Checked = { raw: undefined, out: undefined }

/** One of a list of fixed values. */
export function checkChoice(options: readonly unknown[], value: unknown, path: Path, c: Checking): Checked {
  const actual = outside(path, c) && typeof value === 'string' && !options.includes(value) ? (spelled(value) ?? value) : value
  if (options.includes(actual)) return { raw: actual, out: actual }
  const texts = options.filter((option) => typeof option === 'string')
  const guess = typeof value === 'string' ? nearest(value, texts) : undefined
  const all = options.length === 1 ? `write ${word(options[0])}` : `use one of: ${options.map(word).join(', ')}`
  c.report(path, `${found(value, path, c)} is not allowed here`, guess === undefined ? all : `did you mean ${word(guess)}? ${capital(all)}`)
  return failed
}

/** A value with an `x-unit`. The raw value is what the bare JSON Schema accepts; the out value is what the program uses. */
export function checkUnit(unit: string, shape: Shape, value: unknown, path: Path, c: Checking): Checked {
  const kind = kindOf(value)
  if (unit === 'secret') {
    if (kind !== 'text') return wrongKind(shape, value, path, c)
    if (value === '') return c.fail(path, 'is empty', 'give it a value')
    c.secrets.add(value as string)
    return { raw: value, out: value }
  }
  if (kind !== 'text' && kind !== 'number') return wrongKind(shape, value, path, c)
  const text = kind === 'number' ? (c.places.scalar(path)?.text ?? String(value)) : (value as string)
  const read = readUnit(unit, text, kind === 'number', c.ofDefault)
  const url = unit === 'state-url' || unit === 'records-url'
  if (url) for (const secret of urlSecrets(text)) c.secrets.add(secret)
  if ('value' in read) return { raw: unit === 'duration' && kind === 'number' ? `${value}ms` : text, out: read.value }
  const subject = read.wrong.startsWith('is ') ? `${found(url ? maskUrl(text) : value, path, c)} ` : ''
  return c.fail(path, subject + read.wrong, read.fix)
}

function readUnit(unit: string, text: string, number: boolean, ofDefault: boolean): Read<unknown> {
  switch (unit) {
    case 'duration': {
      const ms = number && ofDefault ? Number(text) : parseDuration(text)
      if (ms !== undefined) return { value: ms }
      if (/^[0-9]+(\.[0-9]+)?$/.test(text)) {
        return { wrong: 'is a duration without a unit', fix: `write ${text}s for seconds or ${text}ms for milliseconds` }
      }
      return { wrong: 'is not a duration', fix: 'write a number and a unit: 250ms, 30s, 1m, 2h, 1d' }
    }
    case 'size': {
      const bytes = parseSize(text)
      return bytes === undefined ? { wrong: 'is not a size', fix: 'write a number and a unit: 512kb, 32mb, 1gb' } : { value: bytes }
    }
    case 'decimal':
      return readDecimal(text)
    case 'price':
      return readPrice(text)
    case 'moment':
      return readMoment(text)
    case 'network':
      return readNetwork(text)
    case 'base-url':
      return readBaseUrl(text)
    case 'state-url':
      return readStateUrl(text)
    case 'records-url':
      return readRecordsUrl(text)
    case 'listen-or-off':
      return text === 'off' ? { value: 'off' } : readListen(text)
    case 'listen':
      return readListen(text)
    default:
      return { value: number ? Number(text) : text }
  }
}

/** A text, number, switch or nothing. */
export function checkScalar(type: string, shape: Shape, value: unknown, path: Path, c: Checking): Checked {
  const actual = type !== 'string' && typeof value === 'string' && outside(path, c) ? (spelled(value) ?? value) : value
  const kind = kindOf(actual)
  switch (type) {
    case 'string':
      return kind === 'text' ? checkText(actual as string, shape, path, c) : wrongKind(shape, value, path, c)
    case 'integer':
    case 'number':
      return typeof actual === 'number' ? checkNumber(actual, type, shape, path, c) : wrongKind(shape, value, path, c)
    case 'boolean':
      return kind === 'boolean' ? { raw: actual, out: actual } : wrongKind(shape, value, path, c)
    case 'null':
      return kind === 'nothing' ? { raw: null, out: null } : wrongKind(shape, value, path, c)
    default:
      return { raw: value, out: value }
  }
}

function checkText(text: string, shape: Shape, path: Path, c: Checking): Checked {
  const { minLength = 0, maxLength = Number.POSITIVE_INFINITY, pattern } = shape
  if (text.length < minLength) {
    return c.fail(path, text === '' ? 'is empty' : `${found(text, path, c)} is too short`, `write at least ${minLength} character(s)`)
  }
  if (text.length > maxLength) return c.fail(path, 'the text is too long', `write at most ${maxLength} characters`)
  if (pattern !== undefined && !matches(pattern, text)) {
    return c.fail(path, `${found(text, path, c)} does not have the right form`, formOf(shape, pattern))
  }
  return { raw: text, out: text }
}

function formOf(shape: Shape, pattern: string): string {
  if (pattern === '^/') return 'start it with /'
  if (pattern === '^[a-z][a-z0-9-]*$') return 'use small letters, digits and -, a letter first'
  return shape.description ?? `it must match ${pattern}`
}

export function matches(pattern: string, text: string): boolean {
  try {
    return new RegExp(pattern, 'u').test(text)
  } catch {
    return new RegExp(pattern).test(text)
  }
}

function checkNumber(n: number, type: string, shape: Shape, path: Path, c: Checking): Checked {
  if (!Number.isFinite(n)) return c.fail(path, 'is not a finite number', 'write a number with digits')
  if (type === 'integer' && !Number.isSafeInteger(n))
    return c.fail(path, `${found(n, path, c)} is not a whole number`, 'write a whole number')
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = shape
  const least = minimum ?? exclusiveMinimum
  const most = maximum ?? exclusiveMaximum
  const low = (minimum !== undefined && n < minimum) || (exclusiveMinimum !== undefined && n <= exclusiveMinimum)
  const high = (maximum !== undefined && n > maximum) || (exclusiveMaximum !== undefined && n >= exclusiveMaximum)
  if (!low && !high) return { raw: n, out: n }
  const lower = minimum === undefined ? `more than ${least}` : `at least ${least}`
  const upper = maximum === undefined ? `less than ${most}` : `at most ${most}`
  const range = [least === undefined ? '' : lower, most === undefined ? '' : upper].filter((part) => part !== '').join(' and ')
  return c.fail(path, `${found(n, path, c)} is too ${low ? 'small' : 'large'}`, `use ${range}`)
}

/** The wrong kind of value altogether. */
export function wrongKind(shape: Shape, value: unknown, path: Path, c: Checking): Checked {
  if (value === null || value === undefined) return c.fail(path, 'has no value', `write ${noun(shape)}, or remove the key`)
  const text = shape.type === 'string' && !shape['x-unit']?.endsWith('-url') && (typeof value === 'number' || typeof value === 'boolean')
  if (shape['x-unit'] === 'secret') return c.fail(path, 'the secret is not a text', `write ${noun(shape)}${text ? ', in quotes' : ''}`)
  const quote = text ? `, in quotes: "${c.places.scalar(path)?.text ?? String(value)}"` : ''
  return c.fail(path, `${found(value, path, c)} is not ${noun(shape)}`, `write ${noun(shape)}${quote}`)
}

/** A value in words, without showing what must not be shown. */
export function found(value: unknown, path: Path, c: Checking): string {
  switch (kindOf(value)) {
    case 'text': {
      const name = path.findLast((step) => typeof step === 'string') ?? ''
      if (outside(path, c)) return 'the text from ${…}'
      if (soundsSecret(String(name))) return 'the text'
      const text = String(value)
      return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)
    }
    case 'number':
    case 'boolean':
      return c.places.scalar(path)?.text.slice(0, 60) ?? String(value)
    case 'nothing':
      return 'nothing'
    case 'list':
      return 'a list'
    case 'map':
      return 'a map'
  }
}

function outside(path: Path, c: Checking): boolean {
  return c.places.scalar(path)?.outside ?? false
}

/** The number or switch that a text from outside spells. */
function spelled(text: string): number | boolean | undefined {
  if (text === 'true' || text === 'false') return text === 'true'
  return /^-?[0-9]+(\.[0-9]+)?$/.test(text) ? Number(text) : undefined
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
