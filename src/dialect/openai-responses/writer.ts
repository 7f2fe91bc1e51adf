/**
 * Responses frames made of events alone, in the order of PROTOCOL §1.6 (B14, B15, C21): created, in_progress, the items, one terminal frame that
 * repeats them all. Used for answers by plugins, for translated replies, streamed and whole, and for insertions into a forwarded stream.
 *
 * One message or thought is open at a time. Calls stay open beside each other until their arguments are complete, because upstreams interleave them:
 * each item has its own index, so nothing need wait.
 */

import type { ReasoningEvent, StopEvent, StreamEvent, ToolCallEvent, UsageEvent } from '../../plugin/events.ts'
import type { Usage } from '../../plugin/outcome.ts'
import type { Json } from '../../plugin/request.ts'
import type { ReplyIdentity } from '../codec.ts'
import { type JsonObject, objectOf, parseJson, wordOf } from '../shape.ts'
import { errorMembers, type FailureWords } from './errors.ts'
import { itemKind } from './items.ts'
import {
  type BegunMessage,
  type Emit,
  type OpenCall,
  type OpenMessage,
  type OpenReasoning,
  openCall,
  openMessage,
  openReasoning,
} from './open-items.ts'
import { type ProofMark, withMark } from './proof-marks.ts'
import { responseObjects } from './response-object.ts'
import { type FinalStatus, statusOfStop } from './stop-reasons.ts'

export interface ResponsesWriter {
  /** Index of the next item. */
  next: number
  /** Complete items that were written here, with their index. */
  readonly items: readonly { readonly index: number; readonly item: JsonObject }[]
  /** Nothing may follow. */
  readonly ended: boolean
  /** The upstream's own head was sent. */
  begun(id: string | undefined, model: string | undefined, created: number | undefined): void
  event(event: StreamEvent): void
  /** Takes an item of the upstream's that is complete into the reply. */
  keep(index: number, item: JsonObject): void
  /** Goes on with a message that the upstream began. */
  adopt(index: number, id: string, begun: BegunMessage): void
  /** Closes what may be closed, so that nothing of ours stays open in a forwarded stream. */
  settle(): void
  /** Closes everything. */
  closeAll(): void
  /** Ends the reply with an error. */
  fail(words: FailureWords): void
}

/** The writer of one response; `emit` is given each frame, in order. */
export function responsesWriter(head: ReplyIdentity, emit: Emit): ResponsesWriter {
  let id = responseId(head.id)
  let { model, created } = head
  const object = responseObjects(head)
  const items: { index: number; item: JsonObject }[] = []
  const calls = new Map<number, OpenCall>()
  let message: OpenMessage | undefined
  let reasoning: OpenReasoning | undefined
  let usage: Usage | undefined
  let usageExtra: UsageEvent['extra']
  let stop: StopEvent | undefined
  let begun = false
  let ended = false
  let callsMade = 0

  const output = (): Json[] => items.toSorted((a, b) => a.index - b.index).map(({ item }) => item)
  const response = (status: FinalStatus | 'in_progress', more: { reason?: string | undefined; error?: FailureWords } = {}): JsonObject =>
    object({ id, model, created, status, output: output(), usage, usageExtra, ...more })
  const begin = (): void => {
    if (begun) return
    begun = true
    emit('response.created', { response: response('in_progress') })
    emit('response.in_progress', { response: response('in_progress') })
  }
  const base = (index: number): string => `${id.slice('resp_'.length).slice(-32)}_${index}`
  const finished = (index: number, item: JsonObject): void => {
    items.push({ index, item })
  }
  const closeMessage = (status: 'completed' | 'incomplete' = 'completed'): void => {
    if (!message) return
    finished(message.index, message.close(status))
    message = undefined
  }
  const closeReasoning = (): void => {
    if (!reasoning) return
    finished(reasoning.index, reasoning.close('completed'))
    reasoning = undefined
  }
  const closeCalls = (all: boolean, status: 'completed' | 'incomplete' = 'completed'): void => {
    for (const [key, call] of calls) {
      if (!all && !call.complete) continue
      calls.delete(key)
      finished(call.index, call.close(status))
    }
  }
  const closeAll = (status: 'completed' | 'incomplete' = 'completed'): void => {
    closeReasoning()
    closeMessage(status)
    closeCalls(true, status)
  }
  /** Makes room for an item of another kind. */
  const makeRoom = (): void => {
    begin()
    closeReasoning()
    closeMessage()
    closeCalls(false)
  }
  const messageOpen = (): OpenMessage => {
    if (message) return message
    makeRoom()
    const index = writer.next++
    message = openMessage(emit, index, `msg_${base(index)}`)
    return message
  }
  const reasoningOpen = (): OpenReasoning => {
    if (reasoning && reasoning.signature === undefined) return reasoning
    makeRoom()
    const index = writer.next++
    reasoning = openReasoning(emit, index, `rs_${base(index)}`)
    return reasoning
  }
  /** A proof that is not of a thought, in an item of its own. */
  const proofItem = (signature: string, mark: ProofMark): void => {
    makeRoom()
    const index = writer.next++
    const own = openReasoning(emit, index, `rs_${base(index)}`)
    own.signature = withMark(signature, mark)
    finished(index, own.close('completed'))
  }
  const thought = (event: ReasoningEvent): void => {
    if (event.redacted) {
      if (event.signature !== undefined) proofItem(event.signature, 'hidden')
      return
    }
    if (event.text === '' && event.signature === undefined) return
    const open = reasoningOpen()
    if (event.text !== '') open.text(event.text)
    if (event.signature !== undefined) open.signature = event.signature
  }
  const toolCall = (event: ToolCallEvent): void => {
    let call = calls.get(event.index)
    if (!call || (event.id !== undefined && event.id !== call.callId && !call.unnamed)) {
      if (event.signature !== undefined) proofItem(event.signature, 'next')
      makeRoom()
      if (call) finished(call.index, call.close('completed'))
      const index = writer.next++
      call = openCall(emit, index, base(index), event.id ?? `call_${base(index)}`, event)
      calls.set(event.index, call)
      callsMade++
    } else if (event.signature !== undefined) proofItem(event.signature, 'last')
    call.fragment(event)
  }
  /** Of other frames only complete items have a place in a reply that is written anew: those of hosted tools. */
  const native = (data: string): void => {
    const body = objectOf(parseJson(data))
    const item = body?.type === 'response.output_item.done' ? objectOf(body.item) : undefined
    if (!item || itemKind(item) !== 'native') return
    makeRoom()
    const index = writer.next++
    emit('response.output_item.added', { output_index: index, item })
    emit('response.output_item.done', { output_index: index, item })
    finished(index, item)
  }
  const picture = (mime: string, data: string): void => {
    if (!mime.startsWith('image/')) return
    const index = writer.next
    const item = { id: `ig_${base(index)}`, type: 'image_generation_call', status: 'completed', output_format: mime.slice(6), result: data }
    native(JSON.stringify({ type: 'response.output_item.done', item }))
  }
  const fail = (words: FailureWords): void => {
    if (ended) return
    begin()
    ended = true
    emit('error', errorMembers(words))
    emit('response.failed', { response: response('failed', { error: words }) })
  }
  const end = (): void => {
    begin()
    const { status, reason } = statusOfStop(stop)
    closeAll(status === 'completed' ? 'completed' : 'incomplete')
    if (status === 'failed') {
      fail({ type: 'server_error', code: 'server_error', message: `The model could not finish its answer (${stop?.raw}).`, param: null })
      return
    }
    ended = true
    emit(`response.${status}`, { response: response(status, { reason }) })
  }

  const writer: ResponsesWriter = {
    next: 0,
    items,
    get ended() {
      return ended
    },
    begun(newId, newModel, newCreated) {
      begun = true
      id = newId === undefined ? id : responseId(newId)
      model = newModel ?? model
      created = newCreated ?? created
    },
    keep: finished,
    adopt(index, itemId, given) {
      message = openMessage(emit, index, itemId, given)
    },
    event(event) {
      if (ended) return
      switch (event.type) {
        case 'start':
          if (begun) return
          id = event.id === undefined ? id : responseId(event.id)
          model = event.model ?? model
          return begin()
        case 'text':
          if (event.text !== '') messageOpen().text(event.text, event.refusal ?? false)
          if (event.signature !== undefined) proofItem(event.signature, 'last')
          return
        case 'reasoning':
          return thought(event)
        case 'tool_call':
          return toolCall(event)
        case 'citation':
          return messageOpen().cite(event)
        case 'media':
          return picture(event.mime, event.data)
        case 'native':
          return native(event.data)
        case 'usage':
          usage = event.usage
          usageExtra = event.extra
          return
        case 'stop':
          stop = callsMade > 0 && event.reason === 'end' ? { ...event, reason: 'tool_calls' } : event
          return
        case 'error':
          return fail({ type: event.kind, code: event.kind, message: event.message, param: null })
        case 'end':
          return end()
      }
    },
    settle() {
      closeReasoning()
      closeMessage()
      closeCalls(false)
    },
    closeAll: () => closeAll(),
    fail,
  }
  return writer
}

/** The id of a response, whoever named the reply. */
export function responseId(id: string): string {
  const word = wordOf(id.replace(/[^A-Za-z0-9_-]/g, '_')) ?? 'reply'
  return word.startsWith('resp_') ? word : `resp_${word}`
}
