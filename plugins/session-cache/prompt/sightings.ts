/**
 * Whether a beginning that first requests share will be read again before its cache entry is gone, and whether a conversation that begins so goes on.
 *
 * A belief for each, Beta(1, 3) at first, that every sighting in time strengthens and every other one weakens. Writing is worth its price above a chance of
 * 28 % at the usual prices: from the second sighting on. Bounded; shared between instances as well as it goes.
 */

import type { CacheFacts, Host } from 'headgate/plugin'

interface Sighting {
  readonly at: number
  /** Further sightings in time, and too late. */
  readonly again: number
  readonly late: number
  /** Conversations that began so, and those of them that went on in time. */
  readonly begun: number
  readonly wentOn: number
}

/** Chances from 0 to 1. */
export interface Chances {
  /** That the beginning is seen again in time. */
  readonly again: number
  /** That the conversation goes on in time. */
  readonly onward: number
}

export interface Sightings {
  /** Counts a first request. @param lifetime milliseconds of an entry */
  begin(key: string, lifetime: number): Promise<Chances>
  /** A conversation went on in time. */
  wentOn(key: string): void
}

const most = 10_000
const day = 86_400_000
const patience = 100
/** Old sightings fade: counts are halved when one of them is this high. */
const enough = 64

export function createSightings(host: Host): Sightings {
  const known = new Map<string, Sighting>()
  const put = (key: string, seen: Sighting) => {
    const { again, late, begun, wentOn } = seen
    const full = again + late > enough || begun > enough
    const next = full ? { ...seen, again: again / 2, late: late / 2, begun: begun / 2, wentOn: wentOn / 2 } : seen
    known.delete(key)
    if (known.size >= most) known.delete(known.keys().next().value!)
    known.set(key, next)
    host.state.set(`seen:${key}`, next, day).catch(() => {})
  }
  return {
    async begin(key, lifetime) {
      const now = host.now()
      const before = known.get(key) ?? (await look(host, key))
      const { again = 0, late = 0, begun = 0, wentOn = 0 } = before ?? {}
      const inTime = before !== undefined && now - before.at <= lifetime
      const next: Sighting = {
        at: now,
        again: again + (inTime ? 1 : 0),
        late: late + (before && !inTime ? 1 : 0),
        begun: begun + 1,
        wentOn,
      }
      put(key, next)
      return { again: (1 + next.again) / (4 + next.again + next.late), onward: (1 + wentOn) / (4 + begun) }
    },
    wentOn(key) {
      const seen = known.get(key)
      if (seen) put(key, { ...seen, wentOn: Math.min(seen.begun, seen.wentOn + 1) })
    },
  }
}

async function look(host: Host, key: string): Promise<Sighting | undefined> {
  try {
    const found = await Promise.race([host.state.get<Sighting>(`seen:${key}`), Bun.sleep(patience).then(() => undefined)])
    return typeof found?.at === 'number' && typeof found.wentOn === 'number' ? found : undefined
  } catch {
    return undefined
  }
}

/** The chance of a read above which a write pays, by the provider's prices; 0 where writing costs no more than reading anew. */
export function breakEven({ write, read }: CacheFacts): number {
  return write <= 1 ? 0 : read >= 1 ? 1 : (write - 1) / (1 - read)
}
