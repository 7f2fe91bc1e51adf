/**
 * A neutral conversation as a Messages request: its members in the order in which the provider caches them (F02).
 */

import type { WriteTarget } from '../codec.ts'
import type { Conversation, OutputFormat } from '../conversation.ts'
import { RawJson, type Writable } from '../json-text.ts'
import type { LossReport } from '../loss.ts'
import { objectOf, parseJson } from '../shape.ts'
import { type Block, cacheMarks } from './cache-marks.ts'
import { outputSchema } from './output-schema.ts'
import { dialectName } from './read-content.ts'
import { contentWriter } from './write-content.ts'
import { writeParams } from './write-params.ts'
import { writeThinking } from './write-thinking.ts'
import { writeTools } from './write-tools.ts'
import { writeTurns } from './write-turns.ts'

/** Writes a Messages request. What the model can't do is dropped or refused in `report`. */
export function writeMessagesRequest(conversation: Conversation, target: WriteTarget, report: LossReport): Writable {
  const own = conversation.source === dialectName
  const marks = cacheMarks(target.can.cacheMarks, report)
  const output = writeFormat(conversation, target, report)
  const { tools, choice, forced } = writeTools(conversation, target, marks, report, output.tool)
  const content = contentWriter(target, marks, report, own)
  const { system, messages, loopWithoutThought } = writeTurns(conversation, target, content, report)
  if (output.instruction !== undefined) system.push({ type: 'text', text: output.instruction })
  marks.settle()
  const { thinking, effort, maxTokens, on } = writeThinking(conversation, target, { forced, loopWithoutThought, own }, report)
  const config: Block = { effort, format: output.format }
  return {
    model: target.model,
    system: system.length > 0 ? system : undefined,
    tools: tools.length > 0 ? tools : undefined,
    tool_choice: choice,
    messages,
    max_tokens: maxTokens,
    thinking,
    output_config: effort !== undefined || output.format !== undefined ? config : undefined,
    ...writeParams(conversation, target, on, own, report),
    stream: conversation.stream ? true : undefined,
  }
}

interface FormatWritten {
  readonly format?: Block
  /** Schema of a tool that stands in for the format. */
  readonly tool?: RawJson
  readonly instruction?: string
}

const jsonOnly = 'Answer with one JSON object and nothing else: no explanation, no Markdown.'

function writeFormat(conversation: Conversation, { can }: WriteTarget, report: LossReport): FormatWritten {
  const { format } = conversation.params
  const field = conversation.names.format ?? 'response_format'
  if (!format || format.type === 'text') return {}
  if (format.type === 'json_object' || format.schema === undefined) {
    report.drop(field) // said to the model, not held to it
    return { instruction: jsonOnly }
  }
  if (can.jsonSchema) return { format: { type: 'json_schema', schema: outputSchema(format.schema) } }
  if (!can.tools) {
    report.refuse(field)
    return {}
  }
  return schemaTool(format, format.schema, field, report)
}

/** A tool takes objects only; any other schema can just be said. */
function schemaTool(format: OutputFormat, text: string, field: string, report: LossReport): FormatWritten {
  const schema = objectOf(parseJson(text))
  if (schema?.type === 'object') return { tool: new RawJson(text) }
  report.drop(field)
  const named = format.description === undefined ? '' : ` (${format.description})`
  return { instruction: `Answer with JSON that fits this schema${named}, and nothing else: no explanation, no Markdown.\n${text}` }
}
