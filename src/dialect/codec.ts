/**
 * The interface of a dialect: everything the gateway needs to know about one wire format, and nothing about who uses it.
 *
 * One folder per dialect implements it. Identity comes first: when client and upstream speak the same dialect, the pipeline
 * forwards bytes and uses a codec only to look (`interesting`, `decoder`, `summary`) and to rewrite single frames that a plugin
 * changed (`encoder` with an origin). Translation between dialects is the same decoder on one side and an encoder without
 * origin on the other.
 */

import type { PromptLayout } from '../json/prompt-units.ts'
import type { StreamEvent } from '../plugin/events.ts'
import type { Usage } from '../plugin/outcome.ts'
import type { RefusalCode } from '../plugin/refusal.ts'
import type { Json, Part } from '../plugin/request.ts'
import type { Capabilities } from './capability.ts'
import type { Conversation } from './conversation.ts'
import type { EmbeddingsCodec } from './embeddings/request.ts'
import type { JsonSource } from './json-source.ts'
import type { Writable } from './json-text.ts'
import type { LossReport } from './loss.ts'
import type { JsonObject } from './shape.ts'
import type { SseFrame } from './sse.ts'

export interface Dialect {
  /** Kebab-case, e.g. `openai-chat`. */
  readonly name: string
  /** How errors are spelled: the API family. */
  readonly family: Family

  // Requests
  /** The texts of a request body, in order of the conversation, each with its pointer. Never throws on odd shapes: it skips them. */
  parts(body: Json): Part[]

  /** Which top-level members make up the prompt. Absent where a body is no conversation. */
  readonly prompt?: PromptLayout

  /** Requests of this dialect to and from the neutral conversation. Absent: it can't be (vectors, compactions). */
  readonly request?: RequestCodec

  /** Where a body names the model besides the path (Gemini's batches): pointers, and what stands there for a model. */
  readonly modelNames?: (body: Json, model: string) => readonly (readonly [pointer: string, name: string])[]

  /** Requests for embeddings to and from the neutral one, where the dialect is one of embeddings. */
  readonly embeddings?: EmbeddingsCodec

  // Streamed replies
  /**
   * What shows that a streamed reply is complete: `stop`, a stop reason for each choice (Chat, Gemini), or `end`, the dialect's own terminal
   * event (B01).
   */
  readonly terminal: 'stop' | 'end'
  /**
   * Fast look at raw bytes that begin and end at a frame boundary: where, from `from` on, something stands that may be usage, a stop reason,
   * an error or the end; -1 when nothing does, so that the meter need not parse. Hot path: native byte searches only.
   */
  interesting(chunk: Uint8Array, from: number): number
  decoder(purpose?: Purpose): StreamDecoder
  encoder(head: ReplyIdentity): StreamEncoder
  /**
   * Whether a frame begins or ends a block, an item or a part of one; at `end` each text that it tells is told whole. Absent where text has no such
   * bounds. Asked only where a plugin holds text back.
   */
  blockEdge?(frame: SseFrame): 'begin' | 'end' | undefined

  // Whole replies
  /** What the record needs of a whole reply, read with as little parsing as possible. */
  summary(body: Uint8Array): WholeSummary
  /** A whole reply as the events it consists of; null when it is not a reply of this dialect. */
  decodeWhole(body: Uint8Array, purpose?: Purpose): DecodedWhole | null
  /** A whole reply made of events alone (an answer by a plugin, or a translated one). */
  encodeWhole(events: readonly StreamEvent[], head: ReplyIdentity): string

  // Errors
  /** The body of an HTTP error. */
  errorBody(error: WireError): string
  /** The frame or frames, as SSE text, that end a stream with an error. */
  errorFrames(error: WireError): string
  /** The upstream's own words in an error reply of whatever shape (PROTOCOL §1.7 "Upstream shapes to accept"). */
  readError(status: number, body: Uint8Array): UpstreamError
}

/**
 * What a reply is decoded for. `relay` (default): frames are passed on, and what is not looked at stays `native`. `translate`: everything that has a neutral
 * word gets it (citations, media, proofs on text and calls, hidden thoughts), for the frames themselves are dropped.
 */
export type Purpose = 'relay' | 'translate'

export type Family = 'openai' | 'anthropic' | 'gemini'

/** Requests to and from the neutral conversation (PROTOCOL §1.1–1.4). Never throws on odd shapes. */
export interface RequestCodec {
  /**
   * Reads a request. What it can't understand and may not skip it refuses in `report` (and goes on, so that all is read once);
   * what has no neutral word becomes an `Extra`, unknown members included.
   */
  read(source: JsonSource, report: LossReport): Conversation
  /** Writes a request for an upstream. What that can't express it drops or refuses in `report`. */
  write(conversation: Conversation, target: WriteTarget, report: LossReport): Writable
  /**
   * Pointers (RFC 6901) of blocks and members that hold proofs of another dialect's upstream (`isTagged`), innermost removable unit, last first. They are
   * removed before a body goes natively to an upstream of this dialect. Called only for bodies that hold such a proof.
   */
  foreign(body: Json): string[]
  /** Bytes that a body with such a proof holds, where they are not `proofMark`. */
  readonly proofMark?: Uint8Array
  /** What is put in the place of a member that `foreign` named, where the provider wants some proof there (Gemini 3); undefined: it is removed. */
  standIn?(body: Json, pointer: string): string | undefined
}

/** Where a translated request goes. */
export interface WriteTarget {
  /** Model id in the upstream's spelling. */
  readonly model: string
  /** Name of the upstream: proofs that it made are given back to it. */
  readonly upstream: string
  readonly can: Capabilities
  /** Largest output of the model, from the catalogue. */
  readonly maxOutput?: number | undefined
  /** Names of tools as the upstream may spell them; see `tool-names.ts`. */
  readonly toolName: (name: string, namespace?: string) => string
}

/** What a synthesised frame needs to know of the reply it belongs to. */
export interface ReplyIdentity {
  /** Id without the dialect's own prefix is fine: an encoder may add one. */
  readonly id: string
  readonly model: string
  /** Seconds since the epoch. */
  readonly created: number
  /** Chat: the client asked for the usage-only chunk. */
  readonly includeUsage?: boolean
  /** The request, for dialects that repeat parts of it in the reply (Responses). Asked for only when needed: it may have to be parsed. */
  readonly request?: JsonObject | undefined
}

/** Decodes the frames of one stream, in order. May be given only the interesting ones (then only usage, stop, error and end count). */
export interface StreamDecoder {
  /** The events of one frame. A frame without neutral meaning gives one `native` event. */
  decode(frame: SseFrame): readonly StreamEvent[]
}

/** Encodes the events of one stream, in order. */
export interface StreamEncoder {
  /**
   * True when frames may no longer be forwarded as received, because earlier edits have shifted indices or ended the reply:
   * every frame must then go through `encode`, changed or not. Ask before each frame.
   */
  readonly rewriting: boolean
  /**
   * SSE text for `after`, the events that hooks made of `origin.before`, decoded from `origin.frame`. Without origin the events are
   * made from nothing (inserted by a plugin, or translated). What was not changed keeps its spelling inside a rewritten frame.
   */
  encode(after: readonly StreamEvent[], origin?: FrameOrigin): string
  /** The frames that end this stream with an error, where they depend on what was sent before (Responses: sequence numbers). */
  failure?(error: WireError): string
  /** The upstream's frames are over though its stream is not: what follows is made from nothing, and goes on with what the client has open. */
  takeOver?(): void
  /** Looks at a frame that is forwarded as received, to keep track of ids, indices and open blocks. */
  observe(frame: SseFrame, events: readonly StreamEvent[]): void
}
export interface FrameOrigin {
  readonly frame: SseFrame
  readonly before: readonly StreamEvent[]
}

export interface WholeSummary {
  /** True when the body is JSON of this dialect's reply shape. */
  readonly valid: boolean
  /** The body is a stream in another form: a whole reply has to be made of its events. */
  readonly pieces?: true
  readonly id?: string | undefined
  readonly model?: string | undefined
  readonly usage?: Usage | undefined
  /** Raw stop reason of the first choice. */
  readonly stop?: string | undefined
  /** An error inside the body (B07, G03). */
  readonly error?: UpstreamError | undefined
}

export interface DecodedWhole {
  readonly events: readonly StreamEvent[]
  /**
   * The body with edits: `after[i]` are the events that replace `events[i]`. Where nothing changed, bytes are kept.
   * Text inserted anywhere joins the text of its choice.
   */
  apply(after: readonly (readonly StreamEvent[])[]): Uint8Array
}

/** An error on its way to a client. */
export interface WireError {
  readonly code: RefusalCode
  readonly message: string
  readonly requestId: string
  readonly param?: string
  readonly extra?: Readonly<Record<string, Json>>
  /** Seconds that the client should wait; also a header. */
  readonly retryAfter?: number
  /** The upstream's own type word, which wins over the catalogue's where the family is the same. */
  readonly upstreamType?: string
  readonly upstreamCode?: string
  /** The operator's own words, which win over all others. */
  readonly words?: { readonly type?: string; readonly code?: string }
  /** The whole body as the operator wants it, which wins over the dialect's. */
  readonly body?: string
}

/** What an upstream said was wrong. */
export interface UpstreamError {
  readonly message: string
  readonly type?: string
  readonly code?: string
  readonly param?: string
  /** HTTP status that this error would have had, where a 200 or a stream carries it (B07). */
  readonly status?: number
  /** Seconds that the error's body asks to wait (Gemini's RetryInfo). */
  readonly retryAfter?: number
}
