/**
 * The gateway's own credential in what a provider says of a call: some quote the key that they refuse. It concerns no client.
 *
 * Looked for only in errors.
 */

import { headerPairs } from './http/request-head.ts'
import type { HeaderLines } from './http/transport.ts'

const carriers: ReadonlySet<string> = new Set(['authorization', 'x-api-key', 'api-key', 'x-goog-api-key'])
/** Shorter ones are no secrets, and may be a part of any word. */
const shortest = 6

/** The credentials among the headers of a call, without the word before them. */
function credentialsIn(headers: Headers | HeaderLines): string[] {
  const found: string[] = []
  for (const [name, value] of headerPairs(headers as HeaderLines)) {
    if (!carriers.has(name.toLowerCase())) continue
    const secret = value.slice(value.lastIndexOf(' ') + 1)
    if (secret.length >= shortest) found.push(secret)
  }
  return found
}

/** A sentence without the credentials that were sent. */
export function withoutCredentials(text: string, headers: Headers | HeaderLines): string {
  let clean = text
  for (const secret of credentialsIn(headers)) clean = clean.replaceAll(secret, '***')
  return clean
}

/** Bytes without the credentials that were sent; the same bytes where there are none of them. */
export function bytesWithoutCredentials(bytes: Uint8Array, headers: Headers | HeaderLines): Uint8Array {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (!credentialsIn(headers).some((secret) => view.includes(secret, 0, 'latin1'))) return bytes
  return Buffer.from(withoutCredentials(view.toString('latin1'), headers), 'latin1')
}
