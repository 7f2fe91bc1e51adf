/** What one upstream call needs to know. */

import type { Dialect, Family } from '../dialect/codec.ts'
import type { ReplyTranslation } from '../dialect/translate.ts'
import type { Attempt } from '../plugin/outcome.ts'
import { capabilitiesAt } from './capabilities.ts'
import type { UpstreamDefinition } from './definition.ts'
import type { HeaderLines, Transport } from './http/transport.ts'

export interface CallOptions {
  readonly transport: Transport
  readonly upstream: UpstreamDefinition
  /** Codec of the upstream's dialect. */
  readonly dialect: Dialect
  /** API family of the client: it decides how a failure's status is spelled. */
  readonly family: Family
  /** Present when the client speaks another dialect: turns the reply's events into its terms. */
  readonly translation?: ReplyTranslation | undefined
  readonly path: string
  readonly method: string
  readonly headers: Headers | HeaderLines
  readonly body: readonly Uint8Array[]
  /** The client asked for a stream. */
  readonly stream: boolean
  readonly attempt: Attempt
  /** Start of the exchange on the monotonic clock. */
  readonly startedAt: number
  /** The monotonic clock, where it has just been read. */
  readonly now?: number | undefined
  /** Who waits for the answer; asked now and then whether it has gone. Its signal is made only then. */
  readonly client: { readonly signal: AbortSignal }
  /** Asked now and then whether all calls are to end, for the process does; absent for calls that whoever makes them ends or takes up again. */
  readonly ending?: Ending | undefined
}

/** The end of the gateway. */
export interface Ending {
  /** The time for finishing is over: what still runs is cut, and says so to its client. */
  readonly cut: boolean
}

/** True for a model whose streams end without a stop reason (B03). */
export function mayEndUnstopped({ attempt, dialect, upstream }: CallOptions): boolean {
  return capabilitiesAt(upstream, dialect.name, attempt.model).finishMissing
}
