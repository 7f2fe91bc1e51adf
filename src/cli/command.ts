/** What a CLI command is, and what all commands share. */

import { join, relative } from 'node:path'
import type { Records, SqlQuery } from '../plugin/host.ts'
import type { PrincipalCap, PrincipalLimit } from '../plugin/slots.ts'
import type { Builtins } from '../runtime/load-plugin.ts'
import type { Args, Syntax } from './args.ts'
import { projectRoot } from './root.ts'
import type { Output } from './terminal.ts'

/** What only the composition root can give: the plugins, and what belongs to them. */
export interface Composition {
  readonly builtins: Builtins
  /** The key functions of the `auth` plugin, for `keys` and the first start. */
  readonly keys: () => Promise<KeyTools>
  /** What the `audit` plugin knows of its records, for `audit` and `usage`. */
  readonly audit: () => Promise<AuditTools>
  /** The accounts of the `budget` plugin, for `credits`. */
  readonly credits: () => Promise<{ openCredits(records: Records, config: unknown): Promise<Credits> }>
  readonly startDemo: () => Promise<{ readonly url: string; stop(): Promise<void> }>
}

/** Filters of exchanges; all of what is named must hold. Times in milliseconds since the epoch, `to` excluded; `minCost` in picodollars. */
export type AuditFilter = Readonly<
  Partial<
    Record<
      'caller' | 'account' | 'tier' | 'user' | 'model' | 'upstream' | 'session' | 'thread' | 'end' | 'code' | 'operation' | 'traceId',
      string
    > &
      Record<'from' | 'to' | 'status', number> & { minCost: bigint }
  >
>

/** An exchange as its row says it; the tools turn it into what is told. */
export interface AuditRow {
  readonly id: string
  readonly request_id: string
}

export interface AuditTools {
  /** Makes the tables where they are not there yet. */
  openAudit(records: Records): Promise<SqlQuery>
  exchanges(sql: SqlQuery, filter: AuditFilter, limit?: number): AsyncIterable<AuditRow>
  /** By request id, id of the reply, trace id or id of the row. */
  findExchange(sql: SqlQuery, id: string): Promise<AuditRow | undefined>
  /** All that a row holds, ready for JSON. */
  rowTold(row: never): Record<string, unknown>
  bodiesOf(sql: SqlQuery, id: string): Promise<{ readonly request: string | null; readonly reply: string | null } | undefined>
  readonly groupings: readonly string[]
  /** Counts, tokens, and amounts in picodollars, per group. */
  usageBy(
    sql: SqlQuery,
    by: readonly never[],
    filter: AuditFilter,
  ): Promise<readonly { readonly group: readonly string[]; readonly sums: Readonly<Record<string, bigint>> }[]>
  /** What each class of trimming saved, per group and class. */
  savedByClass(
    sql: SqlQuery,
    by: readonly never[],
    filter: AuditFilter,
  ): Promise<readonly { readonly group: readonly string[]; readonly sums: Readonly<Record<string, bigint>> }[]>
  /** Trimmed sessions against those that were left alone. */
  armsOf(sql: SqlQuery, filter: AuditFilter): Promise<AuditArms>
  verifyChains(sql: SqlQuery, key: string | undefined, only?: string): AsyncIterable<ChainReport>
}

/** Cost in picodollars; ratios are those of trimmed sessions to the others, with the ends of an interval of 95 %. */
export interface AuditArms {
  readonly trimmed: AuditArm
  readonly control: AuditArm
  readonly leftOut: { readonly costUnknown: number; readonly mixed: number }
  /** A sentence when it can't be measured. */
  readonly compared: { readonly cost: AuditRatio; readonly turns: AuditRatio } | string
}
export interface AuditArm {
  readonly sessions: number
  readonly cost: number
  readonly sent: number
  readonly turns: number
  readonly oneIn: number
}
export interface AuditRatio {
  readonly ratio: number
  readonly low: number
  readonly high: number
}

export interface ChainReport {
  readonly instance: string
  readonly rows: number
  readonly first: number
  readonly last: number
  readonly head: string
  readonly closed: boolean
  readonly problems: readonly { readonly seq: number; readonly kind: string; readonly message: string; readonly requestId?: string }[]
  readonly more: number
}

export interface KeyTools {
  createKey(options: KeyFields & { name: string; keyPrefix?: string }): { key: string; record: KeyInfo }
  /** What is wrong with fields; undefined when nothing is. */
  fieldProblem(fields: Readonly<Record<string, unknown>>): string | undefined
  /** `60/1m`, `12.50/month`; undefined when the text is none. */
  parseLimit(text: string, what: 'requests' | 'tokens'): PrincipalLimit | undefined
  parseCap(text: string, what: 'usd' | 'messages'): PrincipalCap | undefined
  fileKeyStore(path: string): KeyStore
  openKeyStore(records: Records, realm: string): Promise<KeyStore>
  addKeyToFile(path: string, record: never): Promise<void>
  removeKeyFromFile(path: string, idOrPrefix: string): Promise<boolean>
  readKeys(path: string): Promise<readonly KeyInfo[]>
}

/** The accounts that pay. Everything that is given back is JSON, and everything that is given is named as in the admin API. */
export interface Credits {
  list(after?: string): Promise<{ readonly items: readonly Record<string, unknown>[]; readonly next?: string }>
  show(account: string): Promise<Record<string, unknown>>
  ledger(account: string, limit: number): Promise<readonly Record<string, unknown>[]>
  /** False when there is an entry with this id already. */
  enter(account: string, entry: Readonly<Record<string, unknown>>): Promise<boolean>
  set(account: string, changes: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>>
}

/** Where issued keys are kept. */
export interface KeyStore {
  list(options?: {
    after?: string
    limit?: number
    account?: string
  }): Promise<{ readonly keys: readonly KeyInfo[]; readonly next?: string }>
  get(idOrPrefix: string): Promise<KeyInfo | undefined>
  add(record: never): Promise<void>
  change(id: string, changes: Readonly<Record<string, unknown>>): Promise<KeyInfo | undefined>
  revoke(id: string): Promise<boolean>
}

/** What a key may carry. */
export interface KeyFields {
  readonly kind?: 'instance' | 'self_host'
  readonly account?: string
  readonly tier?: string
  readonly tags?: readonly string[]
  readonly models?: readonly string[]
  readonly limits?: readonly PrincipalLimit[]
  readonly caps?: readonly PrincipalCap[]
  readonly expires?: string
  readonly disabled?: boolean
}

/** A key as it is stored; nothing that is named here lets anybody in. */
export interface KeyInfo extends KeyFields {
  readonly id: string
  readonly name: string
  readonly prefix: string
  readonly created: string
}

export interface CommandContext extends Output {
  readonly composition: Composition
  readonly args: Args
  readonly env: Readonly<Record<string, string | undefined>>
}

export interface Command extends Syntax {
  readonly name: string
  /** One line for the list of commands. */
  readonly summary: string
  /** Text of `--help`. */
  readonly help: string
  /** Exit code, see `exits`; undefined = the process goes on (serve). */
  run(context: CommandContext): Promise<number | undefined>
}

/** Exit codes of all commands. */
export const exits = { ok: 0, failed: 1, usage: 2, refused: 3 } as const

/** Something is not as it should be, and it is not a bug: the message is shown, no stack trace. */
export class CommandError extends Error {}

/** The config file that a command works on: `--config`, then HEADGATE_CONFIG, then the default beside the sources. */
export function configPath(context: Pick<CommandContext, 'args' | 'env'>): string {
  return context.args.options.config ?? (context.env.HEADGATE_CONFIG || defaultConfig())
}

/** Relative to the working directory where that is shorter: it stands in every diagnostic. */
function defaultConfig(): string {
  const path = join(projectRoot, 'config', 'gateway.yaml')
  const near = relative(process.cwd(), path)
  return near.startsWith('..') ? path : near
}
