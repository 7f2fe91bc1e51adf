/**
 * Cache marks on a request that is written: where the client put them, with their lifetime, and never more than the provider takes (F04, F05, I05).
 *
 * Marks must be set in the order in which the provider caches: tools, system, messages. Of too many the last stay: they cover the most.
 */

import type { CacheMark } from '../conversation.ts'
import type { Writable } from '../json-text.ts'
import type { LossReport } from '../loss.ts'

/** Blocks that a request may mark. */
const maxMarks = 4

/** A block or tool while it is written. */
export type Block = { [name: string]: Writable }

export interface CacheMarks {
  /** Puts a mark on a block, if the client put one there. Gives the block. */
  set(block: Block, mark: CacheMark | undefined): Block
  /** Takes off what is too much. */
  settle(): void
}

/** @param understood false: the upstream knows no marks, so none is set */
export function cacheMarks(understood: boolean, report: LossReport): CacheMarks {
  const marked: Block[] = []
  return {
    set(block, mark) {
      if (!mark) return block
      if (!understood) {
        report.drop('cache_control')
        return block
      }
      block.cache_control = { type: 'ephemeral', ttl: mark.ttl }
      marked.push(block)
      return block
    },
    settle() {
      if (marked.length <= maxMarks) return
      for (const block of marked.slice(0, -maxMarks)) delete block.cache_control
      report.drop('cache_control')
    },
  }
}
