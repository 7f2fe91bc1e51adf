/**
 * The head of a request as bytes, and the body's segments grouped into writes.
 *
 * Owns validation: nothing that could smuggle a second header or request goes out. Pure.
 */

import type { HttpRequestOptions } from './transport.ts'

/** Up to this size, neighbouring segments are copied together into one write; larger ones are written as they are. */
const joinLimit = 65_536
const token = /^[\w!#$%&'*+.^`|~-]+$/
const badValue = /[^\t\x20-\x7e\x80-\xff]/
const badPath = /[^\x21-\x7e]/

/**
 * Makes the writes of a request: head first, then the body, small neighbours joined.
 * @throws TypeError when method, path or a header can't be sent as given
 */
export function requestWrites(options: HttpRequestOptions): Uint8Array[] {
  const small = smallRequest(options)
  if (small >= 0) return [Buffer.from(scratch.subarray(0, small))]
  const { body } = options
  const head = headText(options, lengthOf(body))
  const writes: Uint8Array[] = []
  let group: Uint8Array[] = [Buffer.from(head, 'latin1')]
  let grouped = head.length
  for (const segment of body) {
    if (segment.length === 0) continue
    if (grouped + segment.length > joinLimit) {
      flush(writes, group)
      group = []
      grouped = 0
    }
    group.push(segment)
    grouped += segment.length
  }
  flush(writes, group)
  return writes
}

/** Where small requests are put together: what a socket takes is copied by it, so that the same bytes serve the next request. */
export const scratch: Latin1Buffer = Buffer.allocUnsafeSlow(joinLimit) as Latin1Buffer

/** Node's own, which its types leave out: half the price of `write`. */
type Latin1Buffer = Buffer & { latin1Write(text: string, offset: number): number }

/**
 * Puts a small request, the usual case of a short prompt, into {@link scratch}, where it stands until the next call.
 * @returns its length; -1 for one that is to be written in pieces
 * @throws TypeError when method, path or a header can't be sent as given
 */
export function smallRequest(options: HttpRequestOptions): number {
  const { body } = options
  const length = lengthOf(body)
  if (length > joinLimit) return -1
  const head = headText(options, length)
  if (head.length + length > joinLimit) return -1
  let at = scratch.latin1Write(head, 0)
  for (const segment of body) {
    scratch.set(segment, at)
    at += segment.length
  }
  return at
}

function lengthOf(body: readonly Uint8Array[]): number {
  let length = 0
  for (const segment of body) length += segment.length
  return length
}

function flush(writes: Uint8Array[], group: Uint8Array[]): void {
  if (group.length === 1) writes.push(group[0] as Uint8Array)
  else if (group.length > 1) writes.push(Buffer.concat(group))
}

function headText(options: HttpRequestOptions, length: number): string {
  const { origin, path, method, headers } = options
  let text: string
  if ('lines' in headers) {
    checkLine(method, path)
    text = `${headers.lines}accept-encoding: identity\r\n`
  } else text = visitedText(options)
  if (length > 0 || method === 'POST' || method === 'PUT' || method === 'PATCH') text += `content-length: ${length}\r\n`
  return `${method} ${path} HTTP/1.1\r\nhost: ${origin.host}\r\n${text}\r\n`
}

function visitedText(options: HttpRequestOptions): string {
  let text = ''
  visitHeaders(options, (name, value) => {
    text += `${name}: ${value}\r\n`
  })
  return text
}

function checkLine(method: string, path: string): void {
  if (method !== 'POST' && (!token.test(method) || method === 'CONNECT'))
    throw new TypeError(`method ${JSON.stringify(method)} can't be sent`)
  if (!(path.startsWith('/') || path === '*') || badPath.test(path)) throw new TypeError(`path ${JSON.stringify(path)} can't be sent`)
}

/** The headers of a request, one by one, whatever form they have. */
export function headerPairs(headers: HttpRequestOptions['headers']): Iterable<readonly [name: string, value: string]> {
  if (!('lines' in headers)) return headers
  return headers.lines.split('\r\n').flatMap((line): (readonly [string, string])[] => {
    const colon = line.indexOf(':')
    return colon > 0 ? [[line.slice(0, colon), line.slice(colon + 1).trim()]] : []
  })
}

/**
 * Calls `visit` for each header to send: those given that are not the connection's own, and `accept-encoding: identity` unless given.
 * @throws TypeError when method, path or a header can't be sent as given
 */
export function visitHeaders({ path, method, headers }: HttpRequestOptions, visit: (name: string, value: string) => void): void {
  checkLine(method, path)
  let encoding = false
  for (const [name, value] of headerPairs(headers)) {
    switch (name.length) {
      case 2: // te
      case 4: // host
      case 6: // expect
      case 7: // trailer, upgrade
      case 10: // connection, keep-alive
      case 14: // content-length
      case 15: // accept-encoding
      case 16: // proxy-connection
      case 17: // transfer-encoding
        if (isOurs.has(name.toLowerCase())) continue
        if (name.length === 15 && name.toLowerCase() === 'accept-encoding') encoding = true
    }
    if (!isToken(name)) throw new TypeError(`header name ${JSON.stringify(name)} can't be sent`)
    if (badValue.test(value)) throw new TypeError(`the value of header ${name} can't be sent`) // the value may be a secret
    visit(name, value)
  }
  if (!encoding) visit('accept-encoding', 'identity')
}

/** Names that were found to be tokens, for the next request: names are few. Bounded, for clients may invent them. */
const tokens = new Set<string>()

function isToken(name: string): boolean {
  if (tokens.has(name)) return true
  if (!token.test(name)) return false
  if (tokens.size < 1000) tokens.add(name)
  return true
}

/** Names that belong to the connection. `expect` too: waiting for a 100 helps nobody here. */
const isOurs: ReadonlySet<string> = new Set([
  'te',
  'host',
  'expect',
  'trailer',
  'upgrade',
  'connection',
  'keep-alive',
  'content-length',
  'proxy-connection',
  'transfer-encoding',
])
