/**
 * The first API key: made when the gateway starts, its config uses `auth`, and there is no keys file yet. Shown once.
 *
 * Makes no key when the config has mistakes, brings keys of its own, or lets anybody in.
 */

import { existsSync } from 'node:fs'
import { dirname, isAbsolute, resolve } from 'node:path'
import { loadConfig } from '../config/load.ts'
import { checkPluginConfig } from '../config/plugin-config.ts'
import type { CommandContext } from './command.ts'

export interface FirstKey {
  readonly key: string
  readonly file: string
}

/** The keys file that the config's `auth` uses, as an absolute path, and the prefix of new keys; undefined without `auth`. */
export async function keysFileOf(
  context: CommandContext,
  configPath: string,
): Promise<{ file: string; prefix: string; open: boolean } | undefined> {
  const load = loadConfig({ path: configPath, env: context.env })
  const entry = load.plugins.find((p) => p.use === 'auth')
  const builtin = context.composition.builtins.auth
  if (!entry || !builtin) return undefined
  const checked = checkPluginConfig((await builtin()).default.config, entry.with, load.place(['plugins', entry.index, 'with']))
  const value = checked.value as { keys_file?: string; key_prefix?: string; anonymous?: boolean; keys?: readonly unknown[] } | undefined
  if (value?.keys_file === undefined) return undefined
  const file = isAbsolute(value.keys_file) ? value.keys_file : resolve(dirname(configPath), value.keys_file)
  return { file, prefix: value.key_prefix ?? 'sk-hg-', open: value.anonymous === true || (value.keys?.length ?? 0) > 0 }
}

/** Makes the first key where one is needed. */
export async function createFirstKey(context: CommandContext, configPath: string): Promise<FirstKey | undefined> {
  const place = await keysFileOf(context, configPath)
  if (!place || place.open || existsSync(place.file)) return undefined
  const tools = await context.composition.keys()
  const { key, record } = tools.createKey({ name: 'first', keyPrefix: place.prefix })
  await tools.addKeyToFile(place.file, record as never)
  return { key, file: place.file }
}
