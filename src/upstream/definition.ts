/** An upstream as configured: where it is, what it speaks, how it is paid for and how long it may take. */

import type { CapabilityEdit } from '../dialect/capability.ts'
import type { Family } from '../dialect/codec.ts'
import type { OperationSpec } from '../dialect/family.ts'
import type { CacheFactsEdit } from '../plugin/cache-facts.ts'
import type { Operation } from '../plugin/exchange.ts'
import type { OwnHeaders } from './headers.ts'
import type { UpstreamHost } from './host/host.ts'
import type { Origin } from './http/origin.ts'

export interface UpstreamTimeouts {
  /** All in milliseconds, 0 = none. */
  readonly connect: number
  /** From the request to the first byte of the answer's head. */
  readonly firstByte: number
  /** Of a stream: from the request to its first content. */
  readonly firstToken: number
  /** Between two reads of the body. */
  readonly idle: number
  readonly total: number
}

export interface UpstreamDefinition {
  readonly name: string
  readonly family: Family
  /** The operations of its API; `apis` says which of them it has. */
  readonly operations: readonly OperationSpec[]
  /** Scheme, host and port of the base URL. */
  readonly origin: Origin
  /** Path of the base URL, without a slash at the end. */
  readonly basePath: string
  /** Base URL as text, for the record. */
  readonly baseUrl: string
  /** Credential and extra headers, sent on every call. */
  readonly headers: OwnHeaders
  /** True when the credential is the gateway's own, so that its rejection is not the client's fault. */
  readonly ownKey: boolean
  readonly timeouts: UpstreamTimeouts
  readonly onDisconnect: 'cancel' | 'drain'
  /** The operations that it has, by their names in its family. */
  readonly apis: ReadonlySet<Operation>
  /** The service that wraps the dialect, where it is not its own provider. */
  readonly host?: UpstreamHost | undefined
  /** What becomes of a request that can't be translated without leaving something out. */
  readonly onDrop: 'warn' | 'refuse'
  /** Translated requests without cache marks get some, where the dialect has them. */
  readonly autoCache?: boolean
  /** Corrections of what is known of its prompt cache, each with the glob of the models that it is of. */
  readonly cacheFacts?: readonly (readonly [glob: string, edit: CacheFactsEdit])[]
  /** What its models understand; as the config says it, for all of them. */
  readonly can: CapabilityEdit
}
