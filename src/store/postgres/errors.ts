/**
 * What errors of PostgreSQL and its client mean: the server can't be reached, two transactions met, or the statement is wrong.
 *
 * Codes: https://www.postgresql.org/docs/current/errcodes-appendix.html, and those of sockets and of postgres.js. Messages never hold
 * the URL, which has a password in it.
 */

import { StoreUnavailable } from '../../plugin/host.ts'
import { StoreBusy } from '../records-driver.ts'

/** Serialization failure, deadlock: run it again. */
export function isConflict(error: unknown): boolean {
  const code = codeOf(error)
  return code === '40001' || code === '40P01'
}

/** Connection (08), login (28), no such database (3D), resources (53), shut down or starting (57P), the system (58), corruption (XX), read-only (25006). */
const away = /^(08|28|3D|53|57P|58|XX|25006)/
const sockets = /^(CONNECT|E[A-Z]+$|UNABLE_|SELF_SIGNED|CERT_|DEPTH_ZERO|ERR_TLS|AUTH_TYPE|SASL_)/

/** The error as the rest of the house knows it. */
export function meaning(error: unknown): unknown {
  if (error instanceof StoreUnavailable) return error
  const code = codeOf(error)
  const text = error instanceof Error ? error.message : String(error)
  if (code === '57014' || code === '55P03') return new StoreBusy(`a statement took too long: ${text}`, { cause: error })
  if (isConflict(error)) return new StoreBusy(`the transaction met too many others: ${text}`, { cause: error })
  if (away.test(code) || sockets.test(code)) return new StoreUnavailable(`PostgreSQL can't be reached: ${text}`, { cause: error })
  return error
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

interface PostgresError extends Error {
  readonly code: string
  readonly severity: string
}

/** The server said so, and goes on with this connection. */
export function isAnswer(error: unknown): error is PostgresError {
  return error instanceof Error && error.name === 'PostgresError' && (error as PostgresError).severity === 'ERROR'
}

/** A statement after one that failed: the transaction is aborted. */
export function isAborted(error: unknown): boolean {
  return isAnswer(error) && error.code === '25P02'
}
