/**
 * Connections to PostgreSQL, lent to work and never used again once something happened to them.
 *
 * Each is a postgres.js client with one connection, which lives as long as that. What the library does when a connection is lost is not for us: one
 * that had something to send never sends again, the end of a transaction is written to a socket that is gone (an exception that nobody can catch), and
 * what waited is begun on a new connection, also a transaction that its caller gave up long ago (3.4.9; https://github.com/porsager/postgres/issues/1208).
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
  private undo: (() => void) | undefined

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
  /** Ends it: what is under way on it fails, and the server undoes what was not committed. */
  discard(): void
}

export interface PoolOptions {
  /** Makes a client of one connection, which connects at its first statement; calls `closed` when that is closed. */
  readonly connect: (closed: () => void) => Sql
  readonly max: number
  /** How many pieces of work one connection serves at once. */
  readonly share: number
}

export interface Pool {
  /** Runs `work` on a connection, when one is free. @throws StoreBusy when too many wait */
  use<T>(claim: Claim, work: (connection: Connection) => Promise<T>): Promise<T>
  /** Ends all connections, and fails what waits with `reason`. With time, in seconds, what is under way may come to its end. */
  end(reason: Error, timeout: number): Promise<void>
}

/** Work that waits. */
const longestQueue = 10_000
/** Milliseconds without work after which a connection is ended: before the client does so, which may do it at any time. */
const longestIdle = 240_000
/** Milliseconds after which a connection is made anew, and so much more for some: memory of a server process grows. */
const longestLife = 2_400_000

const noValues: readonly never[] = []
const usual: SendOptions = {}

class Lent implements Connection {
  lost = false
  /** Pieces of work on it. */
  busy = 0
  idleSince = 0
  readonly until = Date.now() + longestLife * (1 + Math.random() / 2)
  private readonly sql: Sql
  private readonly gone: (connection: Lent) => void

  constructor(connect: PoolOptions['connect'], gone: (connection: Lent) => void) {
    this.gone = gone
    this.sql = connect(() => this.discard())
  }
  async send(text: string, values: readonly unknown[] = noValues, options = usual): Promise<Rows> {
    if (this.lost) throw new StoreUnavailable('the connection to PostgreSQL was lost')
    try {
      return (await this.sql.unsafe(text, values as never[], options as never)) as Rows
    } catch (error) {
      if (!isAnswer(error)) this.discard()
      throw error
    }
  }
  discard(): void {
    if (this.lost) return
    this.lost = true
    this.gone(this)
    this.end(0).catch(() => {})
  }
  /** With time, in seconds, what is under way may come to its end. */
  async end(timeout: number): Promise<void> {
    await this.sql.end({ timeout })
  }
}

interface Waiting {
  resolve(connection: Lent): void
  reject(reason: Error): void
}

export function createPool({ connect, max, share }: PoolOptions): Pool {
  const connections: Lent[] = []
  /** In the order in which they came. */
  const waiting = new Set<Waiting>()
  let ended: Error | undefined
  let sweeper: ReturnType<typeof setTimeout> | undefined

  const gone = (connection: Lent) => {
    const at = connections.indexOf(connection)
    if (at >= 0) connections.splice(at, 1)
    serve()
  }
  /** One without work, else a new one, else the one with the least. */
  const free = (): Lent | undefined => {
    let least: Lent | undefined
    for (const one of connections) if (one.busy < share && (!least || one.busy < least.busy)) least = one
    if (least?.busy === 0 || connections.length >= max) return least
    const made = new Lent(connect, gone)
    connections.push(made)
    sweeper ??= later()
    return made
  }
  const serve = () => {
    for (const one of waiting) {
      const connection = ended ? undefined : free()
      if (!connection) return
      waiting.delete(one)
      connection.busy++
      one.resolve(connection)
    }
  }
  const later = () => {
    const timer = setTimeout(sweep, longestIdle / 4)
    timer.unref()
    return timer
  }
  const sweep = () => {
    const now = Date.now()
    for (const one of connections.slice()) if (one.busy === 0 && (now - one.idleSince > longestIdle || now > one.until)) one.discard()
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
      const one: Waiting = { resolve, reject }
      waiting.add(one)
      claim.until(() => waiting.delete(one))
    })
  }
  const giveBack = (connection: Lent) => {
    connection.busy--
    if (connection.lost) return
    if (connection.busy === 0) {
      connection.idleSince = Date.now()
      if (ended || connection.idleSince > connection.until) return connection.discard()
    }
    if (waiting.size > 0) serve()
  }

  return {
    async use(claim, work) {
      const taken = take(claim)
      const connection = taken instanceof Promise ? await taken : taken
      claim.begun = true
      // others that share it fail, too: a server that does not answer one of them answers none
      claim.until(() => connection.discard())
      try {
        return await work(connection)
      } finally {
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
      const all = connections.splice(0)
      await Promise.all(all.map((one) => one.end(timeout)))
    },
  }
}
