/**
 * Chat replies to events for another dialect: everything that has a neutral word, for the frames themselves are dropped.
 *
 * What a relayed reply carries along as `native` is told here: refusals, proofs of thoughts, texts and calls, citations, media, custom
 * calls and the function call of old. One reader per reply; layout of the common members stays the business of `sites.ts`.
 */

import type { StreamEvent, ToolCallEvent } from '../../plugin/events.ts'
import { errorEvent } from '../frame-events.ts'
import { type JsonObject, listOf, objectOf, textOf, wordOf } from '../shape.ts'
import { errorOf } from '../upstream-error.ts'
import { callTracker } from './calls.ts'
import { detailProof } from './reasoning-details.ts'
import { audioEvents, citationEvents, imageEvents } from './reply-media.ts'
import { callIndex, choiceIndex, choiceSites, isError, type Site, usageSite } from './sites.ts'
import { chatStopReason } from './stop-reasons.ts'

/** What was told of one choice so far. */
interface Told {
  /** Reasoning came as text of its own: that of `reasoning_details` repeats it. */
  plainThought: boolean
  /** A thought is open, so that a proof belongs to it. */
  thought: boolean
  /** The last text was marked as a thought (Gemini's compatible endpoint). */
  marked: boolean
  stopped: boolean
}

/** Reads the chunks (`delta`) of one stream, or one completion (`message`). */
export function neutralReader(): (body: JsonObject, holder: 'delta' | 'message') => StreamEvent[] {
  const calls = callTracker(true)
  const choices = new Map<number, Told>()

  const toldOf = (index: number): Told => {
    let told = choices.get(index)
    if (!told) choices.set(index, (told = { plainThought: false, thought: false, marked: false, stopped: false }))
    return told
  }

  const callEvents = (
    message: JsonObject,
    holder: 'delta' | 'message',
    choice: number,
    id: string | undefined,
    out: StreamEvent[],
  ): void => {
    for (const [place, item] of listOf(message.tool_calls).entries()) {
      const call = objectOf(item)
      if (!call) continue
      const made = call.function === undefined ? objectOf(call.custom) : undefined
      const given = made ? made.input : objectOf(call.function)?.arguments
      const event = calls.event({
        type: 'tool_call',
        choice,
        pointer: '',
        index: callIndex(call, place, holder),
        id: wordOf(call.id),
        name: wordOf(made ? made.name : objectOf(call.function)?.name),
        arguments: typeof given === 'object' && given !== null ? JSON.stringify(given) : textOf(given),
        asObject: false,
      })
      const signature = thoughtSignature(call)
      const begins = made && (event.id !== undefined || event.name !== undefined)
      out.push({ ...event, ...(begins && { kind: 'custom' as const }), ...(signature !== undefined && { signature }) })
    }
    const old = objectOf(message.function_call)
    const name = wordOf(old?.name)
    const args = textOf(old?.arguments)
    if (!old || (name === undefined && args === '')) return
    out.push(oldCall(calls, choice, name, args, id))
  }

  const choiceEvents = (choice: JsonObject, position: number, holder: 'delta' | 'message', body: JsonObject, out: StreamEvent[]): void => {
    const index = choiceIndex(choice, position)
    const told = toldOf(index)
    const message = objectOf(choice[holder]) ?? {}
    const sites: Site[] = []
    choiceSites(choice, '', index, holder, sites)
    let next = 0
    const first = sites[0]
    const plain = first?.type === 'reasoning' && !first.pointer.includes('/content/') ? first.text : ''
    if (plain !== '') next = 1
    thoughtEvents(message, index, plain, told, out)
    for (; next < sites.length; next++) {
      const site = sites[next]!
      if (site.type === 'text') textEvent(message, site.text, index, told, out)
      else if (site.type === 'reasoning') {
        told.thought = true
        out.push({ type: 'reasoning', text: site.text, choice: index })
      }
    }
    const signature = thoughtSignature(message)
    if (signature !== undefined) out.push({ type: 'text', text: '', choice: index, signature })
    const refusal = textOf(message.refusal)
    if (refusal !== '') out.push({ type: 'text', text: refusal, choice: index, refusal: true })
    audioEvents(message, index, out)
    imageEvents(message.images, index, out)
    citationEvents(message.annotations, textOf(message.content), index, out)
    callEvents(message, holder, index, wordOf(body.id), out)
    const raw = wordOf(choice.finish_reason)
    if (raw !== undefined && !told.stopped) {
      told.stopped = true
      out.push({ type: 'stop', reason: chatStopReason(raw), raw, choice: index })
    }
    if (isError(choice.error)) out.push(errorEvent(errorOf(choice.error!, choice)))
  }

  return (body, holder) => {
    const out: StreamEvent[] = []
    const list = listOf(body.choices)
    for (let i = 0; i < list.length; i++) {
      const choice = objectOf(list[i])
      if (choice) choiceEvents(choice, i, holder, body, out)
    }
    const usage = usageSite(body, list)
    if (usage) out.push({ type: 'usage', usage: usage.usage })
    if (isError(body.error)) out.push(errorEvent(errorOf(body.error!, body)))
    return out
  }
}

/**
 * The thoughts of a message and their proofs. A proof follows the text that it proves: where `reasoning_details` says the same as the
 * plain member, its order counts.
 */
function thoughtEvents(message: JsonObject, choice: number, plain: string, told: Told, out: StreamEvent[]): void {
  const details = listOf(message.reasoning_details)
  const detailed = details.map((item) => textOf(objectOf(item)?.text) || textOf(objectOf(item)?.summary))
  const joined = detailed.join('')
  const spoken = plain !== '' ? joined !== '' && joined.replace(/\s/g, '') === plain.replace(/\s/g, '') : !told.plainThought
  if (plain !== '') told.plainThought = true
  if (plain !== '' && !spoken) {
    told.thought = true
    out.push({ type: 'reasoning', text: plain, choice })
  }
  for (const [i, item] of details.entries()) {
    const detail = objectOf(item)
    if (!detail) continue
    const text = spoken ? detailed[i]! : ''
    if (text !== '') {
      told.thought = true
      out.push({ type: 'reasoning', text, choice })
    }
    const proof = detailProof(detail)
    if (!proof) continue
    const redacted = proof.hidden && !told.thought
    told.thought = false
    out.push({ type: 'reasoning', text: '', choice, signature: proof.value, ...(redacted && { redacted }) })
  }
}

/** Gemini's compatible endpoint marks thoughts among the texts, and puts them in tags. */
function textEvent(message: JsonObject, given: string, choice: number, told: Told, out: StreamEvent[]): void {
  const marked = googleExtra(message)?.thought === true
  let text = given
  if (marked && !told.marked) text = text.replace(/^<thought>/, '')
  if (!marked && told.marked) text = text.replace(/^<\/thought>/, '')
  told.marked = marked
  if (marked) told.thought = true
  if (text !== '') out.push({ type: marked ? 'reasoning' : 'text', text, choice })
}

function googleExtra(holder: JsonObject): JsonObject | undefined {
  return objectOf(objectOf(holder.extra_content)?.google)
}

/** The thought signature on a call or a message. */
export function thoughtSignature(holder: JsonObject): string | undefined {
  return wordOf(googleExtra(holder)?.thought_signature)
}

/** The function call of old has no id; it gets one from the reply's. */
function oldCall(
  calls: ReturnType<typeof callTracker>,
  choice: number,
  name: string | undefined,
  args: string,
  reply: string | undefined,
): ToolCallEvent {
  const id = name === undefined ? undefined : `call_${(reply ?? 'function').replace(/[^A-Za-z0-9]/g, '').slice(-24)}_${choice}`
  return calls.event({ type: 'tool_call', choice, pointer: '', index: 0, id, name, arguments: args, asObject: false })
}
