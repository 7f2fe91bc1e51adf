/** Where this project lies: the folder that holds `config/`, both for the sources and for what `bun run build` makes of them. */

import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Absolute path of the project's folder. */
export const projectRoot = find(import.meta.dir)

function find(from: string): string {
  for (let folder = from; dirname(folder) !== folder; folder = dirname(folder)) {
    if (existsSync(join(folder, 'config', 'gateway.schema.json'))) return folder
  }
  return from
}
