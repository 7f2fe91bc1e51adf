/**
 * The event pass: every event of a reply through the `event` and `inspect` hooks, bottom to top.
 *
 * Synchronous. Each plugin is one stage, from an event to none, one or several. `inspect` is a stage that holds text back until it has seen
 * `hold` characters more, or the block of text is over: what one block holds never leaves in the next. A hook that throws is left out for the rest of the reply (open), or
 * ends the reply with an error (closed). A hook that returns `end` before the reply has ended ends it well (`over`).
 */

import type { ErrorEvent, ReasoningEvent, StreamEvent, TextEvent } from '../plugin/events.ts'
import type { Inspection } from '../plugin/hooks.ts'
import { type RefusalCode, refusalCodes } from '../plugin/refusal.ts'
import type { Refusal } from '../plugin/reply.ts'
import type { ExchangeCore } from './core.ts'
import { failed, isThenable } from './fence.ts'
import type { Instance } from './plan.ts'
import type { PluginView } from './view.ts'

type Emit = (event: StreamEvent) => void

interface Stage {
  /** Takes one event, hands on what becomes of it. */
  take(event: StreamEvent, emit: Emit): void
  /** The block of text that was being told is over: hands on what is held of it. */
  flush?(emit: Emit): void
}

/**
 * What a frame says of the blocks of its dialect: a new one begins, or one has been told to its end. At `end` an event that bears text bears
 * all of it.
 */
export type BlockEdge = 'begin' | 'end'

export class EventPass {
  /** Set when a plugin ended the reply; nothing but its error event may leave after that. */
  stopped: Refusal | undefined = undefined
  stoppedBy: string | undefined = undefined
  /** A plugin ended the reply with an `end` of its own: who delivers it calls the upstream off. Only usage is heard of after that. */
  over = false
  /** Some plugin holds text back, and must be told where blocks begin and end: what it holds of one may not leave in the next. */
  holds = false
  /** The event on its way bears a whole block: a plugin that holds text back looks at it once, when it is over. */
  gathering = false
  private readonly stages: Stage[] = []

  private constructor() {}

  /** The pass for a reply that came from list position `origin`; undefined when no plugin looks at its events. `always`: made all the same. */
  static for(core: ExchangeCore, origin: number, always = false): EventPass | undefined {
    if (core.plan.events.length === 0 && !always) return undefined
    const pass = new EventPass()
    for (const instance of core.plan.events) {
      if (instance.index >= origin || !core.isActive(instance)) continue
      if (instance.hooks.event && hears(core, instance)) pass.stages.push(eventStage(core, instance, pass))
      if (!instance.hooks.inspect) continue
      pass.stages.push(inspectStage(core, instance, instance.hooks.inspect, pass))
      pass.holds = true
    }
    return pass.stages.length > 0 || always ? pass : undefined
  }

  /** What leaves for one event. The same array element identity means: unchanged. `edge`: wanted only where something `holds`. */
  pass(event: StreamEvent, edge?: BlockEdge): StreamEvent[] {
    const out: StreamEvent[] = []
    const stopped = this.stopped !== undefined
    if (edge !== undefined && this.holds) this.atEdge(event, edge, out)
    else this.run(event, 0, out)
    if (!stopped) this.tell(out)
    return out
  }

  private atEdge(event: StreamEvent, edge: BlockEdge, out: StreamEvent[]): void {
    this.flush(out)
    this.gathering = edge === 'end'
    this.run(event, 0, out)
    if (this.gathering) this.flush(out)
    this.gathering = false
  }

  /** What all stages hold, bottom to top: what one lets go the next ones look at. */
  private flush(out: StreamEvent[]): void {
    for (const [i, stage] of this.stages.entries()) {
      if (!this.stopped && !this.over) stage.flush?.((event) => this.run(event, i + 1, out))
    }
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
    this.stages[stage]!.take(event, (e) => this.run(e, stage + 1, out))
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
  const take: Stage['take'] = (event, emit) => {
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
  return { take }
}

/** Text of one block that has not left yet. */
interface Held {
  /** The event that told the last of it: what leaves is like it. */
  readonly event: Spoken
  readonly text: string
}
type Spoken = TextEvent | ReasoningEvent

function inspectStage(core: ExchangeCore, instance: Instance, inspection: Inspection<PluginView>, pass: EventPass): Stage {
  const kinds: readonly string[] = inspection.kinds ?? ['text']
  const held = new Map<number, Held>() // by choice: each is in one block at a time
  let off = false

  const look = ({ event, text }: Held, last: boolean, emit: Emit) => {
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
      held.set(event.choice, { event, text })
      return letGo(emit)
    }
    if (typeof result === 'object' && result?.type === 'refusal') {
      core.verdict(instance, 'inspect', 'refused', result.code)
      return stop(pass, instance, result)
    }
    const seen = typeof result === 'string' ? result : text
    let keep = last ? 0 : Math.min(inspection.hold, seen.length)
    if (keep > 0 && keep < seen.length && isLowSurrogate(seen.charCodeAt(seen.length - keep))) keep++ // never cut inside a character
    if (keep > 0) held.set(event.choice, { event, text: seen.slice(seen.length - keep) })
    else held.delete(event.choice)
    if (seen.length > keep || event.signature !== undefined) emit(saying(event, seen.slice(0, seen.length - keep)))
  }
  /** The plugin is left out from here on: its text leaves as it is, and so does what other choices held. */
  const letGo = (emit: Emit) => {
    const all = [...held.values()]
    held.clear()
    for (const { event, text } of all) emit(saying(event, text))
  }
  const flush = (emit: Emit, choice?: number) => {
    if (held.size === 0) return
    for (const [of, rest] of [...held]) {
      if (!pass.stopped && held.has(of) && (choice === undefined || of === choice)) look(rest, true, emit)
    }
  }
  /** A text that goes on with what is held of its block, if any. */
  const hear = (event: Spoken, emit: Emit) => {
    const before = held.get(event.choice)
    const now = { event, text: (before?.text ?? '') + event.text }
    if (event.signature !== undefined) look(now, true, emit)
    else if (pass.gathering) held.set(event.choice, now)
    else look(now, false, emit)
  }

  return {
    flush(emit) {
      if (!off) flush(emit)
    },
    take(event, emit) {
      if (off) return emit(event)
      if (event.type === 'text' || event.type === 'reasoning') {
        // an empty one without a proof is no beginning of anything: some upstreams send both kinds in each frame
        if (event.text.length > 0 || event.signature !== undefined) {
          const before = held.get(event.choice)?.event
          // what a proof belongs to leaves before it, in an event of its own, so that the proof keeps its frame
          if (before && (event.text.length === 0 || !sameVoice(before, event))) flush(emit, event.choice)
          if (event.text.length > 0 && !off && !pass.stopped && kinds.includes(event.type)) return hear(event, emit)
        }
      } else if (event.type === 'stop' || event.type === 'tool_call' || event.type === 'media') flush(emit, event.choice)
      else if (event.type === 'end' || event.type === 'error') flush(emit)
      if (!pass.stopped) emit(event)
    },
  }
}

/** Texts of one voice are one block, unless the dialect says otherwise. */
function sameVoice(a: Spoken, b: Spoken): boolean {
  return a.type === b.type && (a.type !== 'text' || b.type !== 'text' || (a.refusal ?? false) === (b.refusal ?? false))
}

/** The event with another text; itself when the text is its own, so that its bytes stay. */
function saying(event: Spoken, text: string): Spoken {
  return text === event.text ? event : { ...event, text }
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
