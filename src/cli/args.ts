/**
 * Command-line arguments: `command [words] --option value --option=value --flag`.
 *
 * Pure. Unknown options, missing values and doubles are mistakes, said with a suggestion where one is near.
 */

import { nearest } from '../config/suggest.ts'

export interface Args {
  readonly words: readonly string[]
  /** The last value of each option. */
  readonly options: Readonly<Record<string, string>>
  /** All values of each option that may be repeated, in order; absent when not given. */
  readonly lists: Readonly<Record<string, readonly string[]>>
  readonly flags: ReadonlySet<string>
}

/** What a command takes. */
export interface Syntax {
  /** Options that take a value. */
  readonly options: readonly string[]
  /** Those of the options that may be given more than once. */
  readonly repeatable?: readonly string[]
  readonly flags: readonly string[]
  /** Options that have a letter too: `{ o: 'output' }` for `-o`. */
  readonly letters?: Readonly<Record<string, string>>
  /** Most words after the command's name; none when absent. */
  readonly words?: number
}

/** The command line is wrong: the command's usage is shown after the message. */
export class UsageError extends Error {}

/**
 * Parses what follows the command's name. `-` alone is a word or a value (standard input).
 * @throws UsageError
 */
export function parseArgs(argv: readonly string[], known: Syntax): Args {
  const words: string[] = []
  const options: Record<string, string> = {}
  const lists: Record<string, string[]> = {}
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
    if (!arg.startsWith('-') || arg === '-') {
      words.push(arg)
      continue
    }
    const eq = arg.indexOf('=')
    const letter = known.letters?.[arg.slice(1)]
    const name = letter ?? (eq < 0 ? arg : arg.slice(0, eq)).replace(/^--/, '')
    if (known.flags.includes(name) || name === 'help') {
      if (eq >= 0) throw new UsageError(`--${name} takes no value`)
      flags.add(name)
    } else if (known.options.includes(name)) {
      const value = eq < 0 ? argv[++i] : arg.slice(eq + 1)
      if (value === undefined || (eq < 0 && value.startsWith('--'))) throw new UsageError(`--${name} needs a value`)
      if (known.repeatable?.includes(name)) (lists[name] ??= []).push(value)
      else if (Object.hasOwn(options, name)) throw new UsageError(`--${name} is given twice`)
      options[name] = value
    } else {
      const near = nearest(name.replace(/^-/, ''), all)
      throw new UsageError(`unknown option ${eq < 0 ? arg : arg.slice(0, eq)}${near === undefined ? '' : `; did you mean --${near}?`}`)
    }
  }
  const surplus = words[known.words ?? 0]
  if (surplus !== undefined && !flags.has('help')) throw new UsageError(`unexpected argument ${JSON.stringify(surplus)}`)
  return { words, options, lists, flags }
}
