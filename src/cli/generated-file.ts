/** Files that a command makes from the sources: written, or compared with what stands there (`--check`). */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { CommandError } from './command.ts'

/** True when the file holds exactly `text`. */
export function isFresh(path: string, text: string): boolean {
  return existsSync(path) && readFileSync(path, 'utf8') === text
}

/**
 * Writes `text` unless it stands there already; its folder is made.
 * @throws CommandError when it can't be written.
 */
export function writeGenerated(path: string, text: string): 'written' | 'fresh' {
  if (isFresh(path, text)) return 'fresh'
  try {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  } catch (error) {
    throw new CommandError(`${path} cannot be written: ${error instanceof Error ? error.message : String(error)}`)
  }
  return 'written'
}
