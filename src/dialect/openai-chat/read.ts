/**
 * Chat Completions requests to the neutral conversation (PROTOCOL §1.1–1.4). Odd shapes are refused by name or told as extras, never
 * thrown.
 */

import type { Conversation } from '../conversation.ts'
import type { JsonSource } from '../json-source.ts'
import type { LossReport } from '../loss.ts'
import { readMessages } from './read-messages.ts'
import { readParams } from './read-params.ts'
import { readToolChoice, readTools } from './read-tools.ts'
import { type Reading, startReading } from './reading.ts'

/** What a request asks for. */
export function readChat(source: JsonSource, report: LossReport): Conversation {
  const reading = startReading(source, report)
  checkShape(reading)
  const tools = readTools(reading)
  const toolChoice = readToolChoice(reading)
  const { params, parallelCalls, stream } = readParams(reading)
  const turns = readMessages(reading)
  reading.takeRest()
  const { names, extras } = reading
  return { source: 'openai-chat', stream, turns, tools, toolChoice, parallelCalls, params, names, extras }
}

/** Some editors post bodies of the Responses API to this endpoint (H17). */
function checkShape({ json, report }: Reading): void {
  if (Array.isArray(json.messages)) return
  if (json.input !== undefined) {
    report.refuse(
      'input',
      'This body has the shape of the Responses API ("input" instead of "messages"). Post it to /responses, or send "messages".',
    )
  } else report.refuse('messages', 'A chat completion needs "messages", a list.')
}
