/**
 * What a plugin sees of a request body, and the only ways to change it.
 *
 * A body is immutable bytes with a lazy JSON view; edits are recorded and spliced in when the body is sent, so that
 * everything that no plugin touched leaves byte for byte (hazard F01). This file holds shapes only.
 */

/** A JSON value that may not be written to. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

export type PartKind = 'system' | 'user' | 'assistant' | 'tool_result' | 'tool_schema'

/** One piece of text in a request, in any dialect. */
export interface Part {
  readonly kind: PartKind
  /** The text; for `tool_schema` the schema's JSON text as sent. */
  readonly text: string
  /** JSON pointer (RFC 6901) of the value that holds the text. */
  readonly pointer: string
  /** Index of the message that holds it; -1 outside the messages (system, tools). */
  readonly message: number
  /** Tool name (`tool_schema`) or call id (`tool_result`), where the dialect says it. */
  readonly name?: string
  /** True when the part lies at or before a cache mark of the client: changing it costs the provider's prompt cache. */
  readonly cached: boolean
}

export interface RequestView {
  /** The body as received. Never changes; may not be written to. */
  readonly bytes: Uint8Array
  /** The body's value with all edits so far. Parsed on first use; the caller may not write to it. */
  readonly json: { readonly [key: string]: Json }
  /** Model id as the request stands now; empty when the body names none. */
  readonly model: string
  /** True when the client asked for a stream. */
  readonly stream: boolean
  /** The request's texts, in order of the conversation; all kinds when none is named. */
  parts(...kinds: PartKind[]): readonly Part[]
  /** Changes the model id. */
  setModel(model: string): void
  /** Replaces the text of a part. @throws when the part no longer exists. */
  replaceText(part: Part, text: string): void
  /** Sets the value at a JSON pointer: replaces, adds an object member at the end, or appends with `-`. @throws when the parent does not exist. */
  set(pointer: string, value: Json): void
  /** Removes the value at a JSON pointer; nothing happens when there is none. */
  remove(pointer: string): void
  /** The value at a JSON pointer as the request stands now; undefined when there is none. */
  at(pointer: string): Json | undefined
  /** Byte offset of the first difference from `bytes`; -1 when nothing was edited. */
  readonly firstEdit: number
}
