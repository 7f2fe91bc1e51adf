/**
 * Limits as they are enforced: the operator's, compiled once, and a caller's own, compiled when it first comes.
 *
 * A limit is counted under an id made of what it counts, not of how much it allows, so that raising it keeps the count. This file takes nothing.
 */

import type { Host, PrincipalLimit, PrincipalValue } from 'headgate/plugin'
import { type By, named, needsBody, type SubjectOf, subjectOf } from './subject.ts'
import { durationText } from './told.ts'
import { type Matches, matcherOf, type When, whenText } from './when.ts'

/** What is counted. */
export type What = 'requests' | 'tokens'

/** One limit of the config; with both `requests` and `tokens` it is two. */
export interface LimitConfig {
  readonly requests?: number
  readonly tokens?: number
  /** Milliseconds. */
  readonly window: number
  readonly by: By | readonly By[]
  readonly kind?: 'fixed' | 'bucket'
  readonly burst?: number
  readonly when?: When
}

export interface Limit {
  /** What it counts, of whom: `requests/1m/key`, `tokens/1d/account tier=free`. For metrics, records and state. */
  readonly id: string
  /** The id as state keys begin with it: short, whatever the condition. */
  readonly prefix: string
  readonly what: What
  /** Allowed per window. */
  readonly limit: number
  /** Milliseconds. */
  readonly window: number
  readonly kind: 'fixed' | 'bucket'
  /** The most that can be taken at once: the limit, or what the bucket holds. */
  readonly capacity: number
  readonly by: readonly By[]
  readonly subject: SubjectOf
  readonly matches: Matches | undefined
  /** Whether it is for this request, and who is counted, is known before the body is read. */
  readonly early: boolean
}

/** The limits that hold for some callers. */
export interface LimitSet {
  readonly all: readonly Limit[]
  /** Those that can be told before the body is read. */
  readonly early: readonly Limit[]
  /** Some need the body: then all are taken when it is there, so that all are taken at once. */
  readonly needsBody: boolean
}

/**
 * Compiles the limits of the config.
 * @throws Error that names the limit at fault: nothing is counted, or the same is counted twice.
 */
export function compileLimits(limits: readonly LimitConfig[], catalog: Host['catalog']): Limit[] {
  const made: Limit[] = []
  for (const [i, config] of limits.entries()) {
    const { window, kind, burst } = config
    const where = `limit ${i + 1}`
    if (!(window >= 1)) throw new Error('window must be longer than 0')
    const amounts = (['requests', 'tokens'] as const).flatMap((what) => (config[what] === undefined ? [] : [{ what, limit: config[what] }]))
    if (amounts.length === 0) throw new Error(`${where}: set \`requests\` or \`tokens\``)
    if (burst !== undefined && kind === 'fixed') throw new Error(`${where}: \`burst\` is for \`kind: bucket\``)
    if (burst !== undefined && amounts.length > 1)
      throw new Error(`${where}: give \`requests\` and \`tokens\` a limit each: \`burst\` can't mean both`)
    for (const amount of amounts) {
      const limit = limitOf({ ...config, ...amount }, catalog)
      if (made.some((other) => other.id === limit.id && other.kind === limit.kind))
        throw new Error(`${where}: ${limit.what} per ${durationText(window)} by ${limit.by.join(' and ')} are limited already`)
      made.push(limit)
    }
  }
  return made
}

function limitOf(config: LimitConfig & { readonly what: What; readonly limit: number }, catalog: Host['catalog']): Limit {
  const { what, limit, window, burst, when } = config
  const kind = config.kind ?? (burst === undefined ? 'fixed' : 'bucket')
  const by = [config.by].flat() as readonly By[]
  const condition = whenText(when)
  const id = `${what}/${durationText(window)}/${by.join('+')}${condition && ` ${condition}`}`
  return {
    id,
    prefix: `${condition === '' ? id : named(id)} `,
    what,
    limit,
    window,
    kind,
    capacity: kind === 'bucket' ? (burst ?? limit) : limit,
    by,
    subject: subjectOf(by, catalog),
    matches: matcherOf(when),
    early: !by.some(needsBody) && when?.model === undefined,
  }
}

/** Groups limits by when they can be taken. */
export function limitSet(all: readonly Limit[]): LimitSet {
  const early = all.filter((limit) => limit.early)
  return { all, early, needsBody: early.length < all.length || all.some((limit) => limit.what === 'tokens') }
}

/**
 * Finds the limits for a caller: the operator's; where the caller has limits of its own, these instead of the operator's limits by key of the same
 * kind. Kept for as long as the caller's list is.
 */
export function limitsFor(configured: readonly Limit[], catalog: Host['catalog']): (principal: PrincipalValue | undefined) => LimitSet {
  const usual = limitSet(configured)
  const known = new WeakMap<readonly PrincipalLimit[], LimitSet>()
  return (principal) => {
    const own = principal?.limits
    if (own === undefined || own.length === 0) return usual
    let set = known.get(own)
    if (set === undefined) {
      set = limitSet(withOwn(configured, own, catalog))
      known.set(own, set)
    }
    return set
  }
}

function withOwn(configured: readonly Limit[], own: readonly PrincipalLimit[], catalog: Host['catalog']): Limit[] {
  const made = new Map<string, Limit>()
  for (const { window, requests, tokens } of own) {
    for (const [what, limit] of [
      ['requests', requests],
      ['tokens', tokens],
    ] as const) {
      if (limit === undefined) continue
      const compiled = limitOf({ what, limit, window, by: 'key' }, catalog)
      const before = made.get(compiled.id)
      // of two for the same window the lower one holds
      if (before === undefined || before.limit > limit) made.set(compiled.id, compiled)
    }
  }
  const owned = [...made.values()]
  const replaced = (limit: Limit) => limit.by.length === 1 && limit.by[0] === 'key' && owned.some((one) => one.what === limit.what)
  return [...configured.filter((limit) => !replaced(limit)), ...owned]
}
