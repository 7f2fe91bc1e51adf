/**
 * The first API key: made when the gateway starts, its config uses `auth`, and there is no keys file yet. Shown once.
 *
 * Makes no key when the config has mistakes, brings keys of its own, or lets anybody in. A key that was made for a start that then
 * failed is taken back: nobody has seen it.
 */

import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { loadWithDialects } from '../runtime/plugin-dialects.ts'
import { type CommandContext, CommandError } from './command.ts'
import { keysPlaces } from './keys-place.ts'

export interface FirstKey {
  readonly key: string
  readonly file: string
  /** Removes the file again, unless somebody has added keys to it. */
  undo(): Promise<void>
}

/**
 * Makes the first key where one is needed.
 * @throws CommandError when its file can't be written.
 */
export async function createFirstKey(context: CommandContext, configPath: string): Promise<FirstKey | undefined> {
  const { composition, env } = context
  const load = await loadWithDialects({ path: configPath, env }, composition.builtins)
  if (!load.config) return undefined
  const place = (await keysPlaces(load, configPath, composition.builtins)).find((p) => !p.open && !existsSync(p.file))
  if (!place) return undefined
  const { file, prefix } = place
  const tools = await composition.keys()
  const { key, record } = tools.createKey({ name: 'first', keyPrefix: prefix })
  try {
    await tools.addKeyToFile(file, record as never)
  } catch (error) {
    const { line, column } = load.locate(['plugins', place.index, 'with', 'keys_file'])
    const reason = error instanceof Error ? error.message : String(error)
    throw new CommandError(
      `the first API key cannot be written to ${file}: ${reason}\nMake that folder writable, or name another file in keys_file (${configPath}:${line}:${column}).`,
    )
  }
  return {
    key,
    file,
    async undo() {
      const [first, ...others] = await tools.readKeys(file)
      if (first?.id === record.id && others.length === 0) await rm(file, { force: true })
    },
  }
}
