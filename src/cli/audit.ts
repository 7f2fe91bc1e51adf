/** `headgate audit query|show|verify`: what the records of the `audit` plugin say. Works beside a running gateway; changes nothing. */

import { nearest } from '../config/suggest.ts'
import { parseUsd } from '../plugin/money.ts'
import { UsageError } from './args.ts'
import { withAudit } from './audit-place.ts'
import { story } from './audit-show.ts'
import { type AuditFilter, type Command, type CommandContext, CommandError, exits } from './command.ts'
import { csvLine, formOf, table } from './output-form.ts'
import { oneLine, painter } from './terminal.ts'
import { rangeHelp, rangeOf, rangeOptions } from './time-range.ts'

const help = `Usage: headgate audit query [filters] [-o table|json|csv] [--limit <n>]
       headgate audit show <id> [-o json] [--bodies]
       headgate audit verify [<instance>] [-o json]

query lists exchanges, the newest first; JSON is one object per line. show tells all that is known of one: by request id, id of the
reply, trace id or id of the record. verify proves the hash chains: no record altered, missing or moved; exit code 1 when one is.

  --config <file>     gateway.yaml whose records are meant (HEADGATE_CONFIG)
  -o, --output <form> table, json or csv
  --limit <n>         query: at most so many, default 50 for a table, else all
  --bodies            show: the bodies too, where they were kept

query:
${rangeHelp}
  --key, --account, --tier, --user, --model, --upstream, --session, --thread, --trace, --endpoint, --code <text>
  --status <n>        HTTP status that the client saw
  --end <how>         finished, refused, failed, abandoned or interrupted (under way when the gateway was killed)
  --min-cost <usd>    at least so much
`

const actions = ['query', 'show', 'verify'] as const
const texts = {
  key: 'caller',
  account: 'account',
  tier: 'tier',
  user: 'user',
  model: 'model',
  upstream: 'upstream',
  session: 'session',
  thread: 'thread',
  trace: 'traceId',
  endpoint: 'operation',
  code: 'code',
} as const
const filterOptions = [...rangeOptions, ...Object.keys(texts), 'status', 'end', 'min-cost']
const ends = ['finished', 'refused', 'failed', 'abandoned', 'interrupted']

export const audit: Command = {
  name: 'audit',
  summary: 'list, show and verify the records of exchanges',
  help,
  options: ['config', 'output', 'limit', ...filterOptions],
  letters: { o: 'output' },
  flags: ['bodies'],
  words: 2,
  async run(context) {
    const { words } = context.args
    const [action, word] = words
    if (action === undefined) throw new UsageError(`say what to do: ${actions.join(', ')}`)
    if (!(actions as readonly string[]).includes(action)) {
      const near = nearest(action, actions)
      throw new UsageError(
        `there is no ${JSON.stringify(action)}${near === undefined ? `; there are ${actions.join(', ')}` : `; did you mean ${near}?`}`,
      )
    }
    checkOptions(context, action)
    if (action === 'verify') return await verify(context, word)
    if (action === 'query') {
      if (word !== undefined) throw new UsageError(`unexpected argument ${JSON.stringify(word)}`)
      return await query(context)
    }
    if (word === undefined) throw new UsageError('name the exchange: the x-request-id of its reply')
    return await show(context, word)
  },
}

/** @throws UsageError for options that another action has */
function checkOptions({ args }: CommandContext, action: string): void {
  const own: Readonly<Record<string, readonly string[]>> = { query: [...filterOptions, 'limit'], show: ['bodies'], verify: [] }
  const stray = [...Object.keys(args.options), ...args.flags].find(
    (name) => name !== 'config' && name !== 'output' && !own[action]!.includes(name),
  )
  if (stray !== undefined) throw new UsageError(`--${stray} does not go with ${action}`)
}

/** The filter that options name. @throws UsageError */
export function filterOf({ args }: Pick<CommandContext, 'args'>, now: number): AuditFilter {
  const { options } = args
  const filter: Record<string, unknown> = { ...rangeOf(args, now) }
  for (const [option, field] of Object.entries(texts)) if (options[option] !== undefined) filter[field] = options[option]
  const { status, end, 'min-cost': least } = options
  if (status !== undefined) {
    if (!/^\d{1,3}$/.test(status)) throw new UsageError(`--status ${JSON.stringify(status)} is no HTTP status`)
    filter.status = Number(status)
  }
  if (end !== undefined) {
    if (!ends.includes(end)) throw new UsageError(`--end is one of ${ends.join(', ')}`)
    filter.end = end
  }
  if (least !== undefined) {
    try {
      filter.minCost = parseUsd(least)
    } catch (error) {
      throw new UsageError(`--min-cost: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  return filter as AuditFilter
}

const listed = [
  'time',
  'request_id',
  'key',
  'tier',
  'endpoint',
  'model',
  'upstream',
  'status',
  'end',
  'code',
  'tokens_input',
  'tokens_output',
  'cost_usd',
  'latency_ms',
] as const
const exported = [
  ...listed,
  'thread',
  'trace_id',
  'account',
  'user',
  'session',
  'turn',
  'model_served',
  'by',
  'stream_state',
  'tokens_cache_read',
  'tokens_cache_write',
  'tokens_reasoning',
  'usage_source',
  'first_content_ms',
  'cache_status',
  'cache_attribution',
  'cache_savings_usd',
  'cache_savings_gross_usd',
  'trim_savings_usd',
  'trimmed_tokens',
] as const

async function query(context: CommandContext): Promise<number> {
  const { args, out, err } = context
  const form = formOf(args.options.output, 'table')
  const { limit: given } = args.options
  if (given !== undefined && !/^[1-9]\d{0,8}$/.test(given)) throw new UsageError(`--limit ${JSON.stringify(given)} is no number above 0`)
  const limit = given === undefined ? (form === 'table' ? 50 : Number.POSITIVE_INFINITY) : Number(given)
  const filter = filterOf(context, Date.now())
  return await withAudit(context, async ({ sql, tools }) => {
    if (form === 'csv') out(csvLine(exported))
    const rows: unknown[][] = []
    let some = false
    for await (const row of tools.exchanges(sql, filter, limit)) {
      some = true
      const told = tools.rowTold(row as never)
      if (form === 'json') out(`${JSON.stringify(told)}\n`)
      else if (form === 'csv') out(csvLine(exported.map((name) => told[name])))
      else rows.push(listed.map((name) => (name === 'time' ? String(told.time).slice(0, 19).replace('T', ' ') : told[name])))
    }
    if (rows.length > 0) out(table(listed, rows))
    if (!some) err('No exchange fits.\n')
    return exits.ok
  })
}

async function show(context: CommandContext, id: string): Promise<number> {
  const { args, out, color } = context
  const form = formOf(args.options.output, 'table')
  if (form === 'csv') throw new UsageError('show prints a table or json')
  return await withAudit(context, async ({ sql, tools }) => {
    const row = await tools.findExchange(sql, id)
    if (!row) throw new CommandError(`there is no exchange ${JSON.stringify(oneLine(id))}. Its record comes when its reply is over`)
    const told = tools.rowTold(row as never)
    const bodies = args.flags.has('bodies') ? await tools.bodiesOf(sql, row.id) : undefined
    if (form === 'json') out(`${JSON.stringify({ ...told, ...(bodies && { kept: bodies }) }, null, 2)}\n`)
    else out(story(told, painter(color), bodies))
    if (args.flags.has('bodies') && !bodies) context.err('Its bodies were not kept.\n')
    return exits.ok
  })
}

async function verify(context: CommandContext, instance: string | undefined): Promise<number> {
  const { args, out, err, errColor } = context
  const form = formOf(args.options.output, 'table')
  if (form === 'csv') throw new UsageError('verify prints text or json')
  const paint = painter(errColor)
  return await withAudit(context, async ({ sql, tools, chainKey }) => {
    const reports = []
    for await (const report of tools.verifyChains(sql, chainKey, instance)) {
      reports.push(report)
      if (form === 'json') continue
      for (const p of report.problems) {
        const which = p.requestId === undefined ? '' : ` (${oneLine(p.requestId)})`
        err(`${paint('bad', p.kind)}  ${report.instance}  ${p.message}${which}\n`)
      }
      if (report.more > 0) err(`and ${report.more} more in ${report.instance}\n`)
    }
    const wrong = reports.filter((r) => r.problems.length > 0).length
    const rows = reports.reduce((sum, r) => sum + r.rows, 0)
    if (form === 'json') out(`${JSON.stringify({ ok: wrong === 0, rows, chains: reports }, null, 2)}\n`)
    else {
      const heads = reports.map((r) => [r.instance, r.first, r.last, r.closed ? 'closed' : 'open', r.head])
      if (heads.length > 0) out(table(['instance', 'first', 'last', 'state', 'hash of the last'], heads))
      err(
        `${rows} records in ${reports.length} chains: ${wrong === 0 ? paint('good', 'all as they were written') : paint('bad', `${wrong} chains are broken`)}\n`,
      )
    }
    return wrong === 0 ? exits.ok : exits.failed
  })
}
