/** Whole Chat completions made of events alone: answers by plugins, collected streams and translated replies. */

import type { StreamEvent } from '../../plugin/events.ts'
import type { Json } from '../../plugin/request.ts'
import type { ReplyIdentity } from '../codec.ts'
import { type CallPiece, type Piece, reduceEvents } from '../reduce.ts'
import { type JsonObject, jsonText, listOf, objectOf, parseJson } from '../shape.ts'
import { withExtra } from '../usage-edits.ts'
import { thoughtExtra, usesFunctions } from './client-members.ts'
import { clientDetail } from './reasoning-details.ts'
import { annotationOf, mediaMembers } from './reply-media.ts'
import { chatFinishReason } from './stop-reasons.ts'
import { chatUsageObject } from './usage.ts'

/** A completion made of events alone. */
export function encodeChatWhole(events: readonly StreamEvent[], head: ReplyIdentity): string {
  const sum = reduceEvents(events)
  if (sum.error) return chatErrorText(sum.error.kind, sum.error.message)
  const id = sum.id ?? (head.id.startsWith('chatcmpl-') ? head.id : `chatcmpl-${head.id}`)
  const old = usesFunctions(head.request)
  const choices = sum.choices.map(({ choice, pieces, stop }) => {
    const message = messageOf(pieces, `${id.slice(-24)}_${choice}`, old)
    const called = pieces.some((piece) => piece.type === 'tool_call')
    const finish = stop ? chatFinishReason(stop) : called ? 'tool_calls' : 'stop'
    return { index: choice, message, logprobs: null, finish_reason: old && finish === 'tool_calls' ? 'function_call' : finish }
  })
  const usage = sum.usage && sum.usage.source !== 'unknown' ? { usage: withExtra(chatUsageObject(sum.usage), sum.usageExtra) } : {}
  return jsonText({ id, object: 'chat.completion', created: head.created, model: sum.model ?? head.model, choices, ...usage })
}

/** A body that is an error. */
export function chatErrorText(kind: string, message: string): string {
  return jsonText({ error: { message, type: kind, param: null, code: null } })
}

function messageOf(pieces: readonly Piece[], callPrefix: string, old: boolean): JsonObject {
  let text = ''
  let refusal = ''
  let reasoning = ''
  let signature: string | undefined
  const calls: CallPiece[] = []
  const details: Json[] = []
  const annotations: Json[] = []
  const images: Json[] = []
  const extras: Record<string, Json> = {}
  for (const piece of pieces) {
    switch (piece.type) {
      case 'text':
        if (piece.refusal) refusal += piece.text
        else text += piece.text
        signature = piece.signature ?? signature
        break
      case 'reasoning':
        reasoning += piece.text
        if (piece.signature !== undefined && piece.signature !== '') {
          details.push(clientDetail(piece.signature, piece.text, piece.redacted, details.length))
        }
        break
      case 'tool_call':
        calls.push(piece)
        break
      case 'citation':
        annotations.push(annotationOf(piece.citation, text, 0))
        break
      case 'media': {
        const made = mediaMembers(piece.media, callPrefix, images.length)
        if (made.images === undefined) Object.assign(extras, made)
        else images.push(...listOf(made.images))
        break
      }
      case 'native':
        nativeMembers(piece.native.data, extras)
    }
  }
  const called = calls.length > 0
  return {
    role: 'assistant',
    content: text === '' && (called || refusal !== '') ? null : text,
    refusal: refusal === '' ? null : refusal,
    ...extras,
    ...(reasoning !== '' && { reasoning_content: reasoning }),
    ...(details.length > 0 && { reasoning_details: details }),
    ...(annotations.length > 0 && { annotations }),
    ...(images.length > 0 && { images }),
    ...(signature !== undefined && thoughtExtra(signature)),
    ...(called && !old && { tool_calls: calls.map((call, i) => callOf(call, `call_${callPrefix}_${i}`)) }),
    ...(called && old && { function_call: { name: calls[0]?.name ?? '', arguments: calls[0]?.arguments || '{}' } }),
  }
}

function callOf(call: CallPiece, fallback: string): JsonObject {
  const id = call.id ?? fallback
  const name = call.name ?? ''
  const extra = call.signature === undefined ? {} : thoughtExtra(call.signature)
  if (call.kind === 'custom') return { id, type: 'custom', custom: { name, input: call.arguments }, ...extra }
  return { id, type: 'function', function: { name, arguments: call.arguments || '{}' }, ...extra }
}

/** Members of a reply that was only collected, not translated: they pass. */
function nativeMembers(data: string, extras: Record<string, Json>): void {
  const delta = objectOf(objectOf(listOf(objectOf(parseJson(data))?.choices)[0])?.delta)
  for (const member in delta) {
    const value = delta[member]
    if (value === undefined || member === 'role' || member === 'content' || member === 'tool_calls') continue
    const had = extras[member]
    extras[member] = Array.isArray(had) && Array.isArray(value) ? [...had, ...value] : value
  }
}
