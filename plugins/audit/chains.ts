/**
 * The chains of one process: that of this month, and those before it whose last rows are on their way.
 *
 *     open ──month is over──▶ ended (its last row is hashed into the beginning of the next) ──all on the disk──▶ closed
 *
 * Each is registered, and its head is noted again and again, so that what is cut off behind can be told.
 */

import { hostname } from 'node:os'
import type { Host } from 'headgate/plugin'
import { type Chain, type GoesOn, genesis, newChain, newInstanceId } from './chain.ts'
import { monthStart } from './months.ts'
import type { ChainedRow, RowBody } from './row.ts'
import { rowId } from './tables.ts'

export interface Chains {
  /** Id of the first one: that of the process. */
  readonly first: string
  /** Gives a row the next place. */
  add(row: RowBody): ChainedRow
  /** These rows are on the disk. */
  durable(rows: readonly ChainedRow[]): void
  /** Notes the heads; of the last one as closed, when no row comes any more. @throws StoreUnavailable */
  note(closed: boolean): Promise<void>
}

interface Kept {
  readonly chain: Chain
  readonly from: GoesOn | undefined
  readonly genesis: string
  readonly began: number
  registered: boolean
  /** The last row that is on the disk, and the number that was noted last. */
  durable: { seq: number; hash: string }
  noted: number
}

export function openChains(host: Host, key: string | undefined): Chains {
  const { records, log } = host
  const begin = (from?: GoesOn): Kept => {
    const began = Math.floor(host.now())
    const instance = newInstanceId(began)
    const hash = genesis(instance, key, from)
    const made = {
      chain: newChain(instance, key, from),
      from,
      genesis: hash,
      began,
      registered: false,
      durable: { seq: 0, hash },
      noted: -1,
    }
    void register(made)
    return made
  }
  /** Before its first row goes the same way. */
  const register = async (kept: Kept): Promise<void> => {
    const { chain, from, began } = kept
    const row = { id: chain.instance, plugin: host.id, host: hostname(), pid: BigInt(process.pid), started_at: BigInt(began) }
    try {
      await records.append('audit_instance', [{ ...row, goes_on: from?.id ?? null, goes_on_hash: from?.hash ?? null }])
      kept.registered = true
    } catch (error) {
      log.error('the audit instance could not be registered; it is tried again', { error: String(error) })
    }
  }
  let current = begin()
  let monthEnd = monthStart(host.now(), 1)
  /** The current one last. */
  let all = [current]
  const first = current.chain.instance

  const noteHead = async (kept: Kept, closed: boolean): Promise<void> => {
    const { instance } = kept.chain
    const { seq, hash } = kept.durable
    const now = BigInt(Math.floor(host.now()))
    if (!kept.registered) await register(kept)
    if (seq === kept.noted && !closed) {
      await records.sql`UPDATE audit_head SET beat_at = ${now} WHERE id = ${instance}`
      return
    }
    await records.sql`INSERT INTO audit_head (id, seq, hash, beat_at, closed_at, from_seq, from_hash, rolled, done)
      VALUES (${instance}, ${seq}, ${hash}, ${now}, ${closed ? now : null}, ${0n}, ${kept.genesis}, ${0n}, ${false})
      ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, hash = excluded.hash, beat_at = excluded.beat_at, closed_at = excluded.closed_at`
    kept.noted = seq
  }

  return {
    first,
    add(row) {
      if (host.now() >= monthEnd) {
        const { instance, seq, hash } = current.chain
        current = begin({ id: rowId(instance, seq), hash })
        all = [...all, current]
        monthEnd = monthStart(host.now(), 1)
      }
      return current.chain.add(row)
    },
    durable(rows) {
      for (const row of rows) {
        const kept = row.instance === current.chain.instance ? current : all.find((one) => one.chain.instance === row.instance)
        if (kept) kept.durable = { seq: Number(row.seq), hash: row.hash }
      }
    },
    async note(closed) {
      for (const kept of all) {
        const over = (closed || kept !== current) && kept.durable.seq === kept.chain.seq
        await noteHead(kept, over)
        if (over) all = all.filter((one) => one !== kept || one === current)
      }
    },
  }
}
