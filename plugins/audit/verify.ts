/**
 * Proves the hash chains: each row of each instance is as it was written, none is missing, none stands elsewhere; and the bodies that are still kept
 * are those of their rows.
 *
 * A chain begins where retention left it (`from_seq`, `from_hash`) and must reach at least the head that was noted last. What was cut off
 * behind the last note of a process that was killed can't be told from what was never written; notes are seconds apart.
 */

import type { SqlQuery } from 'headgate/plugin'
import { alteredBodies } from './bodies-verify.ts'
import { type GoesOn, genesis, hashOf } from './chain.ts'
import type { ExchangeRow } from './row.ts'
import { endOfInstance, rowId } from './tables.ts'

const pageSize = 1000
/** Problems told of one chain; the rest is counted. */
const mostTold = 20

export interface Problem {
  readonly instance: string
  readonly seq: number
  readonly kind: 'altered' | 'missing' | 'misplaced' | 'cut' | 'key' | 'unregistered'
  readonly message: string
  readonly requestId?: string
}

export interface ChainReport {
  readonly instance: string
  readonly rows: number
  readonly first: number
  readonly last: number
  /** Hash of the last row: who keeps it elsewhere can prove later that nothing was rewritten. */
  readonly head: string
  readonly closed: boolean
  readonly problems: readonly Problem[]
  /** Problems that are not listed. */
  readonly more: number
}

interface Head {
  readonly seq: bigint
  readonly hash: string
  readonly closed_at: bigint | null
  readonly from_seq: bigint
  readonly from_hash: string
}

interface Registered {
  readonly goes_on: string | null
  readonly goes_on_hash: string | null
}

/** Verifies all chains, or that of one instance; a report as each is done. */
export async function* verifyChains(sql: SqlQuery, key: string | undefined, only?: string): AsyncGenerator<ChainReport> {
  if (only !== undefined) {
    yield await verifyChain(sql, only, key)
    return
  }
  for (let after = ''; ; ) {
    const instance = await nextInstance(sql, after)
    if (instance === undefined) return
    yield await verifyChain(sql, instance, key)
    after = instance
  }
}

/** The next instance that has rows or a head, by id. Each is found by one look into an index. */
async function nextInstance(sql: SqlQuery, after: string): Promise<string | undefined> {
  const end = after === '' ? '' : endOfInstance(after)
  const [row] = await sql<{ id: string }>`SELECT id FROM audit_exchange WHERE id > ${end} ORDER BY id LIMIT 1`
  const [head] = await sql<{ id: string }>`SELECT id FROM audit_head WHERE id > ${after} ORDER BY id LIMIT 1`
  const found = [row?.id.slice(0, row.id.lastIndexOf('.')), head?.id].filter((id) => id !== undefined).sort()
  return found[0]
}

async function verifyChain(sql: SqlQuery, instance: string, key: string | undefined): Promise<ChainReport> {
  const [head] = await sql<Head>`SELECT seq, hash, closed_at, from_seq, from_hash FROM audit_head WHERE id = ${instance}`
  const [registered] = await sql<Registered>`SELECT goes_on, goes_on_hash FROM audit_instance WHERE id = ${instance}`
  const from = registered?.goes_on == null ? undefined : { id: registered.goes_on, hash: registered.goes_on_hash ?? '' }
  const problems: Problem[] = []
  let more = 0
  const tell = (seq: number, kind: Problem['kind'], message: string, requestId?: string) => {
    if (problems.length >= mostTold) more++
    else problems.push({ instance, seq, kind, message, ...(requestId !== undefined && { requestId }) })
  }
  let seq = Number(head?.from_seq ?? 0n)
  let before = head && head.from_seq > 0n ? head.from_hash : genesis(instance, key, from)
  const begin = seq
  let rows = 0
  let headSeen = head === undefined || head.seq === BigInt(seq)
  if (!registered && !head) tell(0, 'unregistered', 'no gateway has registered this chain')
  if (from) {
    const broken = await brokenLink(sql, from)
    if (broken !== undefined) tell(0, 'cut', broken)
  }
  for (let after = rowId(instance, 0); ; ) {
    const page = await sql<ExchangeRow>`SELECT * FROM audit_exchange
      WHERE id > ${after} AND id < ${endOfInstance(instance)} ORDER BY id LIMIT ${pageSize}`
    for (const row of page) {
      const n = Number(row.id.slice(row.id.lastIndexOf('.') + 1))
      rows++
      if (n <= begin) tell(n, 'misplaced', 'a row stands where retention has deleted all', row.request_id)
      else if (n !== seq + 1)
        tell(seq + 1, 'missing', n === seq + 2 ? `row ${seq + 1} is missing` : `rows ${seq + 1} to ${n - 1} are missing`)
      const unbroken = n === seq + 1
      if (row.id !== rowId(instance, n) || row.instance !== instance || Number(row.seq) !== n)
        tell(n, 'misplaced', `row ${n} bears the place of another: ${row.instance}.${row.seq}`, row.request_id)
      else if (unbroken && hashOf(row, before, key) !== row.hash) {
        const wrongKey = rows === 1 && head?.from_seq === 0n
        tell(
          n,
          wrongKey ? 'key' : 'altered',
          `row ${n} is not as it was written${wrongKey ? ', or chain_key is another' : ''}`,
          row.request_id,
        )
      }
      if (head && BigInt(n) === head.seq) {
        headSeen = true
        if (row.hash !== head.hash) tell(n, 'altered', `the hash of row ${n} is not the one that was noted`, row.request_id)
      }
      if (n > seq) seq = n
      before = row.hash
    }
    for (const { row, what } of await alteredBodies(sql, page))
      tell(Number(row.seq), 'altered', `the body of the ${what} of row ${row.seq} is not as it was kept`, row.request_id)
    if (page.length < pageSize) break
    after = page.at(-1)!.id
  }
  if (head && !headSeen && head.seq > BigInt(seq)) tell(seq + 1, 'cut', `rows ${seq + 1} to ${head.seq} are missing: the chain was cut off`)
  else if (head && head.closed_at !== null && BigInt(seq) > head.seq)
    tell(Number(head.seq) + 1, 'misplaced', `rows were added after the gateway had closed this chain at ${head.seq}`)
  return { instance, rows, first: begin + 1, last: seq, head: before, closed: head?.closed_at != null, problems, more }
}

/** What is wrong with the end of a chain that another goes on from; undefined when nothing is. */
async function brokenLink(sql: SqlQuery, { id, hash }: GoesOn): Promise<string | undefined> {
  const instance = id.slice(0, id.lastIndexOf('.'))
  const seq = BigInt(id.slice(instance.length + 1))
  const [row] = await sql<{ hash: string }>`SELECT hash FROM audit_exchange WHERE id = ${id}`
  const [head] = await sql<Head>`SELECT seq, hash, closed_at, from_seq, from_hash FROM audit_head WHERE id = ${instance}`
  // deleted as too old: its hash was noted
  const last = row?.hash ?? (head?.from_seq === seq && seq > 0n ? head.from_hash : seq === 0n ? hash : undefined)
  if (last === undefined) return `this chain goes on from row ${seq} of ${instance}, which is not there`
  if (last !== hash) return `this chain goes on from row ${seq} of ${instance}, which is not as it was`
  return undefined
}
