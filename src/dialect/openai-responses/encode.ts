/**
 * Events to Responses frames: rewriting of frames that hooks changed, and writing of what they added.
 *
 * One encoder per stream. As long as nothing was changed, frames leave as received and the encoder only keeps up: numbers, indices, texts of the
 * parts. From the first change on every frame goes through it (`rewriting`), because done frames and the final response repeat the deltas, and because
 * insertions shift numbers and indices (B14, B15).
 *
 * Text that is inserted while the upstream's message is open but none of its parts is waits for the next part, so that all three tellings agree on
 * the order.
 */

import type { StreamEvent } from '../../plugin/events.ts'
import { align, sameContent } from '../align.ts'
import type { FrameOrigin, ReplyIdentity, StreamEncoder, WireError } from '../codec.ts'
import { countOf, type JsonObject, jsonText, listOf, objectOf, parseJson, textOf } from '../shape.ts'
import { commentText, frameText, rawText, type SseFrame } from '../sse.ts'
import { frameType, indexOf } from './decode.ts'
import { endItem, endPart } from './ended-items.ts'
import { failureWords } from './errors.ts'
import { finalFrame, type StartEdits, withStart, withUsage } from './final-frame.ts'
import type { Emit } from './open-items.ts'
import { noteLate, partKey, patchedFrame, patchedItem, renaming, type TrackedItem, textOfEvent, trackItem } from './tracked-items.ts'
import { upstreamView } from './upstream-view.ts'
import { responsesWriter } from './writer.ts'

/** The encoder of one stream. */
export function responsesEncoder(head: ReplyIdentity): StreamEncoder {
  let out = ''
  let sequence = 0
  const emit: Emit = (type, members) => {
    out += frameText(type, jsonText({ type, sequence_number: sequence++, ...members }))
  }
  const writer = responsesWriter(head, emit)
  const view = upstreamView(writer)
  const starts: StartEdits = {}
  let waiting: StreamEvent[] = []
  let forwarding = false
  let changed = false
  let over = false

  const take = (): string => {
    const text = out
    out = ''
    return text
  }
  /** A further delta in a part of the upstream's. */
  const addDelta = (item: TrackedItem, text: string): void => {
    const { open } = item
    if (!open || text === '') return
    item.texts.set(open.key, (item.texts.get(open.key) ?? '') + text)
    const { logprobs, obfuscation: _, ...frame } = open.frame
    const members = { ...frame, output_index: item.out ?? 0, delta: text, sequence_number: sequence++ }
    out += frameText(textOf(frame.type), jsonText({ ...members, ...(logprobs !== undefined && { logprobs: [] }) }))
  }
  const insert = (event: StreamEvent): void => {
    if (event.type === 'note') out += commentText(event.text)
    else if (!forwarding) writer.event(event)
    else if (event.type === 'text' || event.type === 'reasoning') {
      const item = view.home(event)
      const fits = item?.open && (event.type === 'reasoning' || (event.refusal ?? false) === isRefusal(item.open.frame))
      if (item && fits) addDelta(item, event.text)
      else if (item) waiting.push(event)
      else writer.event(event)
    } else if (event.type === 'tool_call' && event.id === undefined && view.calls.get(event.index)?.done === false) {
      const item = view.calls.get(event.index)
      if (item?.out !== undefined) addDelta(item, event.arguments)
    } else if (event.type === 'end') endHere(event)
    else if (event.type !== 'start') writer.event(event)
  }
  /** From here on the reply is written from events: what the client knows of it is gone on with, or ends as it is. */
  const takeOver = (): void => {
    for (const item of view.items.values()) {
      if (item.out === undefined) continue
      if (item.kind === 'message' && !item.done) {
        endPart(item, emit)
        const texts = [...item.texts].filter(([key]) => key.startsWith('content/')).map(([, text]) => text)
        const open = item.open !== undefined
        // a part that was opened and has no text yet
        if (open && !item.texts.has(item.open!.key)) texts.push('')
        writer.adopt(item.out, item.id, { texts, open, refusal: open && isRefusal(item.open!.frame) })
      } else if (item.value) writer.keep(item.out, item.done ? patchedItem(item.value, item) : endItem(item, item.value, emit))
    }
    forwarding = false
    changed = true
  }
  /** The reply ends where the upstream's would go on: what is open of the upstream's is closed, and told once more in the last frame. */
  const endHere = (event: StreamEvent): void => {
    writer.settle()
    takeOver()
    letWaitingGo()
    writer.event(event)
  }
  const letWaitingGo = (): void => {
    const list = waiting
    waiting = []
    for (const event of list) insert(event)
  }

  const observe = (frame: SseFrame, events: readonly StreamEvent[]): void => {
    forwarding = true
    const body = objectOf(parseJson(frame.data))
    if (!body) return
    sequence = Math.max(sequence, (countOf(body.sequence_number) ?? -1) + 1)
    view.follow(frameType(frame, body) ?? '', body, events, false)
    if (events.some((event) => event.type === 'end' || event.type === 'error')) over = true
  }

  /** A frame with a number and an index of ours; its bytes as they came when nothing in it differs. */
  const write = (frame: SseFrame, body: JsonObject, now: JsonObject, index: number | undefined): void => {
    let members = now
    if (index !== undefined && countOf(now.output_index) !== index) members = { ...members, output_index: index }
    if (body.sequence_number !== undefined) {
      if (body.sequence_number !== sequence) members = { ...members, sequence_number: sequence }
      sequence++
    }
    out += members === body ? rawText(frame) : frameText(frame.event, jsonText(members))
  }
  const rewrite = (frame: SseFrame, before: readonly StreamEvent[], kept: readonly (StreamEvent | undefined)[]): void => {
    const body = objectOf(parseJson(frame.data))
    const [old] = before
    const [now] = kept
    if (!old || !body) {
      if (!old || now) out += rawText(frame)
      return
    }
    const type = frameType(frame, body) ?? ''
    const events = kept.filter((event) => event !== undefined)
    const index = indexOf(body)
    const given = old.type === 'native' && now?.type === 'native' && now.data !== old.data ? objectOf(parseJson(now.data)) : undefined
    switch (type) {
      case 'response.created':
      case 'response.queued':
      case 'response.in_progress': {
        if (old.type === 'start' && now?.type === 'start') {
          if (now.id !== undefined && now.id !== old.id) starts.id = now.id
          if (now.model !== undefined && now.model !== old.model) starts.model = now.model
        }
        const edited = withStart(body, starts)
        view.follow(type, edited, events, true)
        write(frame, body, given ?? edited, undefined)
        return
      }
      case 'response.completed':
      case 'response.incomplete':
      case 'response.cancelled': {
        view.close()
        letWaitingGo()
        writer.closeAll()
        over = true
        if (events.length === 0) return
        const last = finalFrame(withStart(body, starts), before, kept, view, writer)
        const renamed = frame.event !== undefined && last.type !== body.type ? { ...frame, event: textOf(last.type) } : frame
        write(renamed, body, last, undefined)
        return
      }
      case 'response.failed':
      case 'error': {
        const at = before.findIndex((event) => event.type === 'error')
        const error = at < 0 ? now : kept[at]
        if (at >= 0 && error && !sameContent(before[at]!, error)) for (const event of events) writer.event(event)
        else if (error) write(frame, body, withUsage(body, before, kept), undefined)
        over = true
        return
      }
    }
    if (type === 'response.output_item.added' || (type === 'response.output_item.done' && !view.items.has(index))) {
      const value = objectOf(body.item) ?? {}
      const fresh = trackItem(value, undefined)
      const stays = now !== undefined || fresh.kind === 'message' || fresh.kind === 'reasoning'
      if (!stays) {
        view.items.set(index, { ...fresh, done: type === 'response.output_item.done' })
        return
      }
      view.follow(type, body, events, true)
      const item = view.items.get(index) ?? fresh
      if (item.done) noteLate(item, value, before, kept)
      if (old.type === 'tool_call' && now?.type === 'tool_call') {
        item.renamed = renaming(old, now)
        item.texts.set('call', now.arguments)
      }
      write(frame, body, given ?? patchedFrame(type, body, item), item.out)
      return
    }
    const item = view.items.get(index)
    if (body.output_index !== undefined && item && item.out === undefined) {
      if (type === 'response.output_item.done') item.done = true
      return
    }
    if (type.endsWith('.delta') && partKey(type, body) !== undefined) {
      if (!now && old.type !== 'native') {
        const key = partKey(type, body) ?? ''
        if (item) {
          item.open ??= { key, frame: body }
          if (!item.texts.has(key)) item.texts.set(key, '')
        }
        return
      }
      view.follow(type, body, events, true)
      const delta = now && old.type !== 'native' ? textOfEvent(now) : textOf(body.delta)
      const edited = delta === body.delta ? body : { ...body, delta, ...(listOf(body.logprobs).length > 0 && { logprobs: [] }) }
      write(frame, body, given ?? edited, item?.out)
      return
    }
    if (type === 'response.output_item.done' && item) noteLate(item, objectOf(body.item) ?? {}, before, kept)
    const isShape = partKey(type, body) !== undefined || type === 'response.output_item.done'
    if (old.type === 'native' && !now && !isShape) return
    view.follow(type, body, events, true)
    const key = partKey(type, body)
    if (old.type !== 'native' && !now && item && key !== undefined && !item.texts.has(key)) item.texts.set(key, '')
    write(frame, body, given ?? (item ? patchedFrame(type, body, item) : body), body.output_index === undefined ? undefined : item?.out)
    if (type.endsWith('.added') || type === 'response.output_item.done') letWaitingGo()
  }

  return {
    get rewriting() {
      return changed
    },
    observe,
    takeOver,
    encode(after: readonly StreamEvent[], origin?: FrameOrigin): string {
      if (!origin) {
        if (over) return ''
        if (forwarding && after.length > 0) changed = true
        for (const event of after) insert(event)
        if (forwarding) writer.settle()
        return take()
      }
      const { frame, before } = origin
      if (over && changed) return isDone(frame) ? rawText(frame) : ''
      if (!changed && before.length === after.length && before.every((event, i) => sameContent(event, after[i]!))) {
        observe(frame, before)
        return rawText(frame)
      }
      forwarding = true
      if (!changed) {
        changed = true
        sequence = countOf(objectOf(parseJson(frame.data))?.sequence_number) ?? sequence
      }
      const alignment = align(before, after)
      const kept = alignment.fates.map((fate) => fate[0])
      const extras = alignment.fates.flatMap((fate) => fate.slice(1))
      const ends = before.some((event) => event.type === 'end' || event.type === 'stop')
      for (const event of alignment.lead) insert(event)
      if (ends) for (const event of extras) insert(event)
      writer.settle()
      if (!writer.ended) rewrite(frame, before, kept)
      if (!ends && !writer.ended) for (const event of extras) insert(event)
      writer.settle()
      if (writer.ended) over = true
      return take()
    },
    failure(error: WireError): string {
      writer.fail(failureWords(error))
      over = true
      return take()
    },
  }
}

/** `[DONE]`, which some upstreams put behind the last frame. */
function isDone(frame: SseFrame): boolean {
  return frame.data.trim() === '[DONE]'
}

function isRefusal(frame: JsonObject): boolean {
  return textOf(frame.type).includes('refusal')
}
