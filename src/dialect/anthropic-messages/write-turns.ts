/**
 * The turns of a conversation as `system` and `messages` of a Messages request (PROTOCOL §1.1, §1.2).
 *
 * Speakers alternate, results come first in the turn behind their calls, and no text is empty.
 */

import { uniqueCallIds } from '../call-ids.ts'
import type { WriteTarget } from '../codec.ts'
import type { Content, Conversation, TextContent, Turn } from '../conversation.ts'
import type { LossReport } from '../loss.ts'
import { pairResults } from '../pair-results.ts'
import { markedSystemText } from '../system-text.ts'
import type { Block } from './cache-marks.ts'
import type { ContentWriter } from './write-content.ts'

export interface TurnsWritten {
  readonly system: Block[]
  readonly messages: Block[]
  /** True when the model is in the middle of a tool loop, and its last turn does not begin with a thought of its own. */
  readonly loopWithoutThought: boolean
}

/** Stands where a conversation holds nothing but system texts, which other dialects allow: the provider demands a message. */
const opening = '(start of the conversation)'

/** The `system` and the messages of a request: speakers alternate, and the user begins. */
export function writeTurns(conversation: Conversation, target: WriteTarget, content: ContentWriter, report: LossReport): TurnsWritten {
  if (conversation.turns.some((turn) => turn.name !== undefined)) report.drop('messages[].name')
  const leading = conversation.turns.findIndex((turn) => !isSystem(turn))
  const heads = leading === -1 ? conversation.turns : conversation.turns.slice(0, leading)
  const system = heads.flatMap((turn) => content.blocks(turn.content))
  const rest = leading === -1 ? [] : conversation.turns.slice(leading).map((turn) => placed(turn, target.can.midSystem))
  const callId = uniqueCallIds(target.can.callIds === 'any' ? 'word' : target.can.callIds)
  const turns = pairResults(rest, report, callId)

  const messages: Block[] = []
  let last: Block[] = []
  for (const [i, turn] of turns.entries()) {
    const role = isSystem(turn) ? 'system' : turn.role
    const blocks = content.blocks(i === turns.length - 1 && role === 'assistant' ? withoutTrailingBlank(turn.content) : turn.content)
    if (blocks.length === 0) continue
    // a turn that lost all it had leaves two of one speaker side by side
    if (messages.at(-1)?.role === role && role !== 'system') last.push(...blocks)
    else messages.push({ role, content: (last = blocks) })
  }
  if (messages.length === 0) messages.push({ role: 'user', content: opening })
  return { system, messages, loopWithoutThought: inLoopWithoutThought(messages) }
}

function isSystem(turn: Turn): boolean {
  return turn.role === 'system' || turn.role === 'developer'
}

/** H14: a system text between the turns keeps its place, as such or as a marked text of the user. Turns without content stay out. */
function placed(turn: Turn, midSystem: boolean): Turn {
  const filled: Turn = { ...turn, content: turn.content.filter((content) => content.type !== 'text' || content.text.trim() !== '') }
  if (!isSystem(turn) || midSystem) return filled
  const marked = filled.content.map(
    (content): Content => (content.type === 'text' ? { ...content, text: markedSystemText(content.text) } : content),
  )
  return { role: 'user', content: marked }
}

/** The provider rejects a last turn of the model that ends in white space. */
function withoutTrailingBlank(content: readonly Content[]): readonly Content[] {
  const last = content.at(-1)
  if (last?.type !== 'text') return content
  const trimmed: TextContent = { ...last, text: last.text.trimEnd() }
  return [...content.slice(0, -1), trimmed]
}

function inLoopWithoutThought(messages: readonly Block[]): boolean {
  const results = messages.at(-1)
  const turn = messages.at(-2)
  if (turn?.role !== 'assistant' || results?.role !== 'user') return false
  const first = firstBlock(turn)
  return firstBlock(results)?.type === 'tool_result' && first?.type !== 'thinking' && first?.type !== 'redacted_thinking'
}

function firstBlock(message: Block): Block | undefined {
  return Array.isArray(message.content) ? (message.content[0] as Block | undefined) : undefined
}
