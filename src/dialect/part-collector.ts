/**
 * Collects the parts of a request in the order in which a provider caches the prompt, and knows which lie behind a cache mark.
 *
 * A mark covers everything before it, so only the last one counts.
 */

import type { Part, PartKind } from '../plugin/request.ts'
import type { JsonObject } from './shape.ts'

export interface PartCollector {
  add(kind: PartKind, text: string, pointer: string, message: number, name?: string): void
  /** Looks for a cache mark on an object; all parts added so far are then cached. */
  mark(object: JsonObject): void
  /** All parts, in the order in which they were added. */
  done(): Part[]
}

/** @param isMarked true when the dialect's cache mark is on this object */
export function partCollector(isMarked: (object: JsonObject) => boolean): PartCollector {
  const parts: Omit<Part, 'cached'>[] = []
  let cached = 0
  return {
    add(kind, text, pointer, message, name) {
      parts.push({ kind, text, pointer, message, ...(name !== undefined && { name }) })
    },
    mark(object) {
      if (isMarked(object)) cached = parts.length
    },
    done() {
      return parts.map((part, i) => ({ ...part, cached: i < cached }))
    },
  }
}
