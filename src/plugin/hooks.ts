/**
 * The nine hooks. A plugin defines those it needs; the others cost nothing.
 *
 * Requests go down the list (`admit`, `request`, `around`, `attempt`), replies and settlement come back up
 * (`reply`, `event`, `inspect`, `resume`, `settle`).
 */

import type { CacheFacts } from './cache-facts.ts'
import type { StreamEvent } from './events.ts'
import type { AdmitExchange, AnySlot, Exchange } from './exchange.ts'
import type { Attempt, Outcome } from './outcome.ts'
import type { RefusalCode } from './refusal.ts'
import type { Completed, Refusal, Reply } from './reply.ts'
import type { ByteSpan, PromptUnit } from './request.ts'

type Maybe<T> = T | Promise<T>

/** One upstream HTTP call about to be made. Changes hold for this call only. */
export interface UpstreamCall {
  readonly upstream: string
  /** Dialect that the upstream speaks. */
  readonly dialect: string
  readonly model: string
  /** 0 for the first call of the exchange. */
  readonly index: number
  /** The request was put into another dialect than its client's: no byte of `body` is the client's own. */
  readonly translated: boolean
  url: string
  readonly headers: Headers
  /** The bytes that will be sent: yours to keep, once you have asked for them. Assign other bytes to send those. */
  body: Uint8Array
  /** What is known of the prompt cache of this upstream's model. */
  readonly cache: CacheFacts
  /** Where the pieces of the prompt lie in `body`: as `request.units`, in the dialect of the upstream. */
  readonly units: readonly PromptUnit[]
  /** Where the value at a JSON pointer lies, inside the value of `body` that begins at `start` (that of a unit, or 0); undefined when there is none. */
  spanAt(start: number, pointer: string): ByteSpan | undefined
  /** The same for all items of the list, or all values of the object, that stands there; none when it is neither. */
  itemsAt(start: number, pointer: string): readonly ByteSpan[]
  /**
   * Puts texts into `body` without copying or parsing the rest, all at once; offsets are those of `body` as it is now, and other ones afterwards. That it is
   * still JSON is not checked. @throws RangeError for a place outside the body; nothing is changed then.
   */
  insert(insertions: readonly BodyInsertion[]): void
}

/** A text that goes before the byte `at`. Of several at one place the first comes first. */
export interface BodyInsertion {
  readonly at: number
  readonly text: string
}

/** What a `reply` hook sees: status and headers before the first byte leaves. For refusals too. */
export type ReplyHead = Reply

/** Options of one `next()` call. */
export interface NextOptions {
  /** Cancels this branch alone. */
  signal?: AbortSignal
  /**
   * What this branch waits for before it begins: milliseconds, or a promise. When that rejects, `next()` rejects the same way. Waiting is not the
   * plugin's own time.
   */
  after?: number | PromiseLike<unknown>
}
export type Next = (options?: NextOptions) => Promise<Reply>

/**
 * Text held back for inspection, block by block: what is held of a block leaves before its end does, before another kind of content, a tool call or
 * a proof. Unit of `hold`: UTF-16 code units.
 */
export interface Inspection<X> {
  /** How much text is held back, so that a pattern across chunks is seen whole. The only hook that delays output. */
  readonly hold: number
  /** Which text; `['text']` when absent. */
  readonly kinds?: readonly ('text' | 'reasoning')[]
  /**
   * Looks at the text that is not yet sent. Return nothing to let it pass, a string to replace it, or a refusal to stop the reply.
   * `last` is true when no more text follows in this block; a block that came in one piece is seen once. What is left as it is keeps its frames as far as it
   * was not held back.
   */
  window(x: X, text: string, last: boolean): string | Refusal | undefined
}

/** A streamed reply that broke off after its first content had left. */
export interface BrokenStream {
  readonly code: RefusalCode
  readonly message: string
  /** The upstream call that broke off. */
  readonly attempt?: Attempt | undefined
}

// biome-ignore lint/suspicious/noConfusingVoidType: a hook that returns nothing is written as a void function
type Nothing = void | undefined

export interface Hooks<N extends AnySlot = never, W extends AnySlot = never, P extends AnySlot = never, S = undefined> {
  /** Headers only, body unread: who is it, may it come in. */
  admit?(x: AdmitExchange<N, W, P, S>): Maybe<Nothing | Refusal>
  /** Body readable and editable. */
  request?(x: Exchange<N, W, P, S>): Maybe<Nothing | Refusal | Completed>
  /** Wraps everything below; `next()` may be called any number of times. Resolve with one of its replies, or an own answer. */
  around?(x: Exchange<N, W, P, S>, next: Next): Promise<Reply | Refusal | Completed>
  /** Whether `around` is wanted for this exchange; absent = always. Synchronous and cheap: it spares the others the price of being wrapped. */
  wraps?(x: Exchange<N, W, P, S>): boolean
  /** Last look at one upstream HTTP call. */
  attempt?(x: Exchange<N, W, P, S>, call: UpstreamCall): Maybe<Nothing | Refusal>
  /** Status and headers, before the first byte leaves. */
  reply?(x: Exchange<N, W, P, S>, reply: ReplyHead): Maybe<Nothing>
  /**
   * One event of the reply. Synchronous. Return nothing to let it pass, an event or several instead of it, or null to drop it. A list that closes
   * with `{ type: 'end' }` ends the reply there, well-formed: say why with a `stop` before it. What the model goes on to say is dropped, and
   * the upstream call of a stream is cancelled.
   */
  event?(x: Exchange<N, W, P, S>, event: StreamEvent): Nothing | StreamEvent | readonly StreamEvent[] | null
  /**
   * Whether `event` is wanted for the reply of this exchange; absent = always. Asked once, when the reply begins. Synchronous and cheap: a stream whose events
   * nobody wants passes without being read.
   */
  hears?(x: Exchange<N, W, P, S>): boolean
  /** Text in windows with a declared hold-back. */
  inspect?: Inspection<Exchange<N, W, P, S>>
  /**
   * A stream of the upstream broke off after its first content. Change the request such that it asks for the rest, and resolve with a reply of `next()`: the
   * client gets its events behind those that it has, as one stream. Resolve with nothing, and it gets the error. What was said so far the plugin knows from
   * its `event` hook. Each time the body is as it went out at first.
   */
  resume?(x: Exchange<N, W, P, S>, broken: BrokenStream, next: Next): Promise<Reply | undefined>
  /** Once, when all is known. */
  settle?(x: Exchange<N, W, P, S>, outcome: Outcome): Maybe<Nothing>
  /** Called once when all plugins are set up, before traffic. */
  ready?(): Maybe<Nothing>
  /** Health for `/ready`: return a message when something is wrong. */
  health?(): Maybe<string | undefined>
  /** Called once, after the last exchange that uses this instance has settled. */
  close?(): Maybe<Nothing>
}

/** Names of the hooks that the pipeline calls per exchange, in the order of a request's way. */
export const exchangeHooks = ['admit', 'request', 'around', 'attempt', 'reply', 'event', 'inspect', 'resume', 'settle'] as const
export type HookName = (typeof exchangeHooks)[number]
/** Every name that a `setup` may return. */
export const allHooks = [...exchangeHooks, 'wraps', 'hears', 'ready', 'health', 'close'] as const
