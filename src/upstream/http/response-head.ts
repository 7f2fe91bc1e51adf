/**
 * The head of a response: from its text to status, end-to-end headers and framing.
 *
 * Owns the limits on heads and `ParseFault`. Pure; keeps nothing between calls.
 */

/** Limits on what a server may send besides its body. */
export const headLimits = { bytes: 65_536, lines: 256, informational: 32, chunkLine: 4096 } as const

/** The server broke the protocol, or a limit. */
export class ParseFault extends Error {
  constructor(
    readonly kind: 'protocol' | 'too_large',
    message: string,
  ) {
    super(message)
  }
}

export interface ResponseHead {
  readonly status: number
  /** End-to-end headers: no connection, keep-alive, transfer-encoding, trailer, upgrade, te, proxy-connection, nor names that `connection` lists. */
  readonly headers: Headers
  readonly chunked: boolean
  /** Undefined when not given, or when transfer-encoding wins. */
  readonly length: number | undefined
  /** Lower-case value of content-encoding; undefined when there is none or it says `identity`. */
  readonly coding: string | undefined
  /** The connection may serve another request once this answer is complete. */
  readonly keepAlive: boolean
  /** Milliseconds of `Keep-Alive: timeout=`; undefined when not given. */
  readonly keepAliveFor: number | undefined
}

/**
 * Parses a response head.
 * @param text status line and header lines as latin1, without the empty line at the end
 * @param wants which headers are kept, by lower-case name; what framing needs is read all the same
 * @throws ParseFault
 */
export function parseHead(text: string, wants?: (name: string) => boolean): ResponseHead {
  let next = text.indexOf('\r\n')
  const status = statusOf(text, next < 0 ? text.length : next)

  const headers = new Headers()
  let length: string | undefined
  let transfer: string | undefined
  let connection: string | undefined
  let coding: string | undefined
  let keepAliveFor: number | undefined
  for (let count = 1; next >= 0; count += 1) {
    if (count > headLimits.lines) throw new ParseFault('too_large', `more than ${headLimits.lines} header lines`)
    const start = next + 2
    next = text.indexOf('\r\n', start)
    const line = next < 0 ? text.slice(start) : text.slice(start, next)
    const colon = line.indexOf(':')
    if (colon <= 0) throw new ParseFault('protocol', `bad header line ${JSON.stringify(line.slice(0, 80))}`)
    const value = trimmed(line, colon + 1)
    // Only names of these lengths can matter to framing; lower-casing every name would cost as much as the rest of the loop.
    switch (colon) {
      case 2: // te
      case 7: // trailer, upgrade
      case 10: // connection, keep-alive
      case 14: // content-length
      case 16: // content-encoding, proxy-connection
      case 17: {
        // transfer-encoding
        switch (line.slice(0, colon).toLowerCase()) {
          case 'te':
          case 'trailer':
          case 'upgrade':
          case 'proxy-connection':
            continue
          case 'connection':
            connection = connection === undefined ? value : `${connection},${value}`
            continue
          case 'keep-alive': {
            const seconds = /(?:^|[,;\s])timeout=(\d{1,6})/i.exec(value)
            if (seconds !== null) keepAliveFor = Number(seconds[1]) * 1000
            continue
          }
          case 'transfer-encoding':
            transfer = transfer === undefined ? value : `${transfer},${value}`
            continue
          case 'content-length':
            length = sameLength(length, value)
            if (wants === undefined || wants('content-length')) headers.set('content-length', length)
            continue
          case 'content-encoding':
            coding = coding === undefined ? value : `${coding},${value}`
        }
      }
    }
    // what nobody wants is passed over; a folded line is refused below all the same
    if (wants !== undefined && line.charCodeAt(0) > 32 && !wants(line.slice(0, colon).toLowerCase())) continue
    try {
      headers.append(line.slice(0, colon), value) // refuses names that are no token (obs-fold too) and NUL, CR, LF in values
    } catch {
      throw new ParseFault('protocol', `bad header line ${JSON.stringify(line.slice(0, 80))}`)
    }
  }

  const http11 = text.charCodeAt(7) === 49
  const chunked = transfer !== undefined && isChunked(transfer)
  if (chunked && length !== undefined) headers.delete('content-length')
  return {
    status,
    headers,
    chunked,
    length: chunked || length === undefined ? undefined : Number(length),
    coding: plainCoding(coding),
    keepAlive: persists(http11, connection, headers) && !(transfer !== undefined && (length !== undefined || !http11)),
    keepAliveFor,
  }
}

/** The status of a status line that ends at `end`. @throws ParseFault */
function statusOf(text: string, end: number): number {
  // nearly always; anything else is looked at closely
  if (end === 15 && text.startsWith('HTTP/1.1 200 OK')) return 200
  const line = text.slice(0, end)
  const status = /^HTTP\/1\.[01] ([1-5]\d\d)(?: [^\r\n\0]*)?$/.exec(line)
  if (status === null) throw new ParseFault('protocol', `bad status line ${JSON.stringify(line.slice(0, 80))}`)
  return Number(status[1])
}

/** The line from `start` without spaces and tabs around it. */
function trimmed(line: string, start: number): string {
  let end = line.length
  while (start < end && isBlank(line.charCodeAt(start))) start += 1
  while (end > start && isBlank(line.charCodeAt(end - 1))) end -= 1
  return line.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9
}

/** One content-length out of all that were given; `5, 5` and repeated lines are one as long as they agree. */
function sameLength(before: string | undefined, value: string): string {
  if (before === undefined && /^\d{1,15}$/.test(value)) return value
  let agreed = before
  for (const item of value.split(',')) {
    const digits = item.trim()
    if (!/^\d{1,15}$/.test(digits)) throw new ParseFault('protocol', `bad content-length ${JSON.stringify(value.slice(0, 80))}`)
    if (agreed !== undefined && Number(agreed) !== Number(digits)) throw new ParseFault('protocol', 'conflicting content-length headers')
    agreed ??= digits
  }
  return agreed as string
}

function isChunked(transfer: string): boolean {
  const value = transfer.toLowerCase()
  if (value === 'chunked') return true
  if (value === 'identity') return false
  throw new ParseFault('protocol', `unknown transfer-encoding ${JSON.stringify(transfer.slice(0, 80))}`)
}

function plainCoding(coding: string | undefined): string | undefined {
  if (coding === undefined) return undefined
  const value = coding.toLowerCase()
  return value === '' || value === 'identity' ? undefined : value
}

/** Reads `connection`: says whether the connection persists, and removes the headers that it names. */
function persists(http11: boolean, connection: string | undefined, headers: Headers): boolean {
  if (connection === undefined) return http11
  let keep = http11
  let close = false
  for (const item of connection.split(',')) {
    const token = item.trim().toLowerCase()
    if (token === 'close') close = true
    else if (token === 'keep-alive') keep = true
    else if (/^[\w!#$%&'*+.^`|~-]+$/.test(token)) headers.delete(token)
  }
  return keep && !close
}
