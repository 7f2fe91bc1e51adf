/**
 * Records in PostgreSQL, which several instances share: a bounded pool, transactions (SERIALIZABLE unless told), time limits on everything.
 *
 * A server that does not answer is given up after seconds: its connections are destroyed, and `open` makes new ones. A transaction that
 * met another is run again; from its second run on alone in this process, so that callers here do not keep failing one another.
 * A single statement is atomic by itself and is never run twice, except after a deadlock, which undid it. What is given up while it waits
 * for a connection is not done later.
 *
 * Statements and transactions have connections of their own: those of statements are shared.
 */

import postgres, { type Sql } from 'postgres'
import { splitHosts } from '../../config/store-url.ts'
import { type SqlQuery, type SqlRow, type SqlValue, StoreUnavailable } from '../../plugin/host.ts'
import { inTransactionTime, type RecordsDriver, StoreBusy, transactionLimit } from '../records-driver.ts'
import { createLane } from '../records-lane.ts'
import { runMigrations } from '../records-migrations.ts'
import { insertText, textOf } from '../records-text.ts'
import { bindable, type InsertGroup, insertGroups } from '../records-values.ts'
import { isConflict, meaning } from './errors.ts'
import { divide, dropParts, type PartitionSession, type Run } from './partitions.ts'
import { Claim, createPool, type Pool, type Session } from './pool.ts'
import { plainRows, types } from './rows.ts'
import { inTransaction } from './transaction.ts'
import { translate } from './translate.ts'

export interface PostgresOptions {
  readonly url: string
  /** Connections of this process, at least 2; 10 by default. */
  readonly pool?: number
  /** Milliseconds since the epoch. */
  readonly now?: () => number
  readonly limits?: Partial<PostgresLimits>
}

/** In milliseconds. */
export interface PostgresLimits {
  readonly connect: number
  /** One statement, on the server; a little later here, should the server hang. */
  readonly statement: number
  /** How long conflicting transactions are run again. */
  readonly conflicts: number
  readonly migration: number
  readonly transaction: number
}

const usual: PostgresLimits = { connect: 3000, statement: 5000, conflicts: 5000, migration: 600_000, transaction: transactionLimit }
/** Milliseconds for which a table is asked for again and again, a moment each time. */
const tablePatience = 10_000
/** What the server gets on top before it counts as hung. */
const grace = 1000
/** Prepared statements of one connection. */
const maxPrepared = 500
/** So many that met others and wait: then nobody tries at the same time as they any more. */
const crowd = 8
/** PostgreSQL counts placeholders with 16 bits. */
const maxPlaceholders = 60_000
/** "headgate": who migrates holds this advisory lock. */
const migrationLock = '7522807063157568613'

/** Statements that share a connection; more would wait behind a locked row: half the throughput of a busy row. */
const sharing = 3

/** The connections of one process. */
interface Pools {
  readonly statements: Pool
  readonly transactions: Pool
}

export function postgresDriver(options: PostgresOptions): RecordsDriver {
  const { now = Date.now } = options
  const limits = { ...usual, ...options.limits }
  const prepared = new Set<string>()
  const calm = createLane()
  let pools: Pools | undefined
  let closed = false
  /** When the server last said anything: one that is only busy is not given up. */
  let lastAnswer = Number.NEGATIVE_INFINITY

  const { before, hosts, after } = splitHosts(options.url)
  /** Which of several hosts to try first: the one after one that could not be reached. */
  let first = 0
  const connect = (closed: () => void): Sql => {
    const at = first
    let reached = false
    // the client takes them in turn, for as long as they refuse it
    const inTurn = [...hosts.slice(at), ...hosts.slice(0, at)]
    return postgres(before + inTurn.join(',') + after, {
      max: 1,
      connect_timeout: limits.connect / 1000,
      idle_timeout: 300, // the pool comes before it
      max_lifetime: null, // as above
      ...({ max_pipeline: sharing } as object),
      backoff: (() => 0.05) as never, // the store above paces its attempts
      fetch_types: false,
      onnotice: () => {},
      onparameter: () => {
        reached = true
      },
      onclose() {
        if (!reached && first === at) first = (at + 1) % hosts.length
        closed()
      },
      types: types as never,
      connection: {
        application_name: 'headgate',
        statement_timeout: limits.statement,
        idle_in_transaction_session_timeout: limits.transaction + grace,
        client_min_messages: 'warning',
      },
    }) as Sql
  }

  const answered = () => {
    lastAnswer = performance.now()
  }
  const connectAll = (): Pools => {
    const all = Math.max(2, options.pool ?? 10)
    const some = Math.max(1, Math.floor(all * 0.4))
    return {
      statements: createPool({ connect, answered, max: some, share: sharing, silence: grace }),
      transactions: createPool({ connect, answered, max: all - some, share: 1, silence: grace }),
    }
  }
  const end = async (old: Pools | undefined, reason: Error, timeout: number): Promise<void> => {
    await Promise.all([old?.statements.end(reason, timeout), old?.transactions.end(reason, timeout)])
  }
  const current = (): Pools => {
    if (!pools) throw new StoreUnavailable(closed ? 'the records are closed' : 'PostgreSQL was not reached yet')
    return pools
  }
  const drop = () => {
    const old = pools
    pools = undefined
    void end(old, new StoreUnavailable('PostgreSQL does not answer'), 0)
  }

  /** The result, or `StoreUnavailable` when it does not come in time; the connections of a hung server are given up. */
  const within = async <T>(work: (claim: Claim) => Promise<T>, limit: number, of: Pools): Promise<T> => {
    const claim = new Claim(limit)
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        claim.giveUp()
        // what only waited for its turn says nothing of the server
        if (!claim.begun || performance.now() - lastAnswer < limit)
          return reject(new StoreBusy(`PostgreSQL had no time for it within ${limit / 1000} s`))
        if (pools === of) drop()
        reject(new StoreUnavailable(`PostgreSQL did not answer within ${limit / 1000} s`))
      }, limit)
    })
    try {
      return await Promise.race([work(claim), late])
    } catch (error) {
      throw isConflict(error) ? error : meaning(error)
    } finally {
      clearTimeout(timer)
    }
  }

  const run = async (session: Session, text: string, values: readonly SqlValue[], prepare: boolean): Promise<SqlRow[]> => {
    if (prepare && prepared.size < maxPrepared) prepared.add(text)
    const result = await session.send(text, values, { prepare: prepare && prepared.has(text), simple: false })
    return plainRows(result as unknown as SqlRow[], result.columns as never)
  }
  const queryOf =
    (session: Session): SqlQuery =>
    async <Row = SqlRow>(template: TemplateStringsArray, ...values: readonly SqlValue[]): Promise<Row[]> =>
      (await run(session, textOf(template, 'postgres'), values.map(bindable), true)) as Row[]

  /** Again after a conflict, with growing pauses, for a while. */
  const again = async <T>(work: () => Promise<T>): Promise<T> => {
    const end = Date.now() + limits.conflicts
    const attempt = async (n: number): Promise<T> => {
      try {
        return await work()
      } catch (error) {
        const pause = Math.min(2 ** n, 100) * (0.5 + Math.random())
        if (!isConflict(error) || Date.now() + pause > end) throw meaning(error)
        await Bun.sleep(pause)
        return n === 0 ? await calm.run(() => attempt(1)) : await attempt(n + 1)
      }
    }
    // newcomers would overtake those that wait, and keep failing them
    return await (calm.waiting < crowd ? attempt(0) : calm.run(() => attempt(1)))
  }

  const statement = <T>(limit: number, work: (session: Session) => Promise<T>, of = current()): Promise<T> =>
    within((claim) => of.statements.use(claim, work), limit, of)
  const transaction = async <T>(mode: string, limit: number, work: (session: Session) => Promise<T>): Promise<T> => {
    const of = current()
    return await within((claim) => of.transactions.use(claim, (connection) => inTransaction(connection, claim, mode, work)), limit, of)
  }

  const answers = async (of: Pools, limit: number): Promise<void> => {
    await statement(limit, (session) => session.send('SELECT 1'), of)
  }

  const insertGroup = async (session: Session, { table, columns, rows }: InsertGroup): Promise<void> => {
    const most = Math.max(1, Math.floor(maxPlaceholders / columns.length))
    for (let at = 0; at < rows.length; at += most) {
      const some = rows.slice(at, at + most)
      const values = some.flatMap((row) => columns.map((c) => row[c]!))
      await run(session, insertText(table, columns, some.length, 'postgres'), values, some.length === 1)
    }
  }

  /** Work that may take minutes; a server that says nothing at all meanwhile is given up as ever. */
  const atLength = async <T>(work: (tx: Session) => Promise<T>): Promise<T> => {
    const of = current()
    const alive = setInterval(() => {
      answers(of, limits.connect + grace).catch(() => {})
    }, limits.connect)
    try {
      return await transaction('read committed', limits.migration + grace, async (tx) => {
        await tx.send(`SET LOCAL statement_timeout = ${limits.migration}`)
        await tx.send(`SELECT pg_advisory_xact_lock(${migrationLock})`)
        return await work(tx)
      })
    } finally {
      clearInterval(alive)
    }
  }
  /** Work that needs a table to itself for a moment, tried again while others have it. */
  const atAQuietMoment = async <T>(work: () => Promise<T>): Promise<T> => {
    for (const end = Date.now() + tablePatience; ; ) {
      try {
        return await again(work)
      } catch (error) {
        if (!(error instanceof StoreBusy) || Date.now() > end) throw error
        await Bun.sleep(100 + Math.random() * 200)
      }
    }
  }
  const partitions: PartitionSession = {
    exclusively: (patience, work) =>
      atLength(async (tx) => {
        await tx.send(`SET LOCAL lock_timeout = ${patience}`)
        return await work(runOf(tx))
      }),
    together: (patience, work) =>
      transaction('read committed', limits.transaction + 2 * grace, async (tx) => {
        await tx.send(`SET LOCAL lock_timeout = ${patience}`)
        return await work(runOf(tx), queryOf(tx))
      }),
  }
  const runOf =
    (tx: Session): Run =>
    (text, values = []) =>
      run(tx, text, values, false)

  return {
    kind: 'postgres',
    async open() {
      if (closed) throw new StoreUnavailable('the records are closed')
      if (pools) {
        try {
          return await answers(pools, limits.connect / 2)
        } catch (error) {
          if (error instanceof StoreBusy) return
          drop()
        }
      }
      pools = connectAll()
      try {
        await answers(pools, limits.connect + grace)
      } catch (error) {
        drop()
        throw error instanceof StoreUnavailable ? error : new StoreUnavailable(`PostgreSQL can't be used: ${(error as Error).message}`)
      }
    },
    sql: <Row = SqlRow>(template: TemplateStringsArray, ...values: readonly SqlValue[]) =>
      again(() => statement(limits.statement + grace, (session) => queryOf(session)<Row>(template, ...values))),
    transaction: (work, { isolation = 'all' } = {}) =>
      again(() =>
        transaction(isolation === 'all' ? 'serializable' : 'read committed', limits.transaction + 2 * grace, (tx) =>
          inTransactionTime(work(queryOf(tx)), limits.transaction),
        ),
      ),
    insert: (batch) =>
      again(async () => {
        const groups = insertGroups(batch)
        const [only] = groups
        if (groups.length === 1 && only!.rows.length * only!.columns.length <= maxPlaceholders)
          return await statement(limits.statement + grace, (session) => insertGroup(session, only!))
        await transaction('read committed', limits.statement + 2 * grace, async (tx) => {
          for (const group of groups) await insertGroup(tx, group)
        })
      }),
    migrate: (plugin, migrations) =>
      // read committed: what another instance did while this one waited for the lock must be seen
      again(() =>
        atLength(async (tx) => {
          const session = {
            run: (text: string, values: readonly (string | number)[] = []) => run(tx, text, values, false),
            placeholder: (n: number) => `$${n}`,
            translate,
          }
          await runMigrations(session, plugin, migrations, now())
        }),
      ),
    divide: (table, bounds) => atAQuietMoment(() => divide(partitions, table, bounds)),
    dropParts: (table, before, also) => atAQuietMoment(() => dropParts(partitions, table, before, also)),
    async close() {
      closed = true
      const old = pools
      pools = undefined
      await end(old, new StoreUnavailable('the records are closed'), 2000)
    },
  }
}
