/** What everybody who delivers a reply needs: the exchange, the reply, how it ended, and who the reply says it is from. */

import type { Dialect, ReplyIdentity } from '../dialect/codec.ts'
import { objectOf } from '../dialect/shape.ts'
import type { ExchangeCore } from '../pipeline/core.ts'
import type { ReplyCore, StreamFailure } from '../pipeline/reply-core.ts'
import type { StreamEvent } from '../plugin/events.ts'
import type { CallUsage, Usage } from '../plugin/outcome.ts'
import type { RefusalCode } from '../plugin/refusal.ts'
import type { ErrorVoice } from './error-voice.ts'

/** How the delivery ended. */
export interface DeliveryEnd {
  readonly end: 'finished' | 'failed' | 'abandoned' | 'refused'
  readonly code?: RefusalCode | undefined
  readonly message?: string | undefined
  readonly by?: string | undefined
  /** Nothing of the reply has left: the client was given the refusal alone. */
  readonly unserved?: true
}

/** An attempt to go on with a stream that broke off. */
export interface Resumption {
  /** A good reply, or none. Never rejects. */
  readonly reply: Promise<ReplyCore | undefined>
  /** What the calls so far used: what goes on adds to it. */
  readonly usage: Usage
  /** The same, call by call. */
  readonly used: readonly CallUsage[]
  /** Nobody waits for it any more. */
  cancel(): void
}

export interface DeliveryOptions {
  readonly core: ExchangeCore
  readonly reply: ReplyCore
  /** The client's dialect. */
  readonly dialect: Dialect
  /** How errors are spelled. */
  readonly errors: ErrorVoice
  /** Chat: the client asked for the usage-only chunk. */
  includeUsage(): boolean
  /** Chat: the gateway asked for the usage-only chunk, and the client did not. */
  readonly withholdUsage: boolean
  /** Milliseconds of silence after which a live stream gets a sign of life; 0 = never. */
  readonly heartbeat: number
  /** The response goes to the listener's socket, and nobody in this process reads it. */
  readonly direct: boolean
  /** The upstream goes on, unseen, when the client leaves a live stream. */
  readonly drain: boolean
  /** Somebody may go on with a stream that breaks off. */
  readonly resumable: boolean
  /** Asks for a reply that goes on with a stream that broke off, of which `said` is the text so far. */
  resume(failure: StreamFailure, said: string): Resumption
  /** All but the end of the answer is handed over. Where the end is to wait for settlement, a promise that never rejects. */
  onEnd(end: DeliveryEnd): Promise<unknown> | undefined
}

/** Milliseconds. */
const patience = 20

/** Asked for only when the client had time to go: its signal costs. */
export function clientHasGone(o: DeliveryOptions): boolean {
  const { core } = o
  return (core.headAt ?? core.elapsed()) > patience && core.signal.aborted
}

/** Whom the reply names as its maker. */
export function identityOf(o: DeliveryOptions, events: readonly StreamEvent[]): ReplyIdentity {
  const start = events.find((e) => e.type === 'start')
  return {
    id: (start?.type === 'start' && start.id) || o.core.id,
    model: (start?.type === 'start' && start.model) || o.reply.attempt?.modelServed || o.core.modelAsked || '',
    created: Math.floor(o.core.receivedAt / 1000),
    includeUsage: o.includeUsage(),
    get request() {
      return requestOf(o)
    },
  }
}

/** What the client asked; undefined when its body is no JSON: one that was not translated is not checked whole. */
function requestOf(o: DeliveryOptions): ReplyIdentity['request'] {
  try {
    return objectOf(o.core.body?.document.value)
  } catch {
    return undefined
  }
}
