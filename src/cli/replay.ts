/**
 * `headgate replay`: recorded requests through a candidate config, without calling upstreams: what would go elsewhere, be refused, or
 * cost another sum. Requests of one caller run in their order, by a clock that shows their own times, so that limits mean what they say.
 */

import { costOf } from '../plugin/cost.ts'
import type { Catalog } from '../plugin/host.ts'
import { formatUsd, parseUsd } from '../plugin/money.ts'
import { type Usage, unknownUsage } from '../plugin/outcome.ts'
import { priceAt } from '../plugin/price.ts'
import { Trim, type TrimValue } from '../plugin/slots.ts'
import { UsageError } from './args.ts'
import { type OpenAudit, withAudit } from './audit-place.ts'
import { captureTransport } from './capture.ts'
import { type AuditFilter, type AuditRow, type Command, type CommandContext, CommandError, configPath, exits } from './command.ts'
import { explainRequest, type RequestReport } from './explain-request.ts'
import { formOf, table } from './output-form.ts'
import { rehearse } from './rehearsal.ts'
import { replayBody } from './replay-body.ts'
import { rangeHelp, rangeOf, rangeOptions } from './time-range.ts'

const help = `Usage: headgate replay --config <new.yaml> [--records <gateway.yaml>] [--since 24h] [-o table|json]

Runs recorded requests through another config, up to where the upstream begins, and prints what would differ: the upstream and model that
is called first, who refuses, how many tokens are trimmed (where the body was kept), and what it costs by the new prices for the tokens that were
used. Nothing is sent.

Bodies that were kept are used as they were kept: redacted. Of others the model, endpoint and caller are replayed with a body that says
nothing. Headers are not recorded, so conditions on them do not hold; replies, and what limits learn from them, are not replayed either.

  --config <file>     the config to try
  --records <file>    gateway.yaml whose records are replayed; that of --config when absent
  --key, --model <text>   only those
  --limit <n>         at most so many, the newest; default 1000
  -o, --output <form> table (sums of what differs) or json (one line for each request that differs)

${rangeHelp}

Exit code 0 when nothing differs, 1 when something does.
`

export const replay: Command = {
  name: 'replay',
  summary: 'say what another config would make of recorded requests',
  help,
  options: ['config', 'records', 'key', 'model', 'limit', 'output', ...rangeOptions],
  letters: { o: 'output' },
  flags: [],
  async run(context) {
    const { options } = context.args
    const form = formOf(options.output, 'table')
    if (form === 'csv') throw new UsageError('replay prints a table or json')
    const limit = options.limit ?? '1000'
    if (!/^[1-9]\d{0,6}$/.test(limit)) throw new UsageError(`--limit ${JSON.stringify(limit)} is no number above 0`)
    const filter: AuditFilter = {
      ...rangeOf(context.args, Date.now()),
      ...(options.key !== undefined && { caller: options.key }),
      ...(options.model !== undefined && { model: options.model }),
    }
    const recorded = await withAudit(
      context,
      (opened) => recordedRequests(opened, filter, Number(limit)),
      options.records ?? configPath(context),
    )
    return print(context, form, await replayAll(context, recorded))
  },
}

/** A request as it was recorded. */
interface Recorded {
  readonly id: string
  readonly at: number
  readonly caller: string | undefined
  readonly told: Readonly<Record<string, unknown>>
  readonly body: Uint8Array
  readonly kept: boolean
}

interface Difference {
  readonly request_id: string
  readonly key: string | undefined
  readonly model: string | undefined
  readonly before: string
  readonly after: string
  readonly cost_before: string
  readonly cost_after: string
  /** Tokens, estimated; absent where the body was not kept. */
  readonly trimmed_before?: number
  readonly trimmed_after?: number
}

interface Replayed {
  readonly count: number
  readonly kept: number
  readonly differences: readonly Difference[]
  /** Callers that the config does not know as keys, with the number of their requests. */
  readonly strangers: ReadonlyMap<string, number>
  /** Picodollars of all whose cost is known on both sides. */
  readonly before: bigint
  readonly after: bigint
}

async function recordedRequests({ sql, tools }: OpenAudit, filter: AuditFilter, limit: number): Promise<Recorded[]> {
  const list: Recorded[] = []
  for await (const row of tools.exchanges(sql, filter)) {
    const one = await recordedRequest({ sql, tools }, row)
    if (one) list.push(one)
    if (list.length >= limit) break
  }
  return list.reverse()
}

async function recordedRequest({ sql, tools }: Pick<OpenAudit, 'sql' | 'tools'>, row: AuditRow): Promise<Recorded | undefined> {
  const told = tools.rowTold(row as never)
  if (told.end === 'interrupted' || told.model === undefined) return undefined
  const kept = told.bodies === undefined ? undefined : await tools.bodiesOf(sql, row.id)
  const hint = { endpoint: String(told.endpoint), model: told.model as string, stream: told.stream === true }
  const body = replayBody(hint, kept?.request ?? undefined)
  const caller = told.key as string | undefined
  return body && { id: row.request_id, at: Date.parse(String(told.time)), caller, told, body: body.bytes, kept: body.kept }
}

/** Replays each caller's requests in a gateway of its own. */
async function replayAll(context: CommandContext, recorded: readonly Recorded[]): Promise<Replayed> {
  const differences: Difference[] = []
  const strangers = new Map<string, number>()
  let [before, after, count, kept] = [0n, 0n, 0, 0]
  for (const [caller, requests] of Map.groupBy(recorded, (r) => r.caller)) {
    let now = requests[0]!.at
    const opened = await rehearse(context, configPath(context), { now: () => now, ...(caller !== undefined && { as: caller }) }).catch(
      (error: unknown) => {
        if (error instanceof CommandError) return undefined
        throw error
      },
    )
    if (!opened) {
      strangers.set(caller!, requests.length)
      continue
    }
    try {
      if (!opened.ok) throw new CommandError(`${configPath(context)} is not usable: see headgate check`)
      for (const one of requests) {
        now = Math.max(now, one.at)
        const headers: [string, string][] = opened.key === undefined ? [] : [['authorization', `Bearer ${opened.key}`]]
        const path = one.told.path as string | undefined
        const report = await explainRequest(opened, captureTransport(), { body: one.body, path, headers })
        const result = compared(one, report, opened.gateway.snapshot.catalog)
        count++
        if (one.kept) kept++
        if (result.costs) {
          before += result.costs[0]
          after += result.costs[1]
        }
        if (result.difference) differences.push(result.difference)
      }
    } finally {
      await opened.close()
    }
  }
  return { count, kept, differences, strangers, before, after }
}

/** What is not as it was. */
function compared(one: Recorded, report: RequestReport, catalog: Catalog): { difference?: Difference; costs?: readonly [bigint, bigint] } {
  const { told } = one
  const attempts = (told.attempts ?? []) as readonly { readonly upstream: string; readonly model?: string }[]
  const first = attempts[0]
  const was = first
    ? `${first.upstream} ${first.model ?? ''}`.trim()
    : told.by === undefined
      ? String(told.end)
      : `${told.end} by ${told.by}`
  const call = report.calls[0]
  const by = report.answer?.by
  const is = call
    ? `${call.upstream} ${call.model}`.trim()
    : report.outcome === 'answered'
      ? `finished by ${by}`
      : by === undefined
        ? 'refused'
        : `refused by ${by}`
  const usage = usageOf(told)
  const price = call && priceOf(catalog, String(told.model), call, one.at)
  const cost = call && usage && attempts.length === 1 ? costOf(usage, price) : undefined
  const known = cost?.known && typeof told.cost_usd === 'string' && told.cost_usd !== 'unknown'
  const costs = known ? ([parseUsd(told.cost_usd as string), cost.pico] as const) : undefined
  const trims = one.kept ? ([Number(told.trimmed_tokens ?? 0), trimmedBy(report)] as const) : undefined
  const otherTrims = trims !== undefined && trims[0] !== trims[1]
  if (was === is && !otherTrims && (!costs || costs[0] === costs[1])) return costs ? { costs } : {}
  const difference: Difference = {
    request_id: one.id,
    key: one.caller,
    model: told.model as string | undefined,
    before: otherTrims ? `${was}, ${trims[0]} trimmed` : was,
    after: otherTrims ? `${is}, ${trims[1]} trimmed` : is,
    cost_before: told.cost_usd === undefined ? '' : String(told.cost_usd),
    ...(trims && { trimmed_before: trims[0], trimmed_after: trims[1] }),
    cost_after: call ? (cost?.known ? formatUsd(cost.pico) : 'unknown') : '0',
  }
  return costs ? { difference, costs } : { difference }
}

/** Tokens that a plugin of the config took out of the request. */
function trimmedBy(report: RequestReport): number {
  const value = report.steps.findLast((step) => step.put[Trim.name] !== undefined)?.put[Trim.name] as TrimValue | undefined
  return value?.tokens ?? 0
}

function usageOf(told: Readonly<Record<string, unknown>>): Usage | undefined {
  if (told.usage_source === 'unknown' || told.tokens_input === undefined) return undefined
  const n = (name: string) => Number(told[name] ?? 0)
  return {
    ...unknownUsage,
    source: told.usage_source as Usage['source'],
    inputUncached: n('tokens_input') - n('tokens_cache_read') - n('tokens_cache_write'),
    cacheRead: n('tokens_cache_read'),
    cacheWriteOther: n('tokens_cache_write'),
    outputVisible: n('tokens_output') - n('tokens_reasoning'),
    reasoning: n('tokens_reasoning'),
  }
}

function priceOf(catalog: Catalog, asked: string, call: { readonly upstream: string; readonly model: string }, at: number) {
  const target = catalog.find(asked)?.targets.find((t) => t.upstream === call.upstream && t.model === call.model)
  return target?.price ? priceAt(target.price, at) : catalog.price(call.upstream, call.model, at)
}

function print({ out, err }: CommandContext, form: 'table' | 'json', r: Replayed): number {
  if (form === 'json') for (const one of r.differences) out(`${JSON.stringify(one)}\n`)
  else if (r.differences.length > 0) {
    const groups = Map.groupBy(r.differences, (d) => [d.model ?? '', d.before, d.after].join('\n'))
    const rows = [...groups.values()]
      .sort((a, b) => b.length - a.length)
      .map((list) => [list.length, list[0]!.model, list[0]!.before, list[0]!.after, list[0]!.request_id])
    out(table(['requests', 'model', 'before', 'after', 'for example'], rows))
  }
  for (const [caller, count] of r.strangers) err(`${count} requests of ${caller} were left out: the config does not know it as a key.\n`)
  err(`${r.count} requests replayed, ${r.kept} with their bodies: ${r.differences.length} differ. `)
  err(`Those whose cost is known in both would cost ${formatUsd(r.after)} USD instead of ${formatUsd(r.before)}.\n`)
  return r.differences.length === 0 && r.strangers.size === 0 ? exits.ok : exits.failed
}
