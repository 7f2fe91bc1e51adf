/**
 * Which event replaces which: hooks return a flat list of events for the ones they were given, and this finds out what became of each.
 *
 * An event that came back as it was is itself. A new object stands for the next event of its kind that did not come back. What is
 * left over was inserted. Pure; knows no dialect.
 */

import type { StreamEvent } from '../plugin/events.ts'

export interface Alignment {
  /** Inserted before everything that was kept. */
  readonly lead: readonly StreamEvent[]
  /**
   * `fates[i]` is what became of `before[i]`: empty = dropped; else first the event itself, kept or changed (same type), then what was
   * inserted behind it.
   */
  readonly fates: readonly (readonly StreamEvent[])[]
}

/** Aligns the events that hooks returned with the events they were given. */
export function align(before: readonly StreamEvent[], after: readonly StreamEvent[]): Alignment {
  const lead: StreamEvent[] = []
  const fates: StreamEvent[][] = before.map(() => [])
  let next = 0
  let last = -1
  for (const event of after) {
    let at = before.indexOf(event, next)
    if (at === -1) at = before.findIndex((old, i) => i >= next && sameRole(old, event) && !after.includes(old))
    if (at === -1) {
      const place = last === -1 ? lead : fates[last]
      place?.push(event)
      continue
    }
    fates[at]?.push(event)
    last = at
    next = at + 1
  }
  return { lead, fates }
}

/** True when one event can stand in the other's place in a frame. */
function sameRole(a: StreamEvent, b: StreamEvent): boolean {
  if (a.type !== b.type) return false
  if ('choice' in a && 'choice' in b && a.choice !== b.choice) return false
  return a.type !== 'tool_call' || b.type !== 'tool_call' || a.index === b.index
}

/** True when nothing was changed, dropped or inserted. */
export function isUnchanged(before: readonly StreamEvent[], after: readonly StreamEvent[]): boolean {
  if (before === after) return true
  return before.length === after.length && before.every((event, i) => event === after[i])
}

/** True when each event of a whole reply came back as it was, and no other with it. */
export function isUntouched(events: readonly StreamEvent[], after: readonly (readonly StreamEvent[])[]): boolean {
  return events.every((event, i) => after[i]?.length === 1 && after[i]?.[0] === event)
}

/** What became of the events of a whole reply: `kept[i]` stands in the place of `events[i]` (same type), all else was added. */
export function wholeFates(
  events: readonly StreamEvent[],
  after: readonly (readonly StreamEvent[])[],
): { readonly kept: (StreamEvent | undefined)[]; readonly added: readonly StreamEvent[] } {
  const kept = events.map((event, i) => after[i]?.find((now) => now.type === event.type))
  return { kept, added: after.flatMap((list, i) => list.filter((event) => event !== kept[i])) }
}

/** The sites of a body to which its events belong, by position; undefined where an event has none (`start`, a native frame). Both in order of the body. */
export function pairSites<S extends { readonly type: string; readonly choice?: number }>(
  sites: readonly S[],
  events: readonly StreamEvent[],
): (S | undefined)[] {
  let next = 0
  return events.map((event) => {
    for (let i = next; i < sites.length; i++) {
      const site = sites[i]!
      if (site.type !== event.type || (site.choice !== undefined && 'choice' in event && site.choice !== event.choice)) continue
      next = i + 1
      return site
    }
    return undefined
  })
}

/** True when two events say the same, so that the bytes of one can stand for the other. */
export function sameContent(a: StreamEvent, b: StreamEvent): boolean {
  if (a === b) return true
  return a.type === b.type && Bun.deepEquals(a, b)
}
