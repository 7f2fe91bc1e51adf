/**
 * From one dialect to another: a request through the neutral conversation, and the events of its reply back into the client's terms.
 *
 * Used only when client and upstream speak different dialects. The codecs know their own wire format each; what lies between them is here: tool names,
 * proofs and their maker, the forced tool that stands in for structured output, custom tools, and a stop reason that fits the calls (B04).
 */

import type { StreamEvent, TextEvent, ToolCallEvent } from '../plugin/events.ts'
import type { Usage } from '../plugin/outcome.ts'
import { withCacheMarks } from './auto-cache.ts'
import type { Capabilities } from './capability.ts'
import type { RequestCodec } from './codec.ts'
import type { Conversation } from './conversation.ts'
import type { JsonSource } from './json-source.ts'
import { writeJson } from './json-text.ts'
import { LossReport } from './loss.ts'
import { tagProof } from './proof.ts'
import { objectOf, parseJson } from './shape.ts'
import { ToolNames } from './tool-names.ts'

/** Name of the tool that a model is forced to call when it can't be held to a schema otherwise. */
export const jsonOutputTool = 'json_output'

export interface TranslationTarget {
  /** Model id in the upstream's spelling. */
  readonly model: string
  readonly upstream: string
  readonly can: Capabilities
  readonly maxOutput?: number | undefined
  /** The client wants a stream, wherever its dialect says so. */
  readonly stream: boolean
  /** A conversation without cache marks gets some, if the upstream knows them. */
  readonly autoCache?: boolean
}

export interface Translation {
  readonly conversation: Conversation
  /** The body for the upstream. Do not send it when `report` refuses. */
  readonly body: Uint8Array
  readonly report: LossReport
  readonly names: ToolNames
}

/** Translates a request. */
export function translateRequest(source: JsonSource, from: RequestCodec, to: RequestCodec, target: TranslationTarget): Translation {
  const report = new LossReport()
  const conversation: Conversation = { ...from.read(source, report), stream: target.stream }
  weighExtras(conversation, report)
  // whatever the upstream can: no event carries the probabilities back
  if (from !== to && conversation.params.logprobs !== undefined) report.refuse(conversation.names.logprobs ?? 'logprobs')
  const names = new ToolNames(target.can.toolName)
  const marked = target.autoCache && target.can.cacheMarks ? withCacheMarks(conversation) : conversation
  const written = to.write(marked, { ...target, toolName: names.of }, report)
  return { conversation, body: new TextEncoder().encode(writeJson(written)), report, names }
}

/** What one dialect alone can say: left out where the answer means the same without it, else refused. */
function weighExtras({ extras, tools }: Conversation, report: LossReport): void {
  for (const extra of extras) {
    const keep = extra.weight === 'hint' || (extra.weight === 'hosted' && tools.length > 0)
    if (keep) report.drop(extra.field)
    else report.refuse(extra.field, extra.message && naming(extra.field, extra.message), extra.details)
  }
}

/** Clients leave out the field that a 400 names, and try again. */
function naming(field: string, message: string): string {
  return message.includes(field) ? message : `"${field}": ${message}`
}

const noText = { jsonSchema: true, tools: false, finishMissing: false }

/**
 * The events of an upstream's reply in the client's terms. One per upstream call, events in order.
 *
 * Text is held back only where a forced tool stands in for structured output, and the arguments of a custom tool until the call is complete.
 */
export class ReplyTranslation {
  private readonly jsonOutput: boolean
  private readonly custom: ReadonlySet<string>
  /** Text before the forced tool is called: shown only if it never is. */
  private held: TextEvent[] = []
  private forced = -1
  private called = false
  private stopped = false
  private open: { readonly event: ToolCallEvent; text: string; readonly wrap?: true } | undefined = undefined

  constructor(
    private readonly maker: { readonly dialect: string; readonly upstream: string },
    private readonly names: ToolNames,
    conversation: Pick<Conversation, 'params' | 'tools'>,
    private readonly can: Pick<Capabilities, 'jsonSchema' | 'tools' | 'finishMissing'>,
    /** What the request used, roughly, where the upstream may not tell. */
    readonly estimate?: () => Usage,
  ) {
    this.jsonOutput = conversation.params.format?.type === 'json_schema' && !can.jsonSchema && can.tools
    this.custom = new Set(conversation.tools.filter((tool) => tool.kind === 'custom').map((tool) => tool.name))
  }

  /** For a reply of vectors, which nothing of a conversation touches. */
  static ofVectors(maker: ReplyTranslation['maker'], estimate: () => Usage): ReplyTranslation {
    return new ReplyTranslation(maker, new ToolNames(0), { params: {}, tools: [] }, noText, estimate)
  }

  /** Adds what one event of the upstream means for the client. */
  pass(event: StreamEvent, out: StreamEvent[]): void {
    switch (event.type) {
      case 'native':
        return // a frame of a dialect that the client does not speak
      case 'text':
        if (this.jsonOutput && this.forced < 0) this.held.push(event)
        else if (!this.jsonOutput) out.push(event.signature === undefined ? event : { ...event, signature: this.tagged(event.signature) })
        return
      case 'reasoning':
        out.push(event.signature === undefined ? event : { ...event, signature: this.tagged(event.signature) })
        return
      case 'tool_call':
        this.call(event, out)
        return
      case 'stop': {
        this.closeCall(out)
        this.stopped = true
        const reason = event.reason
        // a model that could not finish is a failure in every dialect, and no dialect but its own has a word for it (PROTOCOL §1.5)
        if (reason === 'fault') {
          out.push({ type: 'error', kind: 'upstream_error', message: `The model could not finish its answer (${event.raw}).` })
          return
        }
        if (this.forced >= 0) out.push(reason === 'tool_calls' ? { ...event, reason: 'end' } : event)
        else {
          this.release(out)
          out.push(this.called && reason === 'end' ? { ...event, reason: 'tool_calls' } : event) // B04
        }
        return
      }
      case 'end':
        // some models never say why they stopped (B03)
        if (!this.stopped && this.can.finishMissing) this.pass({ type: 'stop', reason: 'end', raw: '', choice: 0 }, out)
        this.closeCall(out)
        this.release(out)
        out.push(event)
        return
      case 'error':
        this.closeCall(out)
        this.release(out)
        out.push(event)
        return
      default:
        out.push(event)
    }
  }

  private call(event: ToolCallEvent, out: StreamEvent[]): void {
    if (this.jsonOutput && (event.index === this.forced || event.name === jsonOutputTool)) {
      this.forced = event.index
      this.held = []
      if (event.arguments !== '') out.push({ type: 'text', text: event.arguments, choice: event.choice })
      return
    }
    this.called = true
    if (event.kind === 'custom' && event.name !== undefined && !this.custom.has(event.name)) {
      // free text for a client that offered no tool of that kind: its dialect may want an object
      this.closeCall(out)
      this.open = { event: { ...event, kind: 'function', arguments: '' }, text: event.arguments, wrap: true }
      return
    }
    const known = event.name === undefined ? undefined : this.names.original(event.name)
    if (this.open && event.index === this.open.event.index && known === undefined) {
      this.open.text += event.arguments
      return
    }
    let named = event
    if (event.signature !== undefined) named = { ...named, signature: this.tagged(event.signature) }
    if (known) {
      this.closeCall(out)
      named = { ...named, name: known.name, ...(known.namespace !== undefined && { namespace: known.namespace }) }
      if (event.kind !== 'custom' && this.custom.has(known.name)) {
        this.open = { event: { ...named, kind: 'custom', arguments: '' }, text: event.arguments }
        return
      }
    }
    out.push(named)
  }

  /** A custom tool was offered as a function with one string: its call gets that string as its input. */
  private closeCall(out: StreamEvent[]): void {
    const { open } = this
    if (!open) return
    this.open = undefined
    const input = open.wrap ? JSON.stringify({ input: open.text }) : objectOf(parseJson(open.text))?.input
    out.push({ ...open.event, arguments: typeof input === 'string' ? input : open.text })
  }

  private release(out: StreamEvent[]): void {
    for (const text of this.held) out.push(text)
    this.held = []
  }

  private tagged(value: string): string {
    return tagProof({ ...this.maker, value })
  }
}
