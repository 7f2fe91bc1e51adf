/**
 * JSON pointers (RFC 6901): text to reference tokens and back, and lookups and edits in plain values by tokens.
 *
 * Values are never changed in place: an edit copies the containers on its path and shares the rest. Members are own
 * properties whatever their name (`__proto__`), as JSON.parse makes them. This file knows nothing of bytes.
 */

import type { Json } from './value.ts'

/** A pointer that cannot be used: malformed, or nothing is where it leads. */
export class PointerError extends Error {
  override readonly name = 'PointerError'
  readonly pointer: string

  constructor(pointer: string, reason: string) {
    super(`JSON pointer ${JSON.stringify(pointer)}: ${reason}`)
    this.pointer = pointer
  }
}

/** The reference tokens of a pointer; none for the whole document. @throws PointerError when it is malformed. */
export function parsePointer(pointer: string): string[] {
  if (pointer === '') return []
  if (pointer.charCodeAt(0) !== 0x2f) throw new PointerError(pointer, 'must be empty or begin with /')
  const tokens = pointer.slice(1).split('/')
  if (!pointer.includes('~')) return tokens
  if (/~(?![01])/.test(pointer)) throw new PointerError(pointer, '~ must be written ~0')
  return tokens.map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** The pointer that consists of these tokens. */
export function formatPointer(tokens: readonly (string | number)[]): string {
  let pointer = ''
  for (const token of tokens) {
    pointer += typeof token === 'number' ? `/${token}` : `/${token.replaceAll('~', '~0').replaceAll('/', '~1')}`
  }
  return pointer
}

/** The array index that a token spells, -1 when it spells none (RFC 6901: decimal, no leading zeros). `-` is not an index here. */
export function arrayIndex(token: string): number {
  return /^(?:0|[1-9][0-9]{0,9})$/.test(token) ? Number(token) : -1
}

/** The value that the tokens lead to; undefined when there is none. */
export function lookUp(value: Json, tokens: readonly string[]): Json | undefined {
  let here: Json | undefined = value
  for (const token of tokens) {
    if (here === undefined || here === null || typeof here !== 'object') return undefined
    here = childOf(here, token)
  }
  return here
}

/**
 * The value with the one at `tokens[from…]` replaced or added (object members at the end, array elements behind the last).
 * @throws PointerError when its parent does not exist, is no container, or the index is not usable.
 */
export function withSet(value: Json, tokens: readonly string[], from: number, replacement: Json): Json {
  if (from === tokens.length) return replacement
  const token = tokens[from]!
  const last = from === tokens.length - 1
  if (value === null || typeof value !== 'object') throw new PointerError(formatPointer(tokens), 'its parent is not an object or array')
  const child = childOf(value, token)
  if (child === undefined && !last) throw new PointerError(formatPointer(tokens), `there is no ${formatPointer(tokens.slice(0, from + 1))}`)
  const changed = last ? replacement : withSet(child!, tokens, from + 1, replacement)
  if (!isArray(value)) return { ...value, [token]: changed }
  const index = child === undefined ? appendIndex(value.length, token, tokens) : Number(token)
  const copy = value.slice()
  copy[index] = changed
  return copy
}

/** The value without the one at `tokens[from…]`; the same value when there is none. At least one token must be left. */
export function withRemoved(value: Json, tokens: readonly string[], from: number): Json {
  if (value === null || typeof value !== 'object') return value
  const token = tokens[from]!
  const child = childOf(value, token)
  if (child === undefined) return value
  const last = from === tokens.length - 1
  const changed = last ? undefined : withRemoved(child, tokens, from + 1)
  if (changed === child) return value
  if (isArray(value)) {
    const copy = value.slice()
    if (changed === undefined) copy.splice(Number(token), 1)
    else copy[Number(token)] = changed
    return copy
  }
  if (changed !== undefined) return { ...value, [token]: changed }
  const { [token]: _, ...rest } = value
  return rest
}

/** The index at which a token appends to an array of this length. @throws PointerError when it does not. */
export function appendIndex(length: number, token: string, tokens: readonly string[]): number {
  if (token === '-' || arrayIndex(token) === length) return length
  throw new PointerError(formatPointer(tokens), `${JSON.stringify(token)} is not an index of an array of ${length}`)
}

function childOf(container: readonly Json[] | { readonly [key: string]: Json }, token: string): Json | undefined {
  if (isArray(container)) {
    const index = arrayIndex(token)
    return index === -1 ? undefined : container[index]
  }
  return Object.hasOwn(container, token) ? container[token] : undefined
}

/** Array.isArray does not narrow readonly arrays. */
function isArray(value: Json): value is readonly Json[] {
  return Array.isArray(value)
}
