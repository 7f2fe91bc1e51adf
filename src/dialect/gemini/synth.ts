/**
 * Gemini chunks made of events alone: used for answers by plugins, for translated streams and for insertions into a stream that is
 * forwarded.
 *
 * Calls leave whole: their fragments wait until the call's turn is over. Finish reason, citations and usage (once, E09) stand in the last chunk, which
 * only `end` brings (B01), as a stream has no terminal frame. Remarks are left out: Google's SDKs take every line for data.
 */

import type { CitationEvent, NativeEvent, ReasoningEvent, StopEvent, StreamEvent, ToolCallEvent, UsageEvent } from '../../plugin/events.ts'
import type { ReplyIdentity } from '../codec.ts'
import { rawObject, type Writable, writeJson } from '../json-text.ts'
import { jsonText, listOf, objectOf, parseJson } from '../shape.ts'
import { withExtra } from '../usage-edits.ts'
import { groundingOf } from './citations.ts'
import { eventError, geminiFrame } from './errors.ts'
import { callPart, mediaPart, textPart, thoughtPart, type WritablePart } from './pieces.ts'
import { type CarriedThought, isCarried } from './proofs.ts'
import { geminiFinishReason } from './stop-reasons.ts'
import { geminiUsageObject } from './usage.ts'

export interface GeminiSynth {
  /** Names that all chunks of this reply carry; what is undefined stays as it was. */
  identify(id: string | undefined, model: string | undefined): void
  /** From now on the upstream's frames are forwarded: they bring finish reason and usage. */
  forward(): void
  /** The upstream's frames bring nothing more. */
  takeOver(): void
  /** The finish reason of a choice has been sent. */
  finishSent(choice: number): void
  /** SSE text for one event. */
  event(event: StreamEvent): string
  /** Calls that wait. In a forwarded stream none may wait behind the next frame. */
  flush(): string
  /** True when `end` or an error has been written: nothing may follow. */
  readonly ended: boolean
}

interface Call {
  id: string | undefined
  name: string | undefined
  arguments: string
  signature: string | undefined
}
interface Choice {
  readonly calls: Map<number, Call>
  readonly citations: CitationEvent[]
  /** Proven thoughts that no call has carried yet. */
  readonly thoughts: CarriedThought[]
  /** Text of the thought that is not proven yet. */
  thinking: string
  /** Text so far, where citations need it. */
  text: string
  stop: StopEvent | undefined
  finished: boolean
}

/** Citations of one choice that are kept for the end. */
const maxCitations = 1024
/** Thoughts that one call carries. */
const maxThoughts = 64
/** Characters of text that are kept to find cited words in. */
const maxText = 1024 * 1024

/** The maker of chunks of one stream. */
export function geminiSynth(head: ReplyIdentity): GeminiSynth {
  let { id, model } = head
  let usage: UsageEvent | undefined
  let forwarding = false
  let ended = false
  const choices = new Map<number, Choice>()

  const choiceAt = (index: number): Choice => {
    let choice = choices.get(index)
    if (!choice)
      choices.set(
        index,
        (choice = { calls: new Map(), citations: [], thoughts: [], thinking: '', text: '', stop: undefined, finished: false }),
      )
    return choice
  }
  const frame = (candidates: Writable, counted?: UsageEvent): string =>
    geminiFrame(
      writeJson({
        candidates,
        usageMetadata: counted && withExtra(geminiUsageObject(counted.usage), counted.extra),
        modelVersion: model,
        responseId: id,
      }),
    )
  const chunk = (index: number, part: WritablePart): string => frame([{ content: { parts: [part], role: 'model' }, index }])

  const flushCalls = (index: number): string => {
    const { calls } = choiceAt(index)
    if (calls.size === 0) return ''
    const { thoughts } = choiceAt(index)
    const parts = [...calls.values()].map((call, i) => callPart(call, i === 0 ? thoughts : []))
    calls.clear()
    thoughts.length = 0
    return frame([{ content: { parts, role: 'model' }, index }])
  }
  /** Calls that are whole, before something else is told; a chunk between the pieces of a call leaves before that call (B06). */
  const flushWhole = (index: number): string => {
    for (const call of choiceAt(index).calls.values()) if (call.arguments === '' || !rawObject(call.arguments)) return ''
    return flushCalls(index)
  }
  const flush = (): string => [...choices.keys()].map(flushCalls).join('')
  const fragment = (event: ToolCallEvent): string => {
    const { calls } = choiceAt(event.choice)
    const known = calls.get(event.index)
    let before = ''
    if (known && event.id !== undefined && known.id !== undefined && event.id !== known.id) before = flushCalls(event.choice)
    const call = before === '' && known ? known : { id: undefined, name: undefined, arguments: '', signature: undefined }
    call.id ??= event.id
    call.name ??= event.name
    call.arguments += event.arguments
    call.signature = event.signature ?? call.signature
    calls.set(event.index, call)
    return before
  }
  const remember = ({ choice: index, text, signature, redacted }: ReasoningEvent): void => {
    const choice = choiceAt(index)
    if (choice.thinking.length < maxText) choice.thinking += text
    if (signature === undefined) return
    if (isCarried(signature) && choice.thoughts.length < maxThoughts) {
      choice.thoughts.push({ text: redacted ? '' : choice.thinking, signature, redacted: redacted === true })
    }
    if (!redacted) choice.thinking = ''
  }
  const finish = (index: number, choice: Choice): Writable => {
    choice.finished = true
    const grounding = choice.citations.length > 0 ? groundingOf(choice.citations, choice.text) : undefined
    return {
      content: { parts: [{ text: '' }], role: 'model' },
      finishReason: choice.stop ? geminiFinishReason(choice.stop) : 'STOP',
      index,
      groundingMetadata: grounding,
    }
  }
  const native = (event: NativeEvent): string => {
    const candidates = listOf(objectOf(parseJson(event.data))?.candidates)
    return candidates.length === 0 ? '' : frame(candidates)
  }

  return {
    get ended() {
      return ended
    },
    identify(newId, newModel) {
      id = newId ?? id
      model = newModel ?? model
    },
    forward() {
      forwarding = true
    },
    takeOver() {
      forwarding = false
    },
    finishSent(index) {
      choiceAt(index).finished = true
    },
    flush,
    event(event) {
      if (ended) return ''
      switch (event.type) {
        case 'start':
          id = event.id ?? id
          model = event.model ?? model
          return ''
        case 'text': {
          if (event.text === '' && event.signature === undefined) return ''
          const choice = choiceAt(event.choice)
          if (choice.text.length < maxText) choice.text += event.text
          return flushWhole(event.choice) + chunk(event.choice, textPart(event.text, event.signature))
        }
        case 'reasoning':
          if (event.text === '' && event.signature === undefined) return ''
          remember(event)
          return flushWhole(event.choice) + chunk(event.choice, thoughtPart(event.text, event.signature, event.redacted === true))
        case 'tool_call':
          return fragment(event)
        case 'media':
          return flushWhole(event.choice) + chunk(event.choice, mediaPart(event))
        case 'citation': {
          const { citations } = choiceAt(event.choice)
          if (citations.length < maxCitations) citations.push(event)
          return ''
        }
        case 'stop': {
          const choice = choiceAt(event.choice)
          choice.stop ??= event
          const calls = flushCalls(event.choice)
          return forwarding && !choice.finished ? calls + frame([finish(event.choice, choice)]) : calls
        }
        case 'usage':
          usage = event
          return ''
        case 'error':
          ended = true
          return geminiFrame(jsonText({ error: eventError(event.kind, event.message) }))
        case 'native':
          return native(event)
        case 'note':
        case 'embedding':
          return ''
        case 'end': {
          const calls = flush()
          ended = true
          if (forwarding) return calls
          if (choices.size === 0) choiceAt(0)
          const last = [...choices].filter(([, choice]) => !choice.finished).map(([index, choice]) => finish(index, choice))
          return calls + frame(last, usage?.usage.source === 'unknown' ? undefined : usage)
        }
      }
    },
  }
}
