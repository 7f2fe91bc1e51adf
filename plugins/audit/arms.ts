/**
 * What the sessions of a time came to, those that were trimmed and those that were left alone: what `compare-arms.ts` reckons with.
 *
 * Reads kept sums by session, a page at a time, and the exchanges that are not in them. Holds a bounded number of sessions of each arm: of more, those whose
 * hash ends in zeros, each with all that it came to.
 */

import type { SqlQuery } from 'headgate/plugin'
import { type Compared, compareArms, type SessionSums, total } from './compare-arms.ts'
import { dayLength } from './daily.ts'
import { conditionsOf } from './query.ts'
import { hoursOf, rowPages } from './row-pages.ts'
import { type Condition, statement } from './statement.ts'
import { armIs, keys } from './sums.ts'
import { endOfInstance, rowId } from './tables.ts'
import { unrolled } from './unrolled.ts'
import type { UsageFilter } from './usage.ts'

export interface ArmsTold {
  readonly trimmed: ArmTold
  readonly control: ArmTold
  /** Sessions that count in neither: with an exchange whose cost is not known, and those that were of both arms. */
  readonly leftOut: { readonly costUnknown: number; readonly mixed: number }
  /** A sentence when it can't be measured. */
  readonly compared: Compared | string
}
export interface ArmTold extends SessionSums {
  /** One session in so many was taken. */
  readonly oneIn: number
}

interface Part {
  readonly session: string
  readonly treated: bigint
  readonly control: bigint
  readonly cost: bigint
  readonly sent: bigint
  readonly unknown: bigint
}

/** Sessions held of an arm. */
const most = 20_000
const pageSize = 5000
/** Readings of sums that change meanwhile; what is counted twice then is some seconds of many days. */
const tries = 3

/** Compares the arms over the sessions of a time, or what of them falls into it. */
export async function armsOf(sql: SqlQuery, filter: UsageFilter, hold = most): Promise<ArmsTold> {
  for (let i = 1; ; i++) {
    const heads = await unrolled(sql)
    const arms = { treated: sample(hold), control: sample(hold) }
    for await (const part of partsOf(sql, filter, heads)) {
      const left = Number(part.control)
      const done = Number(part.treated)
      if (done > 0) arms.treated.add(part, done)
      if (left > 0) arms.control.add(part, left)
    }
    const same = JSON.stringify(await unrolled(sql).then(names)) === JSON.stringify(names(heads))
    if (same || i >= tries) return told(arms.treated, arms.control)
  }
}

const names = (heads: readonly { id: string; rolled: bigint }[]) => heads.map(({ id, rolled }) => `${id} ${rolled}`)

type Heads = readonly { readonly id: string; readonly rolled: bigint }[]

async function* partsOf(sql: SqlQuery, filter: UsageFilter, heads: Heads): AsyncGenerator<Part> {
  const { from, to } = filter
  const first = from === undefined ? undefined : Math.ceil(from / dayLength) * dayLength
  const last = to === undefined ? undefined : Math.floor(to / dayLength) * dayLength
  if (filter.session !== undefined || (first !== undefined && last !== undefined && first > last)) {
    yield* byHour(sql, filter)
    return
  }
  if (first !== undefined && first > from!) yield* byHour(sql, { ...filter, to: first })
  if (last !== undefined && last < to!) yield* byHour(sql, { ...filter, from: last })
  if (first !== undefined && first === last) return
  const whole = { ...filter, from: first, to: last }
  yield* fromSums(sql, whole)
  for (const { id, rolled } of heads) {
    const rest: Condition = [
      ['id > ', ' AND id < ', ''],
      [rowId(id, rolled), endOfInstance(id)],
    ]
    yield* fromRows(sql, whole, [rest])
  }
}

const kept = ['caller', 'account', 'tier', 'model', 'upstream', 'thread'] as const
/** Money in two parts: a sum of it may have more than 64 bits. */
const summed = `SELECT session, CAST(sum(treated) AS BIGINT) AS treated, CAST(sum(control) AS BIGINT) AS control, CAST(sum(unknown) AS BIGINT) AS unknown,
  CAST(sum(input + cache_read + cache_write + trimmed) AS BIGINT) AS sent, CAST(sum(cost / 1000000) AS BIGINT) AS high,
  CAST(sum(cost % 1000000) AS BIGINT) AS low FROM audit_session`

/** Sums by session, one day after the other: each day lies in the order of sessions. */
async function* fromSums(sql: SqlQuery, filter: UsageFilter): AsyncGenerator<Part> {
  const end = filter.to === undefined ? undefined : BigInt(filter.to / dayLength)
  for (let after = filter.from === undefined ? -1n : BigInt(filter.from / dayLength) - 1n; ; ) {
    const [next] = await sql<{ day: bigint }>`SELECT day FROM audit_session WHERE day > ${after} ORDER BY day LIMIT 1`
    if (!next || (end !== undefined && next.day >= end)) return
    after = next.day
    for (let session = ''; ; ) {
      const conditions: Condition[] = [
        [
          ['day = ', ' AND session > ', ' AND (treated > 0 OR control > 0)'],
          [after, session],
        ],
        ...kept.flatMap((name) => (filter[name] === undefined ? [] : [[[`${name} = `, ''], [filter[name]]] as const])),
      ]
      type Row = Omit<Part, 'cost'> & { readonly high: bigint; readonly low: bigint } & Record<string, bigint | string>
      const rows = await sql<Row>(...statement(summed, conditions, 'GROUP BY session ORDER BY session LIMIT ', BigInt(pageSize)))
      for (const row of rows) yield { ...row, cost: row.high * 1_000_000n + row.low }
      if (rows.length < pageSize) break
      session = rows.at(-1)!.session
    }
  }
}

const columns = `session, CASE WHEN ${armIs('trimmed')} THEN 1 ELSE 0 END AS treated, CASE WHEN ${armIs('control')} THEN 1 ELSE 0 END AS control,
  coalesce(cost, 0) AS cost, CASE WHEN cost_least IS NULL THEN 0 ELSE 1 END AS unknown,
  coalesce(input, 0) + coalesce(cache_read, 0) + coalesce(cache_write, 0) + coalesce(trimmed, 0) AS sent`

async function* byHour(sql: SqlQuery, filter: UsageFilter): AsyncGenerator<Part> {
  for await (const hour of hoursOf(sql, filter.from, filter.to)) yield* fromRows(sql, { ...filter, ...hour }, [])
}

async function* fromRows(sql: SqlQuery, filter: UsageFilter, more: readonly Condition[]): AsyncGenerator<Part> {
  const { model, ...rest } = filter
  const conditions: Condition[] = [
    ...conditionsOf(rest, more.length === 0),
    ...more,
    [[`session IS NOT NULL AND (${armIs('trimmed')} OR ${armIs('control')})`], []],
  ]
  if (model !== undefined) conditions.push([[`${keys.model} = `, ''], [model]])
  for await (const rows of rowPages<Part>(sql, columns, conditions)) for (const row of rows) yield row
}

interface Held {
  cost: bigint
  sent: bigint
  turns: number
  unknown: boolean
}

interface Sample {
  readonly held: ReadonlyMap<bigint, Held>
  readonly oneIn: number
  add(part: Part, turns: number): void
}

/** Sessions of one arm. When there are too many, every second one leaves, and never comes in again. */
function sample(hold: number): Sample {
  const held = new Map<bigint, Held>()
  let oneIn = 1n
  return {
    held,
    get oneIn() {
      return Number(oneIn)
    },
    add({ session, cost, sent, unknown }, turns) {
      const hash = Bun.hash.wyhash(session) as bigint
      if (hash % oneIn !== 0n) return
      let one = held.get(hash)
      if (!one) {
        one = { cost: 0n, sent: 0n, turns: 0, unknown: false }
        held.set(hash, one)
      }
      one.cost += cost
      one.sent += sent
      one.turns += turns
      one.unknown ||= unknown > 0n
      while (held.size > hold) {
        oneIn *= 2n
        for (const known of held.keys()) if (known % oneIn !== 0n) held.delete(known)
      }
    },
  }
}

function told(treated: Sample, control: Sample): ArmsTold {
  const leftOut = { costUnknown: 0, mixed: 0 }
  const sessionsOf = ({ held }: Sample, other: Sample, counts: boolean): SessionSums[] => {
    const list: SessionSums[] = []
    // the same order whatever database they came from
    for (const [hash, one] of [...held].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (other.held.has(hash)) {
        if (counts) leftOut.mixed++
      } else if (one.unknown) leftOut.costUnknown++
      else list.push({ sessions: 1, cost: Number(one.cost), sent: Number(one.sent), turns: one.turns })
    }
    return list
  }
  const trimmed = sessionsOf(treated, control, true)
  const alone = sessionsOf(control, treated, false)
  return {
    trimmed: { ...total(trimmed), oneIn: treated.oneIn },
    control: { ...total(alone), oneIn: control.oneIn },
    leftOut,
    compared: compareArms(trimmed, alone),
  }
}
