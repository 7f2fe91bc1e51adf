/** What a CLI command is, and what all commands share. */

import { join, relative } from 'node:path'
import type { Builtins } from '../runtime/load-plugin.ts'
import type { Args, Syntax } from './args.ts'
import { projectRoot } from './root.ts'
import type { Output } from './terminal.ts'

/** What only the composition root can give: the plugins, and what belongs to them. */
export interface Composition {
  readonly builtins: Builtins
  /** The key functions of the `auth` plugin, for `keys` and the first start. */
  readonly keys: () => Promise<KeyTools>
  readonly startDemo: () => Promise<{ readonly url: string; stop(): Promise<void> }>
}

export interface KeyTools {
  createKey(options: {
    name: string
    keyPrefix?: string
    expires?: string
    account?: string
    tier?: string
    tags?: readonly string[]
    models?: readonly string[]
  }): { key: string; record: KeyInfo }
  addKeyToFile(path: string, record: never): Promise<void>
  removeKeyFromFile(path: string, idOrPrefix: string): Promise<boolean>
  readKeys(path: string): Promise<readonly KeyInfo[]>
}

/** A key as it may be shown: nothing here lets anybody in. */
export interface KeyInfo {
  readonly id: string
  readonly name: string
  readonly prefix: string
  readonly created: string
  readonly expires?: string
  readonly account?: string
  readonly tier?: string
  readonly tags?: readonly string[]
  readonly models?: readonly string[]
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
