/**
 * Chat chunks made of events alone, in the order of PROTOCOL §1.6: role, content, tool calls (id, type, name and empty arguments
 * first), finish, usage if asked for, `[DONE]`. Used for answers by plugins, for translated streams and for insertions into a
 * stream that is forwarded.
 */

import type { ReasoningEvent, StreamEvent, TextEvent, ToolCallEvent, UsageEvent } from '../../plugin/events.ts'
import type { Json } from '../../plugin/request.ts'
import type { ReplyIdentity } from '../codec.ts'
import { type JsonObject, jsonText, listOf, objectOf, parseJson } from '../shape.ts'
import { commentText, frameText } from '../sse.ts'
import { withExtra } from '../usage-edits.ts'
import { thoughtExtra, usesFunctions } from './client-members.ts'
import { inStreamError } from './errors.ts'
import { clientDetail } from './reasoning-details.ts'
import { annotationOf, mediaMembers } from './reply-media.ts'
import { sitesOf } from './sites.ts'
import { chatFinishReason } from './stop-reasons.ts'
import { chatUsageObject } from './usage.ts'

export interface ChatSynth {
  /** Names that all chunks of this reply carry; what is undefined stays as it was. */
  identify(id: string | undefined, model: string | undefined, created: number | undefined): void
  /** The role of a choice has been sent. */
  roleSent(choice: number): void
  /** A finish chunk of a choice has been sent. */
  finishSent(choice: number): void
  /** A tool call stands at this place of its choice: the next new one gets a later one. */
  callSent(choice: number, place: number): void
  /** Takes a free place for a new tool call of a choice. */
  nextCall(choice: number): number
  /** A further fragment of the call at a place. */
  callArguments(choice: number, place: number, text: string): string
  /** SSE text for one event. */
  event(event: StreamEvent): string
  /** True when `end` or an error has been written: nothing may follow. */
  readonly ended: boolean
}

interface OpenCall {
  readonly place: number
  readonly id: string
  custom: boolean
  signature: string | undefined
  /** Arguments that came before the name (C04); undefined once the call was begun. */
  held: string | undefined
}
interface Choice {
  role: boolean
  finished: boolean
  calls: number
  readonly open: Map<number, OpenCall>
  /** The thought so far, for its proof. */
  thought: string
  details: number
  images: number
  /** The end of the text, and how many characters stand before it: where citations find their words. */
  tail: string
  before: number
}
/** Characters of text that are searched for the words of a citation. */
const tailLimit = 16_384
/** Longest thought that is kept for its proof. */
const thoughtLimit = 8 * 1024 * 1024

/** The maker of chunks of one stream. */
export function chatSynth(head: ReplyIdentity): ChatSynth {
  let id = head.id.startsWith('chatcmpl-') ? head.id : `chatcmpl-${head.id}`
  let model = head.model
  let created = head.created
  let usage: UsageEvent | undefined
  let ended = false
  const old = usesFunctions(head.request)
  const choices = new Map<number, Choice>()

  const choiceAt = (index: number): Choice => {
    let choice = choices.get(index)
    if (!choice) choices.set(index, (choice = newChoice()))
    return choice
  }
  const frame = (list: readonly Json[], members: JsonObject): string =>
    frameText(undefined, jsonText({ id, object: 'chat.completion.chunk', created, model, choices: list, ...members }))
  const chunk = (index: number, delta: JsonObject, finish: string | null = null): string =>
    frame([{ index, delta, logprobs: null, finish_reason: finish }], head.includeUsage ? { usage: null } : {})
  const role = (index: number): string => {
    const choice = choiceAt(index)
    if (choice.role) return ''
    choice.role = true
    return chunk(index, { role: 'assistant', content: '' })
  }

  const begin = (index: number, call: OpenCall, name: string): string => {
    const held = call.held ?? ''
    call.held = undefined
    const extra = call.signature === undefined ? {} : thoughtExtra(call.signature)
    const made = call.custom ? { type: 'custom', custom: { name, input: '' } } : { type: 'function', function: { name, arguments: '' } }
    const first = { index: call.place, id: call.id, ...made, ...extra }
    const delta: JsonObject = old ? { function_call: { name, arguments: '' } } : { tool_calls: [first] }
    if (old && call.place > 0) return ''
    return role(index) + chunk(index, delta) + (held === '' ? '' : args(index, call.place, held, call.custom))
  }
  const args = (index: number, place: number, text: string, custom = false): string => {
    if (old) return place > 0 ? '' : chunk(index, { function_call: { arguments: text } })
    return chunk(index, { tool_calls: [{ index: place, ...(custom ? { custom: { input: text } } : { function: { arguments: text } }) }] })
  }
  const toolCall = (event: ToolCallEvent): string => {
    const choice = choiceAt(event.choice)
    let call = choice.open.get(event.index)
    if (!call || (event.id !== undefined && event.id !== call.id && call.held === undefined)) {
      const place = choice.calls++
      const callId = event.id ?? `call_${id.slice(-24)}_${event.choice}_${place}`
      call = { place, id: callId, custom: false, signature: undefined, held: '' }
      choice.open.set(event.index, call)
    }
    if (call.held === undefined) {
      const proof = event.signature === undefined ? '' : chunk(event.choice, proofOfCall(call.place, event.signature))
      return proof + (event.arguments === '' ? '' : args(event.choice, call.place, event.arguments, call.custom))
    }
    call.held += event.arguments
    if (event.kind === 'custom') call.custom = true
    call.signature = event.signature ?? call.signature
    return event.name === undefined ? '' : begin(event.choice, call, event.name)
  }
  const textChunk = ({ text, choice: index, refusal, signature }: TextEvent): string => {
    if (text === '' && signature === undefined) return ''
    if (refusal) return role(index) + chunk(index, { refusal: text })
    const choice = choiceAt(index)
    choice.tail += text
    if (choice.tail.length > 2 * tailLimit) {
      choice.before += choice.tail.length - tailLimit
      choice.tail = choice.tail.slice(-tailLimit)
    }
    return role(index) + chunk(index, { content: text, ...(signature !== undefined && thoughtExtra(signature)) })
  }
  const reasoning = ({ text, choice: index, signature, redacted }: ReasoningEvent): string => {
    if (text === '' && !signature) return ''
    const choice = choiceAt(index)
    if (choice.thought.length <= thoughtLimit) choice.thought += text
    let out = role(index)
    if (text !== '') out += chunk(index, { reasoning_content: text })
    if (!signature) return out
    const whole = choice.thought.length <= thoughtLimit
    if (whole) out += chunk(index, { reasoning_details: [clientDetail(signature, choice.thought, redacted === true, choice.details++)] })
    choice.thought = ''
    return out
  }
  const finish = (index: number, word: string): string => {
    const choice = choiceAt(index)
    if (choice.finished) return ''
    let text = role(index)
    for (const call of choice.open.values()) if (call.held !== undefined) text += begin(index, call, '')
    choice.finished = true
    return text + chunk(index, {}, old && word === 'tool_calls' ? 'function_call' : word)
  }
  const finishAll = (): string => {
    if (choices.size === 0) choiceAt(0)
    let text = ''
    for (const [index, choice] of choices) text += finish(index, choice.calls > 0 ? 'tool_calls' : 'stop')
    return text
  }
  /** Sent when the client asked for it, or a plugin has something to say in it. */
  const usageChunk = ({ usage, extra }: UsageEvent): string => {
    if (usage.source === 'unknown' || !(head.includeUsage || extra)) return ''
    return frame([], { usage: withExtra(chatUsageObject(usage), extra) })
  }
  const native = (data: string): string => {
    const body = objectOf(parseJson(data))
    if (!body || !Array.isArray(body.choices)) return ''
    if (listOf(body.choices).length > 0 && !sitesOf(body, 'delta').some((site) => site.type === 'native')) return ''
    const { choices: list, usage: _, ...members } = body
    return frame(listOf(list), { ...members, id, created, model })
  }

  return {
    get ended() {
      return ended
    },
    identify(newId, newModel, newCreated) {
      id = newId ?? id
      model = newModel ?? model
      created = newCreated ?? created
    },
    roleSent(index) {
      choiceAt(index).role = true
    },
    finishSent(index) {
      choiceAt(index).finished = true
    },
    callSent(index, place) {
      const choice = choiceAt(index)
      choice.calls = Math.max(choice.calls, place + 1)
    },
    nextCall(index) {
      return choiceAt(index).calls++
    },
    callArguments: (choice, place, text) => args(choice, place, text),
    event(event) {
      if (ended) return event.type === 'note' ? commentText(event.text) : ''
      switch (event.type) {
        case 'start':
          id = event.id ?? id
          model = event.model ?? model
          return role(0)
        case 'text':
          return textChunk(event)
        case 'reasoning':
          return reasoning(event)
        case 'tool_call':
          return toolCall(event)
        case 'stop':
          return finish(event.choice, chatFinishReason(event))
        case 'usage':
          usage = event
          return ''
        case 'error':
          ended = true
          return inStreamError(event.kind, event.message)
        case 'note':
          return commentText(event.text)
        case 'embedding':
          return ''
        case 'native':
          return native(event.data)
        case 'citation': {
          const { tail, before } = choiceAt(event.choice)
          return role(event.choice) + chunk(event.choice, { annotations: [annotationOf(event, tail, before)] })
        }
        case 'media': {
          const image = event.mime.startsWith('audio/') ? 0 : choiceAt(event.choice).images++
          return role(event.choice) + chunk(event.choice, mediaMembers(event, id, image))
        }
        case 'end': {
          const text = finishAll()
          ended = true
          return `${text}${usage ? usageChunk(usage) : ''}data: [DONE]\n\n`
        }
      }
    },
  }
}

function newChoice(): Choice {
  return { role: false, finished: false, calls: 0, open: new Map(), thought: '', details: 0, images: 0, tail: '', before: 0 }
}

/** A proof that came after its call had begun. */
function proofOfCall(place: number, signature: string): JsonObject {
  return { tool_calls: [{ index: place, ...thoughtExtra(signature) }] }
}
