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
import type { Json } from '../../plugin/request.ts'
import { align, sameContent } from '../align.ts'
import type { FrameOrigin, ReplyIdentity, StreamEncoder, WireError } from '../codec.ts'
import { countOf, type JsonObject, jsonText, listOf, objectOf, parseJson, textOf, wordOf } from '../shape.ts'
import { commentText, frameText, rawText, type SseFrame } from '../sse.ts'
import { frameType, indexOf } from './decode.ts'
import { failureWords } from './errors.ts'
import { itemKind } from './items.ts'
import { statusOfStop } from './stop-reasons.ts'
import { noteLate, partKey, patchedFrame, patchedItem, renaming, type TrackedItem, textOfEvent, trackItem } from './tracked-items.ts'
import { responsesUsageObject } from './usage.ts'
import { responsesWriter } from './writer.ts'

/** Items that are told apart. */
const maxItems = 4096

export function responsesEncoder(head: ReplyIdentity): StreamEncoder {
  let out = ''
  let sequence = 0
  const writer = responsesWriter(head, (type, members) => {
    out += frameText(type, jsonText({ type, sequence_number: sequence++, ...members }))
  })
  const items = new Map<number, TrackedItem>()
  /** The upstream's item of each call. */
  const calls = new Map<number, TrackedItem>()
  const starts: { id?: string; model?: string } = {}
  let waiting: StreamEvent[] = []
  let forwarding = false
  let changed = false
  let over = false

  const take = (): string => {
    const text = out
    out = ''
    return text
  }
  const home = (event: StreamEvent): TrackedItem | undefined => {
    const kind = event.type === 'text' ? 'message' : event.type === 'reasoning' ? 'reasoning' : undefined
    if (kind === undefined) return undefined
    for (const item of [...items.values()].reverse()) {
      if (item.kind === kind && !item.done && item.out !== undefined) return item
    }
    return undefined
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
      const item = home(event)
      const fits = item?.open && (event.type === 'reasoning' || (event.refusal ?? false) === isRefusal(item.open.frame))
      if (item && fits) addDelta(item, event.text)
      else if (item) waiting.push(event)
      else writer.event(event)
    } else if (event.type === 'tool_call' && event.id === undefined && calls.get(event.index)?.done === false) {
      const item = calls.get(event.index)
      if (item?.out !== undefined) addDelta(item, event.arguments)
    } else if (event.type !== 'start') writer.event(event)
  }
  const letWaitingGo = (): void => {
    const list = waiting
    waiting = []
    for (const event of list) insert(event)
  }

  /** Keeps up with a frame that leaves for the client, whole or rewritten. */
  const follow = (type: string, body: JsonObject, events: readonly StreamEvent[]): void => {
    const index = indexOf(body)
    const item = items.get(index)
    const key = partKey(type, body)
    if (type === 'response.created' || type === 'response.in_progress') {
      const response = objectOf(body.response)
      if (response) writer.begun(wordOf(response.id), wordOf(response.model), countOf(response.created_at))
      return
    }
    if (type === 'response.output_item.added' || (type === 'response.output_item.done' && !item)) {
      if (items.size >= maxItems) items.clear()
      const fresh = trackItem(objectOf(body.item) ?? {}, changed ? writer.next : index)
      writer.next = (changed ? writer.next : index) + 1
      items.set(index, fresh)
      const call = events.find((event) => event.type === 'tool_call')
      if (call?.type === 'tool_call') {
        calls.set(call.index, fresh)
        fresh.open = { key: 'call', frame: callDelta(objectOf(body.item) ?? {}) }
        fresh.texts.set('call', call.arguments)
      }
      fresh.done = type === 'response.output_item.done'
      return
    }
    if (!item) return
    if (type === 'response.output_item.done') {
      item.done = true
      item.open = undefined
    } else if (key !== undefined && type.endsWith('.delta')) {
      if (item.open?.key !== key) item.open = { key, frame: body }
      item.texts.set(key, (item.texts.get(key) ?? '') + events.map(textOfEvent).join(''))
    } else if (key !== undefined && type.endsWith('.added')) {
      item.open = { key, frame: deltaOf(body) }
    } else if (key !== undefined && type.endsWith('.done')) {
      const late = events.map(textOfEvent).join('')
      if (late !== '') item.texts.set(key, (item.texts.get(key) ?? '') + late)
      if (item.open?.key === key) item.open = undefined
    }
  }

  const observe = (frame: SseFrame, events: readonly StreamEvent[]): void => {
    forwarding = true
    const body = objectOf(parseJson(frame.data))
    if (!body) return
    sequence = Math.max(sequence, (countOf(body.sequence_number) ?? -1) + 1)
    follow(frameType(frame, body) ?? '', body, events)
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
  const response = (value: JsonObject): JsonObject => ({
    ...value,
    ...(starts.id !== undefined && { id: starts.id }),
    ...(starts.model !== undefined && { model: starts.model }),
  })
  /** The final response with all that was changed on the way. */
  const finalResponse = (value: JsonObject): JsonObject => {
    const upstreams = listOf(value.output)
    // an upstream that repeats nothing here is left its way
    if (upstreams.length === 0 && items.size > 0) return value
    let differs = writer.items.length > 0
    const placed: { index: number; item: Json }[] = writer.items.map(({ index, item }) => ({ index, item }))
    for (const [i, given] of upstreams.entries()) {
      const item = objectOf(given)
      const known = item && trackedAt(i, item)
      if (known && known.out === undefined) {
        differs = true
        continue
      }
      const now = item && known ? patchedItem(item, known) : given
      if (now !== given) differs = true
      placed.push({ index: known?.out ?? writer.next + i, item: now })
    }
    if (!differs) return value
    return { ...value, output: placed.sort((a, b) => a.index - b.index).map(({ item }) => item) }
  }
  const trackedAt = (index: number, item: JsonObject): TrackedItem | undefined => {
    // OpenRouter gives items other ids in the final response
    const id = wordOf(item.id)
    const named = id === undefined ? undefined : [...items.values()].find((other) => other.id === id)
    const known = named ?? items.get(index)
    return known?.kind === itemKind(item) ? known : undefined
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
        const value = objectOf(body.response)
        const edited = value && (starts.id ?? starts.model) !== undefined ? { ...body, response: response(value) } : body
        follow(type, edited, events)
        write(frame, body, given ?? edited, undefined)
        return
      }
      case 'response.completed':
      case 'response.incomplete':
      case 'response.cancelled':
        terminal(frame, body, before, kept)
        return
      case 'response.failed':
      case 'error':
        if (now?.type === 'error' && old.type === 'error' && !sameContent(old, now)) writer.event(now)
        else if (now) write(frame, body, body, undefined)
        over = true
        return
    }
    if (type === 'response.output_item.added' || (type === 'response.output_item.done' && !items.has(index))) {
      const value = objectOf(body.item) ?? {}
      const fresh = trackItem(value, undefined)
      const stays = now !== undefined || fresh.kind === 'message' || fresh.kind === 'reasoning'
      if (!stays) {
        items.set(index, { ...fresh, done: type === 'response.output_item.done' })
        return
      }
      follow(type, body, events)
      const item = items.get(index) ?? fresh
      if (item.done) noteLate(item, value, before, kept)
      if (old.type === 'tool_call' && now?.type === 'tool_call') {
        item.renamed = renaming(old, now)
        item.texts.set('call', now.arguments)
      }
      write(frame, body, given ?? patchedFrame(type, body, item), item.out)
      return
    }
    const item = items.get(index)
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
      follow(type, body, events)
      const delta = now && old.type !== 'native' ? textOfEvent(now) : textOf(body.delta)
      const edited = delta === body.delta ? body : { ...body, delta, ...(listOf(body.logprobs).length > 0 && { logprobs: [] }) }
      write(frame, body, given ?? edited, item?.out)
      return
    }
    if (type === 'response.output_item.done' && item) noteLate(item, objectOf(body.item) ?? {}, before, kept)
    const isShape = partKey(type, body) !== undefined || type === 'response.output_item.done'
    if (old.type === 'native' && !now && !isShape) return
    follow(type, body, events)
    const key = partKey(type, body)
    if (old.type !== 'native' && !now && item && key !== undefined && !item.texts.has(key)) item.texts.set(key, '')
    write(frame, body, given ?? (item ? patchedFrame(type, body, item) : body), body.output_index === undefined ? undefined : item?.out)
    if (type.endsWith('.added') || type === 'response.output_item.done') letWaitingGo()
  }

  const terminal = (
    frame: SseFrame,
    body: JsonObject,
    before: readonly StreamEvent[],
    kept: readonly (StreamEvent | undefined)[],
  ): void => {
    for (const item of items.values()) item.done = true
    letWaitingGo()
    writer.closeAll()
    over = true
    if (kept.every((event) => event === undefined)) return
    let value = response(finalResponse(objectOf(body.response) ?? {}))
    let { type } = body
    for (const [i, old] of before.entries()) {
      const now = kept[i]
      if (!now || sameContent(old, now)) continue
      if (now.type === 'usage') value = { ...value, usage: responsesUsageObject(now.usage) }
      if (now.type === 'stop') {
        const { status, reason } = statusOfStop(now)
        value = { ...value, status, incomplete_details: reason === undefined ? null : { reason } }
        type = `response.${status}`
      }
    }
    const same = type === body.type && Bun.deepEquals(value, body.response)
    const name = frame.event === undefined || type === body.type ? frame.event : textOf(type)
    write(
      { ...frame, ...(name !== undefined && { event: name }) },
      body,
      same ? body : { ...body, type: type ?? null, response: value },
      undefined,
    )
  }

  return {
    get rewriting() {
      return changed
    },
    observe,
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

/** What a delta of a part looks like, by the frame that opens the part. */
function deltaOf(added: JsonObject): JsonObject {
  const { part, sequence_number: _, ...place } = added
  const kind = textOf(objectOf(part)?.type)
  const type =
    kind === 'summary_text'
      ? 'response.reasoning_summary_text.delta'
      : kind === 'reasoning_text'
        ? 'response.reasoning_text.delta'
        : kind === 'refusal'
          ? 'response.refusal.delta'
          : 'response.output_text.delta'
  return { ...place, type, ...(type === 'response.output_text.delta' && { logprobs: [] }) }
}

/** What a delta of a call's arguments looks like. */
function callDelta(item: JsonObject): JsonObject {
  const type = item.type === 'custom_tool_call' ? 'response.custom_tool_call_input.delta' : 'response.function_call_arguments.delta'
  return { type, item_id: item.id ?? '' }
}
