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

/** A piece of the prompt as it lies in `bytes`; in the order in which a provider caches it: tools, system, messages. Offsets are bytes. */
export interface PromptUnit {
  readonly kind: 'tools' | 'system' | 'message'
  /** Position in the list of messages; -1 for tools and system. */
  readonly message: number
  /** Role of a message as sent, or the type of an item that has no role; empty when it has neither. */
  readonly role: string
  readonly start: number
  readonly end: number
}

/** Byte offsets of a value. */
export interface ByteSpan {
  readonly start: number
  readonly end: number
}

/**
 * The request of an exchange. All of it can be read until the exchange is settled, its `settle` hooks included. Later only what was taken before is there:
 * the members that look at the body again throw where its memory was given back.
 */
export interface RequestView {
  /** The body as received. Never changes; may not be written to. Whoever has asked for it may keep it. */
  readonly bytes: Uint8Array
  /**
   * The same bytes for whoever looks at them before the exchange is settled and keeps none, nor a `subarray`: then the memory of a large body is given back at
   * settlement, instead of whenever the garbage collector comes by, and this array has the length 0. @throws Error once it was given back
   */
  readonly borrowed: Uint8Array
  /** The body's value with all edits so far. Parsed on first use; the caller may not write to it. */
  readonly json: { readonly [key: string]: Json }
  /** Model id as the request stands now; empty when the body names none. */
  readonly model: string
  /** True when the client asked for a stream. */
  readonly stream: boolean
  /** The request's texts, in order of the conversation; all kinds when none is named. */
  parts(...kinds: PartKind[]): readonly Part[]
  /**
   * Where the pieces of the prompt lie in `bytes`, found without parsing them (0.3 ms per MB): for whoever compares a history with what was there before.
   * Empty when the body is no conversation. A large body may be broken in the middle: then they end early. Edits do not show here.
   */
  readonly units: readonly PromptUnit[]
  /** Where the value at a JSON pointer lies, inside the value of `bytes` that begins at `start` (that of a unit, or 0); undefined when there is none. */
  spanAt(start: number, pointer: string): ByteSpan | undefined
  /**
   * Replaces the value that lies at `[start, end)` of `bytes`, without parsing the rest. `json` must be one JSON value and the span exactly that of
   * one, from `units` or `spanAt`: neither is checked. Everything outside stays byte for byte. @throws when it overlaps another such span in part.
   */
  replaceSpan(start: number, end: number, json: string): void
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
  /** Which spans of `bytes` leave as something else, in order, and how many bytes stand in their place. */
  readonly changes: readonly BodyChange[]
}

/** `[start, end)` of a body leaves as so many other bytes; where `start` is `end`, they were put in between. */
export interface BodyChange extends ByteSpan {
  readonly bytes: number
}
