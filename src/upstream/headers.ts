/**
 * Which headers cross the gateway, in both directions (PROTOCOL §1.8).
 *
 * Client credentials of any spelling never reach an upstream (H01); there is exactly one value of `anthropic-version` (H03); headers of the
 * connection stay on the connection.
 */

import type { HeaderLines } from './http/transport.ts'

const never = new Set([
  'authorization',
  'x-api-key',
  'api-key',
  'x-goog-api-key',
  'cookie',
  'host',
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
  'content-length',
  'content-encoding',
  'accept-encoding',
  'openai-organization',
  'openai-project',
  'forwarded',
  'via',
  'x-real-ip',
  'priority',
])

/** What was decided about a name, for the next request: names are few. Bounded, for clients may invent them. */
const decided = new Map<string, boolean>()

/** True for a client header that may be sent to an upstream of the same dialect. Names are lower-case. */
export function forwardable(name: string): boolean {
  let yes = decided.get(name)
  if (yes === undefined) {
    yes = !(never.has(name) || /^(proxy-|x-forwarded-|sec-|cf-)/.test(name))
    if (decided.size < 1000) decided.set(name, yes)
  }
  return yes
}

/** A query without credentials (H01), with its question mark; empty when nothing is left. */
export function forwardableQuery(query: string): string {
  if (query === 'beta=true') return '?beta=true'
  const kept = query.split('&').filter((pair) => !/^[^=]*(key|token|secret|password|auth|signature)/i.test(decoded(pair)))
  return kept.length === 0 ? '' : `?${kept.join('&')}`
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Bun's own: all headers as one object, names lower-case. Half the price of iterating. */
type Listed = Headers & { toJSON(): Record<string, string>; readonly count: number }

/**
 * The headers of an upstream call, ready for the wire: the client's forwardable ones, then the upstream's own, which win. The client's were
 * parsed by the listener, so that no value can hold a line break.
 * @param own the upstream's headers as lines, and their names
 * @param anthropic the upstream speaks Anthropic's API
 */
export function requestLines(
  client: Headers,
  own: OwnHeaders,
  defaults: readonly (readonly [string, string])[],
  anthropic: boolean,
): HeaderLines {
  let lines = ''
  const given = (client as Listed).toJSON()
  const hops = hopNames(given.connection)
  for (const name in given) {
    if (!forwardable(name) || own.names.has(name) || hops?.has(name)) continue
    // Claude's version and beta flags mean nothing elsewhere, and name the client's product to a stranger (H04, H06)
    if (!anthropic && name.startsWith('anthropic-')) continue
    let value = given[name]!
    // Bun joins repeated headers: one anthropic-version goes upstream, the first (H03)
    if (name === 'anthropic-version' && value.includes(',')) value = value.slice(0, value.indexOf(',')).trim()
    lines += `${name}: ${value}\r\n`
  }
  for (const [name, value] of defaults) if (given[name] === undefined) lines += `${name}: ${value}\r\n`
  return { lines: lines + own.lines }
}

/** What crosses from a client of another dialect: who it is and how to trace it. The rest means something to its own API only. */
const crossing = new Set(['user-agent', 'traceparent', 'tracestate', 'baggage'])

/** The headers of a translated call: those few of the client's, then the upstream's own. */
export function translatedLines(client: Headers, own: OwnHeaders, defaults: readonly (readonly [string, string])[]): HeaderLines {
  let lines = 'content-type: application/json\r\n'
  for (const name of crossing) {
    const value = own.names.has(name) ? null : client.get(name)
    if (value !== null) lines += `${name}: ${value}\r\n`
  }
  for (const [name, value] of defaults) if (!own.names.has(name)) lines += `${name}: ${value}\r\n`
  return { lines: lines + own.lines }
}

/** The headers that a client declares to be the connection's own; undefined in the usual case of none. */
function hopNames(connection: string | undefined): ReadonlySet<string> | undefined {
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return undefined
  return new Set(connection.split(',').map((name) => name.trim().toLowerCase()))
}

/** Headers that every call to an upstream carries, made once. */
export interface OwnHeaders {
  readonly names: ReadonlySet<string>
  readonly lines: string
}

/**
 * Checks and joins an upstream's own headers.
 * @throws TypeError when one can't be sent
 */
export function ownHeaders(pairs: readonly (readonly [string, string])[]): OwnHeaders {
  const checked = new Headers(pairs as [string, string][])
  let lines = ''
  for (const [name, value] of checked) {
    if (/[^\t\x20-\x7e\x80-\xff]/.test(value)) throw new TypeError(`the value of header ${name} can't be sent`) // it may be a secret
    lines += `${name}: ${value}\r\n`
  }
  return { names: new Set(checked.keys()), lines }
}

const passed = new Set([
  'content-type',
  'retry-after',
  'retry-after-ms',
  'x-should-retry',
  'openai-processing-ms',
  'openai-version',
  'openai-model',
  'warning',
])

/** True for an upstream header that the client gets (H07). */
export function returnable(name: string): boolean {
  return passed.has(name) || name.startsWith('anthropic-ratelimit-') || name.startsWith('x-ratelimit-')
}

/** True for an upstream header that the gateway reads or hands on: the others need not be kept. */
export function wanted(name: string): boolean {
  return returnable(name) || name === 'request-id' || name === 'x-request-id' || name === 'content-encoding'
}

/**
 * Makes an upstream's headers those that the client gets; gives the upstream's request id. `x-request-id` will be the gateway's; the
 * upstream's own id stays readable under another name.
 */
export function toReplyHeaders(headers: Headers): string | undefined {
  let requestId: string | undefined
  // the usual case of a provider behind nobody; the others say who they are
  if ((headers as Listed).count === 1 && headers.has('content-type')) return undefined
  const given = (headers as Listed).toJSON()
  for (const name in given) {
    if (returnable(name)) continue
    headers.delete(name)
    if (name === 'request-id' || name === 'x-request-id') requestId = given[name]!
  }
  if (requestId !== undefined) headers.set('x-upstream-request-id', requestId)
  return requestId
}
