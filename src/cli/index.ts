/** The command line: finds the command, parses its arguments, turns mistakes into messages and exit codes. */

import { nearest } from '../config/suggest.ts'
import { parseArgs, UsageError } from './args.ts'
import type { Command, Composition } from './command.ts'

/** Imported when used, so that `serve` does not pay for the others. */
const commands: Readonly<Record<string, { readonly summary: string; readonly load: () => Promise<Command> }>> = {
  serve: { summary: 'start the gateway', load: async () => (await import('./serve.ts')).serve },
}

/** Runs one command line. Resolves to the exit code, or undefined when the process is to go on. */
export async function runCli(argv: readonly string[], composition: Composition): Promise<number | undefined> {
  const out = (text: string) => void process.stdout.write(text)
  const err = (text: string) => void process.stderr.write(text)
  const [name, ...rest] = argv
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    out(overview())
    return name === undefined ? 2 : 0
  }
  const known = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (!known) {
    const near = nearest(name, Object.keys(commands))
    err(`headgate: there is no command ${JSON.stringify(name)}${near === undefined ? '' : `; did you mean ${near}?`}\n\n${overview()}`)
    return 2
  }
  const command = await known.load()
  try {
    const args = parseArgs(rest, command)
    if (args.flags.has('help')) {
      out(command.help)
      return 0
    }
    const color = process.stdout.isTTY === true && process.env.NO_COLOR === undefined
    return await command.run({ composition, args, env: process.env, color, out, err })
  } catch (error) {
    if (error instanceof UsageError) {
      err(`headgate ${name}: ${error.message}\n\n${command.help}`)
      return 2
    }
    err(`headgate ${name}: ${error instanceof Error ? error.message : String(error)}\n`)
    return 1
  }
}

function overview(): string {
  const width = Math.max(...Object.keys(commands).map((c) => c.length))
  const lines = Object.entries(commands).map(([name, c]) => `  ${name.padEnd(width)}  ${c.summary}`)
  return `headgate: a programmable LLM gateway\n\nUsage: headgate <command> [options]\n\n${lines.join('\n')}\n\n  headgate <command> --help says more.\n`
}
