/**
 * What runs in the background: keeps the holds of this process alive, releases those of processes that died, enters settlements that waited for the store,
 * and removes counters of periods that are over.
 *
 * A hold has a short lease that its process renews, so that a crash heals within two minutes. While the store is away nobody can renew: after an
 * outage, and after a start, nothing is released until every process had time to.
 *
 * Only holds that a request waits for are renewed. A server that dies can have made a hold whose answer never came: its request gave back what was not
 * there yet, and nobody else will.
 */

import { type Logger, type Records, StoreUnavailable } from 'headgate/plugin'
import { enter } from './ledger.ts'
import { settleIn, settlementOf } from './settle.ts'

/** Milliseconds. */
export interface Times {
  /** For so long a hold is good. Longer than clocks of instances may differ. */
  readonly lease: number
  /** Between two rounds. */
  readonly pause: number
}
export const times: Times = { lease: 60_000, pause: 10_000 }

/** Milliseconds after which a hold is no longer renewed: no reply takes so long. */
const longest = 86_400_000
/** Rows per round. */
const batch = 200
/** Milliseconds for which counters of a period that is over are kept. */
const keepCounters = 7 * 86_400_000

const rows = { isolation: 'rows' } as const

export interface Healer {
  /** One round. */
  run(): Promise<void>
}

/** Why a hold ran out: its process died, or its request was over before it was made. */
export type Why = 'crash' | 'over'

/** Instance of holds that nobody renews any more. */
const nobody = ''

export interface HealerOptions {
  /** As in `Times`. */
  readonly lease: number
  readonly records: Records
  readonly instance: string
  readonly now: () => number
  readonly log: Logger
  /** Whether a request of this process has a hold of this id, or is about to. */
  readonly isWanted: (id: string) => boolean
  /** Called for each reservation that was given back: its process died, or its request was over. */
  readonly released: (why: Why) => void
  /** Called for each settlement that had waited. */
  readonly entered: () => void
}

export function healer({ records, lease, instance, now, log, isWanted, released, entered }: HealerOptions): Healer {
  let calmSince = now()
  let roundAt = calmSince
  let rounds = 0
  /** Of holds that run out soon; most are settled before that. */
  const renew = async (at: number) => {
    const soon = BigInt(at + lease / 2)
    const youngest = BigInt(at - longest)
    const due = await records.sql<{ id: string }>`SELECT id FROM budget_hold
      WHERE instance = ${instance} AND expires_at < ${soon} AND created_at > ${youngest}`
    for (const { id } of due)
      if (!isWanted(id)) await records.sql`UPDATE budget_hold SET instance = ${nobody} WHERE id = ${id} AND instance = ${instance}`
    if (due.length > 0)
      await records.sql`UPDATE budget_hold SET expires_at = ${BigInt(at + lease)}
        WHERE instance = ${instance} AND expires_at < ${soon} AND created_at > ${youngest}`
  }
  return {
    async run() {
      const at = now()
      // a process that slept, or a store that was away: others may not have renewed either
      if (at - roundAt > lease / 2) calmSince = at
      roundAt = at
      try {
        await renew(at)
        await enterWaiting(records, log, entered)
        if (at - calmSince >= lease / 2) await releaseDead(records, at, log, released)
        if (rounds % 100 === 0) await records.sql`DELETE FROM budget_counter WHERE ends_at < ${BigInt(at - keepCounters)} AND held = ${0n}`
        rounds++
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error
        calmSince = now()
      }
    },
  }
}

/** Enters what was settled while the store was away. */
export async function enterWaiting(records: Records, log: Logger, entered: () => void): Promise<void> {
  for (;;) {
    const waiting = await records.sql<{
      id: string
      settlement: string
    }>`SELECT id, settlement FROM budget_waiting ORDER BY at, id LIMIT ${batch}`
    let done = 0
    for (const { id, settlement } of waiting) {
      try {
        const what = settlementOf(settlement)
        const became = await records.transaction(async (sql) => {
          const result = await settleIn(sql, what)
          await sql`DELETE FROM budget_waiting WHERE id = ${id}`
          return result
        }, rows)
        done++
        if (became !== 'repeated') entered()
      } catch (error) {
        if (error instanceof StoreUnavailable) throw error
        log.error('a settlement that waited could not be entered; it stays', {
          id,
          error: error instanceof Error ? error.message : String(error),
        })
      }
    }
    if (waiting.length < batch || done === 0) return
  }
}

interface HoldRow {
  readonly id: string
  readonly account: string
  readonly amount: bigint
  readonly takes: string
  readonly instance: string
  readonly request_id: string
  readonly model: string
}

/** Gives back what nobody renewed. */
async function releaseDead(records: Records, at: number, log: Logger, released: HealerOptions['released']): Promise<void> {
  for (;;) {
    const dead = await records.sql<{ id: string }>`SELECT id FROM budget_hold WHERE expires_at < ${BigInt(at)} LIMIT ${batch}`
    for (const { id } of dead) {
      const hold = await records.transaction(async (sql) => {
        const [row] = await sql<HoldRow>`DELETE FROM budget_hold WHERE id = ${id} AND expires_at < ${BigInt(at)}
          RETURNING id, account, amount, takes, instance, request_id, model`
        if (!row) return undefined
        const { account, amount, takes, request_id: requestId, model } = row
        await sql`UPDATE budget_account SET held = held - ${amount} WHERE id = ${account}`
        for (const [counter, held] of JSON.parse(takes) as [string, string][])
          await sql`UPDATE budget_counter SET held = held - ${BigInt(held)} WHERE id = ${counter}`
        const note = row.instance === nobody ? 'its request was over' : 'its gateway died'
        await enter(sql, { id: `released:${id}`, account, at, kind: 'released', amount: 0n, requestId, model, note })
        return row
      }, rows)
      if (!hold) continue
      const over = hold.instance === nobody
      released(over ? 'over' : 'crash')
      log.warn(`a reservation ${over ? 'whose request was over' : 'of a process that died'} is released`, {
        account: hold.account,
        request: hold.request_id,
      })
    }
    if (dead.length < batch) return
  }
}
