/** Whole Converse replies: the summary for the record, the events they consist of, and replies made of events. */

import type { StreamEvent } from '../../plugin/events.ts'
import { isUntouched } from '../align.ts'
import type { DecodedWhole, WholeSummary } from '../codec.ts'
import { jsonSource } from '../json-source.ts'
import { writeJson } from '../json-text.ts'
import { reduceEvents } from '../reduce.ts'
import { decodeText, type JsonObject, jsonText, listOf, objectOf, parseJson, wordOf } from '../shape.ts'
import { notAReply } from '../upstream-error.ts'
import { readMembers } from '../whole-members.ts'
import { blockEvents, pieceBlock } from './blocks.ts'
import { stopEvent } from './decode.ts'
import { converseStopWord } from './stop-reasons.ts'
import { converseUsage, converseUsageObject } from './usage.ts'

/** What the record needs of a reply. */
export function converseSummary(body: Uint8Array): WholeSummary {
  const read = readMembers(body, ['output', 'usage', 'stopReason', 'message', 'error'], { list: 'content', members: [] })
  const reply = read?.object
  if (!reply || !objectOf(objectOf(reply.output)?.message)) return notAReply(read?.value)
  return { valid: true, usage: converseUsage(reply.usage), stop: wordOf(reply.stopReason) }
}

/** The events of a reply; null when the body is none. */
export function decodeConverseWhole(body: Uint8Array): DecodedWhole | null {
  const reply = objectOf(parseJson(decodeText(body)))
  const message = objectOf(objectOf(reply?.output)?.message)
  if (!reply || !message) return null
  const events: StreamEvent[] = [{ type: 'start' }]
  let source: ReturnType<typeof jsonSource>
  let calls = 0
  for (const [i, item] of listOf(message.content).entries()) {
    const block = objectOf(item)
    if (!block) continue
    if (objectOf(block.toolUse)) source ??= jsonSource(body)
    const told = blockEvents(block, calls, source?.raw('output', 'message', 'content', i, 'toolUse', 'input'))
    if (told[0]?.type === 'tool_call') calls++
    events.push(...told)
  }
  const stop = stopEvent(reply)
  if (stop) events.push(stop)
  const usage = converseUsage(reply.usage)
  if (usage) events.push({ type: 'usage', usage })
  events.push({ type: 'end' })
  return {
    events,
    apply(after) {
      if (isUntouched(events, after)) return body
      return Buffer.from(encodeConverseWhole(after.flat()))
    },
  }
}

/** A reply made of events alone. */
export function encodeConverseWhole(events: readonly StreamEvent[]): string {
  const sum = reduceEvents(events)
  if (sum.error) return jsonText({ message: sum.error.message })
  const [choice] = sum.choices
  const content = (choice?.pieces ?? []).map(pieceBlock).filter((block) => block !== undefined)
  const usage: JsonObject | undefined = sum.usage && sum.usage.source !== 'unknown' ? converseUsageObject(sum.usage) : undefined
  return writeJson({
    output: { message: { role: 'assistant', content } },
    stopReason: choice?.stop ? converseStopWord(choice.stop) : 'end_turn',
    usage,
  })
}
