/** `headgate version`: what to name in a bug report. */

import packageFile from '../../package.json' with { type: 'json' }
import { type Command, exits } from './command.ts'

export const version: Command = {
  name: 'version',
  summary: 'print the version',
  help: `Usage: headgate version

Prints the version of Headgate, of Bun and of the system.
`,
  options: [],
  flags: [],
  async run({ out }) {
    out(`headgate ${packageFile.version}  bun ${Bun.version}  ${process.platform} ${process.arch}\n`)
    return exits.ok
  },
}
