/** Responses requests to the neutral conversation (PROTOCOL §1.1–1.4). Odd shapes are refused by name or told as extras, never thrown. */

import type { Conversation } from '../conversation.ts'
import type { JsonSource } from '../json-source.ts'
import type { LossReport } from '../loss.ts'
import { startReading } from '../openai-chat/reading.ts'
import { readInput } from './read-input.ts'
import { readParams } from './read-params.ts'
import { readToolChoice, readTools } from './read-tools.ts'

/** What a request asks for. */
export function readResponses(source: JsonSource, report: LossReport): Conversation {
  const reading = startReading(source, report)
  const tools = readTools(reading)
  const toolChoice = readToolChoice(reading)
  const { params, parallelCalls, stream } = readParams(reading)
  const turns = readInput(reading, tools)
  reading.takeRest()
  const { names, extras } = reading
  return { source: 'openai-responses', stream, turns, tools, toolChoice, parallelCalls, params, names, extras }
}
