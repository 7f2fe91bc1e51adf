/**
 * Cache marks of a conversation as blocks of their own behind what they mark (F04, F05). Of more than the provider takes the last stay.
 */

import type { CacheMark, Content, Conversation } from '../conversation.ts'
import type { Writable } from '../json-text.ts'
import type { LossReport } from '../loss.ts'

/** Marks that a request may hold. */
const maxMarks = 4

/** Blocks to put behind what bears this mark: one, or none. To be asked in the order tools, system, messages. */
export type CachePoints = (mark: CacheMark | undefined) => readonly Writable[]

const none: readonly Writable[] = []

/** The cache points of one request. `understood`: the model knows them. */
export function cachePoints(conversation: Conversation, understood: boolean, report: LossReport): CachePoints {
  const count =
    conversation.tools.filter((tool) => tool.cache).length +
    conversation.turns.reduce((sum, turn) => sum + turn.content.filter((content) => markOf(content)).length, 0)
  let skip = understood ? count - maxMarks : count
  if (skip > 0) report.drop('cache_control')
  return (mark) => {
    if (!mark || skip-- > 0) return none
    return [{ cachePoint: { type: 'default', ttl: mark.ttl } }]
  }
}

/** The mark of a piece of content; one inside a result stands for the result. */
export function markOf(content: Content): CacheMark | undefined {
  if (content.type === 'reasoning') return undefined
  if (content.cache || content.type !== 'result') return content.cache
  return content.content.find((item) => item.cache)?.cache
}
