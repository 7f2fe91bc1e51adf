/**
 * The life of one instance in the records: its registration, its chain, its rows on their way, its head, and what forerunners left.
 *
 *     registered ──▶ rows … ──▶ head noted every few seconds ──▶ closed (last head noted)
 *          └▶ killed: the next process of this host lists what was under way
 */

import { hostname } from 'node:os'
import type { Host } from 'headgate/plugin'
import { type Chain, genesis, newChain, newInstanceId } from './chain.ts'
import { rollUp } from './daily.ts'
import { type Begun, type InFlight, inFlightFile, leftBehind } from './in-flight.ts'
import { deleteBodies, deleteExchanges } from './retention.ts'
import type { ChainedRow, RowBody } from './row.ts'
import { migrations } from './tables.ts'
import { unrolled } from './unrolled.ts'
import { rowWriter, type Writer } from './writer.ts'

/** Rows that may wait in memory: some 20 MB. */
const limit = 10_000
/** Milliseconds between notes of the head, and between looks for what is to be rolled up or deleted. */
const headEvery = 2000
const rollEvery = 5000
const deleteEvery = 60_000
/** Milliseconds that closing waits for rows. */
const patience = 5000

export interface KeeperOptions {
  /** Beginning of the names of the files of exchanges under way. */
  readonly inFlight: string
  readonly chainKey: string | undefined
  /** Milliseconds for which exchanges and bodies are kept. */
  readonly keep: number | undefined
  readonly keepBodies: number | undefined
}

export interface Keeper {
  readonly instance: string
  readonly chain: Chain
  readonly writer: Writer<ChainedRow>
  readonly inFlight: InFlight
  /** Gives a row its place and takes it on its way; its id. `done`: it is on the disk, or nobody knows when. */
  add(row: RowBody, slot: number, done?: () => void): string
  close(): Promise<void>
}

/** @param interrupted makes the row of an exchange that a crash cut off. */
export async function openKeeper(
  host: Host,
  options: KeeperOptions,
  interrupted: (begun: Begun, instance: string) => RowBody,
): Promise<Keeper> {
  const { records, log } = host
  await records.migrate(migrations)
  const instance = newInstanceId(host.now())
  const inFlight = inFlightFile(options.inFlight, instance)
  const chain = newChain(instance, options.chainKey)
  const first = genesis(instance, options.chainKey)
  /** The last row that is on the disk, and the last that was noted as head. */
  let durable = { seq: 0, hash: first }
  let noted = -1

  const writer = rowWriter<ChainedRow>({
    append: (rows) => records.append('audit_exchange', rows),
    limit,
    onDurable(entries) {
      const { seq, hash } = entries.at(-1)!.row
      durable = { seq: Number(seq), hash }
      for (const { slot } of entries) inFlight.end(slot)
    },
    onFailure: (error) =>
      log.error('audit records can not be kept: neither store nor spool takes them; they wait', { error: String(error) }),
    onRecovery: () => log.info('audit records are kept again'),
  })
  const registration = records
    .append('audit_instance', [
      { id: instance, plugin: host.id, host: hostname(), pid: BigInt(process.pid), started_at: BigInt(Math.floor(host.now())) },
    ])
    .catch((error: unknown) => log.error('the audit instance could not be registered', { error: String(error) }))

  const noteHead = async (closed: boolean): Promise<void> => {
    inFlight.sign()
    if (!records.available) return
    const { seq, hash } = durable
    const now = BigInt(Math.floor(host.now()))
    const closedAt = closed ? now : null
    if (seq === noted && !closed) {
      await records.sql`UPDATE audit_head SET beat_at = ${now} WHERE id = ${instance}`
      return
    }
    await records.sql`INSERT INTO audit_head (id, seq, hash, beat_at, closed_at, from_seq, from_hash, rolled, done)
      VALUES (${instance}, ${seq}, ${hash}, ${now}, ${closedAt}, ${0n}, ${first}, ${0n}, ${false})
      ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, hash = excluded.hash, beat_at = excluded.beat_at, closed_at = excluded.closed_at`
    noted = seq
  }
  const rollAll = async (signal: AbortSignal): Promise<void> => {
    if (!records.available) return
    for (const { id, rolled } of await unrolled(records.sql)) {
      for (let from = rolled; !signal.aborted; await Bun.sleep(1)) {
        const rows = await rollUp(records, id, from, host.now())
        if (rows === 0) break
        from += BigInt(rows)
      }
    }
  }

  /** Lists what processes that died had under way. Their rows that waited in the spool are in by then: the own registration went behind them. */
  const listLeft = async (): Promise<void> => {
    if (!records.available) return
    const [seen] = await records.sql<{ id: string }>`SELECT id FROM audit_instance WHERE id = ${instance}`
    if (!seen) return
    for (const left of leftBehind(options.inFlight)) {
      let cut = 0
      for (const begun of left.begun) {
        const [known] = await records.sql<{ id: string }>`SELECT id FROM audit_exchange WHERE request_id = ${begun.id} LIMIT 1`
        if (known) continue
        add(interrupted(begun, left.instance), -1)
        cut++
      }
      if (!(await writer.flush(patience))) {
        left.release() // the next look finds what is missing
        return
      }
      left.remove()
      if (cut > 0)
        log.warn('exchanges were under way when a process of this gateway ended; they are listed as interrupted', { exchanges: cut })
    }
  }

  const add = (row: RowBody, slot: number, done?: () => void): string => {
    const chained = chain.add(row)
    writer.add({ row: chained, slot, done })
    return chained.id
  }

  host.task('head', headEvery, () => noteHead(false))
  host.task('left', headEvery, listLeft)
  host.task('daily', rollEvery, rollAll)
  host.task('retention', deleteEvery, async (signal) => {
    if (!records.available) return
    const { keep, keepBodies } = options
    if (keepBodies !== undefined) await deleteBodies(records, host.now() - keepBodies, signal)
    if (keep === undefined) return
    const deleted = await deleteExchanges(records, host.now() - keep, signal)
    if (deleted > 0) log.info('old audit records were deleted', { records: deleted })
  })

  return {
    instance,
    chain,
    writer,
    inFlight,
    add,
    async close() {
      await registration
      const all = await writer.flush(patience)
      if (!all) log.error('audit records could not be kept before the end', { records: writer.waiting })
      writer.close()
      await noteHead(true).catch((error: unknown) => log.warn('the head of the audit chain was not noted', { error: String(error) }))
      inFlight.close()
    },
  }
}
