/**
 * Events as frames of a Converse stream.
 *
 * No client speaks this dialect: what is forwarded leaves as it came, and what a hook changed is written anew. One block is open at a time.
 */

import type { StreamEvent } from '../../plugin/events.ts'
import { isUnchanged } from '../align.ts'
import type { StreamEncoder } from '../codec.ts'
import { type Writable, writeJson } from '../json-text.ts'
import { jsonText } from '../shape.ts'
import { frameText, rawText } from '../sse.ts'
import { converseStopWord } from './stop-reasons.ts'
import { converseUsageObject } from './usage.ts'

/** The encoder of one stream. */
export function converseEncoder(): StreamEncoder {
  let begun = false
  let ended = false
  let changed = false
  let next = 0
  /** Kind of the open block; a call is told by its index. */
  let open = ''

  const frame = (event: string, body: Writable): string => frameText(event, writeJson(body))
  const begin = (): string => {
    if (begun) return ''
    begun = true
    return frame('messageStart', { role: 'assistant' })
  }
  const close = (): string => {
    if (open === '') return ''
    open = ''
    return frame('contentBlockStop', { contentBlockIndex: next - 1 })
  }
  const into = (kind: string, start?: Writable): string => {
    if (open === kind) return ''
    const out = begin() + close()
    open = kind
    next++
    return start === undefined ? out : out + frame('contentBlockStart', { contentBlockIndex: next - 1, start })
  }
  const delta = (body: Writable): string => frame('contentBlockDelta', { contentBlockIndex: next - 1, delta: body })

  const write = (event: StreamEvent): string => {
    if (ended) return ''
    switch (event.type) {
      case 'start':
        return begin()
      case 'text':
        return event.text === '' ? '' : into('text') + delta({ text: event.text })
      case 'reasoning': {
        const { text, signature } = event
        if (event.redacted) return into('reasoning') + delta({ reasoningContent: { redactedContent: signature } }) + close()
        let out = into('reasoning')
        if (text !== '') out += delta({ reasoningContent: { text } })
        if (signature !== undefined) out += delta({ reasoningContent: { signature } })
        return out
      }
      case 'tool_call': {
        const begins = event.id !== undefined || event.name !== undefined
        const start = { toolUse: { toolUseId: event.id ?? `tooluse_${event.index}`, name: event.name ?? '' } }
        const out = begins ? close() + into(`call ${event.index}`, start) : ''
        return event.arguments === '' ? out : out + delta({ toolUse: { input: event.arguments } })
      }
      case 'stop':
        return begin() + close() + frame('messageStop', { stopReason: converseStopWord(event) })
      case 'usage':
        return frame('metadata', { usage: converseUsageObject(event.usage) })
      case 'error':
        ended = true
        return errorFrame(event.kind, event.message)
      case 'end':
        ended = true
        return ''
      default:
        return ''
    }
  }

  return {
    get rewriting() {
      return changed || ended
    },
    observe() {},
    encode(after, origin) {
      if (origin && !changed && isUnchanged(origin.before, after)) return rawText(origin.frame)
      if (origin) changed = true
      return after.map(write).join('')
    },
  }
}

/** The frame of an error, in the words that Bedrock's own get on their way here. */
export function errorFrame(type: string, message: string): string {
  return frameText('error', jsonText({ type: 'error', error: { type, message } }))
}
