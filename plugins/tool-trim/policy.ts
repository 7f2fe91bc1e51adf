/**
 * What decides how a result is trimmed, besides the conversation: frozen for a session at its first request.
 *
 * A config that changes, or another version of the gateway, must not rewrite prompts that a provider has cached. The policy is kept beside the session, as
 * JSON; what was sent under another version of the code is kept in the ledger.
 */

import { estimateText, type Json, type TrimClass, type Trimmer, trimClasses } from 'headgate/plugin'
import { builtInTrimmers, composeTrim, type HistoryBounds, usualBounds } from './classes/index.ts'
import type { Config } from './config.ts'
import type { Kind, ToolKinds } from './facts.ts'
import type { Trim } from './trimmer.ts'

export interface Policy {
  readonly classes: readonly TrimClass[]
  readonly refDistance: number
  readonly minTokens: number
  readonly maxResult: number
  readonly kinds: ToolKinds
  readonly notTools: readonly string[]
  readonly skipMarked: boolean
  readonly controlShare: number
  /** Absent = off. */
  readonly mask?: { readonly turns: number; readonly tools: readonly string[] }
}

export function policyOf(config: Config): Policy {
  const kinds: Partial<Record<Kind, readonly string[]>> = {}
  for (const kind of ['shell', 'file', 'api'] as const) if (config.tools[kind].length > 0) kinds[kind] = config.tools[kind]
  return {
    classes: trimClasses.filter((name) => config.classes[name]),
    refDistance: config.ref_distance,
    minTokens: config.min_tokens,
    maxResult: config.max_result,
    kinds,
    notTools: config.tools.not,
    skipMarked: config.skip_marked,
    controlShare: config.control_share,
    ...(config.cold_mask.enabled && { mask: { turns: config.cold_mask.turns, tools: config.cold_mask.tools } }),
  }
}

/** A policy as it was kept; undefined when it is none: a version that nobody knows any more. */
export function readPolicy(kept: Json | undefined): Policy | undefined {
  if (typeof kept !== 'object' || kept === null || Array.isArray(kept)) return undefined
  const { classes, refDistance, minTokens, maxResult, kinds, notTools } = kept as unknown as Partial<Policy>
  const whole = Array.isArray(classes) && refDistance !== undefined && minTokens !== undefined && maxResult !== undefined
  if (!whole || typeof kinds !== 'object' || !Array.isArray(notTools)) return undefined
  return { ...(kept as unknown as Policy), classes: classes.filter((name) => trimClasses.includes(name)) }
}

/** The name of a policy. */
export const policyId = (policy: Policy): string => (Bun.hash.wyhash(JSON.stringify(policy)) as bigint).toString(36)

export const boundsOf = (policy: Policy): HistoryBounds => ({ ...usualBounds, results: policy.refDistance })

const kept = 32

/** The function of a policy; `refs` false leaves references out. Made once for each. @param more classes of other plugins */
export function trims(): (policy: Policy, refs: boolean, more: readonly Trimmer[]) => Trim {
  const made = new Map<string, { readonly more: readonly Trimmer[]; readonly trim: Trim }>()
  return (policy, refs, more) => {
    const classes = refs ? policy.classes : policy.classes.filter((name) => name !== 'ref')
    const key = classes.join()
    const known = made.get(key)
    if (known && (known.more === more || (known.more.length === more.length && known.more.every((one, i) => one === more[i]))))
      return known.trim
    const trim = composeTrim([...builtInTrimmers, ...more].filter((trimmer) => classes.includes(trimmer.class)))
    if (made.size >= kept) made.clear()
    made.set(key, { more, trim })
    return trim
  }
}

/** Whether a text is large enough to be looked at, and not too large. */
export function fits({ minTokens, maxResult }: Policy, text: string): boolean {
  if (text.length < minTokens || text.length > maxResult) return false
  // a token is hardly ever more than eight characters of text
  return text.length > minTokens * 8 || estimateText(text) >= minTokens
}

/** Whether a session is of the control group. The same for a session on every instance. */
export function isControl({ controlShare }: Policy, session: string): boolean {
  return controlShare > 0 && Number((Bun.hash.wyhash(session, 0x636f6e74n) as bigint) % 10_000n) < controlShare * 100
}
