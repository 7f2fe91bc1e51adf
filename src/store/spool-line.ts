/**
 * One line of a spool file: a checksum, and the rows of one append as JSON.
 *
 *     4a17b156 {"table":"ledger","rows":[{"id":"x","amount":["n","900"]}]}
 *
 * What JSON has no word for is a list of two: `["n", …]` a bigint, `["b", …]` bytes in base64. Rows hold no other lists.
 */

import type { SqlValue } from '../plugin/host.ts'
import type { TableRows } from './records-driver.ts'

/** The line with its end. */
export function toLine(rows: TableRows): string {
  const json = JSON.stringify(rows, (_, value: unknown) => {
    if (typeof value === 'bigint') return ['n', String(value)]
    return value instanceof Uint8Array ? ['b', value.toBase64()] : value
  })
  return `${checksum(json)} ${json}\n`
}

/** What a line without its end says; undefined when it is damaged. */
export function fromLine(line: string): TableRows | undefined {
  const json = line.slice(9)
  if (line[8] !== ' ' || line.slice(0, 8) !== checksum(json)) return undefined
  const { table, rows } = JSON.parse(json) as { table: string; rows: Record<string, SqlValue | readonly [string, string]>[] }
  for (const row of rows) for (const [name, value] of Object.entries(row)) if (Array.isArray(value)) row[name] = special(value as never)
  return { table, rows: rows as Record<string, SqlValue>[] }
}

function special([kind, text]: readonly [string, string]): SqlValue {
  return kind === 'n' ? BigInt(text) : Uint8Array.fromBase64(text)
}

function checksum(json: string): string {
  return Bun.hash.crc32(json).toString(16).padStart(8, '0')
}
