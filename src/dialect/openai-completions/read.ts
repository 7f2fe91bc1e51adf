/**
 * Completions requests to the neutral conversation: one prompt is one user turn (PROTOCOL §1.9). What a conversation can't say
 * (tokens, several prompts, a suffix, an echo, the best of several, log probabilities in the shape of old) is refused.
 */

import type { Conversation } from '../conversation.ts'
import type { JsonSource } from '../json-source.ts'
import type { LossReport } from '../loss.ts'
import { readParams } from '../openai-chat/read-params.ts'
import { type Reading, startReading } from '../openai-chat/reading.ts'

/** Reads a request as a conversation of one turn. */
export function readCompletion(source: JsonSource, report: LossReport): Conversation {
  const reading = startReading(source, report)
  const text = promptOf(reading)
  refuseOld(reading)
  const { params, stream } = readParams(reading)
  reading.takeRest()
  const { names, extras } = reading
  const turns = text === undefined ? [] : [{ role: 'user' as const, content: [{ type: 'text' as const, text }] }]
  return { source: 'openai-completions', stream, turns, tools: [], params, names, extras }
}

function promptOf({ take, report }: Reading): string | undefined {
  const prompt = take('prompt')
  if (typeof prompt === 'string') return prompt
  if (Array.isArray(prompt) && prompt.length === 1 && typeof prompt[0] === 'string') return prompt[0]
  const why = Array.isArray(prompt)
    ? 'The model that was asked for answers one prompt of text. Send prompts one by one, and as text instead of tokens.'
    : 'A completion needs "prompt", a text.'
  report.refuse('prompt', why)
  return undefined
}

function refuseOld({ take, report, json }: Reading): void {
  const suffix = take('suffix')
  if (suffix !== undefined && suffix !== '') report.refuse('suffix')
  if (take('echo') === true) report.refuse('echo')
  const best = take('best_of')
  if (typeof best === 'number' && best > 1) report.refuse('best_of')
  if (typeof json.logprobs === 'number') report.refuse('logprobs')
}
