/**
 * Running conversations in memory: what was decided for each message, and the reader that goes on from there.
 *
 * A branch is found by its session and the key of the last answer of the model in it, which the client sends back with the next turn. Bounded by size, the longest unused is
 * dropped first: it is read anew from the client's bytes when it goes on. Who works on a branch takes it out; a second one at the same time reads anew.
 */

import type { Key } from './chain.ts'
import type { Marks } from './marks.ts'
import type { Policy } from './policy.ts'
import type { Reader, ReaderState } from './reader.ts'
import type { UnitRecord } from './record.ts'

/** What holds from some answer of the model on, whoever goes on from there. */
export interface Standing {
  /** Messages before this one are never trimmed: a provider may have had them as they are. */
  readonly floor: number
  readonly control: boolean
  /** Name of the policy. */
  readonly policy: string
  /** The request that went on from here forced a call. */
  readonly forced: boolean
  /** Name of the list of decisions that were made anew when the provider's cache was lost; absent = none. */
  readonly rewritten?: string
}

export interface Branch {
  /** Whose. */
  readonly session: string
  /** The last answer's position among the messages. */
  readonly root: number
  readonly records: UnitRecord[]
  /** Keys of the messages after the root. */
  readonly tail: readonly Key[]
  readonly atRoot: ReaderState
  readonly reader: Reader
  readonly standing: Standing
  readonly policy: Policy
  /** References that were sent, by their text, and what they stand for. */
  readonly marks: Marks
}

export interface Branches {
  /** Takes a branch out. */
  take(key: string): Branch | undefined
  put(key: string, branch: Branch): void
  clear(): void
  readonly size: number
  readonly count: number
}

/** Text of the history is kept, and an index of its lines: so many bytes for a character. */
const perHistoryCharacter = 6
const perUnit = 120

export function branches(limit: number): Branches {
  const held = new Map<string, { readonly branch: Branch; readonly size: number }>()
  let total = 0
  const drop = (key: string) => {
    const entry = held.get(key)
    if (!entry) return undefined
    held.delete(key)
    total -= entry.size
    return entry.branch
  }
  return {
    take: drop,
    put(key, branch) {
      drop(key)
      const size = sizeOf(branch)
      if (size > limit) return
      held.set(key, { branch, size })
      total += size
      for (const oldest of held.keys()) {
        if (total <= limit) break
        drop(oldest)
      }
    },
    clear() {
      held.clear()
      total = 0
    },
    get size() {
      return total
    },
    get count() {
      return held.size
    },
  }
}

function sizeOf({ records, reader, marks }: Branch): number {
  let size = records.length * perUnit + 2 * marks.characters
  for (const record of records) size += record.size
  for (const { text } of reader.history.seen) size += text.length * perHistoryCharacter
  return size
}
