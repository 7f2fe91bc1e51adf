/**
 * Whether an object in a JSON text names a member twice. Parsers differ in which of the two counts, so that such a request may mean one thing to the gateway and
 * another to the provider: an answer to it may not stand for others. Pure; one pass, nothing is parsed but names with escapes.
 */

import { bufferOf, isSpace } from '../prompt/json-bytes.ts'

/** True when a member is repeated. What is no JSON gives any answer, and no error. */
export function repeatsMember(body: Uint8Array): boolean {
  const bytes = bufferOf(body)
  // the names in each object around this place; undefined for a list
  const open: (Set<string> | undefined)[] = []
  let at = 0
  while (at < bytes.length) {
    const byte = bytes[at]!
    if (byte === 0x7b) open.push(new Set())
    else if (byte === 0x5b) open.push(undefined)
    else if (byte === 0x7d || byte === 0x5d) open.pop()
    else if (byte === 0x22) {
      const end = stringEnd(bytes, at)
      const names = open.at(-1)
      let next = end
      if (names) {
        while (isSpace(bytes[next])) next++
        if (bytes[next] === 0x3a) {
          const name = nameAt(bytes, at, end)
          if (names.has(name)) return true
          names.add(name)
        }
      }
      at = next
      continue
    }
    at++
  }
  return false
}

/** Behind the closing quote of the string that begins at `start`. */
function stringEnd(bytes: Buffer, start: number): number {
  for (let at = bytes.indexOf(0x22, start + 1); at >= 0; at = bytes.indexOf(0x22, at + 1)) {
    let slashes = 0
    while (bytes[at - 1 - slashes] === 0x5c) slashes++
    if (slashes % 2 === 0) return at + 1
  }
  return bytes.length
}

function nameAt(bytes: Buffer, start: number, end: number): string {
  const raw = bytes.toString('utf8', start, end)
  if (!raw.includes('\\')) return raw
  try {
    return JSON.stringify(JSON.parse(raw))
  } catch {
    return raw
  }
}
