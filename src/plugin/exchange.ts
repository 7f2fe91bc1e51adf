/**
 * The exchange as one plugin sees it: one request and whatever answers it.
 *
 * Every plugin instance gets its own small view, so that slots are checked against what it declared, edits and verdicts
 * carry its name, and `state` is its own. This file holds shapes only; the pipeline implements them.
 */

import type { StreamEvent } from './events.ts'
import type { Target } from './host.ts'
import type { Operation } from './operations.ts'
import type { Outcome } from './outcome.ts'
import type { RefusalCode } from './refusal.ts'
import type { Completed, Recording, Refusal, RefusalOptions, Reply, StoredReply } from './reply.ts'
import type { RequestView } from './request.ts'
import type { PrincipalValue, Slot } from './slots.ts'

export type { Operation }

/** A call that a plugin makes on behalf of a caller. */
export interface InnerCall {
  /** Id of the plugin instance that makes it. */
  readonly plugin: string
  /** For whom; absent for a caller without a credential. */
  readonly principal?: PrincipalValue | undefined
  /** Under this name the call is charged once, however often it is made; unique in this gateway. */
  readonly once?: string | undefined
}

// biome-ignore lint/suspicious/noExplicitAny: a slot of whatever value; variance needs any here
export type AnySlot = Slot<any>

/** What an `admit` hook sees: headers, not the body. N, W, P are the plugin's declared slots, S its per-exchange state. */
export interface AdmitExchange<N extends AnySlot = never, W extends AnySlot = never, P extends AnySlot = never, S = undefined> {
  /** Request id; leaves as `x-request-id`. */
  readonly id: string
  readonly operation: Operation
  /** Dialect that the client speaks. */
  readonly dialect: string
  readonly method: string
  /** Path of the URL, as received. */
  readonly path: string
  /** Query string without `?`; empty when none. */
  readonly query: string
  /** The client's headers. Credentials are in here: never log them. */
  readonly headers: Headers
  /** Address of the peer; empty when unknown. */
  readonly ip: string
  /** The endpoint answers callers without a credential too: a plugin that asks for one lets them pass, unnamed. */
  readonly open: boolean
  /** Set when a plugin of this gateway makes the call (`host.call`), for somebody who was admitted when it was submitted. */
  readonly inner: InnerCall | undefined
  /** Set for a shadow: the id of the exchange that it is a copy of. */
  readonly shadowOf: string | undefined
  /** Milliseconds since the epoch, by the host's clock. */
  readonly receivedAt: number
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal
  /** This plugin's own state for this exchange. */
  readonly state: S
  /** The value of a needed slot. */
  get<T>(slot: Slot<T> & N): T
  /** The value of a wanted, needed or provided slot, if it is there. */
  peek<T>(slot: Slot<T> & (N | W | P)): T | undefined
  /** Gives a provided slot its value. */
  put<T>(slot: Slot<T> & P, value: T): void
  /** Makes a refusal; return it from the hook. */
  refuse(code: RefusalCode, options?: RefusalOptions | string): Refusal
  /** Records a remark of this plugin in the outcome's verdicts. */
  note(detail: string): void
}

/** How a shadow is sent. */
export interface ShadowOptions {
  /** The catalogue's id of its model, for the record; that which the client asked for when absent. */
  model?: string
  /** Ends it. */
  signal?: AbortSignal
  /** What it waits for before it begins. When that rejects, no call is made. */
  after?: PromiseLike<unknown>
}

/** What hooks from `request` on see. */
export interface Exchange<N extends AnySlot = never, W extends AnySlot = never, P extends AnySlot = never, S = undefined>
  extends AdmitExchange<N, W, P, S> {
  readonly request: RequestView
  /** Where the call goes; set by a router. */
  readonly target: Target | undefined
  /** Chooses where the next upstream call goes. */
  setTarget(target: Target): void
  /**
   * Sends a copy of the request, as it stands now, to another target: an exchange of its own, whose reply nobody gets and which settles for itself, for the
   * plugins that say `shadows`. It belongs to no caller: its slots are empty. Begins behind what this exchange does now, and ends with the gateway.
   * Resolves to its outcome; never rejects.
   */
  shadow(target: Target, options?: ShadowOptions): Promise<Outcome>
  /**
   * Keeps a copy of a reply of `next()` while it is delivered, as the upstream sent it: what plugins make of its events is not in it, and made again by all of
   * them when it is given again.
   * @param limit bytes above which nothing is kept
   */
  record(reply: Reply, limit: number): Recording
  /**
   * Gives a recorded reply again, under a new id, whole or streamed as this client asks; return it from `request` or `around`. Its usage is that of the
   * original; no upstream was called, and nothing is billed.
   */
  replay(stored: StoredReply, options?: { headers?: Record<string, string> }): Completed
  /** Makes a complete answer out of events; return it from `request` or `around`. */
  reply(events: readonly StreamEvent[], options?: { headers?: Record<string, string> }): Completed
}
