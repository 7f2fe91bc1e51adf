/**
 * The one connection of a gateway to its Redis: opened once, reconnected for ever, spoken of rarely.
 *
 * A command that can't be answered fails within a second, and none is sent twice: a correction that ran and whose answer was lost must not
 * run again. So there is no queue while the connection is down, and nothing is resent after it was. The log hears of a loss and of the return,
 * not of the attempts between. Nothing here knows what the commands mean.
 */

import type { Redis, RedisOptions } from 'ioredis'
import { maskUrl } from '../../config/store-url.ts'
import { type Logger, StoreUnavailable } from '../../plugin/host.ts'
import { type ScriptCommands, scripts } from './scripts.ts'

export interface RedisConnection {
  /**
   * Runs commands.
   * @throws StoreUnavailable when Redis can't be reached, does not answer within a second, or answers with an error.
   */
  ask<T>(run: (client: Redis & ScriptCommands) => Promise<T>): Promise<T>
  /** Why it can't be used now; undefined when it can. */
  problem(): string | undefined
  close(): Promise<void>
}

/** Milliseconds that one command may take. */
const patience = 900
/** Milliseconds that opening waits for the first connection; after that the gateway starts without. */
const firstPatience = 1000
/** Longest pause between two attempts to connect, in milliseconds. */
const longestPause = 1000

/** Opens a connection. Resolves when it stands or, at the latest, after a second. Rejects only when the client can't be loaded. */
export async function connectRedis(url: string, log: Logger): Promise<RedisConnection> {
  const { Redis: Client } = await import('ioredis')
  const shown = maskUrl(url)
  const client = new Client(url, options) as Redis & ScriptCommands
  for (const [name, script] of Object.entries(scripts)) client.defineCommand(name, script)

  let reason = 'no connection yet'
  let closed = false
  let lostAt: number | undefined
  const problem = () =>
    client.status === 'ready' && !closed ? undefined : closed ? `${shown} is closed` : `${shown} can't be reached: ${reason}`

  client.on('error', (error: unknown) => {
    reason = describe(error)
  })
  client.on('ready', () => {
    if (lostAt !== undefined) log.info(`${shown} is back`, { after: `${Math.round((performance.now() - lostAt) / 1000)} s` })
    lostAt = undefined
    reason = 'the connection was lost'
  })
  client.on('close', () => {
    if (closed || lostAt !== undefined) return
    lostAt = performance.now()
    log.warn(`${shown} can't be reached; trying again until it can. Meanwhile each plugin that needs it does what its failure mode says`, {
      reason,
    })
  })
  await firstConnection(client)

  return {
    problem,
    async ask(run) {
      if (client.status !== 'ready' || closed) throw new StoreUnavailable(problem() ?? shown)
      try {
        return await run(client)
      } catch (error) {
        throw new StoreUnavailable(`${shown} failed: ${describe(error)}`, { cause: error })
      }
    },
    async close() {
      closed = true
      client.disconnect()
    },
  }
}

/**
 * No automatic pipelines: they keep one batch in flight, and scripts are the server's work, so that with 10 to 200 callers they gave a third fewer
 * takes per second, for 1 to 2 µs less of this process's time each.
 */
const options = {
  protocol: 2,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  commandTimeout: patience,
  socketTimeout: patience,
  connectTimeout: 2000,
  disconnectTimeout: 200,
  connectionName: 'headgate',
  // a replica that was promoted or demoted: connect again, to where the name leads now
  reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
  retryStrategy: (attempt: number) => Math.min(longestPause, 25 * 2 ** Math.min(attempt, 10)) * (0.75 + Math.random() / 4),
} satisfies RedisOptions

/** Resolves with the first connection, or when it has taken too long. */
function firstConnection(client: Redis): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      client.off('ready', done)
      resolve()
    }
    const timer = setTimeout(done, firstPatience)
    client.once('ready', done)
  })
}

/** An error in words without what was sent. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (error.message === '') return code === '' ? error.name : code
  if (error.name === 'MaxRetriesPerRequestError') return 'the connection was lost'
  if (error.message.startsWith("Stream isn't writeable")) return 'it takes connections and does not answer'
  // what an older one says of SET … PXAT inside a script
  if (/\bsyntax error\b/.test(error.message)) return `${error.message}. Redis 6.2 or later is needed`
  return error.message
}
