/**
 * Records in the records of the gateway: durable, chained, to be asked for.
 *
 * An exchange is noted when it arrives and let go when its row is on the disk, so that at any moment it is in one place or the other.
 * Rows go in groups; the end of a reply waits for its group. While they can go nowhere new exchanges are refused, unless the operator wants
 * otherwise.
 */

import type { Host, Outcome, PrincipalValue } from 'headgate/plugin'
import { type Bodies, bodiesOf, type Gathered, keepBodies } from './bodies.ts'
import { type AuditConfig, whenFull } from './config.ts'
import { addGeneration } from './generation.ts'
import type { Begun } from './in-flight.ts'
import { openKeeper } from './keeper.ts'
import { addKeyInfo } from './key-told.ts'
import type { AuditRecord } from './record.ts'
import { type RowBody, rowOf } from './row.ts'

/** What the sink remembers of an exchange under way. */
export interface Under extends Gathered {
  /** Its place among those under way; -1: none. */
  slot: number
  sampled: boolean
}

/** What of an exchange names it. */
export interface Arriving {
  readonly id: string
  readonly receivedAt: number
  readonly operation: string
  readonly dialect: string
}

export interface RecordsSink {
  readonly bodies: Bodies | undefined
  /** No record can be kept now, and nothing may go unrecorded. */
  readonly refuses: boolean
  begin(x: Arriving, under: Under): void
  /** Its caller and model are known. */
  identify(x: Arriving, under: Under, principal: PrincipalValue | undefined, model: string): void
  /** Takes a record. A promise where replies wait for the disk: it resolves when the record is there, or can't be for now. */
  write(record: AuditRecord, outcome: Outcome, under: Under, body: Uint8Array | undefined): Promise<void> | undefined
  health(): string | undefined
  close(): Promise<void>
}

/** @throws Error when the tables or the file of exchanges under way can't be made. */
export async function recordsSink(host: Host, config: AuditConfig): Promise<RecordsSink> {
  const { thread } = config
  const full = whenFull(config)
  const bodies = config.bodies && bodiesOf(config.bodies)
  const keeper = await openKeeper(
    host,
    { inFlight: host.file(config.in_flight), chainKey: config.chain_key, keep: config.keep, keepBodies: config.bodies?.keep },
    (begun, instance) => interruptedRow(begun, instance, thread, host.now()),
  )
  const { writer, inFlight } = keeper
  const lost = host.counter('audit_records_lost', 'Records that could not be kept because neither store nor spool took them')
  const bodiesLost = host.counter('audit_bodies_lost', 'Bodies that could not be kept')
  const unlisted = host.counter('audit_unlisted', 'Exchanges that a crash would not have listed, because too many were under way')
  host.gauge('audit_records_waiting', 'Records in memory that are not on the disk yet', () => [{ value: writer.waiting }])
  let lostSince = 0
  if (config.generation_path !== undefined) addGeneration(host, config.generation_path)
  if (config.key_info.paths.length > 0) addKeyInfo(host, config.key_info)

  const dropped = (): boolean => {
    if (full === 'refuse' ? !writer.overfull : !writer.full) return false
    if (lostSince === 0) host.log.error('audit records are lost: neither store nor spool takes them, and memory is full')
    lostSince++
    lost.add(1)
    return true
  }

  return {
    bodies,
    get refuses() {
      return full === 'refuse' && writer.full
    },
    begin(x, under) {
      under.slot = inFlight.begin(begunOf(x, '', ''))
      if (under.slot < 0) unlisted.add(1)
    },
    identify(x, under, principal, model) {
      inFlight.update(under.slot, begunOf(x, principal?.id ?? '', model))
    },
    write(record, outcome, under, body) {
      if (dropped()) {
        inFlight.end(under.slot)
        return undefined
      }
      const kept = under.sampled ? bodies?.made(body, under) : undefined
      // told apart only for those who ask by it: ids of makers are random, and an index of random texts is the dearest
      const replyId = config.generation_path === undefined ? undefined : outcome.served?.replyId
      const row = rowOf(record, { thread, bodies: kept?.sums, lost: lostSince, replyId })
      lostSince = 0
      const { promise, resolve } = config.wait ? Promise.withResolvers<void>() : noWait
      const id = keeper.add(row, under.slot, resolve)
      if (kept) keepBodies(host.records, id, record.time, kept).catch(() => bodiesLost.add(1))
      return promise
    },
    health: () => (writer.failing ? 'audit records can not be kept: neither store nor spool takes them' : undefined),
    close: () => keeper.close(),
  }
}

const noWait = { promise: undefined, resolve: undefined }

function begunOf(x: Arriving, caller: string, model: string): Begun {
  return { id: x.id, at: x.receivedAt, operation: x.operation, dialect: x.dialect, caller, model }
}

/** The row of an exchange whose end nobody saw. What it used is not known. */
function interruptedRow(b: Begun, instance: string, thread: string | undefined, now: number): RowBody {
  const text = (value: string) => (value === '' ? null : value.toWellFormed().replaceAll('\0', '\ufffd'))
  return {
    thread: thread ?? null,
    request_id: b.id,
    trace_id: null,
    reply_id: null,
    at: BigInt(Math.floor(b.at)),
    ended_at: BigInt(Math.floor(now)),
    caller: text(b.caller),
    account: null,
    tier: null,
    end_user: null,
    session: null,
    turn: null,
    operation: b.operation,
    dialect: b.dialect,
    model_asked: text(b.model),
    model_served: null,
    upstream: null,
    status: 0n,
    ending: 'interrupted',
    code: null,
    answered_by: null,
    stream: false,
    stream_state: 'none',
    usage_source: 'unknown',
    input: null,
    cache_read: null,
    cache_write: null,
    output: null,
    reasoning: null,
    cost: null,
    cost_least: b.operation === 'models' || b.operation === 'route' ? null : 0n,
    saved: null,
    attempts: 0n,
    first_ms: null,
    total_ms: 0n,
    detail: JSON.stringify({ interrupted_instance: instance }),
    saved_gross: null,
    trim_saved: null,
    trimmed: null,
    cache_status: null,
    cache_attribution: null,
    response_saved: null,
  }
}
