/**
 * A Gemini request as a neutral conversation: its members, each mapped, or named as an extra (PROTOCOL §1.1–1.4).
 *
 * Model and stream stand in the path: whoever calls this adds `stream`. Members that are not known are hints. Never throws on odd shapes.
 */

import type { Conversation } from '../conversation.ts'
import type { JsonSource } from '../json-source.ts'
import type { LossReport } from '../loss.ts'
import { member } from './names.ts'
import { readTurns } from './read-contents.ts'
import { readParams } from './read-params.ts'
import { readTools } from './read-tools.ts'
import { dialectName, startReading } from './reading.ts'

const members = new Set(['model', 'contents', 'systemInstruction', 'tools', 'toolConfig', 'generationConfig', 'labels', 'cachedContent'])

/** Reads a request for `generateContent`. */
export function readGeminiRequest(source: JsonSource, report: LossReport): Conversation {
  const reading = startReading(source, report)
  const { json, names, extras } = reading
  const turns = readTurns(reading)
  const tools = readTools(reading)
  const params = readParams(reading)
  if (member(json, 'cachedContent') !== undefined) {
    reading.extra('cachedContent', 'meaning', '"cachedContent" names a prompt that only Google keeps. Send the whole prompt instead.')
  }
  reading.unknown(json, members, '')
  return { source: dialectName, stream: json.stream === true, turns, ...tools, params, names, extras }
}
