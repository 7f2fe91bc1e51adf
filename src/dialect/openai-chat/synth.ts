/**
 * Chat chunks made of events alone, in the order of PROTOCOL §1.6: role, content, tool calls (id, type, name and empty arguments
 * first), finish, usage if asked for, `[DONE]`. Used for answers by plugins, for translated streams and for insertions into a
 * stream that is forwarded.
 */

import type { StreamEvent, ToolCallEvent } from '../../plugin/events.ts'
import type { Usage } from '../../plugin/outcome.ts'
import type { Json } from '../../plugin/request.ts'
import type { ReplyIdentity } from '../codec.ts'
import { type JsonObject, jsonText, listOf, objectOf, parseJson } from '../shape.ts'
import { commentText, frameText } from '../sse.ts'
import { inStreamError } from './errors.ts'
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
  /** Arguments that came before the name (C04); undefined once the call was begun. */
  held: string | undefined
}
interface Choice {
  role: boolean
  finished: boolean
  calls: number
  readonly open: Map<number, OpenCall>
}

export function chatSynth(head: ReplyIdentity): ChatSynth {
  let id = head.id.startsWith('chatcmpl-') ? head.id : `chatcmpl-${head.id}`
  let model = head.model
  let created = head.created
  let usage: Usage | undefined
  let ended = false
  const choices = new Map<number, Choice>()

  const choiceAt = (index: number): Choice => {
    let choice = choices.get(index)
    if (!choice) choices.set(index, (choice = { role: false, finished: false, calls: 0, open: new Map() }))
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
    const first = { index: call.place, id: call.id, type: 'function', function: { name, arguments: '' } }
    const held = call.held ?? ''
    call.held = undefined
    return role(index) + chunk(index, { tool_calls: [first] }) + (held === '' ? '' : args(index, call.place, held))
  }
  const args = (index: number, place: number, text: string): string =>
    chunk(index, { tool_calls: [{ index: place, function: { arguments: text } }] })
  const toolCall = (event: ToolCallEvent): string => {
    const choice = choiceAt(event.choice)
    let call = choice.open.get(event.index)
    if (!call || (event.id !== undefined && event.id !== call.id && call.held === undefined)) {
      const place = choice.calls++
      call = { place, id: event.id ?? `call_${id.slice(-24)}_${event.choice}_${place}`, held: '' }
      choice.open.set(event.index, call)
    }
    if (call.held === undefined) return event.arguments === '' ? '' : args(event.choice, call.place, event.arguments)
    call.held += event.arguments
    return event.name === undefined ? '' : begin(event.choice, call, event.name)
  }
  const finish = (index: number, word: string): string => {
    const choice = choiceAt(index)
    if (choice.finished) return ''
    let text = role(index)
    for (const call of choice.open.values()) if (call.held !== undefined) text += begin(index, call, '')
    choice.finished = true
    return text + chunk(index, {}, word)
  }
  const finishAll = (): string => {
    if (choices.size === 0) choiceAt(0)
    let text = ''
    for (const [index, choice] of choices) text += finish(index, choice.calls > 0 ? 'tool_calls' : 'stop')
    return text
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
    callArguments: args,
    event(event) {
      if (ended) return event.type === 'note' ? commentText(event.text) : ''
      switch (event.type) {
        case 'start':
          id = event.id ?? id
          model = event.model ?? model
          return role(0)
        case 'text':
          return event.text === '' ? '' : role(event.choice) + chunk(event.choice, { content: event.text })
        case 'reasoning':
          return event.text === '' ? '' : role(event.choice) + chunk(event.choice, { reasoning_content: event.text })
        case 'tool_call':
          return toolCall(event)
        case 'stop':
          return finish(event.choice, chatFinishReason(event))
        case 'usage':
          usage = event.usage
          return ''
        case 'error':
          ended = true
          return inStreamError(event.kind, event.message)
        case 'note':
          return commentText(event.text)
        case 'native':
          return native(event.data)
        case 'citation':
        case 'media':
          return ''
        case 'end': {
          const text = finishAll()
          ended = true
          const counted = head.includeUsage && usage && usage.source !== 'unknown' ? frame([], { usage: chatUsageObject(usage) }) : ''
          return `${text}${counted}data: [DONE]\n\n`
        }
      }
    },
  }
}
