/** `headgate docs plugins`: writes the config table of each built-in plugin's README from its schema, for people who work on Headgate. */

import { existsSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { Builtins } from '../runtime/load-plugin.ts'
import { UsageError } from './args.ts'
import { type Command, exits } from './command.ts'
import { configTable, tableEnd, tableStart, withTable } from './config-table.ts'
import { isFresh, writeGenerated } from './generated-file.ts'
import { projectRoot } from './root.ts'

const help = `Usage: headgate docs plugins [--check]

Writes the config table of each built-in plugin between ${tableStart} and ${tableEnd} in plugins/<name>/README.md.

  --check  write nothing; exit code 1 when a table is not up to date
`

const root = projectRoot

export const docs: Command = {
  name: 'docs',
  summary: 'write the config tables of the plugin READMEs',
  help,
  options: [],
  flags: ['check'],
  words: 1,
  async run({ args, composition, err }) {
    if (args.words[0] !== 'plugins') throw new UsageError('say what to write: plugins')
    let code: number = exits.ok
    for (const { file, text } of await pluginReadmes(composition.builtins)) {
      const name = relative(process.cwd(), file)
      if (text === undefined) {
        err(`${name}: no ${tableStart} … ${tableEnd} to write the config table between\n`)
        code = exits.failed
      } else if (!args.flags.has('check')) {
        if (writeGenerated(file, text) === 'written') err(`${name}: written\n`)
      } else if (!isFresh(file, text)) {
        err(`${name} is not up to date. Write it with: headgate docs plugins\n`)
        code = exits.failed
      }
    }
    return code
  },
}

/** Each built-in's README as it should be; undefined text when it has no place for the table. */
export async function pluginReadmes(builtins: Builtins): Promise<{ readonly file: string; readonly text: string | undefined }[]> {
  const readmes: { file: string; text: string | undefined }[] = []
  for (const [name, load] of Object.entries(builtins)) {
    const file = join(root, 'plugins', name, 'README.md')
    const { config } = (await load()).default
    readmes.push({ file, text: existsSync(file) ? withTable(readFileSync(file, 'utf8'), configTable(config)) : undefined })
  }
  return readmes
}
