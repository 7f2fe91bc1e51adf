/** `headgate new-plugin <name>`: a small commented plugin and its test, to start from. */

import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, isAbsolute, join, relative, resolve } from 'node:path'
import { UsageError } from './args.ts'
import { commandLine } from './banner.ts'
import { type Command, CommandError, configPath, exits } from './command.ts'
import { pluginTestText, pluginText } from './plugin-template.ts'
import { projectRoot } from './root.ts'

const help = `Usage: headgate new-plugin <name> [options]

Writes <name>.ts, a small working plugin with comments, and <name>.test.ts, its test, and prints the lines to add to gateway.yaml.

  <name>           kebab-case, for example word-filter
  --dir <folder>   where to, default: plugins/ beside the config file
  --config <file>  the gateway.yaml that will use it (HEADGATE_CONFIG)

Nothing is overwritten.
`

export const newPlugin: Command = {
  name: 'new-plugin',
  summary: 'write a small plugin and its test to start from',
  help,
  options: ['dir', 'config'],
  flags: [],
  words: 1,
  async run(context) {
    const { args, composition, out } = context
    const [name] = args.words
    if (name === undefined) throw new UsageError('name the plugin')
    if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name) || name.length > 60)
      throw new UsageError(`${JSON.stringify(name)} is not a plugin name: use small letters, digits and -, for example word-filter`)
    if (Object.hasOwn(composition.builtins, name)) throw new UsageError(`${name} is built in; choose another name`)
    const config = configPath(context)
    const folder = resolve(args.options.dir ?? join(dirname(config), 'plugins'))
    const files = { [join(folder, `${name}.ts`)]: pluginText(name), [join(folder, `${name}.test.ts`)]: pluginTestText(name) }
    const taken = Object.keys(files).find((file) => existsSync(file))
    if (taken !== undefined) throw new CommandError(`${taken} exists; nothing was written`)
    try {
      mkdirSync(folder, { recursive: true })
      for (const [file, text] of Object.entries(files)) writeFileSync(file, text, { flag: 'wx' })
    } catch (error) {
      throw new CommandError(`nothing can be written to ${folder}: ${error instanceof Error ? error.message : String(error)}`)
    }
    const here = (file: string) => {
      const near = relative(process.cwd(), file)
      return near.startsWith('..') || isAbsolute(near) ? file : near
    }
    const [plugin = '', test = ''] = Object.keys(files)
    const use = relative(dirname(resolve(config)), plugin).replaceAll('\\', '/')
    out(`Written: ${here(plugin)}, ${here(test)}

Add it to the plugins of ${here(resolve(config))}, above the router:

  - use: ${use.startsWith('.') ? use : `./${use}`}
    with: { words: [swordfish] }

${seesHeadgate(folder) ? '' : `Once, in your folder, for its tests and your editor:\n\n  bun add --dev headgate@link:${projectRoot}\n\n`}Test it with:        bun test ${isAbsolute(here(test)) ? '' : './'}${here(test)}
See where it runs:   ${commandLine('explain', config)}
`)
    return exits.ok
  },
}

/** Whether `headgate/testkit` resolves from a folder: inside this project, or below a `node_modules` that holds it. */
function seesHeadgate(folder: string): boolean {
  for (let at = folder; ; at = dirname(at)) {
    if (at === projectRoot || existsSync(join(at, 'node_modules', 'headgate'))) return true
    if (at === dirname(at)) return false
  }
}
