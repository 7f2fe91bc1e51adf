/**
 * Events to Messages frames: rewriting of frames that hooks changed, and writing of what they added.
 *
 * One encoder per stream. It follows which block the client has open and under which index. Once a block was inserted, dropped or
 * made to wait, later frames no longer leave as received: `rewriting` says so (B05, B06). Frames that only give the stream its shape
 * (start and stop of text and thinking, message_start) stay, whatever hooks return for them.
 */

import type { StreamEvent } from '../../plugin/events.ts'
import type { Json } from '../../plugin/request.ts'
import { align, isUnchanged, sameContent } from '../align.ts'
import type { FrameOrigin, ReplyIdentity, StreamEncoder } from '../codec.ts'
import { replaceString, type Splice, spliceText } from '../json-edits.ts'
import { countOf, type JsonObject, listOf, objectOf, parseJson } from '../shape.ts'
import { frameText, rawText, type SseFrame } from '../sse.ts'
import { type BlockKind, blockKind } from './blocks.ts'
import { frameType } from './decode.ts'
import { eventEdits, startEdits } from './rewrite.ts'
import { messagesWriter } from './writer.ts'

interface UpstreamBlock {
  /** Index under which the client knows it; undefined when it was dropped. */
  readonly out: number | undefined
  readonly kind: BlockKind
}

/** Blocks of the upstream that are open at once; one is the rule. */
const maxOpen = 1024

/** The encoder of one stream. */
export function messagesEncoder(head: ReplyIdentity): StreamEncoder {
  const writer = messagesWriter(head)
  /** The upstream's open blocks by its index. */
  const blocks = new Map<number, UpstreamBlock>()
  /** Index that the upstream's next block will have. */
  let upstreamNext = 0
  let forwarding = false

  const irregular = (): boolean => {
    if (writer.next !== upstreamNext || writer.waiting > 0 || writer.ended) return true
    for (const [index, block] of blocks) if (block.out !== index) return true
    return false
  }
  const open = (index: number, kind: BlockKind, call: number): number => {
    const out = writer.next === upstreamNext ? index : writer.next
    writer.next = out + 1
    upstreamNext = index + 1
    if (blocks.size >= maxOpen) blocks.clear()
    blocks.set(index, { out, kind })
    writer.open = { index: out, kind, call, upstreams: true, args: '', signed: false }
    return out
  }
  const closed = (index: number): void => {
    const block = blocks.get(index)
    blocks.delete(index)
    if (block?.out !== undefined && writer.open?.index === block.out) writer.open = undefined
  }
  const begin = (body: JsonObject | undefined): void => {
    forwarding = true
    writer.begun()
    const carried = listOf(objectOf(body?.message)?.content).length
    upstreamNext = carried
    writer.next = carried
  }
  const callOf = (events: readonly StreamEvent[]): number => {
    const call = events.find((event) => event.type === 'tool_call')
    return call?.type === 'tool_call' ? call.index : -1
  }

  const observe = (frame: SseFrame, events: readonly StreamEvent[]): void => {
    forwarding = true
    if (frame.data.startsWith('{"type":"content_block_delta"')) return
    const body = objectOf(parseJson(frame.data))
    const index = countOf(body?.index) ?? 0
    switch (frameType(frame, body)) {
      case 'message_start':
        if (events.some((event) => event.type === 'start')) begin(body)
        break
      case 'content_block_start':
        open(index, blockKind(objectOf(body?.content_block) ?? {}), callOf(events))
        break
      case 'content_block_stop':
        closed(index)
    }
  }

  /** The frame with an index of ours and edits made. */
  const emit = (frame: SseFrame, out: number | undefined, index: number, edits: Splice[]): string => {
    if (out !== undefined && out !== index) edits.push({ pointer: '/index', value: out })
    return edited(frame, edits)
  }

  const rewrite = (frame: SseFrame, before: readonly StreamEvent[], kept: readonly (StreamEvent | undefined)[]): string => {
    const body = objectOf(parseJson(frame.data))
    const old = before[0]
    const now = kept[0]
    if (!old) return rawText(frame)
    if (!body) return now ? rawText(frame) : ''
    const index = countOf(body.index) ?? 0
    switch (frameType(frame, body)) {
      case 'message_start': {
        if (old.type !== 'start') return now ? rawText(frame) : ''
        const edits = startEdits(body, before, kept)
        begin(body)
        writer.next -= edits.filter((edit) => edit.value === undefined).length
        return edited(frame, edits)
      }
      case 'content_block_start': {
        const kind = blockKind(objectOf(body.content_block) ?? {})
        const stays = now !== undefined || kind === 'text' || kind === 'thinking'
        if (!stays) {
          blocks.set(index, { out: undefined, kind })
          upstreamNext = index + 1
          return ''
        }
        const out = open(index, kind, callOf(before))
        if (old.type === 'native' && now?.type === 'native' && now.data !== old.data) return replaced(frame, now.data, now.event, out)
        return emit(frame, out, index, eventEdits('/content_block', old, now))
      }
      case 'content_block_delta': {
        const block = blocks.get(index)
        if (!now) return ''
        if (block && block.out === undefined) return insert(now)
        const out = block?.out ?? index
        if (old.type === 'native' && now.type === 'native' && now.data !== old.data) return replaced(frame, now.data, now.event, out)
        return emit(frame, out, index, eventEdits('/delta', old, now))
      }
      case 'content_block_stop': {
        const block = blocks.get(index)
        closed(index)
        if (block && block.out === undefined) return writer.settle()
        return emit(frame, block?.out ?? index, index, []) + writer.settle()
      }
      case 'message_delta': {
        const waiting = writer.open?.upstreams ? '' : writer.force() + writer.settle()
        if (old.type === 'native') return waiting + (now ? nativeText(frame, old, now) : '')
        if (kept.every((event) => event === undefined)) return waiting
        const edits = before.flatMap((event, i) => eventEdits(event.type === 'stop' ? '/delta' : '', event, kept[i]))
        return waiting + edited(frame, edits)
      }
      case 'error':
        if (now?.type === 'error' && !sameContent(old, now)) return writer.event(now)
        return now ? rawText(frame) : ''
      default:
        return now ? nativeText(frame, old, now) : ''
    }
  }
  const insert = (event: StreamEvent): string => (forwarding && event.type === 'start' ? '' : writer.event(event))

  return {
    get rewriting() {
      return irregular()
    },
    observe,
    takeOver() {
      forwarding = false
      blocks.clear()
      writer.takeOver()
    },
    encode(after: readonly StreamEvent[], origin?: FrameOrigin): string {
      if (!origin) {
        const text = after.map(insert).join('')
        return forwarding ? text + writer.settle() : text + writer.flush()
      }
      if (writer.ended) return ''
      const { frame, before } = origin
      if (!irregular() && isUnchanged(before, after)) {
        observe(frame, before)
        return rawText(frame)
      }
      forwarding = true
      const alignment = align(before, after)
      const kept = alignment.fates.map((fate) => fate[0])
      const extras = alignment.fates.flatMap((fate) => fate.slice(1))
      const ends = before.some((event) => event.type === 'end' || event.type === 'stop')
      let out = alignment.lead.map(insert).join('')
      if (ends) out += extras.map(insert).join('')
      out += writer.settle()
      if (writer.ended) return out
      try {
        out += rewrite(frame, before, kept)
      } catch {
        // Nested deeper than edits go: what is known of the frame is written anew, so that no change of a hook is lost.
        out += kept.map((event) => (event ? insert(event) : '')).join('')
      }
      if (!ends) out += extras.map(insert).join('')
      return out + writer.settle()
    },
  }
}

function nativeText(frame: SseFrame, old: StreamEvent, now: StreamEvent): string {
  if (old.type !== 'native' || now.type !== 'native' || now.data === old.data) return rawText(frame)
  return frameText(now.event ?? frame.event, now.data)
}

/** A native frame of a hook, under the index that its block has with the client. */
function replaced(frame: SseFrame, data: string, event: string | undefined, out: number): string {
  const body = objectOf(parseJson(data))
  const text = body?.index === out || !body ? data : JSON.stringify({ ...body, index: out } satisfies Json)
  return frameText(event ?? frame.event, text)
}

function edited(frame: SseFrame, edits: readonly Splice[]): string {
  const [only] = edits
  if (!only) return rawText(frame)
  if (edits.length === 1 && only.pointer === '/index' && indexAtFront.test(frame.data)) {
    return frameText(
      frame.event,
      frame.data.replace(indexAtFront, (_, front: string) => `${front}${only.value}`),
    )
  }
  if (edits.length === 1 && typeof only.value === 'string') {
    const member = only.pointer.slice(only.pointer.lastIndexOf('/') + 1)
    const from = valueAt(frame.data, only.pointer)
    const quick = typeof from === 'string' ? replaceString(frame.data, member, from, only.value) : undefined
    if (quick !== undefined) return frameText(frame.event, quick)
  }
  return frameText(frame.event, spliceText(frame.data, edits))
}

/** The index where Anthropic and most compatible upstreams write it. */
const indexAtFront = /^(\{"type": ?"content_block_[a-z]+", ?"index": ?)\d+/

function valueAt(data: string, pointer: string): Json | undefined {
  let value = parseJson(data)
  for (const step of pointer.slice(1).split('/')) value = objectOf(value)?.[step]
  return value
}
