/**
 * Gemini frames to events.
 *
 * One decoder per stream: it remembers that the start was told, which candidates have stopped, how many calls each made (STOP then means
 * `tool_calls`, B04, C20) and the call whose arguments still arrive. Calls without an id get one that is unique over the conversation: the reply's
 * id and the call's position. Odd frames become `native`; nothing throws.
 */

import type { StreamEvent, ToolCallEvent } from '../../plugin/events.ts'
import type { Purpose, StreamDecoder } from '../codec.ts'
import { errorEvent, nativeEvent, startEvent } from '../frame-events.ts'
import { type JsonSource, jsonSource } from '../json-source.ts'
import { type JsonObject, objectOf, parseJson, wordOf } from '../shape.ts'
import { errorIn } from '../upstream-error.ts'
import { type ArgumentCollector, argumentCollector } from './partial-args.ts'
import { type CallSite, type Site, sitesOf } from './sites.ts'
import { geminiStopReason } from './stop-reasons.ts'
import { geminiUsage } from './usage.ts'

/** Calls of one reply that are told apart. */
const maxCalls = 1024

interface Calls {
  count: number
  open: { readonly index: number; readonly args: ArgumentCollector } | undefined
}

/** Turns the sites of one body after another into events; keeps the state of one reply. */
export interface SiteReader {
  /** Who the reply is, as far as this body says it. */
  identify(body: JsonObject): void
  /**
   * Events of a site; none when it repeats what was told.
   * @param source the body, for the text of arguments as it was sent
   */
  events(site: Site, source: () => JsonSource | undefined): readonly StreamEvent[]
}

const none: readonly StreamEvent[] = []

/** The reader of one reply. */
export function siteReader(): SiteReader {
  const choices = new Map<number, Calls>()
  const stopped = new Set<number>()
  let replyId: string | undefined

  const callId = (choice: number, index: number): string => {
    replyId ??= crypto.randomUUID().replaceAll('-', '').slice(0, 22)
    return `call_${replyId.slice(-40)}_${choice === 0 ? '' : `${choice}_`}${index}`
  }
  const callEvents = (site: CallSite, source: () => JsonSource | undefined): readonly StreamEvent[] => {
    const { choice, call, name } = site
    let calls = choices.get(choice)
    if (!calls) choices.set(choice, (calls = { count: 0, open: undefined }))
    const goesOn = call.willContinue === true
    const signature = site.signature === undefined ? {} : { signature: site.signature }
    if (name === undefined && calls.open) {
      const { index, args } = calls.open
      args.merge(call.args)
      args.add(call.partialArgs)
      if (!goesOn) calls.open = undefined
      return [{ type: 'tool_call', index, choice, arguments: goesOn ? '' : args.text(), ...signature }]
    }
    const events: ToolCallEvent[] = []
    if (calls.open) events.push(unfinished(calls, choice))
    const index = Math.min(calls.count++, maxCalls)
    const begin = { type: 'tool_call', index, choice, id: site.id ?? callId(choice, index), name: name ?? '' } as const
    if (goesOn || call.partialArgs !== undefined) {
      const args = argumentCollector()
      args.merge(call.args)
      args.add(call.partialArgs)
      if (goesOn) calls.open = { index, args }
      events.push({ ...begin, arguments: goesOn ? '' : args.text(), ...signature })
    } else events.push({ ...begin, arguments: argumentsOf(site, source), ...signature })
    return events
  }

  return {
    identify(body) {
      replyId ??= wordOf(body.responseId)?.replace(/[^A-Za-z0-9_-]/g, '_')
    },
    events(site, source) {
      switch (site.type) {
        case 'text':
        case 'reasoning': {
          const { type, text, choice, signature } = site
          const event = { type, text, choice, ...(signature !== undefined && { signature }) }
          return [site.redacted ? { ...event, type: 'reasoning', redacted: true } : event]
        }
        case 'tool_call':
          return callEvents(site, source)
        case 'media':
          return [{ type: 'media', choice: site.choice, mime: site.mime, data: site.data }]
        case 'citation':
          return [site.citation]
        case 'native':
          return [{ type: 'native', data: site.data }]
        case 'stop': {
          const { choice, raw } = site
          if (stopped.has(choice)) return none
          stopped.add(choice)
          const calls = choices.get(choice)
          const reason = site.blocked ? 'filter' : geminiStopReason(raw, calls !== undefined)
          const stop: StreamEvent = { type: 'stop', reason, raw, choice }
          return calls?.open ? [unfinished(calls, choice), stop] : [stop]
        }
        case 'usage': {
          const usage = geminiUsage(site.value, stopped.size > 0)
          return usage ? [{ type: 'usage', usage }] : none
        }
        case 'error':
          return [errorEvent(site.error)]
      }
    },
  }
}

/** The rest of a call that the upstream never completed: what it said of the arguments. */
function unfinished(calls: Calls, choice: number): ToolCallEvent {
  const { index, args } = calls.open!
  calls.open = undefined
  return { type: 'tool_call', index, choice, arguments: args.text() }
}

/** The JSON text of a call's arguments as it was sent; empty when there are none. */
function argumentsOf({ call, pointer }: CallSite, source: () => JsonSource | undefined): string {
  if (!objectOf(call.args)) return typeof call.args === 'string' ? call.args : ''
  const path = pointer
    .slice(1)
    .split('/')
    .map((step) => (/^\d+$/.test(step) ? Number(step) : step))
  return source()?.raw(...path, 'functionCall', 'args') ?? ''
}

/** The decoder of one stream. */
export function geminiDecoder(purpose: Purpose = 'relay'): StreamDecoder {
  const reader = siteReader()
  let started = false
  return {
    decode(frame) {
      const { data, event } = frame
      if (data === '' && event === undefined) return none
      const native = nativeEvent(frame)
      const value = parseJson(data)
      const chunk = objectOf(value)
      if (value !== undefined && (Array.isArray(value) || (event === 'error' && !objectOf(chunk?.error)))) {
        const error = errorIn(value)
        return [error ? errorEvent(error) : native]
      }
      if (!chunk) return [native]
      const events: StreamEvent[] = []
      const first = !started && (chunk.candidates !== undefined || chunk.promptFeedback !== undefined)
      if (first) {
        started = true
        events.push(startOf(chunk))
      }
      reader.identify(chunk)
      let parsed: JsonSource | undefined
      const source = (): JsonSource | undefined => (parsed ??= jsonSource(Buffer.from(data)))
      for (const site of sitesOf(chunk, purpose)) for (const told of reader.events(site, source)) events.push(told)
      if (first && purpose === 'translate') usageFirst(events)
      return events.length > 0 ? events : [native]
    },
  }
}

/** What went in is known with the first chunk: dialects whose replies begin with it (Messages) can tell it there. */
function usageFirst(events: StreamEvent[]): void {
  const at = events.findIndex((event) => event.type === 'usage')
  if (at > 1) events.splice(1, 0, ...events.splice(at, 1))
}

/** The event that a reply begins with. */
export function startOf(body: JsonObject): StreamEvent {
  return startEvent(body.responseId, body.modelVersion)
}
