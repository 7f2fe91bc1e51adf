/**
 * What the ledger holds of a conversation, under which names and in which form.
 *
 *   s:<session>              the session: its policy, its group, what was given up for it        p:<policy>   a policy
 *   r:<session> <answer>     what holds from an answer of the model on                           d:<session> <text>   what was sent for a text
 *   w:<rewriting>            all decisions of a conversation, when they were made anew
 *
 * Texts are packed when they are written, not while the request waits.
 */

import type { Json, SessionValue } from 'headgate/plugin'
import type { Standing } from './branch.ts'
import { type Chain, keyText } from './chain.ts'
import { packed } from './ledger.ts'
import type { UnitRecord } from './record.ts'
import type { SessionState, Sessions } from './sessions.ts'

/** A value, or the text that is sent, which is packed before it is written; null is the client's own. */
export type Entry = readonly [key: string, value: Json | { readonly sent: string | null }]

// names are of one session: another one may have another policy
export const branchKey = (session: string, chain: Chain, at: number): string => `${session} ${keyText(chain.keys[at]!)}`
export const standingKey = (session: string, chain: Chain, at: number): string => `r:${branchKey(session, chain, at)}`
export const sentKey = (session: string, text: string): string => `d:${session} ${text}`
export const rewritingKey = (name: string): string => `w:${name}`

export function standingOf({ floor, control, policy, forced, rewritten }: Standing): Json {
  return { f: floor, c: control, p: policy, x: forced, ...(rewritten !== undefined && { w: rewritten }) }
}

export function readStanding(kept: Json | undefined): Standing | undefined {
  if (typeof kept !== 'object' || kept === null || Array.isArray(kept)) return undefined
  const { f, c, p, x, w } = kept as { readonly [key: string]: Json | undefined }
  if (typeof f !== 'number' || typeof p !== 'string') return undefined
  return { floor: f, control: c === true, policy: p, forced: x === true, ...(typeof w === 'string' && { rewritten: w }) }
}

/** All decisions of a conversation, by name: `true` for what is cleared. */
export function rewritingOf(records: readonly UnitRecord[]): Json {
  const list: Record<string, Json> = {}
  for (const { texts } of records) {
    for (const { id, fixed, masked, json } of texts) if (!fixed) list[id] = masked ? true : json === undefined ? false : packed(json)
  }
  return list
}

export interface Keeping {
  readonly session: SessionValue
  readonly state: SessionState
  readonly sessions: Sessions
  readonly standing: Standing
  /** Where the standing is kept; absent before the first answer of the model. */
  readonly standingName: string | undefined
  /** The standing is not kept yet. */
  readonly isNew: boolean
  readonly records: readonly UnitRecord[]
  /** Messages from here on are not kept yet. */
  readonly from: number
  /** Texts that are. */
  readonly known: ReadonlySet<string>
  /** The session has a lane that is not kept yet. */
  readonly newLane: boolean
  /** What was kept so many milliseconds ago is written anew. */
  readonly refresh: number
  readonly now: number
}

/** What is to be written: `claims` where nothing stands yet, `writes` over what does. */
export function entriesOf(o: Keeping): { readonly claims: readonly Entry[]; readonly writes: readonly Entry[] } {
  const { session, state, standing, standingName, records, now } = o
  const claims: Entry[] = []
  const writes: Entry[] = []
  if (standingName !== undefined && o.isNew) claims.push([standingName, standingOf(standing)])
  const due = now - state.keptAt > o.refresh
  if (due || o.newLane) writes.push(...o.sessions.entries(session.id, state))
  if (due) {
    state.keptAt = now
    if (standing.rewritten !== undefined) writes.push([rewritingKey(standing.rewritten), rewritingOf(records)])
    if (standingName !== undefined && !o.isNew) writes.push([standingName, standingOf(standing)])
  }
  if (standing.control) return { claims, writes }
  for (const [i, record] of records.entries()) {
    const old = now - record.keptAt > o.refresh
    if (i < o.from && !old) continue
    if (old) record.keptAt = now
    for (const { id, fixed, masked, json } of record.texts) {
      if (fixed || masked || (i < standing.floor && json === undefined)) continue
      const entry: Entry = [sentKey(session.id, id), { sent: json ?? null }]
      if (i < o.from) writes.push(entry)
      else if (!o.known.has(id)) claims.push(entry)
    }
  }
  return { claims, writes }
}

/** An entry as it is written. */
export function written([key, value]: Entry): readonly [key: string, value: Json] {
  if (typeof value !== 'object' || value === null || !('sent' in value)) return [key, value as Json]
  const { sent } = value as { readonly sent: string | null }
  // null would be read as nothing
  return [key, sent === null ? false : packed(sent)]
}
