/**
 * Schema types of gateway.yaml that are written in one form and used in another: listen addresses, base URLs, exact decimals,
 * one-or-many lists.
 *
 * Like `Duration` and `Size` of the plugin API they carry an `x-unit`, by which the checker finds the reader here. Each reader
 * gives either the value or a sentence that says what is wrong and one that says what to do. This file knows no paths and no files.
 */

import { type TSchemaOptions, type TUnsafe, Unsafe } from 'typebox'
import { parsePrice } from '../plugin/price.ts'

/** Where a listener binds. Port 0 = any free port. */
export interface ListenAddress {
  readonly host: string
  readonly port: number
}

/** What a reader says: the value, or what is wrong and what to do. */
export type Read<T> = { readonly value: T } | { readonly wrong: string; readonly fix: string }

/** `host:port`, `:port`, `port` or `[v6]:port`; with `off: true` also the word `off`. Becomes a {@link ListenAddress} or `'off'`. */
export function Listen<const Off extends boolean = false>(
  options: TSchemaOptions & { off?: Off } = {},
): TUnsafe<Off extends true ? ListenAddress | 'off' : ListenAddress> {
  const { off, ...rest } = options
  return Unsafe({ ...rest, type: 'string', 'x-unit': off ? 'listen-or-off' : 'listen' })
}

/** An http(s) URL without credentials, query or fragment, or `builtin:demo`. Becomes the text without trailing slashes. */
export function BaseUrl(options: TSchemaOptions = {}): TUnsafe<string> {
  return Unsafe({ ...options, type: 'string', 'x-unit': 'base-url' })
}

/** An IP address or a network: `10.0.0.0/8`. Stays the text. */
export function NetworkText(options: TSchemaOptions = {}): TUnsafe<string> {
  return Unsafe({ ...options, type: 'string', 'x-unit': 'network' })
}

/** An exact decimal number such as `0.30`, kept as the text in the file: money is never a float. */
export function Decimal(options: TSchemaOptions = {}): TUnsafe<string> {
  return Unsafe({ ...options, type: 'string', pattern: '^[0-9]+(\\.[0-9]+)?$', 'x-unit': 'decimal' })
}

/** Where shared state lives: `memory`, `redis://…` or `rediss://…`. Its password is kept out of everything that is printed. */
export function StateUrl(options: TSchemaOptions = {}): TUnsafe<string> {
  return Unsafe({ ...options, type: 'string', 'x-unit': 'state-url' })
}

/** USD per million tokens, with at most 6 decimals; kept as the text in the file. */
export function PriceText(options: TSchemaOptions = {}): TUnsafe<string> {
  return Unsafe({ ...options, type: 'string', pattern: '^[0-9]+(\\.[0-9]+)?$', 'x-unit': 'price' })
}

/** A date, or a date and time, in UTC: `2026-01-31`, `2026-01-31T12:00:00Z`. Becomes milliseconds since the epoch. */
export function Moment(options: TSchemaOptions = {}): TUnsafe<number> {
  return Unsafe({ ...options, type: 'string', pattern: momentPattern, 'x-unit': 'moment' })
}
export const momentPattern = '^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?Z)?$'

/** Where durable records live: `sqlite:path`, `postgres://…` or `memory`. Its password is kept out of everything that is printed. */
export function RecordsUrl(options: TSchemaOptions = {}): TUnsafe<string> {
  return Unsafe({ ...options, type: 'string', 'x-unit': 'records-url' })
}

/** One text or a list of texts. Becomes a list. */
export function Texts(options: TSchemaOptions = {}): TUnsafe<readonly string[]> {
  const text = { type: 'string', minLength: 1 }
  return Unsafe({ ...options, anyOf: [text, { type: 'array', items: text, minItems: 1 }], 'x-unit': 'texts' })
}

/** Reads a listen address: `127.0.0.1:8787`, `:8787` and `8787` (all interfaces of this machine: 127.0.0.1), `[::1]:8787`. */
export function readListen(text: string): Read<ListenAddress> {
  const wrong = 'is not a listen address'
  const fix = 'write host:port, for example 127.0.0.1:8787 (port 0 picks a free one)'
  const m = /^(?:(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)?:)?([0-9]{1,5})$/.exec(text)
  if (!m) return { wrong, fix }
  const port = Number(m[2])
  if (port > 65535) return { wrong: `port ${port} does not exist`, fix: 'use a port from 0 to 65535' }
  return { value: { host: (m[1] ?? '127.0.0.1').replace(/^\[|\]$/g, ''), port } }
}

/** Reads a base URL; trailing slashes are cut. */
export function readBaseUrl(text: string): Read<string> {
  if (text.startsWith('builtin:')) {
    return text === 'builtin:demo' ? { value: text } : { wrong: 'no such built-in upstream', fix: 'the only one is builtin:demo' }
  }
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || url.hostname === '') return { wrong: 'is not a URL', fix: 'write it whole, for example https://api.openai.com/v1' }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    return { wrong: `${url.protocol.slice(0, -1)} is not a scheme for an upstream`, fix: 'use https:// or http://' }
  }
  if (url.username !== '' || url.password !== '') return { wrong: 'the URL holds credentials', fix: 'put the key into `key`' }
  if (url.search !== '' || url.hash !== '') return { wrong: 'the URL has a query or fragment', fix: 'end it with the path' }
  return { value: text.replace(/\/+$/, '') }
}

/** Reads an exact decimal. */
export function readDecimal(text: string): Read<string> {
  if (/^[0-9]+(\.[0-9]+)?$/.test(text)) return { value: text }
  if (text.startsWith('-')) return { wrong: 'is negative', fix: 'write a number from 0 up' }
  return { wrong: 'is not a plain decimal number', fix: 'write digits with a point, for example 0.30' }
}

/** Reads a price per million tokens. */
export function readPrice(text: string): Read<string> {
  const read = readDecimal(text)
  if (!('value' in read)) return read
  try {
    parsePrice(text)
    return read
  } catch (error) {
    return { wrong: 'is no price', fix: error instanceof Error ? error.message : String(error) }
  }
}

/** Reads a date or a moment, in UTC. */
export function readMoment(text: string): Read<number> {
  const at = new RegExp(momentPattern).test(text) ? Date.parse(text) : Number.NaN
  // a date that does not exist is read as one that does
  if (Number.isNaN(at) || new Date(at).toISOString().slice(0, 10) !== text.slice(0, 10)) {
    return { wrong: 'is not a date', fix: 'write it as 2026-01-31, or with a time as 2026-01-31T12:00:00Z; both are UTC' }
  }
  return { value: at }
}
