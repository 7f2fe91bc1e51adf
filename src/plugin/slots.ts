/**
 * Slots: typed keys under which one plugin hands a value to the plugins below it.
 *
 * A slot is identified by its name, not by object identity, so that a plugin loaded from another copy of this package
 * still meets the same slot. Names are registered once per process and get a dense index; an exchange keeps its slot
 * values in an array by that index. This file may not know what any slot is for, except the two that every gateway has.
 */

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
  /** Opaque id; reveals and authorises nothing. */
  readonly id: string
  /** Turn number in this session, from 1. */
  readonly turn: number
}
export const Session: Slot<SessionValue> = slot<SessionValue>('session', { id: 'ses_example', turn: 1 })
