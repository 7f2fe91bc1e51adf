/**
 * What each class of trimming saved: the money of an exchange is shared by the tokens that each class took out of it. Exact: the shares add up.
 *
 * Classes stand in the details of exchanges and in no sums, so the trimmed ones are read, a page at a time.
 */

import type { SqlQuery } from 'headgate/plugin'
import { dayLength, dayOf } from './daily.ts'
import { conditionsOf } from './query.ts'
import { hoursOf, rowPages } from './row-pages.ts'
import type { TrimTold } from './savings.ts'
import type { Condition } from './statement.ts'
import { keys } from './sums.ts'
import type { Grouping, UsageFilter } from './usage.ts'

export interface ClassSums {
  /** Exchanges with something of this class: one may be in several. */
  requests: bigint
  trimmed: bigint
  trim_saved: bigint
  /** Exchanges of which it is not known what that saved. */
  not_measurable: bigint
}

export interface ClassLine {
  /** Values of what was grouped by, and the class, last; empty where it was not recorded. */
  readonly group: readonly string[]
  readonly sums: Readonly<ClassSums>
}

interface Row {
  readonly at: bigint
  readonly trimmed: bigint
  readonly trim_saved: bigint | null
  readonly begin: string
  readonly [group: `g${number}`]: string
}

/** Characters of a detail that hold what it begins with: twenty classes with long names. */
const most = 2000

/** Sums per group and class, sorted. */
export async function savedByClass(sql: SqlQuery, by: readonly Grouping[], filter: UsageFilter): Promise<ClassLine[]> {
  const { model, ...rest } = filter
  const among: Condition[] = [[['trimmed > 0'], []]]
  if (model !== undefined) among.push([[`${keys.model} = `, ''], [model]])
  const told = by.map((name, i) => (name === 'day' || name === 'month' ? undefined : `${keys[name === 'key' ? 'caller' : name]} AS g${i}`))
  const columns = ['trimmed', 'trim_saved', `substr(detail, 1, ${most}) AS begin`, ...told.filter((column) => column !== undefined)]
  const groups = new Map<string, ClassLine & { readonly sums: ClassSums }>()
  const add = (row: Row) => {
    const group = by.map((name, i) => (told[i] === undefined ? timeOf(row.at, name) : row[`g${i}`]!))
    for (const part of shared(classesOf(row.begin), row.trimmed, row.trim_saved)) {
      const sums = lineOf([...group, part.name])
      sums.requests++
      sums.trimmed += part.tokens
      if (part.saved === undefined) sums.not_measurable++
      else sums.trim_saved += part.saved
    }
  }
  const lineOf = (group: readonly string[]) => {
    const id = group.join('\0')
    let line = groups.get(id)
    if (!line) {
      line = { group, sums: { requests: 0n, trimmed: 0n, trim_saved: 0n, not_measurable: 0n } }
      groups.set(id, line)
    }
    return line.sums
  }
  for await (const hour of hoursOf(sql, filter.from, filter.to)) {
    for await (const rows of rowPages<Row>(sql, columns.join(', '), [...conditionsOf({ ...rest, ...hour }), ...among])) {
      for (const row of rows) add(row)
    }
  }
  return [...groups.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, line]) => line)
}

function timeOf(at: bigint, name: string): string {
  const day = dayOf((at / BigInt(dayLength)) * BigInt(dayLength))
  return name === 'day' ? day : day.slice(0, 7)
}

/** The classes that a detail begins with; empty when it begins with none. */
export function classesOf(begin: string): Readonly<Record<string, number>> {
  const [, json] = /^\{"trim":(\{(?:[^{}"]|"(?:[^"\\]|\\.)*"|\{(?:[^{}"]|"(?:[^"\\]|\\.)*")*\})*\})/.exec(begin) ?? []
  if (json === undefined) return {}
  try {
    return (JSON.parse(json) as TrimTold).classes ?? {}
  } catch {
    return {}
  }
}

interface Part {
  readonly name: string
  readonly tokens: bigint
  /** Picodollars; undefined = not known. */
  readonly saved: bigint | undefined
}

/** Shares what an exchange saved among its classes, by their tokens. What made it longer gets nothing. The shares add up to the whole. */
export function shared(classes: Readonly<Record<string, number>>, trimmed: bigint, saved: bigint | null): Part[] {
  const list = Object.entries(classes).filter(([, tokens]) => Number.isSafeInteger(tokens))
  const weight = (tokens: number) => BigInt(Math.max(0, tokens))
  const all = list.reduce((sum, [, tokens]) => sum + weight(tokens), 0n)
  if (all === 0n) return [{ name: '', tokens: trimmed, saved: saved ?? undefined }]
  let before = 0n
  return list.map(([name, tokens]) => {
    const from = before
    before += weight(tokens)
    return { name, tokens: BigInt(tokens), saved: saved === null ? undefined : (saved * before) / all - (saved * from) / all }
  })
}
