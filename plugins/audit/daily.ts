/**
 * Sums per day over the exchanges, so that a month's cost is read from some thousand rows instead of some million.
 *
 * The rows of an instance have numbers without gaps. `audit_head.rolled` says up to which number they are in the sums; both change in one
 * transaction, so each row is counted once. What is not rolled yet is added when somebody asks (`usage.ts`).
 *
 * The same sums are kept in three cuts, each without the columns that would make it long: who asks for a year by model reads some thousand
 * rows, whatever the number of keys.
 */

import type { Records, SqlQuery } from 'headgate/plugin'
import type { ExchangeRow } from './row.ts'
import { rowId } from './tables.ts'

/** Rows rolled in one transaction: some 5 ms of this process. */
const chunk = 200

/** What is summed up. */
export interface Sums {
  requests: bigint
  refused: bigint
  failed: bigint
  input: bigint
  cache_read: bigint
  cache_write: bigint
  output: bigint
  reasoning: bigint
  /** Picodollars: of known costs, and what unknown ones are at least. */
  cost: bigint
  cost_least: bigint
  /** Exchanges whose cost is not known. */
  unknown: bigint
  /** Picodollars that the providers' prompt caches saved. */
  saved: bigint
}
export const sumNames = [
  'requests',
  'refused',
  'failed',
  'input',
  'cache_read',
  'cache_write',
  'output',
  'reasoning',
  'cost',
  'cost_least',
  'unknown',
  'saved',
] as const satisfies readonly (keyof Sums)[]

export type Summed = Pick<
  ExchangeRow,
  | 'at'
  | 'account'
  | 'caller'
  | 'tier'
  | 'model_asked'
  | 'upstream'
  | 'thread'
  | 'ending'
  | 'attempts'
  | 'input'
  | 'cache_read'
  | 'cache_write'
  | 'output'
  | 'reasoning'
  | 'cost'
  | 'cost_least'
  | 'saved'
>

export interface DayKey {
  readonly day: string
  readonly account: string
  readonly caller: string
  readonly tier: string
  readonly model: string
  readonly upstream: string
  readonly thread: string
}

/** The cuts, the shortest first, with the columns that each tells apart. */
export const cuts: readonly (readonly [name: string, columns: readonly (keyof DayKey)[]])[] = [
  ['model', ['day', 'tier', 'model', 'upstream', 'thread']],
  ['caller', ['day', 'account', 'caller', 'tier', 'thread']],
  ['all', ['day', 'account', 'caller', 'tier', 'model', 'upstream', 'thread']],
]

export function noSums(): Sums {
  return Object.fromEntries(sumNames.map((name) => [name, 0n])) as unknown as Sums
}

/** Adds a row to sums. */
export function addRow(sums: Sums, row: Summed): void {
  sums.requests++
  if (row.ending === 'refused') sums.refused++
  else if (row.ending !== 'finished' && row.ending !== 'abandoned') sums.failed++
  sums.input += row.input ?? 0n
  sums.cache_read += row.cache_read ?? 0n
  sums.cache_write += row.cache_write ?? 0n
  sums.output += row.output ?? 0n
  sums.reasoning += row.reasoning ?? 0n
  sums.cost += row.cost ?? 0n
  if (row.cost_least !== null) {
    sums.cost_least += row.cost_least
    sums.unknown++
  }
  sums.saved += row.saved ?? 0n
}

export function addSums(sums: Sums, more: Readonly<Sums>): void {
  for (const name of sumNames) sums[name] += more[name]
}

/** Where a row is counted. Names that no upstream was asked for are not told apart: clients may make up as many as they like. */
export function keyOf(row: Summed): DayKey {
  return {
    day: dayOf(row.at),
    account: row.account ?? '',
    caller: row.caller ?? '',
    tier: row.tier ?? '',
    model: row.attempts > 0n || row.ending === 'finished' ? (row.model_asked ?? '') : '',
    upstream: row.upstream ?? '',
    thread: row.thread ?? '',
  }
}

/** `2026-11-21`, UTC. */
export function dayOf(ms: bigint | number): string {
  return new Date(Number(ms)).toISOString().slice(0, 10)
}

/** Rolls up to `chunk` rows of one instance; how many it were. */
export async function rollUp(records: Records, instance: string, now: number): Promise<number> {
  return await records.transaction(async (sql) => {
    const [head] = await sql<{ rolled: bigint; closed_at: bigint | null; seq: bigint; beat_at: bigint }>`
      SELECT rolled, closed_at, seq, beat_at FROM audit_head WHERE id = ${instance}`
    if (!head) return 0
    const rows = await sql<
      Summed & { seq: bigint }
    >`SELECT seq, at, account, caller, tier, model_asked, upstream, thread, ending, attempts, input,
        cache_read, cache_write, output, reasoning, cost, cost_least, saved FROM audit_exchange
      WHERE id > ${rowId(instance, head.rolled)} AND id <= ${rowId(instance, head.rolled + BigInt(chunk))} ORDER BY id`
    if (rows.length > 0) {
      for (const [cut, columns] of cuts) {
        const groups = new Map<string, { key: DayKey; sums: Sums }>()
        for (const row of rows) {
          const key = only(keyOf(row), columns)
          const name = JSON.stringify(Object.values(key))
          const group = groups.get(name) ?? { key, sums: noSums() }
          groups.set(name, group)
          addRow(group.sums, row)
        }
        for (const { key, sums } of groups.values()) await enter(sql, cut, key, sums)
      }
      await sql`UPDATE audit_head SET rolled = ${rows.at(-1)!.seq} WHERE id = ${instance}`
    } else if (isOver(head, now)) await sql`UPDATE audit_head SET done = ${true} WHERE id = ${instance}`
    return rows.length
  })
}

/** A key that says nothing of other columns. */
function only(key: DayKey, columns: readonly (keyof DayKey)[]): DayKey {
  const none: DayKey = { day: '', account: '', caller: '', tier: '', model: '', upstream: '', thread: '' }
  return { ...none, ...Object.fromEntries(columns.map((column) => [column, key[column]])) }
}

/** No row can come any more: it was closed, or has given no sign of life for two days. */
function isOver(head: { rolled: bigint; closed_at: bigint | null; seq: bigint; beat_at: bigint }, now: number): boolean {
  return (head.closed_at !== null && head.rolled >= head.seq) || Number(head.beat_at) < now - 2 * 86_400_000
}

async function enter(sql: SqlQuery, cut: string, k: DayKey, s: Sums): Promise<void> {
  await sql`INSERT INTO audit_daily (cut, day, account, caller, tier, model, upstream, thread, requests, refused, failed, input, cache_read, cache_write,
      output, reasoning, cost, cost_least, unknown, saved)
    VALUES (${cut}, ${k.day}, ${k.account}, ${k.caller}, ${k.tier}, ${k.model}, ${k.upstream}, ${k.thread}, ${s.requests}, ${s.refused}, ${s.failed},
      ${s.input}, ${s.cache_read}, ${s.cache_write}, ${s.output}, ${s.reasoning}, ${s.cost}, ${s.cost_least}, ${s.unknown}, ${s.saved})
    ON CONFLICT (cut, day, account, caller, tier, model, upstream, thread) DO UPDATE SET requests = audit_daily.requests + excluded.requests,
      refused = audit_daily.refused + excluded.refused, failed = audit_daily.failed + excluded.failed, input = audit_daily.input + excluded.input,
      cache_read = audit_daily.cache_read + excluded.cache_read, cache_write = audit_daily.cache_write + excluded.cache_write,
      output = audit_daily.output + excluded.output, reasoning = audit_daily.reasoning + excluded.reasoning, cost = audit_daily.cost + excluded.cost,
      cost_least = audit_daily.cost_least + excluded.cost_least, unknown = audit_daily.unknown + excluded.unknown,
      saved = audit_daily.saved + excluded.saved`
}

/** Instances that may have rows which are not in the sums. */
export async function unrolled(sql: SqlQuery): Promise<{ id: string; rolled: bigint }[]> {
  const rows = await sql<{ id: string; rolled: bigint | null }>`SELECT audit_instance.id, rolled FROM audit_instance
    LEFT JOIN audit_head ON audit_head.id = audit_instance.id WHERE done IS NULL OR done = ${false} ORDER BY audit_instance.id`
  return rows.map(({ id, rolled }) => ({ id, rolled: rolled ?? 0n })) // the head of one that has just begun is not noted yet
}
