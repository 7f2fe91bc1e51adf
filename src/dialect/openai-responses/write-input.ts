/**
 * Neutral turns as `instructions` and `input` items.
 *
 * Results stand behind their calls (`pair-results.ts`). Thoughts go back to their maker alone, and only before what they led to: the API rejects one that
 * nothing follows (D03).
 */

import { uniqueCallIds } from '../call-ids.ts'
import type { WriteTarget } from '../codec.ts'
import type { CallContent, Content, Conversation, ReasoningContent, ResultContent, TextContent, Turn } from '../conversation.ts'
import type { Writable } from '../json-text.ts'
import type { LossReport } from '../loss.ts'
import { pairResults } from '../pair-results.ts'
import { madeBy } from '../proof.ts'
import { markedSystemText } from '../system-text.ts'
import { inputContent, saying } from './write-content.ts'

interface Writing {
  readonly target: WriteTarget
  readonly report: LossReport
  readonly out: Writable[]
  /** Ids of calls of custom tools. */
  readonly custom: Set<string>
}

/** The members `instructions` and `input` of a request. */
export function writeInput(conversation: Conversation, target: WriteTarget, report: LossReport): { [member: string]: Writable } {
  const writing: Writing = { target, report, out: [], custom: new Set() }
  const turns = pairResults(conversation.turns, report, uniqueCallIds(target.can.callIds))
  const instructions = turns[0]?.role === 'system' ? systemText(turns[0]) : undefined
  let leading = true
  for (const turn of instructions === undefined ? turns : turns.slice(1)) {
    if (turn.role === 'system' || turn.role === 'developer') {
      writeSystem(writing, turn, leading)
      continue
    }
    leading = false
    if (turn.role === 'user') writeUser(writing, turn)
    else writeAssistant(writing, turn)
  }
  return { instructions, input: writing.out }
}

function systemText(turn: Turn): string | undefined {
  const texts = saying(turn.content.filter((part) => part.type === 'text'))
  return texts.length === 0 ? undefined : texts.map((part) => part.text).join('\n\n')
}

function writeSystem({ target, out }: Writing, turn: Turn, leading: boolean): void {
  const text = systemText(turn)
  if (text === undefined) return
  if (!leading && !target.can.midSystem) {
    out.push({ type: 'message', role: 'user', content: markedSystemText(text) })
    return
  }
  const role = turn.role === 'developer' && !target.can.developer ? 'system' : turn.role
  out.push({ type: 'message', role, content: text })
}

function writeUser({ target, report, out, custom }: Writing, turn: Turn): void {
  for (const part of turn.content) if (part.type === 'result') out.push(writtenResult(part, custom.has(part.id), target, report))
  const said = turn.content.filter((part) => part.type === 'text' || part.type === 'media')
  const content = inputContent(said, target, report)
  if (content !== undefined) out.push({ type: 'message', role: 'user', content })
}

/** C11: outputs have no member that says that a tool failed. */
const failed: TextContent = { type: 'text', text: '[The tool call failed.]' }

function writtenResult(result: ResultContent, custom: boolean, target: WriteTarget, report: LossReport): Writable {
  const [first, ...rest] = result.content
  const parts = !result.error
    ? result.content
    : first?.type === 'text'
      ? [{ ...first, text: `${failed.text} ${first.text}` }, ...rest]
      : [failed, ...result.content]
  const output = inputContent(parts, target, report) ?? ''
  return { type: custom ? 'custom_tool_call_output' : 'function_call_output', call_id: result.id, output }
}

function writeAssistant(writing: Writing, turn: Turn): void {
  const { target, report, out, custom } = writing
  let texts: TextContent[] = []
  const flush = (): void => {
    if (texts.length > 0) out.push({ type: 'message', role: 'assistant', content: said(texts) })
    texts = []
  }
  for (const [i, part] of turn.content.entries()) {
    if (part.type === 'text') texts.push(...saying([part]))
    else if (part.type === 'call') {
      flush()
      if (part.kind === 'custom') custom.add(part.id)
      out.push(writtenCall(part, target))
    } else if (part.type === 'reasoning') {
      const thought = leadsOn(turn.content, i) ? writtenThought(part, target) : undefined
      if (thought === undefined) continue
      flush()
      out.push(thought)
    } else if (part.type === 'media') report.drop(part.field)
  }
  flush()
}

function said(texts: readonly TextContent[]): Writable {
  const [only] = texts
  if (only && texts.length === 1 && !only.refusal) return only.text
  return texts.map(({ refusal, text }) => (refusal ? { type: 'refusal', refusal: text } : { type: 'output_text', text }))
}

function writtenCall(call: CallContent, { toolName }: WriteTarget): Writable {
  const name = toolName(call.name, call.namespace)
  if (call.kind === 'custom') return { type: 'custom_tool_call', call_id: call.id, name, input: call.arguments }
  return { type: 'function_call', call_id: call.id, name, arguments: call.arguments.trim() === '' ? '{}' : call.arguments } // C06
}

/** Something that the model said or did follows in the same turn. */
function leadsOn(content: readonly Content[], at: number): boolean {
  return content.some((part, i) => i > at && (part.type === 'call' || (part.type === 'text' && part.text !== '')))
}

function writtenThought({ text, proof }: ReasoningContent, { can, upstream }: WriteTarget): Writable {
  if (madeBy(proof, 'openai-responses', upstream)) {
    return { type: 'reasoning', summary: text === '' ? [] : [{ type: 'summary_text', text }], encrypted_content: proof.value }
  }
  if (!can.reasoningEcho || text === '') return undefined
  return { type: 'reasoning', summary: [], content: [{ type: 'reasoning_text', text }] }
}
