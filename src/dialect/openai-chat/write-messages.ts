/**
 * Neutral turns as Chat messages.
 *
 * Results stand directly behind the message with their calls (`pair-results.ts`); what only a user message can hold follows them.
 * Thoughts go back to their maker alone (D01, D03), or as plain text to servers that want it (D02).
 */

import { uniqueCallIds } from '../call-ids.ts'
import type { WriteTarget } from '../codec.ts'
import type { CallContent, Conversation, MediaContent, ResultContent, TextContent, Turn } from '../conversation.ts'
import type { Writable } from '../json-text.ts'
import type { LossReport } from '../loss.ts'
import { pairResults } from '../pair-results.ts'
import { madeBy } from '../proof.ts'
import { jsonText } from '../shape.ts'
import { markedSystemText } from '../system-text.ts'
import { thoughtExtra } from './client-members.ts'
import { entriesOf } from './reasoning-details.ts'
import { mediaPart, systemContent, userContent } from './write-content.ts'

interface Writing {
  readonly target: WriteTarget
  readonly report: LossReport
  readonly out: Writable[]
  /** Names of the tools called so far, by call id. */
  readonly called: Map<string, string>
}

/** The `messages` of a request. */
export function writeMessages(conversation: Conversation, target: WriteTarget, report: LossReport): readonly Writable[] {
  const writing: Writing = { target, report, out: [], called: new Map() }
  let leading = true
  for (const turn of pairResults(conversation.turns, report, uniqueCallIds(target.can.callIds))) {
    if (turn.role === 'system' || turn.role === 'developer') {
      writeSystem(writing, turn, leading)
      continue
    }
    leading = false
    if (turn.role === 'user') writeUser(writing, turn)
    else writeAssistant(writing, turn)
  }
  return writing.out
}

function writeSystem({ target, out }: Writing, turn: Turn, leading: boolean): void {
  const placed = leading || target.can.midSystem
  const content = systemContent(turn.content, placed && target.can.cacheMarks)
  if (content === undefined) return
  if (!placed && typeof content === 'string') {
    out.push({ role: 'user', content: markedSystemText(content) })
    return
  }
  const role = turn.role === 'developer' && !target.can.developer ? 'system' : turn.role
  out.push({ role, content, ...speaker(turn) })
}

function speaker({ name }: Turn): { name?: string } {
  return name !== undefined && /^[^\s<|\\/>]{1,64}$/.test(name) ? { name } : {}
}

function writeUser({ target, report, out, called }: Writing, turn: Turn): void {
  const rest: (TextContent | MediaContent)[] = []
  const shown: Writable[] = []
  for (const content of turn.content) {
    if (content.type === 'text' || content.type === 'media') rest.push(content)
    if (content.type !== 'result') continue
    const { id } = content
    const media = content.content.filter((part) => part.type === 'media')
    out.push({ role: 'tool', tool_call_id: id, content: resultContent(content, media.length, target.can.cacheMarks) })
    if (media.length === 0) continue
    shown.push({ type: 'text', text: `From the result of the tool ${called.get(id) ?? ''}, call ${id}:` })
    for (const part of media) shown.push(mediaPart(part, target, report))
  }
  // C10: Chat takes texts alone as results
  if (shown.length > 0) out.push({ role: 'user', content: shown })
  const content = userContent(rest, target, report)
  if (content !== undefined) out.push({ role: 'user', content, ...speaker(turn) })
}

/** C11: Chat has no member that says that a tool failed. */
const failed = '[The tool call failed.]'

function resultContent(result: ResultContent, media: number, marks: boolean): Writable {
  const texts = result.content.filter((part) => part.type === 'text')
  let text = texts.map((part) => part.text).join('\n')
  if (text === '' && media > 0) text = '[See the next user message.]'
  if (result.error) text = text === '' ? failed : `${failed} ${text}`
  const cache = result.cache ?? texts.findLast((part) => part.cache)?.cache
  return (marks && cache && systemContent([{ type: 'text', text, cache }], true)) || text
}

function writeAssistant({ target, report, out, called }: Writing, turn: Turn): void {
  const { can, upstream } = target
  const { content } = turn
  const calls = content.filter((part) => part.type === 'call')
  for (const call of calls) called.set(call.id, target.toolName(call.name, call.namespace))
  const texts: TextContent[] = []
  const details: Writable[] = []
  let apart = false
  let thoughts = ''
  let proof: string | undefined
  for (const part of content) {
    if (part.type === 'text') {
      // texts that something stood between were paragraphs of their own
      const last = texts.at(-1)
      if (last && part.text !== '' && !part.cache && !last.cache)
        texts[texts.length - 1] = { ...last, text: last.text + (apart ? '\n\n' : '') + part.text }
      else if (part.text !== '') texts.push(part)
      if (madeBy(part.proof, 'openai-chat', upstream)) proof = part.proof.value
      apart = false
      continue
    }
    apart = true
    if (part.type === 'reasoning') {
      thoughts += part.text
      if (madeBy(part.proof, 'openai-chat', upstream)) details.push(...entriesOf(part.proof.value, part.text))
    } else if (part.type === 'media') report.drop(part.field)
  }
  if (texts.length === 0 && calls.length === 0 && details.length === 0 && proof === undefined) return
  out.push({
    role: 'assistant',
    content: texts.length > 0 ? systemContent(texts, can.cacheMarks) : calls.length > 0 ? null : '', // C27
    ...speaker(turn),
    ...(can.reasoningEcho && calls.length > 0 && { reasoning_content: thoughts }),
    ...(details.length > 0 && { reasoning_details: details }),
    ...(proof !== undefined && thoughtExtra(proof)),
    ...(calls.length > 0 && { tool_calls: calls.map((call) => writtenCall(call, target)) }),
  })
}

function writtenCall(call: CallContent, { toolName, upstream }: WriteTarget): Writable {
  const text = call.kind === 'custom' ? jsonText({ input: call.arguments }) : call.arguments.trim() === '' ? '{}' : call.arguments // C06
  const proof = madeBy(call.proof, 'openai-chat', upstream) ? thoughtExtra(call.proof.value) : {}
  return { id: call.id, type: 'function', function: { name: toolName(call.name, call.namespace), arguments: text }, ...proof }
}
