/** What a CLI command is, and what all commands share. */

import type { Builtins } from '../runtime/load-plugin.ts'
import type { Args } from './args.ts'

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

export interface CommandContext {
  readonly composition: Composition
  readonly args: Args
  readonly env: Readonly<Record<string, string | undefined>>
  /** True when standard output is a terminal and colours are welcome. */
  readonly color: boolean
  readonly out: (text: string) => void
  readonly err: (text: string) => void
}

export interface Command {
  readonly name: string
  /** One line for the list of commands. */
  readonly summary: string
  /** Text of `--help`. */
  readonly help: string
  /** Options that take a value, and flags that do not. */
  readonly options: readonly string[]
  readonly flags: readonly string[]
  /** Exit code; undefined = the process goes on (serve). 0 well, 1 failed, 2 used wrongly. */
  run(context: CommandContext): Promise<number | undefined>
}

/** The config file that a command works on: `--config`, then HEADGATE_CONFIG, then the default beside the sources. */
export function configPath(context: Pick<CommandContext, 'args' | 'env'>): string {
  return context.args.options.config ?? context.env.HEADGATE_CONFIG ?? defaultConfig
}

const defaultConfig = new URL('../../config/gateway.yaml', import.meta.url).pathname
