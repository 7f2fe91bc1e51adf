/**
 * Events to Chat frames: rewriting of frames that hooks changed, and synthesis of what they added.
 *
 * One encoder per stream. It follows what the client has been sent (roles, finishes, places of tool calls), so that insertions fit.
 * Once a call was inserted or dropped, later frames no longer leave as received: `rewriting` says so (C05).
 */

import type { StreamEvent, ToolCallEvent } from '../../plugin/events.ts'
import { align, isUnchanged, pairSites } from '../align.ts'
import type { FrameOrigin, ReplyIdentity, StreamEncoder } from '../codec.ts'
import { countOf, objectOf, parseJson, wordOf } from '../shape.ts'
import { frameText, rawText, type SseFrame } from '../sse.ts'
import { keptOf, rewriteChunk } from './rewrite.ts'
import { type CallSite, sitesOf } from './sites.ts'
import { chatSynth } from './synth.ts'

/** The encoder of one stream. */
export function chatEncoder(head: ReplyIdentity): StreamEncoder {
  const synth = chatSynth(head)
  /** Places of the upstream's calls, by choice and dense index; null = its fragments must not leave. */
  const places = new Map<string, number | null>()
  const roles = new Set<number>()
  /** Choices whose calls stand elsewhere than upstream. */
  const shifted = new Set<number>()
  let forwarding = false

  const placeOf = (site: CallSite, old: ToolCallEvent, now: ToolCallEvent | undefined): number | undefined => {
    const key = callKey(old)
    const place = places.get(key)
    if (!now) {
      if (place === undefined) {
        places.set(key, null)
        shifted.add(old.choice)
      }
      return undefined
    }
    if (typeof place === 'number') return place
    if (place === null && now.id === undefined && now.name === undefined) return undefined
    const fresh = shifted.has(old.choice) ? synth.nextCall(old.choice) : (site.index ?? old.index)
    places.set(key, fresh)
    synth.callSent(old.choice, fresh)
    return fresh
  }

  const insert = (event: StreamEvent): string => {
    if (!forwarding) return synth.event(event)
    if (event.type === 'start') return ''
    if (event.type === 'tool_call') {
      const place = event.id === undefined ? places.get(callKey(event)) : undefined
      if (typeof place === 'number') return synth.callArguments(event.choice, place, event.arguments)
      shifted.add(event.choice)
    }
    return synth.event(event)
  }

  const observe = (frame: SseFrame, events: readonly StreamEvent[]): void => {
    forwarding = true
    for (const event of events) {
      if (event.type === 'start') {
        const chunk = objectOf(parseJson(frame.data))
        synth.identify(wordOf(chunk?.id), wordOf(chunk?.model), countOf(chunk?.created))
        sent(0)
      } else if (event.type === 'stop') synth.finishSent(event.choice)
      else if (event.type === 'text' || event.type === 'reasoning') sent(event.choice)
      else if (event.type === 'tool_call' && !places.has(callKey(event))) placeCalls(frame, events)
    }
  }
  const sent = (choice: number): void => {
    if (roles.has(choice)) return
    roles.add(choice)
    synth.roleSent(choice)
  }
  const placeCalls = (frame: SseFrame, events: readonly StreamEvent[]): void => {
    const chunk = objectOf(parseJson(frame.data))
    const paired = chunk ? pairSites(sitesOf(chunk, 'delta'), events) : []
    for (const [i, event] of events.entries()) {
      const site = paired[i]
      if (event.type === 'tool_call') {
        sent(event.choice)
        if (site?.type === 'tool_call') placeOf(site, event, event)
      }
    }
  }

  /** The frame itself with the kept events; empty when nothing of it is left. */
  const rewritten = (frame: SseFrame, before: readonly StreamEvent[], kept: readonly (StreamEvent | undefined)[]): string => {
    if (before.length === 0) return rawText(frame)
    const only = before.length === 1 ? before[0] : undefined
    if (only?.type === 'end') return kept[0] ? rawText(frame) : ''
    const now = kept[0]
    if (only?.type === 'native' && only.data === frame.data) {
      if (now?.type !== 'native') return ''
      return now.data === frame.data ? rawText(frame) : frameText(now.event ?? frame.event, now.data)
    }
    const begins = before.some((event) => event.type === 'start' || ('choice' in event && !roles.has(event.choice)))
    if (!begins && kept.every((event) => event === undefined)) {
      // Nothing leaves, but the places of dropped calls must still be noted.
      rewriteChunk(frame.data, before, kept, placeOf)
      return ''
    }
    const data = rewriteChunk(frame.data, before, kept, placeOf)
    if (data === undefined) return kept.map((event) => (event ? insert(event) : '')).join('')
    return data === frame.data ? rawText(frame) : frameText(frame.event, data)
  }

  return {
    get rewriting() {
      return synth.ended || shifted.size > 0
    },
    observe,
    takeOver() {
      forwarding = false
    },
    encode(after: readonly StreamEvent[], origin?: FrameOrigin): string {
      if (!origin) return after.map(insert).join('')
      if (synth.ended) return ''
      const { frame, before } = origin
      forwarding = true
      if (shifted.size === 0 && isUnchanged(before, after)) {
        observe(frame, before)
        return rawText(frame)
      }
      const alignment = align(before, after)
      const kept = keptOf(alignment, before)
      const lead = alignment.lead.map(insert).join('')
      let early = ''
      const late: StreamEvent[] = []
      for (const [i, fate] of alignment.fates.entries()) {
        const extra = kept[i] === undefined ? fate : fate.slice(1)
        if (extra.length === 0) continue
        if (!kept.some((event, k) => k > i && event !== undefined && event.type !== 'native')) late.push(...extra)
        else for (const event of extra) early += joined(kept, i, event) ? '' : insert(event)
      }
      const self = rewritten(frame, before, kept)
      if (self !== '')
        observe(
          frame,
          kept.filter((event) => event !== undefined),
        )
      return lead + early + self + late.map(insert).join('')
    },
  }
}

/** Joins inserted text with the kept text of its choice before it, else with the one behind it: the rest of the frame must follow it. */
function joined(kept: (StreamEvent | undefined)[], at: number, event: StreamEvent): boolean {
  if (event.type !== 'text') return false
  const old = kept[at]
  if (old?.type === 'text' && old.choice === event.choice) {
    kept[at] = { ...old, text: old.text + event.text }
    return true
  }
  const next = kept.findIndex((now, k) => k > at && now?.type === 'text' && now.choice === event.choice)
  const after = kept[next]
  if (after?.type !== 'text') return false
  // Several insertions at one place: the later ones go behind the earlier ones.
  const lead = fronted.get(after) ?? 0
  const text = after.text.slice(0, lead) + event.text + after.text.slice(lead)
  const made = { ...after, text }
  fronted.set(made, lead + event.text.length)
  kept[next] = made
  return true
}

/** How much of an event's text was inserted before its own. */
const fronted = new WeakMap<StreamEvent, number>()

function callKey(event: ToolCallEvent): string {
  return `${event.choice}:${event.index}`
}
