/**
 * Totals of sessions, over all instances: each adds up its own, and writes them where the others can read them.
 *
 * Keys: `instances` who there is, `u:<instance>:<session>` what one instance counted, `r:<instance>` the sessions that it had last. Nothing is written by
 * two, so that nothing is lost; a total is the sum of what all have written. Bounded: 64 instances (restarts count as new ones until their sessions
 * are forgotten), 200 sessions of each in the list.
 */

import type { Logger, State } from 'headgate/plugin'
import type { KnownSession } from './known.ts'
import { addTotals, emptyTotals, readTotals, type Totals, writeTotals } from './totals.ts'

export interface SessionSummary {
  readonly id: string
  readonly parent: string | undefined
  readonly source: string
  readonly key: string
  readonly account: string
  readonly first: number
  readonly seen: number
  readonly turns: number
  readonly lanes: readonly LaneSummary[]
  readonly totals: Totals
}
export interface LaneSummary {
  readonly id: string
  readonly seen: number
  readonly upstream?: string
  readonly model?: string
  readonly input?: number
  readonly cacheRead?: number
  readonly warmUntil?: number
}

export interface SessionLedger {
  /** Writes what this instance counted. */
  write(session: KnownSession): Promise<void>
  /** What other instances counted. */
  others(id: string): Promise<readonly SessionSummary[]>
  /** Sessions that other instances had last: ids with the time. */
  recent(): Promise<readonly (readonly [id: string, seen: number])[]>
  /** Says that this instance is there, and which sessions it had last. */
  announce(sessions: readonly KnownSession[]): Promise<void>
}

const mostInstances = 64
const mostListed = 200
const longestLock = 5000

export function sessionLedger(state: State, log: Logger, idle: number, now: () => number): SessionLedger {
  const self = crypto.randomUUID().slice(0, 8)
  const instances = async (): Promise<Record<string, number>> => {
    const kept = await state.get<unknown>('instances')
    const found: Record<string, number> = {}
    if (typeof kept !== 'object' || kept === null) return found
    for (const [name, at] of Object.entries(kept)) if (typeof at === 'number' && at > now() - idle) found[name] = at
    return found
  }
  /** What is asked of the others only adds to what is known here: without them there is less to tell, not nothing. */
  const orNothing = async <T>(run: () => Promise<T[]>): Promise<T[]> => {
    try {
      return await run()
    } catch (error) {
      log.debug('other instances could not be asked for their sessions', { error: String(error) })
      return []
    }
  }
  const others = async () => Object.keys(await instances()).filter((name) => name !== self)
  return {
    async write(session) {
      try {
        await state.set(`u:${self}:${session.id}`, writeSummary(summaryOf(session)), idle)
      } catch {} // told by whoever reads: the next exchange writes the sum anew
    },
    others: (id) =>
      orNothing(async () => {
        const found = await Promise.all((await others()).map((name) => state.get<unknown>(`u:${name}:${id}`)))
        return found.flatMap((value) => readSummary(id, value) ?? [])
      }),
    recent: () =>
      orNothing(async () => {
        const found = await Promise.all((await others()).map((name) => state.get<unknown>(`r:${name}`)))
        return found.flatMap((value) => (Array.isArray(value) ? value.flatMap(readRecent) : []))
      }),
    async announce(sessions) {
      const list = sessions.slice(0, mostListed).map(({ id, seen }) => [id, seen])
      await state.set(`r:${self}`, list, idle)
      await state.lock('instances', longestLock, async () => {
        const there = { ...(await instances()), [self]: now() }
        const newest = Object.entries(there).sort((a, b) => b[1] - a[1])
        await state.set('instances', Object.fromEntries(newest.slice(0, mostInstances)), idle)
      })
    },
  }
}

export function summaryOf(session: KnownSession): SessionSummary {
  const { id, parent, source, owner, first, seen, turns, lanes, totals } = session
  return {
    id,
    parent,
    source,
    ...owner,
    first,
    seen,
    turns,
    totals,
    lanes: [...lanes.values()].map(({ id: lane, seen: at, last }) => ({
      id: lane,
      seen: at,
      ...(last?.upstream !== undefined && { upstream: last.upstream }),
      ...(last?.model !== undefined && { model: last.model }),
      ...(last?.input !== undefined && { input: last.input }),
      ...(last?.cacheRead !== undefined && { cacheRead: last.cacheRead }),
      ...(last?.warmUntil !== undefined && { warmUntil: last.warmUntil }),
    })),
  }
}

/** One summary of what several instances know of a session; undefined of none. */
export function joinSummaries(all: readonly SessionSummary[]): SessionSummary | undefined {
  const newest = all.reduce<SessionSummary | undefined>((best, one) => (best && best.seen >= one.seen ? best : one), undefined)
  if (!newest) return undefined
  const totals = emptyTotals()
  const lanes = new Map<string, LaneSummary>()
  for (const one of all) {
    addTotals(totals, one.totals)
    for (const lane of one.lanes) if ((lanes.get(lane.id)?.seen ?? -1) < lane.seen) lanes.set(lane.id, lane)
  }
  return {
    ...newest,
    first: Math.min(...all.map(({ first }) => first)),
    turns: Math.max(...all.map(({ turns }) => turns)),
    lanes: [...lanes.values()],
    totals,
  }
}

function writeSummary(summary: SessionSummary): object {
  return { ...summary, totals: writeTotals(summary.totals) }
}

function readSummary(id: string, value: unknown): SessionSummary | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const v = value as Partial<Record<keyof SessionSummary, unknown>>
  if (v.id !== id || typeof v.first !== 'number' || typeof v.seen !== 'number' || typeof v.turns !== 'number') return undefined
  return {
    id,
    parent: typeof v.parent === 'string' ? v.parent : undefined,
    source: String(v.source),
    key: String(v.key),
    account: String(v.account),
    first: v.first,
    seen: v.seen,
    turns: v.turns,
    lanes: Array.isArray(v.lanes)
      ? (v.lanes as LaneSummary[]).filter((lane) => typeof lane?.id === 'string' && typeof lane.seen === 'number')
      : [],
    totals: readTotals(v.totals),
  }
}

function readRecent(value: unknown): [string, number][] {
  if (!Array.isArray(value)) return []
  const [id, seen] = value as unknown[]
  return typeof id === 'string' && typeof seen === 'number' ? [[id, seen]] : []
}
