/**
 * The gateway's own log: one line per remark, on stderr, readable in a terminal and JSON elsewhere. Secrets of the config are masked.
 *
 * Never logs requests, replies or headers; what a plugin logs is its own affair, but passes the same mask.
 */

import type { Logger } from '../plugin/host.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
const rank: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 }

export interface LogOptions {
  level: LogLevel
  /** JSON lines; plain text otherwise. */
  readonly json: boolean
  /** Strings that are printed as `***`. */
  secrets: ReadonlySet<string>
  readonly write: (line: string) => void
  readonly now: () => number
}

/** A logger for one component. `options` may be changed while it is in use: level and secrets follow a reload. */
export function createLogger(component: string, options: LogOptions): Logger {
  const say = (level: LogLevel) => (message: string, fields?: Record<string, unknown>) => {
    if (rank[level] < rank[options.level]) return
    options.write(`${mask(format(level, component, message, fields, options), options.secrets)}\n`)
  }
  return { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') }
}

function format(
  level: LogLevel,
  component: string,
  message: string,
  fields: Record<string, unknown> | undefined,
  options: LogOptions,
): string {
  const time = new Date(options.now()).toISOString()
  if (options.json) return JSON.stringify({ time, level, component, message, ...fields }, exact)
  const rest = fields ? Object.entries(fields).map(([k, v]) => ` ${k}=${typeof v === 'string' ? v : JSON.stringify(v, exact)}`) : []
  return `${time.slice(11, 19)} ${level.padEnd(5)} ${component}: ${message}${rest.join('')}`
}

/** Amounts of money are bigints, which JSON does not know. */
function exact(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value
}

/** Replaces every secret of at least six characters by `***`. */
export function mask(text: string, secrets: ReadonlySet<string>): string {
  for (const secret of secrets) if (secret.length >= 6 && text.includes(secret)) text = text.replaceAll(secret, '***')
  return text
}
