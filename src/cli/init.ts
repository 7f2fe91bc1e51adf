/** `headgate init`: writes a gateway.yaml from one of the presets that come with Headgate. */

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { nearest } from '../config/suggest.ts'
import { UsageError } from './args.ts'
import { commandLine } from './banner.ts'
import { type Command, CommandError, exits } from './command.ts'
import { projectRoot } from './root.ts'
import { shippedSchema } from './schema.ts'

const folder = join(projectRoot, 'config', 'presets')

/** The presets that there are, with the sentence that each begins with. */
export function presets(): readonly { readonly name: string; readonly summary: string }[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((file) => file.endsWith('.yaml'))
    .sort()
    .map((file) => {
      const [, second = ''] = readFileSync(join(folder, file), 'utf8').split('\n', 2)
      return { name: file.slice(0, -'.yaml'.length), summary: second.replace(/^# /, '') }
    })
}

const known = presets()
const width = Math.max(0, ...known.map(({ name }) => name.length))
const help = `Usage: headgate init --preset <name> [--config <file>] [--force]

Writes a commented gateway.yaml that behaves like a published gateway: its paths, keys, errors, headers, limits and models. Then read it, set the variables
that it names, look at it and start it: headgate check --config gateway.yaml, headgate serve --config gateway.yaml.

  --preset <name>  one of those below
  --config <file>  where to write it; ./gateway.yaml by default (HEADGATE_CONFIG)
  --force          overwrite what is there

Presets:
${known.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`).join('\n')}
`

export const init: Command = {
  name: 'init',
  summary: 'write a gateway.yaml that behaves like another gateway',
  help,
  options: ['preset', 'config'],
  flags: ['force'],
  run({ args, env, out }) {
    const { preset, config } = args.options
    const names = known.map(({ name }) => name)
    if (preset === undefined) throw new UsageError(`name a preset: --preset ${names.join(' | ')}`)
    if (!names.includes(preset)) {
      const near = nearest(preset, names)
      throw new UsageError(
        `there is no preset ${JSON.stringify(preset)}; ${near === undefined ? `there are ${names.join(', ')}` : `did you mean ${near}?`}`,
      )
    }
    const path = config ?? env.HEADGATE_CONFIG ?? 'gateway.yaml'
    if (existsSync(path) && !args.flags.has('force')) throw new CommandError(`${path} is there already; --force overwrites it`)
    mkdirSync(dirname(resolve(path)), { recursive: true })
    writeFileSync(path, textFor(preset, path))
    out(`${path}: written. Next:\n\n  ${commandLine('check', path)}\n  ${commandLine('serve', path)}\n`)
    return Promise.resolve(exits.ok)
  },
}

/** The preset as it stands at `path`: editors find the schema from there. */
function textFor(preset: string, path: string): string {
  const text = readFileSync(join(folder, `${preset}.yaml`), 'utf8')
  const schema = relative(dirname(resolve(path)), shippedSchema)
  return text.replace('$schema=../gateway.schema.json', `$schema=${schema.startsWith('.') ? schema : `./${schema}`}`)
}
