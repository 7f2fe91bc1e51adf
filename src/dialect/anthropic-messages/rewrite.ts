/**
 * Which bytes of a Messages frame change when an event of it does. Pure: pointers and values, no state.
 */

import type { StreamEvent } from '../../plugin/events.ts'
import { sameContent } from '../align.ts'
import type { Splice } from '../json-edits.ts'
import { type JsonObject, listOf, objectOf, parseJson, wordOf } from '../shape.ts'
import { usageEdits } from '../usage-edits.ts'
import { messagesStopWord } from './stop-reasons.ts'
import { messagesUsageObject, noUsageObject } from './usage.ts'

/** Edits inside the object at `at` (a delta, a content block, the frame) for what became of one event. */
export function eventEdits(at: string, old: StreamEvent, now: StreamEvent | undefined): Splice[] {
  if (now !== undefined && sameContent(old, now)) return []
  switch (old.type) {
    case 'text':
      return [{ pointer: `${at}/text`, value: now?.type === 'text' ? now.text : '' }]
    case 'reasoning': {
      if (at === '/delta' && old.signature !== undefined) {
        return now?.type === 'reasoning' && now.signature !== undefined ? changed(`${at}/signature`, old.signature, now.signature) : []
      }
      const edits: Splice[] = changed(`${at}/thinking`, old.text, now?.type === 'reasoning' ? now.text : '')
      if (old.signature !== undefined) {
        edits.push(...changed(`${at}/signature`, old.signature, now?.type === 'reasoning' ? (now.signature ?? '') : ''))
      }
      return edits
    }
    case 'tool_call': {
      if (now?.type !== 'tool_call') return []
      if (at === '/delta') return changed(`${at}/partial_json`, old.arguments, now.arguments)
      const edits: Splice[] = []
      if (now.id !== undefined) edits.push(...changed(`${at}/id`, old.id, now.id))
      if (now.name !== undefined) edits.push(...changed(`${at}/name`, old.name, now.name))
      if (now.arguments !== old.arguments) edits.push({ pointer: `${at}/input`, value: parseJson(now.arguments || '{}') ?? now.arguments })
      return edits
    }
    case 'stop':
      return [{ pointer: `${at}/stop_reason`, value: now?.type === 'stop' ? messagesStopWord(now) : null }]
    case 'usage':
      if (now?.type === 'usage') return usageEdits(`${at}/usage`, old, now, messagesUsageObject)
      return [{ pointer: `${at}/usage`, value: noUsageObject }]
    default:
      return []
  }
}

function changed(pointer: string, from: string | undefined, to: string): Splice[] {
  return from === to ? [] : [{ pointer, value: to }]
}

/** Edits of a `message_start` that carries usage and perhaps content (B22). A removal (no value) takes a block out. */
export function startEdits(body: JsonObject, before: readonly StreamEvent[], kept: readonly (StreamEvent | undefined)[]): Splice[] {
  const edits: Splice[] = []
  const blocks = listOf(objectOf(body.message)?.content)
  let block = 0
  for (const [i, old] of before.entries()) {
    const now = kept[i]
    if (old.type === 'start') {
      if (now?.type === 'start') {
        for (const member of ['id', 'model'] as const) {
          const value = now[member]
          if (value !== undefined && value !== wordOf(old[member])) edits.push({ pointer: `/message/${member}`, value })
        }
      }
    } else if (old.type === 'usage' || old.type === 'stop') edits.push(...eventEdits('/message', old, now))
    else {
      while (block < blocks.length && !objectOf(blocks[block])) block++
      const at = `/message/content/${block++}`
      if (now === undefined) edits.push({ pointer: at })
      else edits.push(...eventEdits(at, old, now))
    }
  }
  return edits
}
