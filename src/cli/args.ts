/** Command-line arguments: `command [words] --option value --option=value --flag`. Unknown ones are mistakes, with a suggestion. */

import { nearest } from '../config/suggest.ts'

export interface Args {
  readonly words: readonly string[]
  readonly options: Readonly<Record<string, string>>
  readonly flags: ReadonlySet<string>
}

export class UsageError extends Error {}

/**
 * Parses what follows the command's name.
 * @throws UsageError
 */
export function parseArgs(
  argv: readonly string[],
  known: { readonly options: readonly string[]; readonly flags: readonly string[] },
): Args {
  const words: string[] = []
  const options: Record<string, string> = {}
  const flags = new Set<string>()
  const all = [...known.options, ...known.flags, 'help']
  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i]!
    if (arg === '--') {
      words.push(...argv.slice(i + 1))
      break
    }
    if (arg === '-h') {
      flags.add('help')
      continue
    }
    if (!arg.startsWith('--')) {
      words.push(arg)
      continue
    }
    const eq = arg.indexOf('=')
    const name = eq < 0 ? arg.slice(2) : arg.slice(2, eq)
    if (known.flags.includes(name) || name === 'help') {
      if (eq >= 0) throw new UsageError(`--${name} takes no value`)
      flags.add(name)
    } else if (known.options.includes(name)) {
      const value = eq < 0 ? argv[++i] : arg.slice(eq + 1)
      if (value === undefined) throw new UsageError(`--${name} needs a value`)
      options[name] = value
    } else {
      const near = nearest(name, all)
      throw new UsageError(`unknown option --${name}${near === undefined ? '' : `; did you mean --${near}?`}`)
    }
  }
  return { words, options, flags }
}
