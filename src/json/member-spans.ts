/**
 * The members of an object and the items of those that are arrays, in one pass over the quotes.
 *
 * The same walk as `childSpans`, one level deeper: a request is an object whose one large member is a list, and walking it twice would double the cost.
 * Checks nothing; bytes that are no JSON give spans without meaning, never an error.
 */

import { quoteIndex, WINDOW } from './quote-index.ts'
import type { ChildSpan, Span } from './spans.ts'

export interface MemberSpan extends ChildSpan {
  /** Of an array; absent for any other value. */
  readonly items?: readonly Span[]
}

/** The members of the object that begins at `start`, in order. */
export function memberSpans(bytes: Uint8Array, start: number): MemberSpan[] {
  const members: MemberSpan[] = []
  let depth = 1
  let key = true
  let keyStart = -1
  let keyEnd = -1
  let valueStart = -1
  let valueEnd = -1
  let items: Span[] | undefined
  let itemStart = -1
  let itemEnd = -1

  let at = start + 1
  let base = at
  let limit = at
  let next = 0
  let count = 0
  let escaped: 0 | 1 = 0
  let open = -1

  for (;;) {
    while (next === count && limit < bytes.length) {
      base = limit
      limit = Math.min(base + WINDOW, bytes.length)
      const found = quoteIndex.find(bytes, base, limit, escaped)
      count = found >>> 1
      escaped = (found & 1) as 0 | 1
      next = 0
    }
    const quote = next < count ? base + quoteIndex.positions[next++]! : bytes.length

    if (open !== -1) {
      at = quote + 1
      if (depth === 1) {
        if (key) {
          keyStart = open
          keyEnd = at
        } else {
          valueStart = open
          valueEnd = at
        }
      } else if (depth === 2 && items !== undefined) {
        itemStart = open
        itemEnd = at
      }
      open = -1
      continue
    }

    for (; at < quote; at++) {
      const byte = bytes[at]!
      if (byte === 0x7b || byte === 0x5b) {
        depth++
        if (depth === 2) {
          valueStart = at
          if (byte === 0x5b) items = []
        } else if (depth === 3) itemStart = at
      } else if (byte === 0x7d || byte === 0x5d) {
        depth--
        if (depth === 1) {
          if (items !== undefined && itemStart !== -1) items.push({ start: itemStart, end: itemEnd })
          itemStart = -1
          valueEnd = at + 1
        } else if (depth === 2) itemEnd = at + 1
        else if (depth === 0) {
          if (valueStart !== -1) members.push(member(keyStart, keyEnd, valueStart, valueEnd, items))
          return members
        }
      } else if (depth > 2 || byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) {
      } else if (depth === 1) {
        if (byte === 0x2c) {
          members.push(member(keyStart, keyEnd, valueStart, valueEnd, items))
          valueStart = -1
          items = undefined
          key = true
        } else if (byte === 0x3a) key = false
        else {
          if (valueStart === -1) valueStart = at
          valueEnd = at + 1
        }
      } else if (items !== undefined) {
        if (byte === 0x2c) {
          items.push({ start: itemStart, end: itemEnd })
          itemStart = -1
        } else {
          if (itemStart === -1) itemStart = at
          itemEnd = at + 1
        }
      }
    }
    if (quote === bytes.length) return members
    open = quote
  }
}

function member(keyStart: number, keyEnd: number, start: number, end: number, items: readonly Span[] | undefined): MemberSpan {
  return items ? { keyStart, keyEnd, start, end, items } : { keyStart, keyEnd, start, end }
}
