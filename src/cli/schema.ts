/** `headgate schema`: the JSON Schema of gateway.yaml for editors, made from the schemas that the loader and the plugins check with. */

import { join, relative } from 'node:path'
import { loadConfig } from '../config/load.ts'
import { gatewaySchema, type KnownPlugin } from '../config/schema.ts'
import type { Plugin } from '../plugin/define.ts'
import { type Builtins, loadPlugin } from '../runtime/load-plugin.ts'
import { UsageError } from './args.ts'
import { type Command, CommandError, exits } from './command.ts'
import { isFresh, writeGenerated } from './generated-file.ts'
import { projectRoot } from './root.ts'

const help = `Usage: headgate schema [options]

Prints the JSON Schema of gateway.yaml, with the config of each built-in plugin. Editors with a YAML language server use it when the
file begins with: # yaml-language-server: $schema=./gateway.schema.json

  --out <file>     write it there
  --config <file>  know the plugins of that gateway.yaml too, your own included
  --check          write nothing; exit code 1 when the file (--out, or the one that comes with Headgate) is not up to date
`

/** The copy beside the default config. */
export const shippedSchema = join(projectRoot, 'config', 'gateway.schema.json')

export const schema: Command = {
  name: 'schema',
  summary: 'print the JSON Schema of gateway.yaml for editors',
  help,
  options: ['out', 'config'],
  flags: ['check'],
  async run({ args, composition, env, out, err }) {
    const { out: file, config } = args.options
    const text = await schemaText(composition.builtins, config === undefined ? undefined : { path: config, env })
    if (args.flags.has('check')) {
      if (config !== undefined && file === undefined) throw new UsageError('--check with --config needs --out <file>')
      const path = file ?? shippedSchema
      if (isFresh(path, text)) return exits.ok
      err(`${path} is not up to date. Write it with: headgate schema --out ${file ?? relative(process.cwd(), path)}\n`)
      return exits.failed
    }
    if (file === undefined) out(text)
    else err(`${file}: ${writeGenerated(file, text) === 'written' ? 'written' : 'is up to date'}\n`)
    return exits.ok
  },
}

/** The schema as text; with `config` it knows the external plugins of that file too. */
export async function schemaText(
  builtins: Builtins,
  config?: { readonly path: string; readonly env: Readonly<Record<string, string | undefined>> },
): Promise<string> {
  const known: KnownPlugin[] = []
  for (const [use, load] of Object.entries(builtins)) known.push(describe(use, (await load()).default))
  if (config) {
    const loaded = loadConfig(config)
    const broken = loaded.diagnostics.find((d) => d.severity === 'error' && loaded.plugins.length === 0)
    if (broken) throw new CommandError(`${config.path}:${broken.line}:${broken.column}: ${broken.message}`)
    for (const use of new Set(loaded.plugins.map((p) => p.use))) {
      if (Object.hasOwn(builtins, use)) continue
      const found = await loadPlugin(use, config.path, builtins)
      if ('problem' in found) throw new CommandError(`${use}: ${found.problem}`)
      known.push(describe(use, found.plugin))
    }
  }
  return `${JSON.stringify(gatewaySchema(known), null, 2)}\n`
}

function describe(use: string, { config, dialects, summary }: Plugin): KnownPlugin {
  return { use, summary, ...(config && { schema: config }), ...(dialects && { dialects: dialects.map((d) => d.name) }) }
}
