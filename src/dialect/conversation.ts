/**
 * The neutral conversation: what a request for an answer means, whatever dialect it came in.
 *
 * Between two dialects a request is read into this and written from it; when they are equal it is never made. It is wide enough to carry
 * everything that at least two dialects can say (PROTOCOL §1.1–1.4). What only one can say stands in `extras`, so that nothing is
 * lost in silence. Tool arguments and schemas are JSON text as it was sent: number spellings and key order survive. This file holds shapes only.
 */

import type { Json } from '../plugin/request.ts'

export interface Conversation {
  /** Name of the dialect it was read from. */
  readonly source: string
  readonly stream: boolean
  /** In order; system and developer texts stand where the client put them, leading ones first. */
  readonly turns: readonly Turn[]
  readonly tools: readonly Tool[]
  readonly toolChoice?: ToolChoice | undefined
  /** False: at most one call per turn. */
  readonly parallelCalls?: boolean | undefined
  readonly params: Params
  /** The client's own names of the parameters that it gave, for disclosure: `maxOutput` → `max_completion_tokens`. */
  readonly names: Readonly<Partial<Record<keyof Params | 'parallelCalls' | 'toolChoice', string>>>
  /** What the reader understood but has no neutral word for, and what it did not know. */
  readonly extras: readonly Extra[]
}

/** One turn. Tool results are content of `user` turns, as in Anthropic's API; writers put them where their dialect wants them. */
export interface Turn {
  readonly role: 'system' | 'developer' | 'user' | 'assistant'
  readonly content: readonly Content[]
  /** Chat's `name` of the speaker. */
  readonly name?: string | undefined
}

export type Content = TextContent | MediaContent | ReasoningContent | CallContent | ResultContent

export interface TextContent {
  readonly type: 'text'
  readonly text: string
  readonly cache?: CacheMark | undefined
  /** The model's own words of refusal. */
  readonly refusal?: boolean | undefined
  /** An opaque proof that belongs to this text (Gemini). */
  readonly proof?: Proof | undefined
}

export interface MediaContent {
  readonly type: 'media'
  readonly kind: 'image' | 'document' | 'audio' | 'video'
  readonly source: MediaSource
  /** File name or title. */
  readonly name?: string | undefined
  /** `low`, `high`, `auto`: OpenAI's image detail. */
  readonly detail?: string | undefined
  readonly cache?: CacheMark | undefined
  /** Where it stood in the client's body, for refusals: `messages[2].content[0]`. */
  readonly field: string
}
export type MediaSource =
  | { readonly kind: 'base64'; readonly mime: string; readonly data: string }
  | { readonly kind: 'url'; readonly url: string; readonly mime?: string | undefined }
  | { readonly kind: 'text'; readonly text: string }
  /** An id that only its maker understands: never portable. */
  | { readonly kind: 'file'; readonly id: string }

export interface ReasoningContent {
  readonly type: 'reasoning'
  readonly text: string
  /** Absent: nobody vouches for it, and only dialects that want plain reasoning echoed may be sent it. */
  readonly proof?: Proof | undefined
  /** The text is hidden; the proof holds it. */
  readonly redacted?: boolean | undefined
}

export interface CallContent {
  readonly type: 'call'
  readonly id: string
  readonly name: string
  readonly namespace?: string | undefined
  /** `custom`: the arguments are free text, not JSON. */
  readonly kind: 'function' | 'custom'
  /** JSON text as sent, or the free text of a custom call. Empty = no arguments. */
  readonly arguments: string
  readonly proof?: Proof | undefined
  readonly cache?: CacheMark | undefined
}

export interface ResultContent {
  readonly type: 'result'
  /** The call that it answers. */
  readonly id: string
  /** Name of the tool, where the dialect says it (Gemini). */
  readonly name?: string | undefined
  readonly content: readonly (TextContent | MediaContent)[]
  readonly error?: boolean | undefined
  readonly cache?: CacheMark | undefined
}

/**
 * A mark up to which the provider should cache. `ttl` as the client wrote it (`5m`, `1h`); absent = the provider's default. F04, F05.
 */
export interface CacheMark {
  readonly ttl?: string | undefined
}

/** An opaque proof with its maker; see `proof.ts`. */
export interface Proof {
  /** Dialect of the upstream that made it. */
  readonly dialect: string
  /** Name of that upstream; empty when unknown. */
  readonly upstream: string
  /** Bit-exact. */
  readonly value: string
}

export interface Tool {
  readonly kind: 'function' | 'custom'
  readonly name: string
  /** Responses: the namespace that holds the tool. */
  readonly namespace?: string | undefined
  readonly description?: string | undefined
  /** JSON text of the parameters' schema, as sent; undefined when none was given. */
  readonly schema?: string | undefined
  readonly strict?: boolean | undefined
  /** Grammar of a custom tool's input. */
  readonly format?: Json | undefined
  readonly cache?: CacheMark | undefined
  /** Where it stood: `tools[3]`. */
  readonly field: string
}

export type ToolChoice =
  | { readonly type: 'auto' | 'none' | 'required' }
  | { readonly type: 'tool'; readonly name: string; readonly namespace?: string | undefined }
  /** Only these may be called. */
  | { readonly type: 'allowed'; readonly mode: 'auto' | 'required'; readonly names: readonly string[] }

/** How much the model should think. */
export interface ReasoningRequest {
  /** `none`, `minimal`, `low`, `medium`, `high`, `xhigh`, `max`; what a dialect does not say is left out. */
  readonly effort?: string | undefined
  /** Tokens; -1 = as the model likes. */
  readonly budget?: number | undefined
  /** The model decides (Anthropic's `adaptive`). */
  readonly adaptive?: boolean | undefined
  /** Thinking is off. */
  readonly off?: boolean | undefined
  /** Whether, and how, the client wants to see it: `auto`, `concise`, `detailed`, `omitted`. */
  readonly visible?: string | undefined
}

export interface OutputFormat {
  readonly type: 'text' | 'json_object' | 'json_schema'
  readonly name?: string | undefined
  readonly description?: string | undefined
  /** JSON text of the schema, as sent. */
  readonly schema?: string | undefined
  readonly strict?: boolean | undefined
}

/** Parameters, neutral. Numbers are JSON numbers as parsed. */
export interface Params {
  readonly maxOutput?: number | undefined
  readonly stop?: readonly string[] | undefined
  readonly temperature?: number | undefined
  readonly topP?: number | undefined
  readonly topK?: number | undefined
  readonly frequencyPenalty?: number | undefined
  readonly presencePenalty?: number | undefined
  readonly seed?: number | undefined
  readonly n?: number | undefined
  /** How many alternatives per token; 0 = the chosen token's alone. */
  readonly logprobs?: number | undefined
  readonly logitBias?: Json | undefined
  readonly reasoning?: ReasoningRequest | undefined
  readonly format?: OutputFormat | undefined
  readonly verbosity?: string | undefined
  readonly cacheKey?: string | undefined
  readonly cacheRetention?: string | undefined
  readonly serviceTier?: string | undefined
  /** End user, as the client names it. */
  readonly user?: string | undefined
  readonly metadata?: Json | undefined
  readonly store?: boolean | undefined
  /** The client wants usage in the stream. */
  readonly includeUsage?: boolean | undefined
}

/** Something of the body that has no neutral word. */
export interface Extra {
  /** Path in the client's spelling: `thread`, `tools[4]`, `messages[1].audio`. */
  readonly field: string
  /**
   * `hint`: the answer means the same without it, so it is dropped and disclosed. `meaning`: without it the answer would be another one, or of
   * another shape, so the request is refused. `unsupported`: refused with words on which the client acts (see `refusal`).
   * `hosted`: a tool that the provider runs; dropped and disclosed while other tools remain, else refused.
   */
  readonly weight: 'hint' | 'meaning' | 'hosted' | 'unsupported'
  /** A sentence for the refusal, when the usual one would not help. */
  readonly message?: string | undefined
  /** Members for the error object, on which the client's SDK acts (`details: {error_code: …}`). */
  readonly details?: Json | undefined
}
