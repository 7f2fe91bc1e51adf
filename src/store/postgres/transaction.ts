/**
 * Transactions: one statement after the other on one connection, and nothing that lasts when the connection is lost, or nobody waits for it any more.
 */

import { StoreUnavailable } from '../../plugin/host.ts'
import { isAborted } from './errors.ts'
import type { Claim, Connection, Rows, Session } from './pool.ts'

/** Runs `work` in a transaction, which lasts when this resolves. @throws what `work` throws, and what any of its statements threw */
export async function inTransaction<T>(
  connection: Connection,
  claim: Claim,
  isolation: string,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  let failure: { readonly error: unknown } | undefined
  let over = false
  /** Settles when all that was sent is answered. */
  let last: Promise<unknown> = Promise.resolve()
  const one = async (...statement: Parameters<Session['send']>): Promise<Rows> => {
    try {
      return await connection.send(...statement)
    } catch (error) {
      failure ??= { error }
      throw error
    }
  }
  await connection.send(`BEGIN ISOLATION LEVEL ${isolation}`)
  try {
    const result = await work({
      send(...statement) {
        if (over) return Promise.reject(new Error('the transaction is over'))
        // what is sent before the one before it is answered may begin anew on another connection, outside of the transaction
        const sent = last.then(() => one(...statement))
        last = sent.catch(() => {})
        return sent
      },
    })
    over = true
    await last
    if (failure) throw failure.error
    if (claim.over) throw new StoreUnavailable('nobody waits for it any more')
    await connection.send('COMMIT')
    return result
  } catch (error) {
    over = true
    await last
    if (!connection.lost) await connection.send('ROLLBACK').catch(() => connection.discard())
    throw isAborted(error) && failure ? failure.error : error
  }
}
