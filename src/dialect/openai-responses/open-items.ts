/**
 * Output items that are being written: each knows the frames of its life, from `output_item.added` to `output_item.done` (PROTOCOL §1.6).
 *
 * Added and part-added frames come before deltas, done frames repeat all that the deltas said (B14). An item closes once; what it is then stands
 * in the final response.
 */

import type { CitationEvent, ToolCallEvent } from '../../plugin/events.ts'
import type { Json } from '../../plugin/request.ts'
import { unsigned } from '../proof.ts'
import { type JsonObject, parseJson } from '../shape.ts'

/** Takes a frame: its type and its members, without sequence number. */
export type Emit = (type: string, members: JsonObject) => void

export interface OpenItem {
  readonly index: number
  /** Writes the frames that end it and gives the complete item. */
  close(status: 'completed' | 'incomplete'): JsonObject
}

interface MessagePart {
  readonly refusal: boolean
  text: string
  readonly annotations: Json[]
}

export interface OpenMessage extends OpenItem {
  text(text: string, refusal: boolean): void
  cite(citation: CitationEvent): void
}

/** What a client knows already of a message that somebody else began: the texts of its parts, and whether the last one is open. */
export interface BegunMessage {
  readonly texts: readonly string[]
  readonly open: boolean
  readonly refusal: boolean
}

/** Begins a message: its first frame is emitted; or goes on with one that was `begun`. */
export function openMessage(emit: Emit, index: number, id: string, begun?: BegunMessage): OpenMessage {
  const parts: MessagePart[] = (begun?.texts ?? []).map((text) => ({ refusal: begun!.refusal, text, annotations: [] }))
  let open: MessagePart | undefined = begun?.open ? parts.at(-1) : undefined
  const item = (status: string): JsonObject => ({ id, type: 'message', status, role: 'assistant', content: parts.map(partObject) })
  const place = (): JsonObject => ({ item_id: id, output_index: index, content_index: parts.length - 1 })
  const closePart = (): void => {
    if (!open) return
    if (open.refusal) emit('response.refusal.done', { ...place(), refusal: open.text })
    else emit('response.output_text.done', { ...place(), text: open.text, logprobs: [] })
    emit('response.content_part.done', { ...place(), part: partObject(open) })
    open = undefined
  }
  const openPart = (refusal: boolean): MessagePart => {
    if (open?.refusal === refusal) return open
    closePart()
    open = { refusal, text: '', annotations: [] }
    parts.push(open)
    emit('response.content_part.added', { ...place(), part: partObject(open) })
    return open
  }
  if (!begun) emit('response.output_item.added', { output_index: index, item: item('in_progress') })
  return {
    index,
    text(text, refusal) {
      const part = openPart(refusal)
      part.text += text
      if (refusal) emit('response.refusal.delta', { ...place(), delta: text })
      else emit('response.output_text.delta', { ...place(), delta: text, logprobs: [] })
    },
    cite(citation) {
      const part = openPart(false)
      const found = citation.cited === undefined ? -1 : part.text.lastIndexOf(citation.cited)
      const start = found < 0 ? part.text.length : found
      const annotation = {
        type: 'url_citation',
        url: citation.url,
        title: citation.title ?? citation.url,
        start_index: start,
        end_index: found < 0 ? start : start + (citation.cited?.length ?? 0),
      }
      part.annotations.push(annotation)
      const at = part.annotations.length - 1
      emit('response.output_text.annotation.added', { ...place(), annotation_index: at, annotation })
    },
    close(status) {
      closePart()
      const complete = item(status)
      emit('response.output_item.done', { output_index: index, item: complete })
      return complete
    },
  }
}

function partObject(part: MessagePart): JsonObject {
  if (part.refusal) return { type: 'refusal', refusal: part.text }
  return { type: 'output_text', annotations: [...part.annotations], logprobs: [], text: part.text }
}

export interface OpenReasoning extends OpenItem {
  /** Its proof; a thought that has one takes no more text. */
  signature: string | undefined
  text(text: string): void
}

/** Begins a thought: its first frame is emitted. */
export function openReasoning(emit: Emit, index: number, id: string): OpenReasoning {
  let summary: string | undefined
  const place = { item_id: id, output_index: index, summary_index: 0 }
  const part = (): JsonObject => ({ type: 'summary_text', text: summary ?? '' })
  emit('response.output_item.added', { output_index: index, item: { id, type: 'reasoning', summary: [] } })
  const open: OpenReasoning = {
    index,
    signature: undefined,
    text(text) {
      if (summary === undefined) {
        emit('response.reasoning_summary_part.added', { ...place, part: part() })
        summary = ''
      }
      summary += text
      emit('response.reasoning_summary_text.delta', { ...place, delta: text })
    },
    close() {
      if (summary !== undefined) {
        emit('response.reasoning_summary_text.done', { ...place, text: summary })
        emit('response.reasoning_summary_part.done', { ...place, part: part() })
      }
      const complete = {
        id,
        type: 'reasoning',
        summary: summary === undefined ? [] : [part()],
        // OpenAI looks for a thought without it under its id, which is ours
        encrypted_content: open.signature ?? unsigned,
      }
      emit('response.output_item.done', { output_index: index, item: complete })
      return complete
    },
  }
  return open
}

export interface OpenCall extends OpenItem {
  /** Position among the calls of the reply. */
  readonly call: number
  readonly callId: string
  /** Its name has not come yet: nothing was written (C04). */
  readonly unnamed: boolean
  /** Its arguments are a complete JSON object: no more will come. */
  readonly complete: boolean
  fragment(event: ToolCallEvent): void
}

/** @param base end of the item's id; a custom call has `ctc_` before it, others `fc_` */
export function openCall(emit: Emit, index: number, base: string, callId: string, first: ToolCallEvent): OpenCall {
  const custom = first.kind === 'custom'
  const id = `${custom ? 'ctc_' : 'fc_'}${base}`
  const member = custom ? 'input' : 'arguments'
  const frames = custom ? 'response.custom_tool_call_input' : 'response.function_call_arguments'
  const place = { item_id: id, output_index: index }
  let name: string | undefined
  let { namespace } = first
  let args = ''
  const item = (status: string, text: string): JsonObject => ({
    id,
    type: custom ? 'custom_tool_call' : 'function_call',
    status,
    call_id: callId,
    name: name ?? '',
    ...(namespace !== undefined && { namespace }),
    [member]: text,
  })
  const begin = (known: string): void => {
    name = known
    emit('response.output_item.added', { output_index: index, item: item('in_progress', '') })
    if (args !== '') emit(`${frames}.delta`, { ...place, delta: args })
  }
  return {
    index,
    call: first.index,
    callId,
    get unnamed() {
      return name === undefined
    },
    get complete() {
      return !custom && args.trimEnd().endsWith('}') && parseJson(args) !== undefined
    },
    fragment(event) {
      namespace ??= event.namespace
      if (name !== undefined && event.arguments !== '') emit(`${frames}.delta`, { ...place, delta: event.arguments })
      args += event.arguments
      if (name === undefined && event.name !== undefined) begin(event.name)
    },
    close(status) {
      if (name === undefined) begin('')
      if (args === '' && !custom && status === 'completed') {
        args = '{}' // C06
        emit(`${frames}.delta`, { ...place, delta: args })
      }
      emit(`${frames}.done`, { ...place, ...(!custom && { name: name ?? '' }), [member]: args })
      const complete = item(status, args)
      emit('response.output_item.done', { output_index: index, item: complete })
      return complete
    },
  }
}
