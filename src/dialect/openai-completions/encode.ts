/** Events to Completions frames: rewriting of frames that hooks changed, and frames made of events alone. One encoder per stream. */

import type { StreamEvent, UsageEvent } from '../../plugin/events.ts'
import type { Json } from '../../plugin/request.ts'
import { isUnchanged } from '../align.ts'
import type { FrameOrigin, ReplyIdentity, StreamEncoder } from '../codec.ts'
import { spliceText } from '../json-edits.ts'
import { inStreamError } from '../openai-chat/errors.ts'
import { chatUsageObject } from '../openai-chat/usage.ts'
import { countOf, type JsonObject, jsonText, objectOf, parseJson, wordOf } from '../shape.ts'
import { commentText, frameText, rawText, type SseFrame } from '../sse.ts'
import { withExtra } from '../usage-edits.ts'
import { completionEdits, completionStop } from './edits.ts'

/** The encoder of one stream. */
export function completionsEncoder(head: ReplyIdentity): StreamEncoder {
  let id = completionId(head.id)
  let { model, created } = head
  let usage: UsageEvent | undefined
  let ended = false
  const finished = new Set<number>()
  const seen = new Set<number>()

  const frame = (choices: readonly Json[], members: JsonObject = {}): string =>
    frameText(undefined, jsonText({ id, object: 'text_completion', created, model, choices, ...members }))
  const chunk = (index: number, text: string, finish: string | null = null): string => {
    seen.add(index)
    return frame([{ text, index, logprobs: null, finish_reason: finish }], head.includeUsage ? { usage: null } : {})
  }
  const finish = (index: number, word: string): string => {
    if (finished.has(index)) return ''
    finished.add(index)
    return chunk(index, '', word)
  }

  const synth = (event: StreamEvent): string => {
    if (ended) return event.type === 'note' ? commentText(event.text) : ''
    switch (event.type) {
      case 'start':
        id = event.id ?? id
        model = event.model ?? model
        return ''
      case 'text':
        return event.text === '' ? '' : chunk(event.choice, event.text)
      case 'stop':
        return finish(event.choice, completionStop(event))
      case 'usage':
        usage = event
        return ''
      case 'error':
        ended = true
        return inStreamError(event.kind, event.message)
      case 'note':
        return commentText(event.text)
      case 'end': {
        if (seen.size === 0) seen.add(0)
        let text = ''
        for (const index of [...seen]) text += finish(index, 'stop')
        ended = true
        return `${text}${counted()}data: [DONE]\n\n`
      }
      default:
        return ''
    }
  }
  const counted = (): string => {
    if (!usage || usage.usage.source === 'unknown' || !(head.includeUsage || usage.extra)) return ''
    return frame([], { usage: withExtra(chatUsageObject(usage.usage), usage.extra) })
  }

  const observe = ({ data }: SseFrame, events: readonly StreamEvent[]): void => {
    for (const event of events) {
      if (event.type === 'start') {
        const body = objectOf(parseJson(data))
        id = wordOf(body?.id) ?? id
        model = wordOf(body?.model) ?? model
        created = countOf(body?.created) ?? created
      } else if (event.type === 'text') seen.add(event.choice)
      else if (event.type === 'stop') {
        seen.add(event.choice)
        finished.add(event.choice)
      } else if (event.type === 'error' || event.type === 'end') ended = true
    }
  }

  /** A frame that hooks changed. What has no place in it goes before it, but an error behind it. */
  const rewritten = (original: SseFrame, before: readonly StreamEvent[], after: readonly StreamEvent[]): string => {
    const only = before.length === 1 ? before[0] : undefined
    const body = objectOf(parseJson(original.data))
    if (!body || only?.type === 'end' || only?.type === 'native') {
      return after
        .map((event) =>
          event === only ? forwarded(original, before) : event.type === 'native' ? frameText(event.event, event.data) : synth(event),
        )
        .join('')
    }
    observe(
      original,
      before.filter((event) => event.type === 'start'),
    )
    const { edits, left, hollow } = completionEdits(body, before, after)
    let self = ''
    try {
      if (!hollow) self = edits.length === 0 ? rawText(original) : frameText(original.event, spliceText(original.data, edits))
    } catch {
      self = after
        .filter((event) => !left.includes(event))
        .map(synth)
        .join('')
    }
    const lead = left
      .filter((event) => event.type !== 'error' && event.type !== 'end')
      .map(synth)
      .join('')
    observe(
      original,
      after.filter((event) => event.type === 'text' || event.type === 'stop'),
    )
    const tail = left
      .filter((event) => event.type === 'error' || event.type === 'end')
      .map(synth)
      .join('')
    if (before.some((event) => event.type === 'error') && after.some((event) => event.type === 'error')) ended = true
    return lead + self + tail
  }
  const forwarded = (original: SseFrame, events: readonly StreamEvent[]): string => {
    observe(original, events)
    return rawText(original)
  }

  return {
    get rewriting() {
      return ended
    },
    observe,
    encode(after: readonly StreamEvent[], origin?: FrameOrigin): string {
      if (!origin) return after.map(synth).join('')
      if (ended) return ''
      const { before } = origin
      return isUnchanged(before, after) ? forwarded(origin.frame, before) : rewritten(origin.frame, before, after)
    },
  }
}

/** An id of this dialect. */
export function completionId(id: string): string {
  return /^(cmpl|chatcmpl)-/.test(id) ? id : `cmpl-${id}`
}
