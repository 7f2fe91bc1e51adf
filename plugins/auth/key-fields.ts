/**
 * What a key may carry besides its secret, as people write it: the check of each field, and its short form.
 *
 * One set of rules for the keys file, the command line and the admin API. Pure; no message repeats a value.
 */

import { type PrincipalCap, type PrincipalLimit, parseDuration, parseMoment } from 'headgate/plugin'

export interface KeyFields {
  readonly name: string
  /** `key` when absent. */
  readonly kind?: 'instance' | 'self_host'
  /** Who pays; the key's own id when absent. */
  readonly account?: string
  readonly tier?: string
  readonly tags?: readonly string[]
  /** Globs of the models that it may use; absent = all. */
  readonly models?: readonly string[]
  /** Limits of its own. `window` in milliseconds. */
  readonly limits?: readonly PrincipalLimit[]
  /** Caps of its own: money (USD) or messages per period. */
  readonly caps?: readonly PrincipalCap[]
  /** ISO 8601 date or time from which it is refused. */
  readonly expires?: string
  /** Refused until it is switched on again. */
  readonly disabled?: boolean
}

/** Names of all fields, in the order in which they are shown. */
export const fieldNames = ['name', 'kind', 'account', 'tier', 'tags', 'models', 'limits', 'caps', 'expires', 'disabled'] as const

const longest = 200
const mostItems = 100

/**
 * What is wrong with the fields in `value`: `.field must be …`; undefined when nothing is. Other members are not looked at. Of a `stored` one it is not asked
 * whether its day exists: earlier versions took any, and a key that was made must stay readable.
 */
export function fieldProblem(value: Readonly<Record<string, unknown>>, stored = false): string | undefined {
  for (const field of ['name', 'account', 'tier'] as const) {
    const text = value[field]
    if (text !== undefined && !isText(text, field === 'name' ? 0 : 1)) return `.${field} must be a text of at most ${longest} characters`
  }
  for (const field of ['tags', 'models'] as const) {
    const list = value[field]
    if (list !== undefined && !(isList(list) && list.every((item) => isText(item, 1)))) return `.${field} must be a list of texts`
  }
  const { kind, expires, disabled, limits, caps } = value
  if (kind !== undefined && kind !== 'instance' && kind !== 'self_host') return '.kind must be instance or self_host'
  if (expires !== undefined && !(typeof expires === 'string' && expiryTime(expires) !== undefined))
    return '.expires must be an ISO 8601 date or time'
  if (expires !== undefined && !stored && parseMoment(expires) === undefined) return '.expires must be a day that exists'
  if (disabled !== undefined && typeof disabled !== 'boolean') return '.disabled must be true or false'
  if (limits !== undefined && !(isList(limits) && limits.every(isLimit)))
    return '.limits must be a list of { window: milliseconds, requests and/or tokens: whole numbers }'
  if (caps !== undefined && !(isList(caps) && caps.every(isCap)))
    return '.caps must be a list of { per: day, month or total, usd: "12.50" and/or messages: a whole number }'
  return undefined
}

function isText(value: unknown, least: number): boolean {
  return typeof value === 'string' && value.length >= least && value.length <= longest && !/\p{Cc}/u.test(value)
}
function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value) && value.length <= mostItems
}
function isCount(value: unknown, least: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= least
}
function onlyHas(value: object, names: readonly string[]): boolean {
  return Object.keys(value).every((name) => names.includes(name))
}

function isLimit(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !onlyHas(value, ['window', 'requests', 'tokens'])) return false
  const { window, requests, tokens } = value as Record<string, unknown>
  if (!isCount(window, 1) || (requests === undefined && tokens === undefined)) return false
  return (requests === undefined || isCount(requests, 0)) && (tokens === undefined || isCount(tokens, 0))
}

function isCap(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !onlyHas(value, ['per', 'usd', 'messages'])) return false
  const { per, usd, messages } = value as Record<string, unknown>
  if (per !== 'day' && per !== 'month' && per !== 'total') return false
  if (usd === undefined && messages === undefined) return false
  return (usd === undefined || isMoney(usd)) && (messages === undefined || isCount(messages, 0))
}

function isMoney(value: unknown): boolean {
  return typeof value === 'string' && /^[0-9]{1,12}(\.[0-9]{1,12})?$/.test(value)
}

/** A limit from its short form: `60/1m` is 60 requests (or tokens) per minute. Undefined when it is none. */
export function parseLimit(text: string, what: 'requests' | 'tokens'): PrincipalLimit | undefined {
  const [, count, per] = /^([0-9]{1,15})\/(.+)$/.exec(text) ?? []
  const window = per === undefined ? undefined : parseDuration(/^[0-9]/.test(per) ? per : `1${per}`)
  if (window === undefined || window < 1) return undefined
  return what === 'requests' ? { window, requests: Number(count) } : { window, tokens: Number(count) }
}

/** A cap from its short form: `12.50/month` is 12.50 USD (or messages) per calendar month. Undefined when it is none. */
export function parseCap(text: string, what: 'usd' | 'messages'): PrincipalCap | undefined {
  const [, amount, per] = /^([0-9.]+)\/(day|month|total)$/.exec(text) ?? []
  const cap = what === 'usd' ? { per, usd: amount } : { per, messages: Number(amount) }
  return isCap(cap) ? (cap as PrincipalCap) : undefined
}

/** Milliseconds since the epoch of an ISO 8601 date or time; a time without zone is UTC. Undefined when it is none. */
export function expiryTime(text: string): number | undefined {
  const match = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/.exec(text)
  if (!match) return undefined
  const time = Date.parse(match[1] && !match[4] ? `${text}Z` : text)
  return Number.isNaN(time) ? undefined : time
}
