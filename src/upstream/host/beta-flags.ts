/**
 * Claude's beta flags on hosts other than Anthropic's own (H04, H05): which are refused there, which have another name, and which fields
 * of a body go with a flag.
 *
 * Data and one pure function. Flags that are not listed pass, so that new ones work the day they appear; the operator may deny more in the
 * config. A field that is only a wish goes with its flag and is disclosed; one that changes what the answer means is refused.
 */

import { HostError } from './host.ts'

interface FlagRule {
  /** Name without its date: `files-api` stands for `files-api-2025-04-14` and its successors. */
  readonly flag: string
  /** JSON pointers that go with it. */
  readonly wishes?: readonly string[]
  /** A member of every `cache_control` that goes with it. */
  readonly cacheMember?: string
  /** Top-level members without which the answer would be another one. */
  readonly needs?: readonly string[]
}

export interface FlagRules {
  readonly host: string
  readonly denied: readonly FlagRule[]
  /** Flags that the host knows under another name. */
  readonly renamed: Readonly<Record<string, string>>
}

/** Features that run at Anthropic's, not in the model. */
const notElsewhere: readonly FlagRule[] = [
  { flag: 'oauth' },
  { flag: 'advisor-tool' },
  { flag: 'code-execution' },
  { flag: 'files-api' },
  { flag: 'web-fetch' },
  { flag: 'web-search' }, // the tool needs none; a count with it is a 400
  { flag: 'fast-mode', wishes: ['/speed'] },
  { flag: 'prompt-caching-scope', cacheMember: 'scope' },
  { flag: 'mcp-client', needs: ['mcp_servers'] },
  { flag: 'mcp-servers', needs: ['mcp_servers'] },
  { flag: 'skills', needs: ['container'] },
]
const renamed = { 'advanced-tool-use-2025-11-20': 'tool-search-tool-2025-10-19' }

export const bedrockFlags: FlagRules = {
  host: 'Bedrock',
  denied: [...notElsewhere, { flag: 'claude-code' }],
  renamed,
}
export const vertexFlags: FlagRules = { host: 'Vertex', denied: notElsewhere, renamed }
/** Flags that Vertex takes in the body only: in the header they are a 400 (BerriAI/litellm#31607); the others it reads there (#22321). */
export const vertexBodyOnly = /^context-1m-/

/** The rules with flags that the operator denies as well. */
export function denyMore(rules: FlagRules, flags: readonly string[]): FlagRules {
  return flags.length === 0 ? rules : { ...rules, denied: [...rules.denied, ...flags.map((flag) => ({ flag }))] }
}

export interface SortedFlags {
  /** For the host, in order, each once. */
  readonly kept: readonly string[]
  /** As the client wrote them. */
  readonly denied: readonly string[]
  /** Pointers of fields to remove. */
  readonly wishes: readonly string[]
  readonly cacheMembers: readonly string[]
}

/**
 * Sorts the flags of one request.
 * @param has true for a top-level member that the body has
 * @throws HostError when the body needs a flag that the host does not have
 */
export function sortFlags(flags: readonly string[], rules: FlagRules, has: (member: string) => boolean): SortedFlags {
  const kept = new Set<string>()
  const denied: string[] = []
  const wishes: string[] = []
  const cacheMembers: string[] = []
  for (const flag of flags) {
    const rule = rules.denied.find(
      (one) => flag === one.flag || (flag.startsWith(one.flag) && /^[-_]\d+/.test(flag.slice(one.flag.length))),
    )
    if (!rule) {
      kept.add(rules.renamed[flag] ?? flag)
      continue
    }
    const missed = rule.needs?.find(has)
    if (missed !== undefined) {
      throw new HostError(`${missed}: ${rules.host} does not have the beta feature ${flag}. Remove the field, or use a model at Anthropic.`)
    }
    denied.push(flag)
    wishes.push(...(rule.wishes ?? []))
    if (rule.cacheMember !== undefined) cacheMembers.push(rule.cacheMember)
  }
  return { kept: [...kept], denied, wishes, cacheMembers }
}

/** The flags of an `anthropic-beta` header. */
export function flagsOf(header: string | null): string[] {
  return (header ?? '')
    .split(',')
    .map((flag) => flag.trim())
    .filter((flag) => flag !== '')
}
