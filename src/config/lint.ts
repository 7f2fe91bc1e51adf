/**
 * Advice about the order of the plugin list.
 *
 * Rules speak of hooks and slots, never of plugin names, so that they hold for third-party plugins too. What is certainly broken
 * is a mistake and the compiler's business; here is only what is likely not meant. Keep it small and true.
 */

import { type Diagnostic, type Path, type Position, pathText, type Severity } from './diagnostics.ts'

/** What the rules need to know of one entry of the list. */
export interface LintEntry extends Position {
  readonly id: string
  /** Name of the plugin. */
  readonly plugin: string
  /** Position in the list of the file. */
  readonly index: number
  /** Names of the hooks that the instance has. */
  readonly hooks: readonly string[]
  /** Names of slots. */
  readonly needs: readonly string[]
  readonly wants: readonly string[]
  readonly provides: readonly string[]
  /** Characters that its `inspect` hook holds back. */
  readonly holds?: number
  /** It runs only for some exchanges (`when`). */
  readonly conditional?: boolean
  /** Fields of its `when` that ask who is calling: `tier`, `tag`. */
  readonly asksCaller?: readonly string[]
  /** Its `when` needs the body: its first hook runs with those of `request`. */
  readonly asksBody?: boolean
  /** Exchanges go on without it when it fails. */
  readonly open?: boolean
  /** It accounts for usage. */
  readonly counts?: boolean
}

/** All advice about a list, in list order. `file` is the name in the diagnostics. */
export function lintOrder(entries: readonly LintEntry[], file: string): Diagnostic[] {
  const diagnostics: Diagnostic[] = []
  const say = (at: LintEntry | undefined, severity: Severity, message: string, fix: string): void => {
    const path: Path = at ? ['plugins', at.index] : ['plugins']
    const { line, column } = at ?? entries[0] ?? { line: 1, column: 1 }
    diagnostics.push({ severity, file, line, column, path: pathText(path), message, fix })
  }
  if (entries.length === 0) return diagnostics
  noRouter(entries, say)
  noCaller(entries, say)
  for (const [i, entry] of entries.entries()) {
    lateObserver(entries, i, entry, say)
    lateProvider(entries, i, entry, say)
    earlyCondition(entries, entry, say)
    lateCounter(entries, i, entry, say)
    lateHeaders(entries, i, entry, say)
  }
  longHold(entries, say)
  return diagnostics
}

type Say = (at: LintEntry | undefined, severity: Severity, message: string, fix: string) => void

const has = (entry: LintEntry, ...hooks: readonly string[]): boolean => hooks.some((hook) => entry.hooks.includes(hook))
/** It acts on the way down, so it sees requests even when something above ends them later. */
const actsDown = (entry: LintEntry): boolean => has(entry, 'admit', 'request', 'around', 'attempt')

/** Only `request` and `around` can choose a target or answer. */
function noRouter(entries: readonly LintEntry[], say: Say): void {
  if (entries.some((entry) => has(entry, 'request', 'around'))) return
  say(undefined, 'warning', 'no plugin here can choose an upstream: every request will fail', 'add `- use: router` at the end')
}

/** Without a principal the gateway's own keys serve whoever can connect. */
function noCaller(entries: readonly LintEntry[], say: Say): void {
  if (entries.some((entry) => entry.provides.includes('principal'))) return
  say(
    undefined,
    'advice',
    'nothing here says who is calling: whoever can connect may use your provider keys',
    'add `- use: auth` near the top',
  )
}

/** A plugin that only settles is not asked about exchanges that ended above it. */
function lateObserver(entries: readonly LintEntry[], i: number, entry: LintEntry, say: Say): void {
  if (!has(entry, 'settle') || actsDown(entry) || has(entry, 'reply', 'event', 'inspect')) return
  const provider = entries.findLastIndex((one, j) => j < i && one.provides.some((name) => entry.needs.includes(name)))
  const enders = entries.slice(provider + 1, i).filter((one) => has(one, 'admit', 'request', 'around'))
  const first = enders[0]
  if (!first) return
  const names = enders.map((one) => `\`${one.id}\``).join(', ')
  const message = `\`${entry.id}\` stands below ${names}: it will not see what ends there (refusals, answers from a cache)`
  say(entry, 'advice', message, `move it above \`${first.id}\` (line ${first.line}) unless that is meant`)
}

/** A wanted slot is empty when only a plugin below fills it. Who settles, and is one that may be missed, reads it when all is over. */
function lateProvider(entries: readonly LintEntry[], i: number, entry: LintEntry, say: Say): void {
  if (!actsDown(entry) || (has(entry, 'settle') && entry.open)) return
  for (const name of entry.wants) {
    const fills = (one: LintEntry): boolean => one.provides.includes(name)
    if (entries.slice(0, i).some(fills)) continue
    const below = entries.slice(i + 1).find(fills)
    if (!below) continue
    // another instance of it stands where the slot is filled: this one is meant for what comes before
    if (entries.some((one) => one.plugin === entry.plugin && one.index > below.index)) continue
    const message = `\`${entry.id}\` uses \`${name}\`, which only \`${below.id}\` below it (line ${below.line}) provides: it will find none`
    say(entry, 'advice', message, `move \`${below.id}\` above it`)
  }
}

/** In which pass an entry is first asked: `admit`, `request` or one that comes after both. */
function firstPass(entry: LintEntry): number {
  if (!has(entry, 'admit')) return has(entry, 'request') ? 1 : 2
  return entry.asksBody ? 1 : 0
}

/** A condition is looked at once, at the first hook. Who calls must be known by then, or it never holds. */
function earlyCondition(entries: readonly LintEntry[], entry: LintEntry, say: Say): void {
  const { asksCaller = [] } = entry
  if (asksCaller.length === 0) return
  const fields = asksCaller.map((field) => `\`${field}\``).join(' and ')
  const fills = entries.filter((one) => one !== entry && one.provides.includes('principal'))
  const pass = firstPass(entry)
  if (fills.some((one) => firstPass(one) < pass || (firstPass(one) === pass && one.index < entry.index))) return
  if (entry.provides.includes('principal')) {
    const message = `\`${entry.id}\` asks for a ${fields} before it has said who is calling: it never runs, and callers pass without it`
    say(entry, 'warning', message, `take ${fields} out of its \`when\``)
    return
  }
  const [later] = fills
  const why = later ? `which only \`${later.id}\` below it (line ${later.line}) knows` : 'which nothing here knows'
  const fix = later ? `move \`${later.id}\` above it` : 'add `- use: auth` above it'
  say(entry, 'warning', `\`${entry.id}\` asks for a ${fields} of the caller, ${why}: it never runs`, fix)
}

/** Who reckons with usage in advance must do so before a target is chosen. Who stands below a cache has the router below itself. */
function lateCounter(entries: readonly LintEntry[], i: number, entry: LintEntry, say: Say): void {
  if (!entry.counts || !has(entry, 'request')) return
  if (entries.slice(i + 1).some((one) => !one.counts && has(one, 'request', 'around'))) return
  const chooser = entries.findLast((one, j) => j < i && !one.counts && has(one, 'request', 'around'))
  if (!chooser) return
  const message = `\`${entry.id}\` stands below \`${chooser.id}\`, which has chosen a target by then: it reckons with that one alone`
  say(entry, 'advice', message, `move it above \`${chooser.id}\` (line ${chooser.line})`)
}

/** Headers that a plugin adds to replies are missing where the reply comes from above it. */
function lateHeaders(entries: readonly LintEntry[], i: number, entry: LintEntry, say: Say): void {
  if (!has(entry, 'reply') || actsDown(entry) || has(entry, 'inspect')) return
  if (!entries.slice(i + 1).some((one) => has(one, 'request', 'around'))) return
  const provider = entries.findLastIndex((one, j) => j < i && one.provides.some((name) => entry.wants.includes(name)))
  const enders = entries.slice(provider + 1, i).filter((one) => has(one, 'request', 'around'))
  const first = enders[0]
  if (!first) return
  const names = enders.map((one) => `\`${one.id}\``).join(', ')
  const message = `\`${entry.id}\` stands below ${names}: what ends there (refusals, answers from a cache) leaves without its headers`
  say(entry, 'advice', message, `move it above \`${first.id}\` (line ${first.line}) unless that is meant`)
}

const longest = 2000

/** Held-back text adds up from inspector to inspector. */
function longHold(entries: readonly LintEntry[], say: Say): void {
  const holders = entries.filter((entry) => (entry.holds ?? 0) > 0)
  const total = holders.reduce((sum, entry) => sum + (entry.holds ?? 0), 0)
  const last = holders.at(-1)
  if (!last || total <= longest) return
  const names = holders.map((one) => `\`${one.id}\``).join(' and ')
  say(
    last,
    'advice',
    `${names} hold back ${total} characters of each stream: the first words come late`,
    'use shorter patterns or fewer inspectors',
  )
}
