/**
 * Slots: typed keys under which one plugin hands a value to the plugins below it.
 *
 * A slot is identified by its name, not by object identity, so that a plugin loaded from another copy of this package
 * still meets the same slot. Names are registered once per process and get a dense index; an exchange keeps its slot
 * values in an array by that index. This file may not know what any slot is for, except the two that every gateway has.
 */

import { type Usage, unknownUsage } from './outcome.ts'
import type { Price } from './price.ts'
import type { Trimmer } from './trimmer.ts'

/** A typed key. Create one with {@link slot}; declare it in `needs`, `wants` or `provides` of a plugin. */
export interface Slot<T> {
  readonly name: string
  /** Position in an exchange's slot array; process-wide. */
  readonly index: number
  /** A value of the right shape; used by `headgate explain` and by the test kit to fill `needs`. */
  readonly example: T
}

const registryKey = Symbol.for('headgate.slots')
const registry: Map<string, Slot<unknown>> = ((globalThis as Record<symbol, unknown>)[registryKey] ??= new Map()) as Map<
  string,
  Slot<unknown>
>

/**
 * Names a slot. The same name always gives the same slot; the first `example` stays.
 * @throws TypeError when the name is not kebab-case.
 */
export function slot<T>(name: string, example: T): Slot<T> {
  const known = registry.get(name)
  if (known) return known as Slot<T>
  if (!/^[a-z][a-z0-9-]*$/.test(name)) throw new TypeError(`slot name ${JSON.stringify(name)} must be kebab-case`)
  const made: Slot<T> = Object.freeze({ name, index: registry.size, example })
  registry.set(name, made)
  return made
}

/** How many slots exist in this process: the length of an exchange's slot array. */
export function slotCount(): number {
  return registry.size
}

/** Who is calling. Provided by an auth plugin; limits, budgets and audit need it. */
export interface PrincipalValue {
  /** Stable, public id of the key or subject. Never the secret. */
  readonly id: string
  /** Human name of the key, for logs. */
  readonly name?: string
  /** How the caller proved who it is. */
  readonly kind: 'key' | 'instance' | 'self_host' | 'jwt' | 'anonymous'
  /** Account that pays; defaults to `id`. */
  readonly account: string
  /** Tier name, matched by `when: { tier: … }`. */
  readonly tier?: string
  /** Free tags, matched by `when: { tag: … }`. */
  readonly tags: readonly string[]
  /** Model globs this caller may use; absent = all. */
  readonly models?: readonly string[]
  /** Limits of this caller's own, which win over those of the rate-limit plugin. */
  readonly limits?: readonly PrincipalLimit[]
  /** Caps of this caller's own, which the budget plugin holds it to besides its account's balance. */
  readonly caps?: readonly PrincipalCap[]
  /** End user on whose behalf the caller speaks, where the credential names one. */
  readonly user?: string
  /** Milliseconds since the epoch after which the credential is no longer good. */
  readonly expiresAt?: number
}
/** So many requests and tokens per window of so many milliseconds. */
export interface PrincipalLimit {
  readonly window: number
  readonly requests?: number
  readonly tokens?: number
}
/** So much money (USD as a decimal string) or so many messages per period. */
export interface PrincipalCap {
  readonly per: 'day' | 'month' | 'total'
  readonly usd?: string
  readonly messages?: number
}
export const Principal: Slot<PrincipalValue> = slot<PrincipalValue>('principal', {
  id: 'key_example',
  name: 'example',
  kind: 'key',
  account: 'acct_example',
  tags: [],
})

/** Which conversation an exchange belongs to. Provided by a session plugin. */
export interface SessionValue {
  /** Opaque id; reveals and authorises nothing. Apart for each caller. */
  readonly id: string
  /** Turn number in this session, from 1. */
  readonly turn: number
  /** One line of turns within the session that share model, tools and system: an agent multiplexes its main loop, sub-agents and titles over one session. */
  readonly lane?: string
  /** How it was found: named by the client, by the messages that it continues, or new. */
  readonly source?: 'client' | 'prefix' | 'new'
  /** The session that this one was forked from. */
  readonly parent?: string
  /** What is known of the lane's last exchange; absent for its first. */
  readonly last?: LaneState
  /** Input tokens that this request will have, estimated from what the lane's last one was billed and from what is new in this one. */
  inputTokens?(): number
  /** Tokens that the model is billed for, per token of `estimateText`: learned from its bills. Absent = not known. */
  readonly tokenRatio?: number
}

/** The last settled exchange of a lane. Times are milliseconds since the epoch. */
export interface LaneState {
  readonly at: number
  readonly upstream?: string
  /** As the upstream calls it. */
  readonly model?: string
  /** Input tokens that were billed, and how many of them were read from and written to the provider's cache. */
  readonly input?: number
  readonly cacheRead?: number
  readonly cacheWrite?: number
  /** Until when what it read or wrote is warm, as far as the provider says. */
  readonly warmUntil?: number
  /** How many units of the prompt (`request.units`) it had. */
  readonly units?: number
}
export const Session: Slot<SessionValue> = slot<SessionValue>('session', { id: 'ses_example', turn: 1 })

/** What a trimmer took out of a request before it left. Tokens are estimates. */
export interface TrimValue {
  /** Tokens that this request is shorter by, with all that is trimmed in its history. */
  readonly tokens: number
  /** Of those: in text that this request carries for the first time. */
  readonly newTokens: number
  /** Tokens by class of trimming. */
  readonly classes: Readonly<Record<string, number>>
  /** Why nothing was trimmed, where there is a reason: `control`, `off`. */
  readonly reason?: string
  /**
   * What that saved, in picodollars, by what the provider billed: text of the history at the rate at which the history was billed, new text at the
   * rate of new text. Negative when it cost more than it saved; undefined when it can't be measured.
   */
  savings(usage: Usage, price: Price): bigint | undefined
}
export const Trim: Slot<TrimValue> = slot<TrimValue>('trim', { tokens: 0, newTokens: 0, classes: {}, savings: () => 0n })

/** What was done for the provider's prompt cache. */
export interface PromptCacheValue {
  /** Who is to thank for what is read: the client's own marks, a provider that caches by itself, marks of the gateway, or nobody. */
  readonly attribution: 'client' | 'provider' | 'gateway' | 'none'
  /** Input tokens that should be read from the cache this time; absent = not known. */
  readonly expected?: number
  /** Answered from a cache of the gateway: no provider was called. */
  readonly response?: 'hit' | 'joined'
  /** The call that this spared: who made the answer that is given again, and what was billed for it. Absent = not known. */
  readonly instead?: { readonly upstream: string; readonly model: string; readonly usage: Usage }
}
export const PromptCache: Slot<PromptCacheValue> = slot<PromptCacheValue>('prompt-cache', { attribution: 'none' })

/** What a caller was charged for an exchange. Put at settlement by a plugin that charges: those above it, which settle later, find it. */
export interface ChargeValue {
  /** Picodollars that providers charge for what was delivered, where nobody reported it an estimate. */
  readonly cost: bigint
  /** What the client was given: as reported, or estimated by what passed (source `estimated`). */
  readonly usage: Usage
  /** A price was not known, and the operator's own bound stands in its place. */
  readonly guessed: boolean
}
export const Charged: Slot<ChargeValue> = slot<ChargeValue>('charged', { cost: 0n, usage: unknownUsage, guessed: false })

/**
 * Classes of trimming beyond the built-in ones, tried after those of the same kind. A plugin above the trimmer provides them; one that stands below
 * another that provides some `wants` this slot too, and puts theirs before its own. The same for every exchange of a session, or its cache is lost.
 */
export const Trimmers: Slot<readonly Trimmer[]> = slot<readonly Trimmer[]>('trimmers', [])
