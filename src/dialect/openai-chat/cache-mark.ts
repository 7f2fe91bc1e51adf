/** Cache marks in Chat: vendors' `cache_control` on parts, tools and messages, and OpenAI's `prompt_cache_breakpoint` (F04, F05, I05). */

import type { CacheMark } from '../conversation.ts'
import { type JsonObject, objectOf, wordOf } from '../shape.ts'

/** The mark on an object; undefined when it bears none. */
export function cacheMark(object: JsonObject): CacheMark | undefined {
  const control = objectOf(object.cache_control)
  if (control) {
    const ttl = wordOf(control.ttl)
    return ttl === undefined ? {} : { ttl }
  }
  const breakpoint = object.prompt_cache_breakpoint
  return breakpoint === undefined || breakpoint === null || breakpoint === false ? undefined : {}
}

/** The member that bears a mark. */
export function cacheControl(mark: CacheMark): JsonObject {
  return { cache_control: { type: 'ephemeral', ...(mark.ttl !== undefined && { ttl: mark.ttl }) } }
}
