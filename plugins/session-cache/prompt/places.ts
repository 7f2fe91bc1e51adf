/**
 * Where marks go: at the end of what never changes, at the end of the request, and where the request before this one ended when that is too far back for
 * the provider to find. Decided from the request alone, so that every instance, and the same one after a restart, decides alike. Pure.
 *
 *   tools, system ─B1─▶ … │ prompt of the last request ─B3─▶ │ what was added … ─B2─▶
 *                    what was sent before ─B4─▶ first changed message
 */

import type { BodyInsertion, CacheFacts, PromptUnit } from 'headgate/plugin'
import { type CallBytes, markOn, pointAfterTools } from './mark-writer.ts'

export interface Placing {
  readonly facts: CacheFacts
  /** Ask for the longer lifetime. */
  readonly long: boolean
  /** `all`: a conversation. `lead`: only what comes before it is worth keeping. */
  readonly what: 'all' | 'lead'
  /** Index of the first unit that differs from what was sent last; absent = not known, or none. */
  readonly changed?: number | undefined
  /** Bytes of a prefix below which the provider surely keeps nothing. */
  readonly leastBytes: number
  /** Nothing may be written from the changed unit on: it changes each time. */
  readonly stopped?: boolean
}

/** Blocks before a place that is still found, short of what the provider looks at: what is one block to us may be two to it. */
const margin = 5
/** How far back from the end a piece is looked for that may bear a mark. */
const reach = 8

/** What is to be inserted for each mark; empty when there is no place for one, or none is worth it. */
export function marksFor(call: CallBytes, units: readonly PromptUnit[], placing: Placing): (readonly BodyInsertion[])[] {
  const { facts, long, what, changed, leastBytes, stopped } = placing
  const upTo = sizes(units)
  const limit = stopped && changed !== undefined ? changed : units.length
  const firstMessage = messagesFrom(units)
  const taken = new Map<number, readonly BodyInsertion[]>()
  const place = (index: number, floor: number): boolean => {
    for (let i = Math.min(index, limit - 1); i >= floor && i > index - reach; i--) {
      if (taken.has(i)) return true
      if (upTo[i]! < leastBytes) return false
      const made = allowed(units[i]!, facts) ? markOn(call, units[i]!, facts, long) : undefined
      if (!made) continue
      taken.set(i, made)
      return true
    }
    return false
  }
  const lead = place(firstMessage - 1, 0)
  if (!lead && facts.marks === 'cachePoint' && facts.places.includes('tools') && limit > 0) {
    const made = pointAfterTools(call, facts, long)
    if (made) taken.set(-1, made)
  }
  if (what === 'all' && facts.marks !== 'prompt_cache_breakpoint') {
    if (limit < units.length) place(limit - 1, firstMessage)
    else place(units.length - 1, firstMessage)
    const previous = limit < units.length ? -1 : previousEnd(units, firstMessage)
    if (previous >= firstMessage && facts.lookBack !== undefined && isFar(call, units, previous, facts.lookBack - margin))
      place(previous, firstMessage)
    if (changed !== undefined && changed > firstMessage && limit === units.length && taken.size < facts.maxMarks)
      place(changed - 1, firstMessage)
  }
  // the lead first, then from the end: the least useful is left out
  return [...taken.values()].slice(0, facts.maxMarks)
}

/** Bytes of the prompt up to the end of each unit. */
function sizes(units: readonly PromptUnit[]): number[] {
  let total = 0
  return units.map((unit) => (total += unit.end - unit.start))
}

function allowed({ kind, role }: PromptUnit, { places }: CacheFacts): boolean {
  if (kind === 'tools') return places.includes('tools')
  return places.includes(kind === 'system' || isSystem(role) ? 'system' : 'messages')
}

export function isSystem(role: string): boolean {
  return role === 'system' || role === 'developer'
}

/** Index of the first unit of the conversation itself: behind tools, system, and leading messages of the system. */
export function messagesFrom(units: readonly PromptUnit[]): number {
  let at = 0
  while (at < units.length && (units[at]!.kind !== 'message' || isSystem(units[at]!.role))) at++
  return at
}

/** What a model says in the dialects: messages, and items of Responses. */
export function byModel(role: string): boolean {
  return role === 'assistant' || role === 'model' || role === 'reasoning' || role.endsWith('_call')
}

/** Index of the unit with which the request before this one ended: the one before the model's last turn; -1 when there is none. */
export function previousEnd(units: readonly PromptUnit[], firstMessage: number): number {
  let at = units.length - 1
  // a turn of the model at the very end is the beginning of its answer
  if (at >= firstMessage && byModel(units[at]!.role)) at = skip(units, at, firstMessage, true)
  at = skip(units, at, firstMessage, false)
  at = skip(units, at, firstMessage, true)
  return at
}

function skip(units: readonly PromptUnit[], at: number, floor: number, model: boolean): number {
  while (at >= floor && byModel(units[at]!.role) === model) at--
  return at
}

/** Whether more than `most` blocks stand behind a unit. */
function isFar(call: CallBytes, units: readonly PromptUnit[], index: number, most: number): boolean {
  let blocks = 0
  for (let i = units.length - 1; i > index; i--) {
    const unit = units[i]!
    const count = call.body[unit.start] === 0x7b ? call.itemsAt(unit.start, '/content').length : 1
    blocks += Math.max(1, count)
    if (blocks > most) return true
  }
  return false
}
