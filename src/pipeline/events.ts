/**
 * The event pass: every event of a reply through the `event` and `inspect` hooks, bottom to top.
 *
 * Synchronous. Each plugin is one stage, a plain function from an event to none, one or several. `inspect` is a stage that holds text
 * back until it has seen `hold` characters more, or the text is over. A hook that throws is left out for the rest of the reply (open), or
 * ends the reply with an error (closed). A hook that returns `end` before the reply has ended ends it well (`over`).
 */

import type { ErrorEvent, StreamEvent, TextEvent } from '../plugin/events.ts'
import type { Inspection } from '../plugin/hooks.ts'
import { type RefusalCode, refusalCodes } from '../plugin/refusal.ts'
import type { Refusal } from '../plugin/reply.ts'
import type { ExchangeCore } from './core.ts'
import { failed, isThenable } from './fence.ts'
import type { Instance } from './plan.ts'
import type { PluginView } from './view.ts'

/** Takes one event, hands on what becomes of it. */
type Stage = (event: StreamEvent, emit: (event: StreamEvent) => void) => void

export class EventPass {
  /** Set when a plugin ended the reply; nothing but its error event may leave after that. */
  stopped: Refusal | undefined = undefined
  stoppedBy: string | undefined = undefined
  /** A plugin ended the reply with an `end` of its own: who delivers it calls the upstream off. Only usage is heard of after that. */
  over = false
  private readonly stages: Stage[] = []

  private constructor() {}

  /** The pass for a reply that came from list position `origin`; undefined when no plugin looks at its events. `always`: made all the same. */
  static for(core: ExchangeCore, origin: number, always = false): EventPass | undefined {
    if (core.plan.events.length === 0 && !always) return undefined
    const pass = new EventPass()
    for (const instance of core.plan.events) {
      if (instance.index >= origin || !core.isActive(instance)) continue
      if (instance.hooks.event && hears(core, instance)) pass.stages.push(eventStage(core, instance, pass))
      if (instance.hooks.inspect) pass.stages.push(inspectStage(core, instance, instance.hooks.inspect, pass))
    }
    return pass.stages.length > 0 || always ? pass : undefined
  }

  /** What leaves for one event. The same array element identity means: unchanged. */
  pass(event: StreamEvent): StreamEvent[] {
    const out: StreamEvent[] = []
    this.run(event, 0, out)
    return out
  }

  /** The error event of a plugin that ended the reply. */
  private tell(out: StreamEvent[]): void {
    const refusal = this.stopped
    if (refusal) out.push({ type: 'error', kind: refusal.code, message: refusal.message })
  }

  private run(event: StreamEvent, stage: number, out: StreamEvent[]): void {
    if (this.stopped || (this.over && event.type !== 'usage')) return
    if (stage === this.stages.length) {
      out.push(event)
      return
    }
    this.stages[stage]!(event, (e) => this.run(e, stage + 1, out))
    if (stage === 0) this.tell(out)
  }
}

/** Whether an instance wants the events of this reply. One that can't say so does, and is fenced there. */
function hears(core: ExchangeCore, instance: Instance): boolean {
  const { hooks } = instance
  if (!hooks.hears) return true
  try {
    return hooks.hears(core.view(instance)) !== false
  } catch {
    return true
  }
}

function eventStage(core: ExchangeCore, instance: Instance, pass: EventPass): Stage {
  const { hooks } = instance
  let off = false
  return (event, emit) => {
    if (off) return emit(event)
    let result: StreamEvent | readonly StreamEvent[] | null | undefined
    try {
      result = hooks.event!(core.view(instance), event)
      if (result !== undefined && result !== null && !isEvents(result))
        throw misused(result, 'event must return at once: nothing, an event, a list of events or null')
    } catch (error) {
      off = true
      const refusal = failed(core, instance, 'event', error)
      if (refusal) return stop(pass, instance, refusal)
      return emit(event)
    }
    if (result === undefined) emit(event)
    else if (result === null) return
    else {
      for (const e of Array.isArray(result) ? (result as readonly StreamEvent[]) : [result as StreamEvent]) {
        if (e.type === 'error' && event.type !== 'error') return blocked(core, instance, pass, e)
        const early = e.type === 'end' && event.type !== 'end'
        if (early && (event.type === 'error' || pass.over)) continue // one end is enough, and an error is no good one
        emit(e)
        if (early) return endEarly(core, instance, pass)
      }
    }
  }
}

function inspectStage(core: ExchangeCore, instance: Instance, inspection: Inspection<PluginView>, pass: EventPass): Stage {
  const kinds: readonly string[] = inspection.kinds ?? ['text']
  const held = new Map<string, string>() // per kind and choice; choices are few
  let off = false

  const look = (kind: TextEvent['type'] | 'reasoning', choice: number, text: string, last: boolean, emit: (event: StreamEvent) => void) => {
    let result: string | Refusal | undefined
    try {
      result = inspection.window(core.view(instance), text, last)
      // a guardrail written as an async function would let everything pass
      if (typeof result === 'object' && result?.type !== 'refusal' && result !== null)
        throw misused(result, 'window must return at once: nothing, a text or a refusal')
    } catch (error) {
      off = true
      const refusal = failed(core, instance, 'inspect', error)
      if (refusal) return stop(pass, instance, refusal)
      return letGo(kind, choice, text, emit)
    }
    if (typeof result === 'object' && result?.type === 'refusal') {
      core.verdict(instance, 'inspect', 'refused', result.code)
      return stop(pass, instance, result)
    }
    const seen = typeof result === 'string' ? result : text
    let keep = last ? 0 : Math.min(inspection.hold, seen.length)
    if (keep > 0 && keep < seen.length && isLowSurrogate(seen.charCodeAt(seen.length - keep))) keep++ // never cut inside a character
    const key = `${kind} ${choice}`
    if (keep > 0) held.set(key, seen.slice(seen.length - keep))
    else held.delete(key)
    if (seen.length > keep) emit({ type: kind, text: seen.slice(0, seen.length - keep), choice } as StreamEvent)
  }
  /** The plugin is left out from here on: its text leaves as it is, and so does what other choices held. */
  const letGo = (kind: string, choice: number, text: string, emit: (event: StreamEvent) => void) => {
    held.set(`${kind} ${choice}`, text)
    for (const [key, rest] of held) {
      const [of, number] = key.split(' ')
      emit({ type: of, text: rest, choice: Number(number) } as StreamEvent)
    }
    held.clear()
  }
  const flush = (emit: (event: StreamEvent) => void, choice?: number) => {
    for (const [key, text] of [...held]) {
      const [kind, of] = key.split(' ') as ['text' | 'reasoning', string]
      if (!held.has(key) || (choice !== undefined && Number(of) !== choice)) continue
      look(kind, Number(of), text, true, emit)
    }
  }

  return (event, emit) => {
    if (off) return emit(event)
    if ((event.type === 'text' || event.type === 'reasoning') && kinds.includes(event.type) && event.text.length > 0) {
      return look(event.type, event.choice, (held.get(`${event.type} ${event.choice}`) ?? '') + event.text, false, emit)
    }
    if (event.type === 'stop') flush(emit, event.choice)
    else if (event.type === 'tool_call' || event.type === 'end' || event.type === 'error') flush(emit)
    if (!pass.stopped) emit(event)
  }
}

/** A plugin that returns an error event ends the reply: it is never half an answer and half an error, and the record says so. */
function blocked(core: ExchangeCore, instance: Instance, pass: EventPass, error: ErrorEvent): void {
  const code = (refusalCodes as readonly string[]).includes(error.kind) ? (error.kind as RefusalCode) : 'content_filter'
  core.verdict(instance, 'event', 'refused', code)
  stop(pass, instance, { type: 'refusal', code, message: error.message })
}

/** A plugin that returns `end` has said all that there is to say. */
function endEarly(core: ExchangeCore, instance: Instance, pass: EventPass): void {
  core.verdict(instance, 'event', 'ended')
  pass.over = true
}

function stop(pass: EventPass, instance: Instance, refusal: Refusal): void {
  pass.stopped = refusal
  pass.stoppedBy = instance.id
}

/** The error for an answer that is none. A promise is one of these, and what becomes of it concerns nobody any more. */
function misused(answer: unknown, message: string): TypeError {
  if (isThenable(answer)) answer.then(undefined, () => {})
  return new TypeError(message)
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff
}

function isEvents(value: unknown): boolean {
  const one = (v: unknown) => typeof v === 'object' && v !== null && typeof (v as { type?: unknown }).type === 'string'
  return Array.isArray(value) ? value.every(one) : one(value)
}
