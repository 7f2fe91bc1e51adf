/**
 * The normalised events that a reply consists of, in every dialect, streamed or whole.
 *
 * Events are values: a hook changes one by returning another (`{ ...event, text }`), never by writing to it. An event that
 * is returned as it came leaves as the bytes that came. This file may not know any dialect.
 */

import type { CallUsage, Usage } from './outcome.ts'
import type { Json } from './request.ts'

/** The reply begins: what the upstream calls it. First event of a reply, at most once. */
export interface StartEvent {
  readonly type: 'start'
  readonly id?: string
  /** Model id as the upstream reports it. */
  readonly model?: string
}
/** Visible text of one choice. */
export interface TextEvent {
  readonly type: 'text'
  readonly text: string
  /** Index of the choice; 0 where the dialect has only one. */
  readonly choice: number
  /** The model's own words of refusal, where its dialect tells them apart. */
  readonly refusal?: boolean
  /** An opaque proof that belongs to the text so far (Gemini's thought signature); may come with an empty text. */
  readonly signature?: string
}
/** Reasoning (thinking) text. `signature` is an opaque proof that travels bit-exact (hazard D01). */
export interface ReasoningEvent {
  readonly type: 'reasoning'
  readonly text: string
  readonly choice: number
  readonly signature?: string
  /** The thought is hidden: there is no text, and `signature` holds it. */
  readonly redacted?: boolean
}
/** A tool call, or a part of one. Fragments of one call share `index`; `arguments` are concatenated as text. */
export interface ToolCallEvent {
  readonly type: 'tool_call'
  /** Position among the calls of this reply: 0, 1, 2 … (hazard C02). */
  readonly index: number
  readonly choice: number
  /** Present on the first fragment of a call. */
  readonly id?: string
  readonly name?: string
  /** Responses: the namespace of the tool, on the first fragment. */
  readonly namespace?: string
  /** `custom`: the arguments are free text, not JSON. On the first fragment; absent = a function. */
  readonly kind?: 'function' | 'custom'
  /** A fragment of JSON text; the whole text in a whole reply. */
  readonly arguments: string
  /** An opaque proof that belongs to the call (Gemini's thought signature). */
  readonly signature?: string
}
/** Where a text of the reply comes from. Seen where a reply is translated; in a reply that is passed on it is a part of `native`. */
export interface CitationEvent {
  readonly type: 'citation'
  readonly choice: number
  readonly url: string
  readonly title?: string
  /** The cited words. */
  readonly cited?: string
}
/** A picture or sound that the model made. Seen where a reply is translated; in a reply that is passed on it is a part of `native`. */
export interface MediaEvent {
  readonly type: 'media'
  readonly choice: number
  readonly mime: string
  /** Base64. */
  readonly data: string
}
/** The vector of one input of a request for embeddings. Seen where a reply is translated; in a reply that is passed on it is a part of `native`. */
export interface EmbeddingEvent {
  readonly type: 'embedding'
  /** Position of the input: 0, 1, 2 … */
  readonly index: number
  readonly values: readonly number[]
}
/** Why generation stopped, in neutral words (PROTOCOL §1.5). */
export type StopReason = 'end' | 'stop_sequence' | 'tool_calls' | 'length' | 'filter' | 'pause' | 'fault' | 'other'
export interface StopEvent {
  readonly type: 'stop'
  readonly reason: StopReason
  /** The upstream's own word. */
  readonly raw: string
  readonly choice: number
  /** The stop string that was met, where the dialect says it. */
  readonly sequence?: string
}
/** Usage so far; the last one counts. */
export interface UsageEvent {
  readonly type: 'usage'
  readonly usage: Usage
  /** Of a reply that several calls gave, one after the other: what each of them used, in order. They add up to `usage`, but each has a price of its own. */
  readonly calls?: readonly CallUsage[]
  /** Members that a plugin adds to the usage object that the client sees, such as a cost; `exactNumber` writes amounts of money. */
  readonly extra?: Readonly<Record<string, Json>>
}
/** An error inside a reply that had begun. Nothing but `usage` and `end` may follow. */
export interface ErrorEvent {
  readonly type: 'error'
  /** The upstream's or the gateway's error type word. */
  readonly kind: string
  readonly message: string
}
/** A remark for people; leaves as an SSE comment in a stream, and not at all in a whole reply. */
export interface NoteEvent {
  readonly type: 'note'
  readonly text: string
}
/** A frame, or part of one, that the codec has no neutral word for; passes as it came. `data` is its JSON text. */
export interface NativeEvent {
  readonly type: 'native'
  /** SSE event name, if any. */
  readonly event?: string
  readonly data: string
}
/** The reply is complete by the upstream's own terminal event (hazard B01). */
export interface EndEvent {
  readonly type: 'end'
}

export type StreamEvent =
  | StartEvent
  | TextEvent
  | ReasoningEvent
  | ToolCallEvent
  | CitationEvent
  | MediaEvent
  | EmbeddingEvent
  | StopEvent
  | UsageEvent
  | ErrorEvent
  | NoteEvent
  | NativeEvent
  | EndEvent

/** True for events that a client would show or act on: from the first of these on, an upstream can't be swapped silently. */
export function isContent(event: StreamEvent): boolean {
  switch (event.type) {
    case 'text':
    case 'reasoning':
      return event.text.length > 0 || (event.type === 'reasoning' && event.signature !== undefined)
    case 'tool_call':
    case 'media':
    case 'embedding':
    case 'stop':
    case 'end':
      return true
    default:
      return false
  }
}
