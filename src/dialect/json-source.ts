/**
 * A body to be translated: its parsed value, and the exact text of any value in it.
 *
 * Tool arguments and schemas change from JSON objects to JSON strings and back between dialects. Taking their text as it was sent keeps
 * number spellings, duplicate keys and key order (I10), which parsing and printing would not. Each container is scanned at most once.
 */

import { type ChildSpan, childSpans, rootSpan } from '../json/spans.ts'
import { decodeText, type JsonObject, objectOf, parseJson } from './shape.ts'

/** What a request reader reads. */
export interface JsonSource {
  readonly json: JsonObject
  /** The text of the value at a path of keys and indices; undefined when there is none. */
  raw(...path: readonly (string | number)[]): string | undefined
}

/** A source over bytes that were checked to be JSON; undefined when they are not an object. */
export function jsonSource(bytes: Uint8Array): JsonSource | undefined {
  const json = objectOf(parseJson(decodeText(bytes)))
  if (!json) return undefined
  const children = new Map<number, Map<string | number, ChildSpan>>()

  const indexOf = (start: number): Map<string | number, ChildSpan> => {
    let known = children.get(start)
    if (!known) {
      known = new Map()
      const isObject = bytes[start] === 0x7b
      for (const [i, child] of childSpans(bytes, start).entries()) {
        // of duplicate keys the last counts, as in the parsed value
        known.set(isObject ? (JSON.parse(decodeText(bytes.subarray(child.keyStart, child.keyEnd))) as string) : i, child)
      }
      children.set(start, known)
    }
    return known
  }

  return {
    json,
    raw(...path) {
      let { start, end } = rootSpan(bytes, bytes[0] === 0xef ? 3 : 0)
      for (const step of path) {
        if (bytes[start] !== 0x7b && bytes[start] !== 0x5b) return undefined
        const child = indexOf(start).get(step)
        if (!child) return undefined
        start = child.start
        end = child.end
      }
      return decodeText(bytes.subarray(start, end))
    },
  }
}
