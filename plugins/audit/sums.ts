/**
 * What is summed up over exchanges, and by what: the columns of the sums, and how a row of `audit_exchange` counts in each. Texts of SQL only.
 *
 * A sum of more than 64 bits is an error. Then money is summed up in two parts, which are put together here, as bigints.
 */

import type { SqlValue } from 'headgate/plugin'

/** What is summed up. Amounts in picodollars. */
export interface Sums {
  requests: bigint
  refused: bigint
  failed: bigint
  input: bigint
  cache_read: bigint
  cache_write: bigint
  output: bigint
  reasoning: bigint
  /** Of known costs, and what unknown ones are at least. */
  cost: bigint
  cost_least: bigint
  /** Exchanges whose cost is not known. */
  unknown: bigint
  /** By the providers' prompt caches: less what writing them cost, and by reading alone. */
  saved: bigint
  saved_gross: bigint
  trim_saved: bigint
  trimmed: bigint
  /** Exchanges that an upstream answered: what may have been saved on. */
  calls: bigint
  /** Of those: that the trimmer worked on, and that it left alone to compare with. */
  treated: bigint
  control: bigint
  /** Of those: whose savings can't be measured, for the usage is not known, or the price. */
  no_usage: bigint
  no_price: bigint
  /** Exchanges that were given the answer of another one, what that spared, and those of them of which that is not known. */
  hits: bigint
  response_saved: bigint
  no_response: bigint
}

const called = "upstream IS NOT NULL AND operation <> 'count_tokens'"
const unmeasured = `${called} AND (saved IS NULL OR (trimmed > 0 AND trim_saved IS NULL))`
const again = "(cache_status = 'hit' OR cache_status = 'joined')"
const counts = (condition: string) => `CASE WHEN ${condition} THEN 1 ELSE 0 END`
/** What the trimmer did with an exchange: `detail` begins with it, and nobody but this plugin writes there. */
export const armIs = (arm: 'trimmed' | 'control') => {
  const begin = `{"trim":{"arm":"${arm}"`
  return `${called} AND substr(detail, 1, ${begin.length}) = '${begin}'`
}

/** How a row counts. */
const counted: Readonly<Record<keyof Sums, string>> = {
  requests: '1',
  refused: "CASE WHEN ending = 'refused' THEN 1 ELSE 0 END",
  failed: "CASE WHEN ending = 'refused' OR ending = 'finished' OR ending = 'abandoned' THEN 0 ELSE 1 END",
  input: 'coalesce(input, 0)',
  cache_read: 'coalesce(cache_read, 0)',
  cache_write: 'coalesce(cache_write, 0)',
  output: 'coalesce(output, 0)',
  reasoning: 'coalesce(reasoning, 0)',
  cost: 'coalesce(cost, 0)',
  cost_least: 'coalesce(cost_least, 0)',
  unknown: 'CASE WHEN cost_least IS NULL THEN 0 ELSE 1 END',
  saved: 'coalesce(saved, 0)',
  saved_gross: 'coalesce(saved_gross, 0)',
  trim_saved: 'coalesce(trim_saved, 0)',
  trimmed: 'coalesce(trimmed, 0)',
  calls: counts(called),
  treated: counts(armIs('trimmed')),
  control: counts(armIs('control')),
  no_usage: counts(`${unmeasured} AND usage_source <> 'reported'`),
  no_price: counts(`${unmeasured} AND usage_source = 'reported'`),
  hits: counts(again),
  response_saved: 'coalesce(response_saved, 0)',
  no_response: counts(`${again} AND response_saved IS NULL`),
}
export const sumNames = Object.keys(counted) as readonly (keyof Sums)[]

/** By what exchanges are told apart, and the value of a row; empty where it has none. */
export const keys = {
  account: "coalesce(account, '')",
  caller: "coalesce(caller, '')",
  tier: "coalesce(tier, '')",
  // names that no upstream was asked for are not told apart: clients may make up as many as they like
  model: "CASE WHEN attempts > 0 OR ending = 'finished' THEN coalesce(model_asked, '') ELSE '' END",
  upstream: "coalesce(upstream, '')",
  thread: "coalesce(thread, '')",
  session: "coalesce(session, '')",
  // of exchanges alone: no kept sums tell it apart
  attribution: "coalesce(cache_attribution, '')",
} as const
export type Key = keyof typeof keys

/** `sum(…), sum(…)`: of rows, in the order of {@link sumNames}. */
export const rowSums = sumNames.map((name) => `sum(${counted[name]})`).join(', ')

const part = 1_000_000n
const money: ReadonlySet<keyof Sums> = new Set(['cost', 'cost_least', 'saved', 'saved_gross', 'trim_saved', 'response_saved'])

/** A list of sums that {@link sumsFrom} reads: over rows of exchanges, or over sums. `parted`: money in two parts each, for sums beyond 64 bits. */
export function selectSums(from: 'rows' | 'sums', parted: boolean): string {
  const value = (name: keyof Sums) => (from === 'rows' ? counted[name] : name)
  return sumNames
    .map((name) =>
      parted && money.has(name)
        ? `sum((${value(name)}) / ${part}) AS ${name}_high, sum((${value(name)}) % ${part}) AS ${name}_low`
        : `CAST(sum(${value(name)}) AS BIGINT) AS ${name}`,
    )
    .join(', ')
}

/** The sums of a result's row, which may be the row itself; undefined for the sum of nothing. */
export function sumsFrom(row: Readonly<Record<string, SqlValue>>, parted: boolean): Sums | undefined {
  if (row.requests === null) return undefined
  if (!parted) return row as unknown as Sums
  const made = {} as Sums
  for (const name of sumNames) {
    made[name] = money.has(name) ? (row[`${name}_high`] as bigint) * part + (row[`${name}_low`] as bigint) : (row[name] as bigint)
  }
  return made
}

export function addSums(sums: Sums, more: Readonly<Sums>): void {
  for (const name of sumNames) sums[name] += more[name]
}
