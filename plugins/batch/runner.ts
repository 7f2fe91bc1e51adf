/**
 * Runs batches: takes requests that wait, makes them as calls of their submitters, and writes down what came of them; then closes and ends the batches.
 *
 * Several processes may run the same batches: an item is whose lease it bears. A result that can't be written, because the records are away, waits here
 * until they are back; nothing else is begun meanwhile. What is bounded: calls at a time, of this process, of a batch, of an account.
 */

import { type Host, type PrincipalValue, ShuttingDown, StoreUnavailable } from 'headgate/plugin'
import type { ItemStore, Settlement } from './items.ts'
import type { JobStore } from './jobs.ts'
import { errorText, type Verdict, verdictOf } from './replies.ts'
import type { ItemRow, JobRow } from './tables.ts'

export interface RunnerOptions {
  readonly host: Pick<Host, 'call' | 'now' | 'log'>
  readonly jobs: JobStore
  readonly items: ItemStore
  /** Milliseconds for which an item is a process's that gives no sign of life. */
  readonly lease: number
  /** Milliseconds between looks for what others have submitted or left. */
  readonly look: number
  /** Milliseconds that closing leaves to what runs; then it is cancelled, and free for others. */
  readonly patience: number
  readonly concurrency: number
  readonly perBatch: number
  readonly perAccount: number
  readonly tries: number
  /** Milliseconds for which results are kept. */
  readonly keep: number
  /** Validates a batch; false when another process does. */
  readonly validate: (job: JobRow) => Promise<boolean>
  /** A request was settled. */
  readonly settled: (outcome: string) => void
}

export interface Runner {
  /** There may be something to do. */
  wake(): void
  /** Does what there is to do, now. */
  tick(): Promise<void>
  /** Requests that this process runs. */
  readonly running: number
  /** Begins nothing more, waits for what runs as long as it may, and puts the rest back. */
  close(): Promise<void>
}

/** Milliseconds between tries of what failed: the first wait, and the longest. */
const firstWait = 1000
const longestWait = 60_000
/** Milliseconds until a gateway that takes no calls is asked again. */
const rest = 1000
/** Milliseconds that cancelled calls have to say so. */
const lastWords = 2000

export function createRunner(options: RunnerOptions): Runner {
  const { host, jobs, items } = options
  const { now } = host
  /** Calls that run, by what bounds them. */
  const inBatch = new Map<string, number>()
  const inAccount = new Map<string, number>()
  const running = new Set<Promise<void>>()
  /** Validations. */
  const checking = new Set<Promise<void>>()
  /** Results that could not be written yet. */
  const unwritten: (() => Promise<void>)[] = []
  /** Batches of which nothing is begun until then: they were told to wait. */
  const paused = new Map<string, number>()
  let known: readonly JobRow[] = []
  /** Batches in which nothing waited when it was last asked: asked again at the next look. */
  const drained = new Set<string>()
  let lookedAt = Number.NEGATIVE_INFINITY
  let renewedAt = now()
  /** Something was submitted, cancelled or validated. */
  let awake = true
  /** There is room for more. */
  let hungry = true
  let closed = false
  const ending = new AbortController()
  /** Nothing is begun until then: the gateway is ending, or has not begun. */
  let restsUntil = 0
  let ticking: Promise<void> | undefined

  const count = (of: Map<string, number>, key: string, by: number) => {
    const n = (of.get(key) ?? 0) + by
    if (n > 0) of.set(key, n)
    else of.delete(key)
  }
  /** Does it now; later, when the records are away. */
  const written = async (write: () => Promise<void>): Promise<void> => {
    try {
      await write()
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
      unwritten.push(write)
    }
  }
  const end = async (job: JobRow): Promise<void> => {
    const over = job.succeeded + job.errored + job.canceled + job.expired >= job.total
    if (over && (await jobs.finish(job, now(), now() + options.keep))) paused.delete(job.id)
  }
  const settle = (item: ItemRow, settlement: Settlement) =>
    written(async () => {
      const job = await items.settle(item, settlement, now())
      if (!job) return
      options.settled(settlement.outcome)
      await end(job)
    })
  const settleVerdict = async (item: ItemRow, job: JobRow, verdict: Verdict): Promise<void> => {
    if ('settle' in verdict) return await settle(item, verdict.settle)
    const { again, counts, wait } = verdict
    if (counts && item.tries >= BigInt(options.tries)) return await settle(item, again)
    const usual = counts ? Math.min(firstWait * 4 ** (Number(item.tries) - 1), longestWait) : firstWait
    const until = now() + Math.max(wait ?? usual, usual)
    // whoever is limited is so with all of its requests
    if (!counts) paused.set(job.id, Math.max(until, paused.get(job.id) ?? 0))
    await written(() => items.release(item, until, counts))
  }
  const run = async (item: ItemRow, job: JobRow): Promise<void> => {
    if (item.tries > BigInt(options.tries)) {
      const reply = errorText('The gateway ended while it ran this request, each time.')
      return await settle(item, { outcome: 'errored', status: 500, requestId: undefined, reply })
    }
    let verdict: Verdict
    try {
      const principal = JSON.parse(job.principal) as PrincipalValue | null
      const given = JSON.parse(job.headers) as Record<string, string>
      const headers = { 'x-trace-id': job.id, ...given, 'content-type': 'application/json' }
      const request = new Request(`http://gateway${item.path}`, { method: 'POST', headers, body: item.body })
      verdict = await verdictOf(await host.call(request, { ...(principal && { principal }), once: item.id, signal: ending.signal }))
    } catch (error) {
      if (ending.signal.aborted) return await written(() => items.release(item, now(), false))
      if (error instanceof ShuttingDown) {
        restsUntil = now() + rest
        return await written(() => items.release(item, now(), false))
      }
      host.log.error('a request of a batch failed', { item: item.id, error: error instanceof Error ? error.message : String(error) })
      const failed: Settlement = { outcome: 'errored', status: 500, requestId: undefined, reply: errorText('The gateway failed.') }
      verdict = { again: failed, counts: true, wait: undefined }
    }
    const cut = ending.signal.aborted && !('settle' in verdict && verdict.settle.outcome === 'succeeded')
    if (cut) await written(() => items.release(item, now(), false))
    else await settleVerdict(item, job, verdict)
  }
  const begin = (item: ItemRow, job: JobRow): void => {
    const account = accountOf(job)
    count(inBatch, job.id, 1)
    count(inAccount, account, 1)
    const work = run(item, job)
      .catch((error: unknown) => host.log.error('a result of a batch could not be written', { item: item.id, error: String(error) }))
      .then(() => {
        count(inBatch, job.id, -1)
        count(inAccount, account, -1)
        running.delete(work)
        hungry = true
        if (!closed) void tick()
      })
    running.add(work)
  }
  /** Takes and begins as many as may run, in turns: no batch waits for another one to end. */
  const fill = async (): Promise<void> => {
    if (now() < restsUntil) return
    let left = known.filter(({ id, status }) => status === 'in_progress' && !drained.has(id))
    while (left.length > 0 && !closed) {
      const next: JobRow[] = []
      for (const job of left) {
        const free = options.concurrency - running.size
        if (free <= 0 || closed || now() < restsUntil) return
        const until = paused.get(job.id)
        if (until !== undefined && until > now()) continue
        paused.delete(job.id)
        const account = options.perAccount - (inAccount.get(accountOf(job)) ?? 0)
        const batch = options.perBatch - (inBatch.get(job.id) ?? 0)
        const share = Math.min(account, batch, Math.ceil(free / left.length))
        if (share <= 0) continue
        const taken = await items.claim(job.id, share, now(), now() + options.lease)
        for (const item of taken) begin(item, job)
        if (taken.length === share) next.push(job)
        else drained.add(job.id)
      }
      left = next
    }
  }
  /** What is known of batches anew: those of others, those that time is over for, what the dead have left. */
  const look = async (): Promise<void> => {
    lookedAt = now()
    await items.reclaim(now())
    const found = await jobs.working()
    const fresh: JobRow[] = []
    for (const job of found) {
      const over = job.expires_at <= BigInt(now()) && (job.status === 'in_progress' || job.status === 'validating')
      const current = over ? ((await jobs.stop(job.id, 'expiring', now())) ?? job) : job
      if (current.status === 'validating') await beginValidation(current)
      if (current.status === 'cancelling' || current.status === 'expiring') {
        while (!closed && (await items.close(current.id, current.status === 'expiring' ? 'expired' : 'canceled', now())) > 0);
      }
      fresh.push(current)
    }
    known = fresh
    drained.clear()
    for (const job of await jobs.working()) await end(job)
    for (const id of paused.keys()) if (!fresh.some((job) => job.id === id)) paused.delete(id)
  }
  const beginValidation = async (job: JobRow): Promise<void> => {
    if (checking.size > 0 || closed) return
    const work = options
      .validate(job)
      .catch((error: unknown) => {
        if (!(error instanceof StoreUnavailable)) host.log.error('a batch could not be validated', { batch: job.id, error: String(error) })
      })
      .then(() => {
        checking.delete(work)
        awake = true
        if (!closed) void tick()
      })
    checking.add(work)
  }
  const once = async (): Promise<void> => {
    if (now() - renewedAt >= options.lease / 3 && running.size + unwritten.length > 0) {
      renewedAt = now()
      await items.renew(now() + options.lease)
    }
    for (let write = unwritten[0]; write; write = unwritten[0]) {
      await write().catch((error: unknown) => {
        if (error instanceof StoreUnavailable) throw error
        host.log.error('a result of a batch could not be written', { error: String(error) })
      })
      unwritten.shift()
    }
    const due = now() - lookedAt >= options.look || now() < lookedAt
    while ((awake || hungry || due) && !closed) {
      const looks = awake || (due && lookedAt < now() - options.look / 2)
      awake = false
      hungry = false
      if (looks) await look()
      await fill()
      if (!awake && !hungry) return
    }
  }
  /** What the records could not do now is done at the next tick. */
  const tick = (): Promise<void> => {
    ticking ??= once()
      .catch((error: unknown) => {
        awake = true
        if (!(error instanceof StoreUnavailable)) host.log.error('batches could not be run', { error: String(error) })
      })
      .finally(() => {
        ticking = undefined
      })
    return ticking
  }
  return {
    wake: () => {
      awake = true
    },
    tick,
    get running() {
      return running.size
    },
    async close() {
      closed = true
      await ticking
      const all = Promise.allSettled([...running, ...checking])
      await atMost(all, options.patience)
      ending.abort()
      await atMost(all, lastWords)
      await once().catch(() => {}) // what could not be written before
    },
  }
}

async function atMost(work: Promise<unknown>, ms: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  await Promise.race([work, new Promise((resolve) => (timer = setTimeout(resolve, ms)))])
  clearTimeout(timer)
}

/** By what limits per account count. */
function accountOf({ shared, caller }: JobRow): string {
  return shared === '' ? caller : shared
}
