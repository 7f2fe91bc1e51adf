/** `headgate usage`: requests, tokens and money, summed up exactly by day, key, model and so on. Works beside a running gateway. */

import { formatUsd } from '../plugin/money.ts'
import { UsageError } from './args.ts'
import { withAudit } from './audit-place.ts'
import { type AuditFilter, type Command, exits } from './command.ts'
import { csvLine, formOf, table } from './output-form.ts'
import { rangeHelp, rangeOf, rangeOptions } from './time-range.ts'

const help = `Usage: headgate usage [--month <yyyy-mm>] [--by <groups>] [filters] [-o table|json|csv]

Sums up what the audit records know: requests, tokens, and what providers charge, exact to the last digit. A month's cost is
headgate usage --month 2026-11 -o json. Costs that are not known are counted apart, with what they are at least.

  --config <file>     gateway.yaml whose records are meant (HEADGATE_CONFIG)
  --by <groups>       day, month, key, account, tier, model, upstream, thread, session, attribution; several with commas; default: none, all in one
  -o, --output <form> table, json or csv

${rangeHelp}
  --key, --account, --tier, --model, --upstream, --session, --thread <text>   only those
`

const texts = {
  key: 'caller',
  account: 'account',
  tier: 'tier',
  model: 'model',
  upstream: 'upstream',
  session: 'session',
  thread: 'thread',
} as const

export const usage: Command = {
  name: 'usage',
  summary: 'sum up requests, tokens and money by day, key, model …',
  help,
  options: ['config', 'output', 'by', ...rangeOptions, ...Object.keys(texts)],
  letters: { o: 'output' },
  flags: [],
  async run(context) {
    const { args, out, err } = context
    const { options } = args
    const form = formOf(options.output, 'table')
    const filter: Record<string, unknown> = { ...rangeOf(args, Date.now()) }
    for (const [option, field] of Object.entries(texts)) if (options[option] !== undefined) filter[field] = options[option]
    return await withAudit(context, async ({ sql, tools }) => {
      const by = (options.by ?? '')
        .split(',')
        .map((name) => name.trim())
        .filter((name) => name !== '')
      const wrong = by.find((name) => !tools.groupings.includes(name))
      if (wrong !== undefined) throw new UsageError(`--by ${JSON.stringify(wrong)}: there are ${tools.groupings.join(', ')}`)
      const lines = await tools.usageBy(sql, by as never[], filter as AuditFilter)
      const told = lines.map(({ group, sums }) => ({ ...Object.fromEntries(by.map((name, i) => [name, group[i]])), ...figures(sums) }))
      if (form === 'json') out(`${JSON.stringify(told, null, 2)}\n`)
      else {
        const head = [...by, ...names]
        const rows = told.map((line) => head.map((name) => (line as Readonly<Record<string, unknown>>)[name]))
        if (form === 'csv') out(csvOf(rows, head))
        else if (rows.length > 0)
          out(
            table(
              head,
              rows.map((row) => row.map((value, i) => (head[i] !== 'cost_usd' && (value === 0 || value === '0') ? '' : value))),
            ),
          )
      }
      if (told.length === 0) err('No exchange fits.\n')
      return exits.ok
    })
  },
}

const names = [
  'requests',
  'refused',
  'failed',
  'tokens_input',
  'tokens_cache_read',
  'tokens_cache_write',
  'tokens_output',
  'tokens_reasoning',
  'cost_usd',
  'cost_unknown',
  'cost_unknown_at_least_usd',
  'cache_savings_usd',
  'cache_savings_gross_usd',
  'trim_savings_usd',
  'trimmed_tokens',
] as const

/** Sums as they are told. Counts that are no safe numbers are texts. */
function figures(s: Readonly<Record<string, bigint>>): Record<(typeof names)[number], number | string> {
  const count = (value: bigint) => (value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value.toString())
  const of = (name: string) => s[name] ?? 0n
  return {
    requests: count(of('requests')),
    refused: count(of('refused')),
    failed: count(of('failed')),
    tokens_input: count(of('input') + of('cache_read') + of('cache_write')),
    tokens_cache_read: count(of('cache_read')),
    tokens_cache_write: count(of('cache_write')),
    tokens_output: count(of('output') + of('reasoning')),
    tokens_reasoning: count(of('reasoning')),
    cost_usd: formatUsd(of('cost')),
    cost_unknown: count(of('unknown')),
    cost_unknown_at_least_usd: formatUsd(of('cost_least')),
    cache_savings_usd: formatUsd(of('saved')),
    cache_savings_gross_usd: formatUsd(of('saved_gross')),
    trim_savings_usd: formatUsd(of('trim_saved')),
    trimmed_tokens: count(of('trimmed')),
  }
}

function csvOf(rows: readonly (readonly unknown[])[], head: readonly string[]): string {
  return [head, ...rows].map((row) => csvLine(row)).join('')
}
