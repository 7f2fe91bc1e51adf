/**
 * What the slot `Trim` says of a request: tokens by class, and what they saved by the provider's bill. Reckoned when somebody asks, off the request's way.
 */

import type { RequestView, SessionValue, TrimValue } from 'headgate/plugin'
import type { Passed } from './pass.ts'
import { savedOf } from './record.ts'
import { type Prompt, savings } from './savings.ts'

export interface OwnTrimValue extends TrimValue {
  /** Tokens by class of what this request carries for the first time. */
  readonly newClasses: Readonly<Record<string, number>>
}

export function untrimmed(reason: 'control' | 'off'): TrimValue {
  return { tokens: 0, newTokens: 0, classes: {}, reason, savings: () => 0n }
}

interface Sum {
  readonly classes: Record<string, number>
  readonly newClasses: Record<string, number>
  readonly prompt: Prompt
}

export function trimValue(request: RequestView, passed: Passed, session: SessionValue): OwnTrimValue {
  let made: Sum | undefined
  const sum = (): Sum => (made ??= sumOf(request, passed, session))
  return {
    get tokens() {
      return total(sum().classes)
    },
    get newTokens() {
      return total(sum().newClasses)
    },
    get classes() {
      return sum().classes
    },
    get newClasses() {
      return sum().newClasses
    },
    savings: (usage, price) => savings(sum().prompt, usage, price),
  }
}

const total = (classes: Readonly<Record<string, number>>): number => Object.values(classes).reduce((sum, tokens) => sum + tokens, 0)

/** Tokens are whole, by class, so that they add up. */
function sumOf(request: RequestView, { units, records, fresh, rewrittenFrom }: Passed, session: SessionValue): Sum {
  const exact: Record<string, number> = {}
  const exactNew: Record<string, number> = {}
  const removed: { middle: number; tokens: number }[] = []
  const ratio = session.tokenRatio ?? 1
  const lead = request.units.length - units.length
  let bytes = 0
  for (let i = 0; i < lead; i++) bytes += request.units[i]!.end - request.units[i]!.start
  const { last } = session
  let anchor = last?.units !== undefined && last.input !== undefined && last.units <= lead ? { bytes, tokens: last.input } : undefined
  let changedAt: number | undefined
  for (const [i, unit] of units.entries()) {
    const begin = bytes
    let less = 0
    if (i === rewrittenFrom) changedAt = begin
    for (const text of records[i]?.texts ?? []) {
      const { json, at } = text
      if (json === undefined || !at) continue
      const start = begin + at.start - less
      less += at.end - at.start - text.bytes
      let tokens = 0
      for (const [name, count] of Object.entries(savedOf(text))) {
        tokens += count * ratio
        exact[name] = (exact[name] ?? 0) + count * ratio
        if (i >= fresh) exactNew[name] = (exactNew[name] ?? 0) + count * ratio
      }
      removed.push({ middle: start + text.bytes / 2, tokens })
    }
    bytes += unit.end - unit.start - less
    if (last?.units !== undefined && last.input !== undefined && last.units === lead + i + 1) anchor = { bytes, tokens: last.input }
  }
  return { classes: whole(exact), newClasses: whole(exactNew), prompt: { removed, bytes, anchor, changedAt } }
}

function whole(classes: Readonly<Record<string, number>>): Record<string, number> {
  const rounded: Record<string, number> = {}
  for (const [name, tokens] of Object.entries(classes)) if (Math.round(tokens) !== 0) rounded[name] = Math.round(tokens)
  return rounded
}
