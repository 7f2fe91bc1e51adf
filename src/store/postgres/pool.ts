/**
 * Connections to PostgreSQL, lent to work and never used again once something happened to them.
 *
 * Each is a postgres.js client with one connection, which lives as long as that. What the library does when a connection is lost is not for us: one
 * that had something to send never sends again, the end of a transaction is written to a socket that is gone (an exception that nobody can catch), and
 * what waited is begun on a new connection, also a transaction that its caller gave up long ago (3.4.9; https://github.com/porsager/postgres/issues/1208).
 * So nothing is ever given to a client that it would let wait: it would connect anew for that, and nobody would end that connection.
 */

import type { RowList, Sql } from 'postgres'
import { StoreUnavailable } from '../../plugin/host.ts'
import { StoreBusy } from '../records-driver.ts'
import { isAnswer } from './errors.ts'

/** What people wait for: work on a connection, or in the queue for one. */
export class Claim {
  /** Nobody waits for it any more: it may not begin, nor be made to last. */
  over = false
  /** It has a connection, or had. */
  begun = false
  /** Until when (`performance.now`) there is any use in beginning. */
  readonly turnBy: number
  private undo: (() => void) | undefined

  /** `limit`: milliseconds for all of it. Half of them must be left when it begins, else a store that is too busy would do only what comes too late. */
  constructor(limit: number) {
    this.turnBy = performance.now() + limit / 2
  }

  /** What is to be done when it is given up before `undo` is another. */
  until(undo: (() => void) | undefined): void {
    this.undo = undo
  }
  giveUp(): void {
    this.over = true
    this.undo?.()
  }
}

export interface SendOptions {
  readonly prepare?: boolean
  /** Several statements in one text; they have no values. */
  readonly simple?: boolean
}
export type Rows = RowList<Readonly<Record<string, unknown>>[]>

/** What takes statements: a connection, or a transaction on one. */
export interface Session {
  send(text: string, values?: readonly unknown[], options?: SendOptions): Promise<Rows>
}

/** Whatever fails on it but by the server's word is the end of it. */
export interface Connection extends Session {
  /** Nothing may be sent any more. */
  readonly lost: boolean
  /** Ends it: what is under way on it fails as what met a busy store, and the server undoes what was not committed. */
  discard(): void
}

export interface PoolOptions {
  /** Makes a client of one connection, which connects at its first statement; calls `closed` when that is closed. */
  readonly connect: (closed: () => void) => Sql
  /** Called when the server said something. */
  readonly answered: () => void
  readonly max: number
  /** How many pieces of work one connection serves at once. */
  readonly share: number
  /** Milliseconds without an answer after which a connection is ended once what it is at was given up. One that answers is only busy. */
  readonly silence: number
}

export interface Pool {
  /** Runs `work` on a connection, when one is free. @throws StoreBusy when too many wait */
  use<T>(claim: Claim, work: (connection: Connection) => Promise<T>): Promise<T>
  /** Ends all connections, and fails what waits with `reason`. With time, in milliseconds, what is under way may come to its end. */
  end(reason: Error, timeout: number): Promise<void>
}

/** Work that waits. */
const longestQueue = 10_000
/** Milliseconds without work after which a connection is ended: long before the client does so, which may do it at any moment. */
const longestIdle = 180_000
/** Milliseconds after which a connection is made anew, and so much more for some: memory of a server process grows. */
const longestLife = 2_400_000
/** Milliseconds between two looks at both. */
const look = 60_000

/** Combinations of types that are remembered of one text. */
const mostTypes = 100
const noValues: readonly never[] = []
const usual: SendOptions = {}
const nothing = () => {}

class Lent implements Connection {
  lost = false
  /** Pieces of work on it. */
  busy = 0
  idleSince = 0
  /** No new work for it: its time is over. */
  retired = false
  /** When the server said something on it. */
  heard = performance.now()
  /** While a statement is under way behind which the client would let others wait: the first one, and each whose types it has to ask for. */
  alone: Promise<void> | undefined
  private connected = false
  /** Ended by us. */
  private discarded = false
  /** Texts that are prepared on it, each for some types of values. */
  private readonly prepared = new Map<string, Set<string>>()
  private readonly until = Date.now() + longestLife * (1 + Math.random() / 2)
  private readonly sql: Sql
  private readonly pool: { answered(): void; gone(connection: Lent): void }

  constructor(connect: PoolOptions['connect'], pool: Lent['pool']) {
    this.pool = pool
    this.sql = connect(() => this.lose())
  }
  /** Whether it has been without work for long, or its time is over. */
  isOld(now: number): boolean {
    this.retired ||= now > this.until
    return this.busy === 0 && (this.retired || now - this.idleSince > longestIdle)
  }
  async send(text: string, values: readonly unknown[] = noValues, options = usual): Promise<Rows> {
    while (this.alone) await this.alone
    if (this.lost) throw this.whenLost()
    const prepares = options.prepare === true && !this.prepared.get(text)?.has(typesOf(values))
    const alone = !this.connected || (values.length > 0 && (prepares || options.prepare !== true))
    try {
      const answer = this.sql.unsafe(text, values as never[], options as never) as unknown as Promise<Rows>
      if (alone) this.alone = answer.then(nothing, nothing)
      const rows = await answer
      this.connected = true
      if (prepares) this.isPrepared(text, typesOf(values))
      this.hear()
      return rows
    } catch (error) {
      if (isAnswer(error)) this.hear()
      else if (this.discarded) throw this.whenLost(error)
      else this.lose()
      throw error
    } finally {
      if (alone) this.alone = undefined
    }
  }
  private hear(): void {
    this.heard = performance.now()
    this.pool.answered()
  }
  private isPrepared(text: string, types: string): void {
    const all = this.prepared.get(text)
    if (all && all.size < mostTypes) all.add(types)
    else this.prepared.set(text, new Set([types]))
  }
  discard(): void {
    this.discarded ||= !this.lost
    this.lose()
  }
  private lose(): void {
    if (this.lost) return
    this.lost = true
    this.sql.end({ timeout: 0 }).catch(nothing) // whatever it says, it is not used any more
    this.pool.gone(this)
  }
  private whenLost(cause?: unknown): StoreUnavailable {
    if (this.discarded) return new StoreBusy('the connection to PostgreSQL was ended with what it had', { cause })
    return new StoreUnavailable('the connection to PostgreSQL was lost', { cause })
  }
}

/** What the client makes different prepared statements for. */
function typesOf(values: readonly unknown[]): string {
  let types = ''
  for (const value of values)
    types += typeof value === 'bigint' ? 'n' : typeof value === 'boolean' ? 'b' : value instanceof Uint8Array ? 'y' : '.'
  return types
}

interface Waiting {
  readonly claim: Claim
  resolve(connection: Lent): void
  reject(reason: Error): void
}

export function createPool({ connect, answered, max, share, silence }: PoolOptions): Pool {
  const connections: Lent[] = []
  /** In the order in which they came. */
  const waiting = new Set<Waiting>()
  let ended: Error | undefined
  let sweeper: ReturnType<typeof setTimeout> | undefined
  /** Called when the last connection has gone. */
  let emptied = nothing

  const gone = (connection: Lent) => {
    const at = connections.indexOf(connection)
    if (at >= 0) connections.splice(at, 1)
    serve()
    if (connections.length === 0) emptied()
  }
  const pool = { answered, gone }
  /** One without work, else a new one, else the one with the least. */
  const free = (): Lent | undefined => {
    let least: Lent | undefined
    for (const one of connections)
      if (one.busy < share && !one.retired && (!one.alone || one.busy === 0) && (!least || one.busy < least.busy)) least = one
    if (least?.busy === 0 || connections.length >= max) return least
    const made = new Lent(connect, pool)
    connections.push(made)
    sweeper ??= later()
    return made
  }
  const serve = () => {
    const now = performance.now()
    for (const one of waiting) {
      if (now > one.claim.turnBy) {
        waiting.delete(one)
        one.reject(new StoreBusy('PostgreSQL had no time for it: too much waits for it'))
        continue
      }
      const connection = ended ? undefined : free()
      if (!connection) return
      waiting.delete(one)
      connection.busy++
      one.resolve(connection)
    }
  }
  const later = () => {
    const timer = setTimeout(sweep, look)
    timer.unref()
    return timer
  }
  const sweep = () => {
    const now = Date.now()
    for (const one of connections.slice()) if (one.isOld(now)) one.discard()
    sweeper = connections.length > 0 ? later() : undefined
  }

  const take = (claim: Claim): Lent | Promise<Lent> => {
    if (ended) throw ended
    const connection = waiting.size === 0 ? free() : undefined
    if (connection) {
      connection.busy++
      return connection
    }
    if (waiting.size >= longestQueue) throw new StoreBusy('too many statements wait for the records')
    return new Promise((resolve, reject) => {
      const one: Waiting = { claim, resolve, reject }
      waiting.add(one)
      claim.until(() => waiting.delete(one))
    })
  }
  const giveBack = (connection: Lent) => {
    connection.busy--
    if (connection.lost) return
    if (connection.busy === 0) {
      connection.idleSince = Date.now()
      if (ended || connection.retired) return connection.discard()
    }
    if (waiting.size > 0) serve()
  }

  return {
    async use(claim, work) {
      const taken = take(claim)
      const connection = taken instanceof Promise ? await taken : taken
      claim.begun = true
      let timer: ReturnType<typeof setTimeout> | undefined
      /** Of work that is given up: its connection ends when it falls silent before the work does come to its end. */
      const givenUp = () => {
        const quiet = performance.now() - connection.heard
        if (quiet >= silence) return connection.discard()
        timer = setTimeout(givenUp, silence - quiet)
        timer.unref()
      }
      claim.until(givenUp)
      try {
        return await work(connection)
      } finally {
        clearTimeout(timer)
        claim.until(undefined)
        giveBack(connection)
      }
    },
    async end(reason, timeout) {
      ended ??= reason
      clearTimeout(sweeper)
      sweeper = undefined
      for (const one of waiting) one.reject(reason)
      waiting.clear()
      for (const one of connections.slice()) if (timeout === 0 || one.busy === 0) one.discard()
      if (connections.length === 0) return
      let timer: ReturnType<typeof setTimeout> | undefined
      await new Promise<void>((resolve) => {
        emptied = resolve
        timer = setTimeout(resolve, timeout)
      })
      clearTimeout(timer)
      for (const one of connections.slice()) one.discard()
    },
  }
}
