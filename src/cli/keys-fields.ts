/** The fields of a key as options of `headgate keys create` and `update`. */

import { parseMoment } from '../plugin/moment.ts'
import { parseDuration } from '../plugin/units.ts'
import { type Args, UsageError } from './args.ts'
import type { KeyFields, KeyTools } from './command.ts'

/** Options that say what a key carries. */
export const fieldOptions = ['name', 'kind', 'account', 'tier', 'tag', 'model', 'limit', 'tokens', 'cap', 'messages', 'expires'] as const
/** Those that may be repeated. */
export const fieldLists = ['tag', 'model', 'limit', 'tokens', 'cap', 'messages'] as const

/** What a key may be; `key` is what it is unless something else is said. */
const kinds: readonly string[] = ['key', 'instance', 'self_host']

export type GivenFields = { -readonly [K in keyof KeyFields]?: KeyFields[K] } & { name?: string }

/** The fields that the command line gives. @throws UsageError that names the option */
export function givenFields(args: Args, tools: KeyTools): GivenFields {
  const { name, kind, account, tier, expires } = args.options
  const { tag, model, limit = [], tokens = [], cap = [], messages = [] } = args.lists
  if (kind !== undefined && !kinds.includes(kind)) throw new UsageError(`--kind must be one of: ${kinds.join(', ')}`)
  const read = <T>(option: string, texts: readonly string[], parse: (text: string) => T | undefined, example: string): T[] =>
    texts.map((text) => {
      const value = parse(text)
      if (value === undefined) throw new UsageError(`--${option} ${JSON.stringify(text)} is not of the form ${example}`)
      return value
    })
  const limits = [
    ...read('limit', limit, (text) => tools.parseLimit(text, 'requests'), '60/1m'),
    ...read('tokens', tokens, (text) => tools.parseLimit(text, 'tokens'), '100000/1m'),
  ]
  const caps = [
    ...read('cap', cap, (text) => tools.parseCap(text, 'usd'), '12.50/month (or /day, /total)'),
    ...read('messages', messages, (text) => tools.parseCap(text, 'messages'), '100/day (or /month, /total)'),
  ]
  const fields = {
    ...(name !== undefined && { name }),
    ...(kind !== undefined && kind !== 'key' && { kind }),
    ...(account !== undefined && { account }),
    ...(tier !== undefined && { tier }),
    ...(tag && { tags: tag }),
    ...(model && { models: model }),
    ...(limits.length > 0 && { limits }),
    ...(caps.length > 0 && { caps }),
    ...(expires !== undefined && { expires: expiry(expires) }),
  }
  const problem = tools.fieldProblem(fields)
  if (problem !== undefined) throw new UsageError(`--${problem.slice(1)}`)
  return fields as GivenFields
}

/** An ISO 8601 date or time as it is; a duration as the time that is so far from now. */
function expiry(text: string): string {
  const ms = parseDuration(text)
  if (ms !== undefined) return new Date(Date.now() + ms).toISOString().replace(/\.\d+Z$/, 'Z')
  const at = parseMoment(text)
  if (at === undefined)
    throw new UsageError(`--expires ${JSON.stringify(text)} is neither a date that exists, such as 2027-01-31, nor a duration such as 30d`)
  if (at < Date.now()) throw new UsageError(`--expires ${text} is over already`)
  return text
}
