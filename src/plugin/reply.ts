/**
 * What a plugin may answer with, and what it sees of an answer before the first byte leaves.
 */

import type { StreamEvent } from './events.ts'
import type { Attempt } from './outcome.ts'
import type { RefusalCode } from './refusal.ts'
import type { Json } from './request.ts'

/** A refusal: an error that leaves in the client's own dialect. Made by `x.refuse`, returned from a hook. */
export interface Refusal {
  readonly type: 'refusal'
  readonly code: RefusalCode
  readonly message: string
  /** HTTP status; the catalogue's unless overridden. */
  readonly status?: number
  /** Seconds; becomes `Retry-After`. */
  readonly retryAfter?: number
  readonly headers?: Readonly<Record<string, string>>
  /** The request field at fault, as the client spells it. */
  readonly param?: string
  /** Extra members of the error object. */
  readonly extra?: Readonly<Record<string, Json>>
}

export interface RefusalOptions {
  message?: string
  status?: number
  retryAfter?: number
  headers?: Record<string, string>
  param?: string
  extra?: Record<string, Json>
}

/** A complete answer made by a plugin; streamed if the client asked for a stream. Made by `x.reply`. */
export interface Completed {
  readonly type: 'completed'
  readonly events: readonly StreamEvent[]
  readonly headers?: Readonly<Record<string, string>>
  /** A recorded reply that is given again, instead of `events`. Made by `x.replay`. */
  readonly stored?: StoredReply
}

/**
 * A reply as it came, in the client's dialect: what `x.record` keeps and `x.replay` gives again. JSON, so that it can be put in a store; opaque but for
 * its size.
 */
export interface StoredReply {
  readonly dialect: string
  /** `whole` and `stream`: the bytes of the reply. `events`: a translated one. */
  readonly form: 'whole' | 'stream' | 'events'
  readonly body?: string
  readonly events?: readonly StreamEvent[]
  /** A plugin had made it: no upstream. */
  readonly made?: true
}

/** A reply under observation. */
export interface Recording {
  /** The reply, once all of it has passed; undefined before that, and for good when it broke off or was too large. */
  readonly stored: StoredReply | undefined
}

/** What `next()` resolves to: an answer that has begun, or a failure. Return it, or call `next()` again and return that. */
export interface Reply {
  readonly type: 'reply'
  /** True when content is on its way; false for a refusal or a failed call. */
  readonly ok: boolean
  readonly status: number
  /** Headers for the client; may be changed in `reply` hooks. Lower-case names. */
  readonly headers: Headers
  /** True when the answer is a stream. */
  readonly stream: boolean
  /** Code from the catalogue when not ok. */
  readonly code?: RefusalCode
  readonly message?: string
  /** The upstream call behind it; absent for an answer made by a plugin. */
  readonly attempt?: Attempt
  /** Instance id of the plugin that refused or answered; absent when the upstream did. */
  readonly by?: string
}
