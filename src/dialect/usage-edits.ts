/**
 * Usage on its way to the client: what changes in a received usage object when a plugin changed its event, and what a plugin added to it.
 *
 * Members that a plugin adds stand beside those of the upstream, whose own object stays as it came as long as its figures do.
 */

import type { StreamEvent, UsageEvent } from '../plugin/events.ts'
import type { Usage } from '../plugin/outcome.ts'
import type { Splice } from './json-edits.ts'
import type { JsonObject } from './shape.ts'

/** The edits of the usage object at `pointer`; `write` spells a usage in the dialect. */
export function usageEdits(pointer: string, old: StreamEvent, now: UsageEvent, write: (usage: Usage) => JsonObject): Splice[] {
  const same = old.type === 'usage' && (old.usage === now.usage || Bun.deepEquals(old.usage, now.usage))
  if (!same) return [{ pointer, value: withExtra(write(now.usage), now.extra) }]
  return Object.entries(now.extra ?? {}).map(([name, value]) => ({
    pointer: `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`,
    value,
  }))
}

/** A usage object with what a plugin added to it. */
export function withExtra(object: JsonObject, extra: UsageEvent['extra']): JsonObject {
  return extra ? { ...object, ...extra } : object
}
