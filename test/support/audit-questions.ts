/**
 * What operators ask of audit records, each with values that change from round to round, and how long the answers take. For records that
 * `audit-rows.ts` made.
 */

import { exchanges, type Filter, findExchange } from '../../plugins/audit/query.ts'
import { type Grouping, type UsageFilter, usageBy } from '../../plugins/audit/usage.ts'
import type { SqlQuery } from '../../src/plugin/host.ts'
import { type Filled, keyName } from './audit-rows.ts'

export interface Question {
  readonly name: string
  /** How many lines came. */
  ask(sql: SqlQuery, filled: Filled, round: number): Promise<number>
}

export interface Answered {
  readonly name: string
  readonly lines: number
  /** Milliseconds. */
  readonly p50: number
  readonly p95: number
  readonly most: number
}

const day = 86_400_000

function listed(name: string, filterOf: (round: number, f: Filled) => Filter, limit = 50): Question {
  return {
    name,
    async ask(sql, filled, round) {
      let lines = 0
      for await (const _ of exchanges(sql, filterOf(round, filled), limit)) lines++
      return lines
    },
  }
}

function summed(name: string, by: readonly Grouping[], filterOf: (round: number, f: Filled) => UsageFilter): Question {
  return { name, ask: async (sql, filled, round) => (await usageBy(sql, by, filterOf(round, filled))).length }
}

const key = (round: number) => keyName((round * 137 + 11) % 1000)
const model = (round: number) => `vendor/model-${(round * 7 + 3) % 60}`
const dayAt = (round: number, f: Filled) => ({ from: f.from + ((round * 11) % 88) * day, to: f.from + ((round * 11) % 88) * day + day })
const october = { from: Date.UTC(2026, 9, 1), to: Date.UTC(2026, 10, 1) }

export const questions: readonly Question[] = [
  listed('newest 50', () => ({})),
  listed('50 of a key', (i) => ({ caller: key(i) })),
  listed('50 of an account', (i) => ({ account: i % 2 === 0 ? `acct_${i % 90}` : key(i) })),
  listed('50 of a model', (i) => ({ model: model(i) })),
  listed('50 of a tier', (i) => ({ tier: ['paid', 'free', 'trial'][i % 3] })),
  listed('50 of a tier, one in 200,000', () => ({ tier: 'vip' })),
  listed('50 of an upstream, one in 100,000', () => ({ upstream: 'spare' })),
  listed('50 of an endpoint, one in 50,000', () => ({ operation: 'embeddings' })),
  listed('50 of an end user', (i) => ({ user: `user_${(i * 7919) % 100_000}` })),
  listed('50 of a status', (i) => ({ status: [200, 429, 502, 400][i % 4] })),
  listed('50 of a code, one in 300,000', () => ({ code: 'context_length_exceeded' })),
  listed('50 that failed', () => ({ end: 'failed' })),
  listed('50 above 1 USD, one in 250,000', () => ({ minCost: 1_000_000_000_000n })),
  listed('50 above 0.03 USD', () => ({ minCost: 30_000_000_000n })),
  listed('50 of a tier in an hour', (i, f) => ({
    tier: 'trial',
    from: dayAt(i, f).from + 3_600_000 * 5,
    to: dayAt(i, f).from + 3_600_000 * 6,
  })),
  listed('a day looked through for a tier that is not there', (i, f) => ({ tier: 'none', ...dayAt(i, f) })),
  listed('50 of a key and a model', (i) => ({ caller: key(i), model: model(i * 3) })),
  listed('50 of a key with a status', (i) => ({ caller: key(i), status: 502 })),
  listed('50 of a model and a code', (i) => ({ model: model(i), code: 'upstream_error' })),
  listed('50 of a model and a rare tier', (i) => ({ model: model(i), tier: 'vip' })),
  listed('50 of a model above 1 USD', (i) => ({ model: model(i), minCost: 1_000_000_000_000n })),
  listed('1,000 of a key', (i) => ({ caller: key(i) }), 1000),
  {
    name: 'a session, a trace, a request by its id',
    async ask(sql, filled, round) {
      const from = dayAt(round, filled).from
      const [row] = await sql<{
        session: string
        request_id: string
        trace_id: string | null
      }>`SELECT session, request_id, trace_id FROM audit_exchange
        WHERE at >= ${BigInt(from)} AND trace_id IS NOT NULL ORDER BY at LIMIT 1`
      let lines = 0
      for await (const _ of exchanges(sql, { session: row!.session }, 50)) lines++
      for await (const _ of exchanges(sql, { traceId: row!.trace_id! }, 50)) lines++
      return (await findExchange(sql, row!.request_id)) ? lines + 1 : lines
    },
  },
  summed('spend per day of a month', ['day'], () => october),
  summed("a key's spend per day of 90 days", ['day'], (i, f) => ({ caller: key(i), from: f.from, to: f.to })),
  summed('spend per day and tier of 90 days', ['day', 'tier'], (_, f) => ({ from: f.from, to: f.to })),
  summed('a month by model', ['model'], () => october),
  summed('a month by key', ['key'], () => october),
  summed('a month by key and model', ['key', 'model'], () => october),
  summed('a day by key and model', ['key', 'model'], (i, f) => dayAt(i, f)),
  summed('a day by session', ['session'], (i, f) => dayAt(i, f)),
  summed('a key by session of a day', ['session'], (i, f) => ({ caller: key(i), ...dayAt(i, f) })),
  summed('12 hours that begin at noon, by model', ['model'], (i, f) => ({ from: dayAt(i, f).from + day / 2, to: dayAt(i, f).to })),
]

/** Asks each question so many times, in turn, and tells how long the answers took. */
export async function answers(
  sql: SqlQuery,
  filled: Filled,
  rounds: number,
  told: (answered: Answered) => void = () => {},
): Promise<Answered[]> {
  const all: Answered[] = []
  for (const { name, ask } of questions) {
    const times: number[] = []
    let lines = 0
    for (let round = 0; round < rounds; round++) {
      const began = performance.now()
      lines = Math.max(lines, await ask(sql, filled, round))
      times.push(performance.now() - began)
    }
    times.sort((a, b) => a - b)
    const at = (share: number) => times[Math.min(times.length - 1, Math.ceil(share * times.length) - 1)]!
    all.push({ name, lines, p50: at(0.5), p95: at(0.95), most: times.at(-1)! })
    told(all.at(-1)!)
  }
  return all
}

/** The head of a table of {@link answerLine}s. */
export function answerHead(title: string): string {
  return `${title.padEnd(52)} ${'lines'.padStart(7)} ${'p50'.padStart(8)} ${'p95'.padStart(8)} ${'most'.padStart(8)}`
}

/** A line of a table for people. */
export function answerLine({ name, lines, p50, p95, most }: Answered): string {
  return `${name.padEnd(52)} ${String(lines).padStart(7)} ${p50.toFixed(1).padStart(8)} ${p95.toFixed(1).padStart(8)} ${most.toFixed(1).padStart(8)}`
}
