/**
 * A neutral conversation as a Converse request (PROTOCOL §1.10). The model stands in the path.
 *
 * Speakers alternate, the first message is the user's, results come first in the message behind their calls.
 */

import { writeThinking } from '../anthropic-messages/write-thinking.ts'
import { uniqueCallIds } from '../call-ids.ts'
import type { WriteTarget } from '../codec.ts'
import type { Content, Conversation, Turn } from '../conversation.ts'
import { RawJson, type Writable } from '../json-text.ts'
import type { LossReport } from '../loss.ts'
import { pairResults } from '../pair-results.ts'
import { objectOf, parseJson } from '../shape.ts'
import { markedSystemText } from '../system-text.ts'
import { cachePoints } from './cache-points.ts'
import { type Block, type BlockWriter, blockWriter } from './write-blocks.ts'
import { makerOf, otherThinking, writeParams } from './write-params.ts'
import { writeTools } from './write-tools.ts'

/** Stands where a conversation has no word of the user's before the model's first: the provider demands one. */
const opening = '(start of the conversation)'

type Message = { readonly role: 'user' | 'assistant'; readonly content: Block[] }

/** Writes a request for `converse`. What the model can't do is dropped or refused in `report`. */
export function writeConverseRequest(conversation: Conversation, target: WriteTarget, report: LossReport): Writable {
  const { can } = target
  const points = cachePoints(conversation, can.cacheMarks, report)
  const { outputConfig, instruction, outputTool } = writeFormat(conversation, target, report)
  const { toolConfig, forced } = writeTools(conversation, target, points, report, outputTool)
  const writer = blockWriter(target, points, report)
  const { system, messages } = writeTurns(conversation, target, writer, report)
  if (instruction !== undefined) system.push({ text: instruction })

  const maker = makerOf(target.model)
  const limits = { forced, loopWithoutThought: inLoopWithoutThought(messages), own: false }
  const thinking = maker === 'anthropic' ? writeThinking(conversation, target, limits, report) : undefined
  const maxTokens = thinking ? thinking.maxTokens : conversation.params.maxOutput
  const { inferenceConfig, fields, paths } = writeParams(conversation, target, thinking?.on === true, maxTokens, report)
  if (thinking?.thinking) fields.thinking = thinking.thinking
  if (thinking?.effort !== undefined && can.adaptiveThinking) fields.output_config = { effort: thinking.effort }
  if (!thinking) Object.assign(fields, otherThinking(conversation, maker, report))
  return {
    system: system.length > 0 ? system : undefined,
    toolConfig,
    messages,
    inferenceConfig: Object.values(inferenceConfig).some((value) => value !== undefined) ? inferenceConfig : undefined,
    additionalModelRequestFields: Object.keys(fields).length > 0 ? fields : undefined,
    additionalModelResponseFieldPaths: paths,
    outputConfig,
  }
}

function writeTurns(
  { turns }: Conversation,
  target: WriteTarget,
  writer: BlockWriter,
  report: LossReport,
): { system: Block[]; messages: Message[] } {
  if (turns.some((turn) => turn.name !== undefined)) report.drop('messages[].name')
  const leading = turns.findIndex((turn) => !isSystem(turn))
  const heads = leading === -1 ? turns : turns.slice(0, leading)
  const system = heads.flatMap((turn) => writer.blocks(turn.content))
  const rest = leading === -1 ? [] : turns.slice(leading).map(placed)
  const callId = uniqueCallIds(target.can.callIds === 'any' ? 'word' : target.can.callIds)
  const messages: Message[] = []
  const paired = pairResults(rest, report, callId)
  for (const [i, turn] of paired.entries()) {
    const role = turn.role === 'assistant' ? 'assistant' : 'user'
    const blocks = writer.blocks(i === paired.length - 1 && role === 'assistant' ? withoutTrailingBlank(turn.content) : turn.content)
    if (blocks.length === 0) continue
    // a turn that lost all it had leaves two of one speaker side by side
    if (messages.at(-1)?.role === role) messages.at(-1)!.content.push(...blocks)
    else messages.push({ role, content: blocks })
  }
  if (messages[0]?.role !== 'user') messages.unshift({ role: 'user', content: [{ text: opening }] })
  return { system, messages }
}

function isSystem(turn: Turn): boolean {
  return turn.role === 'system' || turn.role === 'developer'
}

/** H14: a system text between the turns keeps its place as a marked text of the user. */
function placed(turn: Turn): Turn {
  if (!isSystem(turn)) return turn
  const content = turn.content.map(
    (item): Content => (item.type === 'text' && item.text.trim() !== '' ? { ...item, text: markedSystemText(item.text) } : item),
  )
  return { role: 'user', content }
}

/** Claude rejects a last turn of its own that ends in white space. */
function withoutTrailingBlank(content: readonly Content[]): readonly Content[] {
  const last = content.at(-1)
  return last?.type === 'text' ? [...content.slice(0, -1), { ...last, text: last.text.trimEnd() }] : content
}

function inLoopWithoutThought(messages: readonly Message[]): boolean {
  const turn = messages.at(-2)
  const results = messages.at(-1)
  return turn?.role === 'assistant' && results?.content[0]?.toolResult !== undefined && turn.content[0]?.reasoningContent === undefined
}

const jsonOnly = 'Answer with one JSON object and nothing else: no explanation, no Markdown.'

function writeFormat(
  conversation: Conversation,
  { can }: WriteTarget,
  report: LossReport,
): { outputConfig?: Writable; instruction?: string; outputTool: RawJson | undefined } {
  const { format } = conversation.params
  const field = conversation.names.format ?? 'response_format'
  const plain = { outputTool: undefined }
  if (!format || format.type === 'text') return plain
  if (format.type === 'json_object' || format.schema === undefined) {
    report.drop(field) // said to the model, not held to it
    return { ...plain, instruction: jsonOnly }
  }
  if (can.jsonSchema) {
    const jsonSchema = { name: format.name ?? 'answer', schema: format.schema, description: format.description }
    return { ...plain, outputConfig: { textFormat: { type: 'json_schema', structure: { jsonSchema } } } }
  }
  // a tool takes objects only; any other schema can just be said
  if (can.tools && objectOf(parseJson(format.schema))?.type === 'object') return { outputTool: new RawJson(format.schema) }
  report.drop(field)
  return {
    ...plain,
    instruction: `Answer with JSON that fits this schema, and nothing else: no explanation, no Markdown.\n${format.schema}`,
  }
}
