/**
 * The hash chain of one instance: each row bears the hash of itself and of the row before it, and a number without gaps. Pure but for the
 * hash function.
 *
 *     hash(n) = SHA-256( hash(n-1) \n JSON of all columns of row n )         hash(0) = SHA-256( "headgate audit 1" \n instance )
 *
 * A process begins a new chain with each month. That one goes on from the one before: id and hash of its last row are hashed into hash(0).
 *
 * With a key it is HMAC-SHA-256. Amounts and counts are hashed as decimal texts.
 */

import { createHash, createHmac } from 'node:crypto'
import { boundOf } from './months.ts'
import { type ChainedRow, type HashedColumn, hashedColumns, hashedOf, type RowBody } from './row.ts'
import { rowId } from './tables.ts'

/** Version of the row's form; grows when columns are added. */
const version = 3

export interface Chain {
  readonly instance: string
  /** Number and hash of the last row; 0 before the first. */
  readonly seq: number
  readonly hash: string
  /** Gives a row the next place. */
  add(row: RowBody): ChainedRow
}

/** The last row of the chain that another goes on from. */
export interface GoesOn {
  readonly id: string
  readonly hash: string
}

/** A chain that begins. */
export function newChain(instance: string, key: string | undefined, from?: GoesOn): Chain {
  let seq = 0
  let hash = genesis(instance, key, from)
  return {
    instance,
    get seq() {
      return seq
    },
    get hash() {
      return hash
    },
    add(body) {
      seq++
      const row = { id: rowId(instance, seq), v: version, instance, seq: BigInt(seq), ...body }
      hash = hashOf(row, hash, key)
      return { ...row, hash }
    },
  }
}

/** The hash that stands before the first row. */
export function genesis(instance: string, key: string | undefined, from?: GoesOn): string {
  return digest(`headgate audit 1\n${instance}${from ? `\n${from.id}\n${from.hash}` : ''}`, key)
}

/** The hash of a row that follows `before`. */
export function hashOf(row: Readonly<Record<HashedColumn, unknown>>, before: string, key: string | undefined): string {
  const columns = hashedOf[Number(row.v)] ?? hashedColumns.length
  const values = new Array<unknown>(columns)
  for (let i = 0; i < columns; i++) {
    const value = row[hashedColumns[i]!]
    values[i] = typeof value === 'bigint' ? value.toString() : value
  }
  return digest(`${before}\n${JSON.stringify(values)}`, key)
}

function digest(text: string, key: string | undefined): string {
  return (key === undefined ? createHash('sha256') : createHmac('sha256', key)).update(text).digest('base64url')
}

/** An id for a process: sorts by when it started. */
export function newInstanceId(now: number): string {
  const random = crypto.getRandomValues(new Uint32Array(2))
  const tail = `${random[0]!.toString(36)}${random[1]!.toString(36)}`.padStart(8, '0').slice(0, 8)
  return `${boundOf(now)}${tail}`
}
