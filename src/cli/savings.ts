/** `headgate savings`: what prompt caches, trimming and given answers saved, net, with what could not be measured beside it. Works beside a running gateway. */

import { UsageError } from './args.ts'
import { withAudit } from './audit-place.ts'
import { type AuditArms, type AuditFilter, type Command, exits } from './command.ts'
import { csvLine, formOf, table } from './output-form.ts'
import { armsTold, classFigures, classNames, type Figure, figureNames, figuresOf, remarks, stickyWhy } from './savings-figures.ts'
import { rangeHelp, rangeOf, rangeOptions } from './time-range.ts'

const help = `Usage: headgate savings [--month <yyyy-mm>] [--by <groups>] [filters] [-o table|json|csv]

Says what the audit records know was saved, net. Amounts are summed exactly; tokens that were trimmed are estimates, and so is what they saved.
  cache_savings     by the provider's prompt cache, against the same call without any: reads less what writing cost more. May be negative.
                    Whoever is to thank: the client's own marks, the provider, or the gateway (--by attribution)
  trim_savings      by tool-trim, against the same call untrimmed with the same cache: each token at the rate
                    that its place in the prompt was billed at
  response_savings  by answers given again, at the price that their call would have had then
  share_saved       all three, of what it would have cost without them
What can't be measured is counted apart, with the reason, and is in no figure. The control arm are the sessions that tool-trim leaves alone: cost per
token that clients sent (billed input and trimmed) and turns per session, trimmed against left alone, with an interval of 95 % (bootstrap over sessions);
from 30 sessions of known cost in each arm on.

  --config <file>     gateway.yaml whose records are meant (HEADGATE_CONFIG)
  --by <groups>       day, month, key, account, tier, model, upstream, thread, session, attribution, class; several with commas; default: none.
                      class: what each class of trimming saved, the money of an exchange shared by tokens
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

type Line = Readonly<Record<string, Figure>>

export const savings: Command = {
  name: 'savings',
  summary: "say what was saved, and what of it can't be measured",
  help,
  options: ['config', 'output', 'by', ...rangeOptions, ...Object.keys(texts)],
  letters: { o: 'output' },
  flags: [],
  async run(context) {
    const { args, out, err } = context
    const { options } = args
    const form = formOf(options.output, 'table')
    const given: Record<string, unknown> = { ...rangeOf(args, Date.now()) }
    for (const [option, field] of Object.entries(texts)) if (options[option] !== undefined) given[field] = options[option]
    const filter = given as AuditFilter
    const by = [...new Set((options.by ?? '').split(',').map((name) => name.trim()))].filter((name) => name !== '')
    return await withAudit(context, async ({ sql, tools }) => {
      const groupings = [...tools.groupings, 'class']
      const wrong = by.find((name) => !groupings.includes(name))
      if (wrong !== undefined) throw new UsageError(`--by ${JSON.stringify(wrong)}: there are ${groupings.join(', ')}`)
      const groups = by.filter((name) => name !== 'class')
      const classes = groups.length < by.length
      const order = classes ? [...groups, 'class'] : groups
      const found = classes ? await tools.savedByClass(sql, groups as never[], filter) : await tools.usageBy(sql, groups as never[], filter)
      const lines = found.map(
        ({ group, sums }): Line => ({
          ...Object.fromEntries(order.map((name, i) => [name, group[i]!])),
          ...(classes ? classFigures(sums) : figuresOf(sums)),
        }),
      )
      const head = [...by, ...(classes ? classNames : figureNames)]
      if (form === 'csv') out([head, ...lines.map((line) => head.map((name) => line[name]))].map((row) => csvLine(row)).join(''))
      if (lines.length === 0 && form !== 'json') err(classes ? 'Nothing was trimmed.\n' : 'No exchange fits.\n')
      if (form === 'csv') return exits.ok
      const sums = by.length === 0 ? (found[0]?.sums ?? {}) : ((await tools.usageBy(sql, [], filter))[0]?.sums ?? {})
      const arms = (sums.control ?? 0n) === 0n ? noControl : await tools.armsOf(sql, filter)
      if (form === 'json') {
        const told = { lines, control_arm: armsTold(arms), sticky_routing: { measurable: false, why: stickyWhy } }
        out(`${JSON.stringify(told, null, 2)}\n`)
      } else if (Object.keys(sums).length > 0) {
        if (lines.length > 0)
          out(
            table(
              head,
              lines.map((line) => head.map((name) => cell(name, line[name]!, by))),
            ),
          )
        out(`\n${remarks(sums, arms).join('\n')}\n`)
      }
      return exits.ok
    })
  },
}

const nobody = { sessions: 0, cost: 0, sent: 0, turns: 0, oneIn: 1 }
const noControl: AuditArms = {
  trimmed: nobody,
  control: nobody,
  leftOut: { costUnknown: 0, mixed: 0 },
  compared: 'no session of this time was left alone to compare with (tool-trim: control_share)',
}

/** Nothing is told as nothing, and what is not known as that. */
function cell(name: string, value: Figure, by: readonly string[]): Figure {
  if (value === null) return name.endsWith('_share') || name.startsWith('share') ? '' : 'unknown'
  if (by.includes(name) || name === 'cost_usd') return value
  if (name === 'share_saved' || name === 'cache_hit_share') return `${(Number(value) * 100).toFixed(2)}%`
  return value === 0 || value === '0' ? '' : value
}
