/**
 * A neutral conversation as a Gemini request: the instruction, the contents, tools and config. The model stands in the path.
 *
 * Speakers alternate, and answers stand in one content behind their calls, as many as these and in their order (C08).
 */

import { uniqueCallIds } from '../call-ids.ts'
import type { WriteTarget } from '../codec.ts'
import type { Content, Conversation, Turn } from '../conversation.ts'
import type { Writable } from '../json-text.ts'
import type { LossReport } from '../loss.ts'
import { pairResults } from '../pair-results.ts'
import { markedSystemText } from '../system-text.ts'
import type { WritablePart } from './pieces.ts'
import { dialectName } from './reading.ts'
import { writeParams } from './write-params.ts'
import { partWriter } from './write-parts.ts'
import { writeTools } from './write-tools.ts'

/** Stands where a conversation has no word of the user's before the model's first: the provider demands one. */
const opening = '(start of the conversation)'

/** Writes a request for `generateContent`. What the model can't do is dropped or refused in `report`. */
export function writeGeminiRequest(conversation: Conversation, target: WriteTarget, report: LossReport): Writable {
  const own = conversation.source === dialectName
  const { generationConfig, labels, outputTool } = writeParams(conversation, target, own, report)
  const { system, contents } = writeTurns(conversation, target, own, report)
  return {
    systemInstruction: system.length > 0 ? { parts: system } : undefined,
    ...writeTools(conversation, target, report, outputTool),
    contents,
    generationConfig,
    labels,
  }
}

type Written = { readonly role: 'user' | 'model'; readonly parts: WritablePart[] }

function writeTurns(
  { turns }: Conversation,
  target: WriteTarget,
  own: boolean,
  report: LossReport,
): { system: WritablePart[]; contents: readonly Written[] } {
  if (turns.some((turn) => turn.name !== undefined)) report.drop('messages[].name')
  if (!target.can.cacheMarks && turns.some((turn) => turn.content.some((item) => 'cache' in item && item.cache)))
    report.drop('cache_control')
  const writer = partWriter(target, own, report)
  const leading = turns.findIndex((turn) => !isSystem(turn))
  const heads = leading === -1 ? turns : turns.slice(0, leading)
  const system = heads.flatMap((turn) => writer.parts(turn.content))
  const rest = leading === -1 ? [] : turns.slice(leading).map(placed)
  const contents: Written[] = []
  for (const turn of pairResults(rest, report, uniqueCallIds(target.can.callIds))) {
    const parts = writer.parts(turn.content)
    const role = turn.role === 'assistant' ? 'model' : 'user'
    if (parts.length === 0) continue
    // a turn that lost all it had leaves two of one speaker side by side
    if (contents.at(-1)?.role === role) contents.at(-1)!.parts.push(...parts)
    else contents.push({ role, parts })
  }
  if (contents.length === 0 && system.length > 0) return { system: [], contents: [{ role: 'user', parts: system }] }
  if (contents[0]?.role !== 'user') contents.unshift({ role: 'user', parts: [{ text: opening }] })
  return { system, contents }
}

function isSystem(turn: Turn): boolean {
  return turn.role === 'system' || turn.role === 'developer'
}

/** H14: a system text between the turns keeps its place as a marked text of the user. */
function placed(turn: Turn): Turn {
  if (!isSystem(turn)) return turn
  const content = turn.content.map(
    (item): Content => (item.type === 'text' && item.text !== '' ? { ...item, text: markedSystemText(item.text) } : item),
  )
  return { role: 'user', content }
}
