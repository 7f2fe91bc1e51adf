/**
 * The life of one instance in the records: its registration, its chain, its rows on their way, its head, and what forerunners left.
 *
 *     registered ──▶ rows … ──▶ head noted every few seconds ──▶ closed (last head noted)
 *          └▶ killed: the next process of this host lists what was under way
 */

import type { Host } from 'headgate/plugin'
import { openChains } from './chains.ts'
import { rollUp } from './daily.ts'
import { type Begun, type InFlight, inFlightFile, leftBehind } from './in-flight.ts'
import { boundsFrom } from './months.ts'
import { deleteOld } from './retention.ts'
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
const monthsEvery = 3_600_000
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
  const chains = openChains(host, options.chainKey)
  const instance = chains.first
  const inFlight = inFlightFile(options.inFlight, instance)

  const writer = rowWriter<ChainedRow>({
    append: (rows) => records.append('audit_exchange', rows),
    limit,
    onDurable(entries) {
      chains.durable(entries.map((entry) => entry.row))
      for (const { slot } of entries) inFlight.end(slot)
    },
    onFailure: (error) =>
      log.error('audit records can not be kept: neither store nor spool takes them; they wait', { error: String(error) }),
    onRecovery: () => log.info('audit records are kept again'),
  })
  const noteHeads = async (closed: boolean): Promise<void> => {
    inFlight.sign()
    if (records.available) await chains.note(closed)
  }
  /** A part for this month and the next ones. Of a large table of an earlier version that takes a while, and nobody waits for it. */
  let divided = Number.NEGATIVE_INFINITY
  const divide = async (): Promise<void> => {
    const now = host.now()
    if (!records.available || now - divided < monthsEvery) return
    for (const table of ['audit_exchange', 'audit_body']) await records.divide(table, boundsFrom(now))
    divided = now
  }
  void divide().catch((error: unknown) => log.warn('the audit records could not be divided by month yet', { error: String(error) }))
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
    const chained = chains.add(row)
    writer.add({ row: chained, slot, done })
    return chained.id
  }

  host.task('head', headEvery, () => noteHeads(false))
  host.task('months', deleteEvery, divide)
  host.task('left', headEvery, listLeft)
  host.task('daily', rollEvery, rollAll)
  host.task('retention', deleteEvery, async (signal) => {
    if (!records.available) return
    const deleted = await deleteOld(records, { keep: options.keep, keepBodies: options.keepBodies }, host.now(), signal)
    if (deleted.records > 0 || deleted.months > 0) log.info('old audit records were deleted', deleted)
  })

  return {
    writer,
    inFlight,
    add,
    async close() {
      const all = await writer.flush(patience)
      if (!all) log.error('audit records could not be kept before the end', { records: writer.waiting })
      writer.close()
      await noteHeads(true).catch((error: unknown) => log.warn('the head of the audit chain was not noted', { error: String(error) }))
      inFlight.close()
    },
  }
}
