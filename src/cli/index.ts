/** The command line: finds the command, parses its arguments, turns mistakes into messages and exit codes. */

import { nearest } from '../config/suggest.ts'
import { parseArgs, UsageError } from './args.ts'
import { type Command, CommandError, type Composition, exits } from './command.ts'
import { type Output, processOutput } from './terminal.ts'

/** Imported when used, so that `serve` does not pay for the others. */
const commands: Readonly<Record<string, { readonly summary: string; readonly load: () => Promise<Command> }>> = {
  serve: { summary: 'start the gateway', load: async () => (await import('./serve.ts')).serve },
  init: { summary: 'write a gateway.yaml that behaves like another gateway', load: async () => (await import('./init.ts')).init },
  check: { summary: 'say everything that is wrong with a config', load: async () => (await import('./check.ts')).check },
  explain: {
    summary: 'print what will run, or what one request would become',
    load: async () => (await import('./explain.ts')).explain,
  },
  keys: { summary: 'create, list, change and revoke API keys', load: async () => (await import('./keys.ts')).keys },
  credits: { summary: 'show, top up and limit the accounts that pay', load: async () => (await import('./credits.ts')).credits },
  audit: { summary: 'list, show and verify the records of exchanges', load: async () => (await import('./audit.ts')).audit },
  usage: { summary: 'sum up requests, tokens and money by day, key, model …', load: async () => (await import('./usage.ts')).usage },
  savings: {
    summary: "say what was saved, and what of it can't be measured",
    load: async () => (await import('./savings.ts')).savings,
  },
  replay: {
    summary: 'say what another config would make of recorded requests',
    load: async () => (await import('./replay.ts')).replay,
  },
  'new-plugin': {
    summary: 'write a small plugin and its test to start from',
    load: async () => (await import('./new-plugin.ts')).newPlugin,
  },
  schema: { summary: 'print the JSON Schema of gateway.yaml for editors', load: async () => (await import('./schema.ts')).schema },
  docs: { summary: 'write the config tables of the plugin READMEs', load: async () => (await import('./docs.ts')).docs },
  version: { summary: 'print the version', load: async () => (await import('./version.ts')).version },
}

/** What the world outside gives a command line; the process's own by default. */
export interface World {
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly output?: Output
}

/** Runs one command line. Resolves to the exit code, or undefined when the process is to go on. Never rejects. */
export async function runCli(argv: readonly string[], composition: Composition, world: World = {}): Promise<number | undefined> {
  const env = world.env ?? process.env
  const output = world.output ?? processOutput(env)
  const { out, err } = output
  let [name, ...rest] = argv
  if (name === '--version' || name === '-v') name = 'version'
  if (name === 'help' && rest[0] !== undefined) [name, ...rest] = [rest[0], '--help']
  if (name === undefined) {
    err(overview())
    return exits.usage
  }
  if (name === '--help' || name === '-h' || name === 'help') {
    out(overview())
    return exits.ok
  }
  const known = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (!known) {
    const near = nearest(name, Object.keys(commands))
    const hint = near === undefined ? '' : `; did you mean ${near}?`
    err(`headgate: there is no command ${JSON.stringify(name)}${hint}\n\n${overview()}`)
    return exits.usage
  }
  const command = await known.load()
  try {
    const args = parseArgs(rest, command)
    if (args.flags.has('help')) {
      out(command.help)
      return exits.ok
    }
    return await command.run({ composition, args, env, ...output })
  } catch (error) {
    if (error instanceof UsageError) {
      err(`headgate ${name}: ${error.message}\n\n${usageOf(command.help)}\n\n  headgate ${name} --help says more.\n`)
      return exits.usage
    }
    err(`headgate ${name}: ${said(error)}\n`)
    return exits.failed
  }
}

/** The first paragraph of a help text: its usage lines. */
function usageOf(help: string): string {
  return help.slice(0, help.indexOf('\n\n'))
}

/** A mistake of the user, or of the world, is one sentence; anything else is a bug, of which the stack is wanted. */
function said(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const expected = error instanceof CommandError || 'code' in error
  return expected ? error.message : `this is a bug in headgate: ${error.stack ?? error.message}`
}

function overview(): string {
  const width = Math.max(...Object.keys(commands).map((c) => c.length))
  const lines = Object.entries(commands).map(([name, c]) => `  ${name.padEnd(width)}  ${c.summary}`)
  return `headgate: a programmable LLM gateway

Usage: headgate <command> [options]

${lines.join('\n')}

  headgate <command> --help says more.

Exit codes: 0 well, 1 failed, 2 wrong command line, 3 the request would be refused (explain --request).
HEADGATE_CONFIG names the config file where --config does not. NO_COLOR turns colours off.
`
}
