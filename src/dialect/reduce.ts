/**
 * What a reply's events add up to: the texts, calls and stop of each choice, and the usage.
 *
 * Needed to write a whole reply out of events. Pure; knows no dialect. Order among kinds is kept as a list of pieces, because
 * some dialects tell it and others do not.
 */

import type {
  CitationEvent,
  ErrorEvent,
  MediaEvent,
  NativeEvent,
  StopEvent,
  StreamEvent,
  ToolCallEvent,
  UsageEvent,
} from '../plugin/events.ts'
import type { Usage } from '../plugin/outcome.ts'
import { isTagged } from './proof.ts'

export type Piece =
  | { readonly type: 'text'; text: string; readonly refusal: boolean; signature: string | undefined }
  | { readonly type: 'reasoning'; text: string; signature: string | undefined; readonly redacted: boolean }
  | CallPiece
  | { readonly type: 'citation'; readonly citation: CitationEvent }
  | { readonly type: 'media'; readonly media: MediaEvent }
  | { readonly type: 'native'; readonly native: NativeEvent }

export interface CallPiece {
  readonly type: 'tool_call'
  readonly index: number
  id: string | undefined
  name: string | undefined
  namespace: string | undefined
  kind: 'function' | 'custom'
  arguments: string
  signature: string | undefined
}

export interface ReducedChoice {
  readonly choice: number
  /** In order of appearance; neighbours of one kind are joined, a call's fragments always. */
  readonly pieces: Piece[]
  stop: StopEvent | undefined
}

export interface Reduced {
  id: string | undefined
  model: string | undefined
  /** By index; never empty. */
  readonly choices: readonly ReducedChoice[]
  usage: Usage | undefined
  /** What plugins added to the usage. */
  usageExtra: UsageEvent['extra']
  error: ErrorEvent | undefined
}

/** Adds events up. Native events belong to the choice of the event before them. */
export function reduceEvents(events: readonly StreamEvent[]): Reduced {
  const choices = new Map<number, ReducedChoice>()
  const at = (choice: number): ReducedChoice => {
    let found = choices.get(choice)
    if (!found) choices.set(choice, (found = { choice, pieces: [], stop: undefined }))
    return found
  }
  let last = at(0)
  const sum = { id: undefined as string | undefined, model: undefined as string | undefined }
  let usage: Usage | undefined
  let usageExtra: UsageEvent['extra']
  let error: ErrorEvent | undefined
  for (const event of events) {
    if ('choice' in event) last = at(event.choice)
    switch (event.type) {
      case 'start':
        sum.id = event.id ?? sum.id
        sum.model = event.model ?? sum.model
        break
      case 'text':
      case 'reasoning':
      case 'tool_call':
        addPiece(last.pieces, event)
        break
      case 'citation':
        last.pieces.push({ type: 'citation', citation: event })
        break
      case 'media':
        last.pieces.push({ type: 'media', media: event })
        break
      case 'native':
        last.pieces.push({ type: 'native', native: event })
        break
      case 'stop':
        last.stop ??= event
        break
      case 'usage':
        usage = event.usage
        usageExtra = event.extra
        break
      case 'error':
        error ??= event
    }
  }
  return { ...sum, choices: [...choices.values()].sort((a, b) => a.choice - b.choice), usage, usageExtra, error }
}

function addPiece(pieces: Piece[], event: Extract<StreamEvent, { type: 'text' | 'reasoning' | 'tool_call' }>): void {
  if (event.type === 'tool_call') {
    const call = pieces.findLast((piece) => piece.type === 'tool_call' && piece.index === event.index)
    if (call?.type === 'tool_call' && (event.id === undefined || call.id === undefined || call.id === event.id)) {
      call.id ??= event.id
      call.name ??= event.name
      call.namespace ??= event.namespace
      if (event.kind !== undefined) call.kind = event.kind
      call.arguments += event.arguments
      if (event.signature !== undefined) call.signature = event.signature
    } else pieces.push(newCall(event))
    return
  }
  const open = pieces.at(-1)
  if (event.type === 'text') {
    const refusal = event.refusal === true
    // A signature closes the text that it proves.
    if (open?.type === 'text' && open.refusal === refusal && (open.signature === undefined || event.text === '')) {
      open.text += event.text
      if (event.signature !== undefined) open.signature = event.signature
    } else if (event.text !== '' || event.signature !== undefined) {
      pieces.push({ type: 'text', text: event.text, refusal, signature: event.signature })
    }
    return
  }
  const redacted = event.redacted === true
  // So it does of a thought; a hidden one stands alone.
  // A proof of another dialect is whole: a second one belongs to a second thought.
  const another = event.text !== '' || isTagged(event.signature ?? '')
  if (open?.type === 'reasoning' && !open.redacted && !redacted && (open.signature === undefined || !another)) {
    open.text += event.text
    if (event.signature !== undefined) open.signature = (open.signature ?? '') + event.signature
  } else pieces.push({ type: 'reasoning', text: event.text, signature: event.signature, redacted })
}

function newCall(event: ToolCallEvent): CallPiece {
  const { index, id, name, namespace, kind = 'function', signature } = event
  return { type: 'tool_call', index, id, name, namespace, kind, arguments: event.arguments, signature }
}
