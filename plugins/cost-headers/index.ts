/**
 * `cost-headers`: what a reply cost, said to the client in headers and in its usage.
 *
 * This file joins the figures to hooks. Of a stream the cost is known at its end: the headers that leave before it say nothing of money, and the last
 * usage event does. Fails open: a reply without its figures is worth more than none.
 */

import {
  type Attempt,
  attemptCost,
  definePlugin,
  exactNumber,
  type Json,
  noCost,
  type Operation,
  type PricesAt,
  Principal,
  PromptCache,
  Session,
  servedCost,
  sumCosts,
  Trim,
  withMarkup,
} from 'headgate/plugin'
import { config } from './config.ts'
import { costFor, type Figures, figuresFor, moneyFigures, trimmedTokens } from './figures.ts'

/** What the hooks of one exchange share. */
interface Served {
  /** A reply is on its way, as against a refusal. */
  ok: boolean
  attempt: Attempt | undefined
}

export default definePlugin({
  api: 1,
  name: 'cost-headers',
  summary: 'Cost, savings, tier, session and request id of a reply in headers and in its usage',
  config,
  wants: [Principal, Session, Trim, PromptCache],
  failure: 'open',
  usage: true,
  state: (): Served => ({ ok: false, attempt: undefined }),

  setup(host, config) {
    const { headers, body, decimals } = config
    const how = { markup: String(config.markup), decimals }
    const members = moneyFigures.flatMap((figure) => {
      const place = body[figure]
      return place === undefined ? [] : [{ figure, name: place.slice('usage.'.length) }]
    })
    if (Object.keys(headers).length === 0 && members.length === 0) throw new Error('name at least one figure in `headers` or `body`')
    mustBeApart('headers', Object.values(headers))
    mustBeApart('body', Object.values(body))
    mustBeExact(how.markup)
    const unknown = host.counter('cost_unknown', 'Replies whose cost is not known, by upstream and by what is missing')
    const pricesAt = (at: number): PricesAt => ({ catalog: host.catalog, at })
    /** Counting tokens is free everywhere, and reports no usage. */
    const free = (operation: Operation) => operation === 'count_tokens'

    return {
      reply(x, reply) {
        const { attempt, ok } = reply
        const put = (name: string | undefined, value: string | undefined) => {
          if (name !== undefined && value !== undefined) reply.headers.set(name, value)
        }
        put(headers.request_id, x.id)
        put(headers.tier, x.peek(Principal)?.tier)
        put(headers.session, x.peek(Session)?.id)
        if (!ok) return
        x.state.ok = true
        x.state.attempt = attempt
        put(headers.upstream, attempt?.upstream)
        put(headers.model, headerText(attempt?.modelServed))
        const trim = x.peek(Trim)
        const cache = x.peek(PromptCache)
        if (attempt && reply.stream) {
          // what was taken out is known by now; what that saved is not, unless it is nothing
          if (trim) put(headers.trimmed_tokens, trimmedTokens(trim))
          put(headers.cache_attribution, cache?.attribution)
          if (trim?.tokens === 0) put(headers.trim_savings_usd, '0')
          // how much it will be is not known yet; that nobody knows a price is
          if (!attempt.price && !free(x.operation)) put(headers.cost_unknown, 'true')
          return
        }
        const cost = attempt && !free(x.operation) ? attemptCost(attempt, pricesAt(x.receivedAt)) : noCost
        const figures = figuresFor(attempt, attempt?.usage, cost, how, trim, cache)
        for (const figure of moneyFigures) put(headers[figure], figures[figure])
      },

      ...(members.length > 0 && {
        event(x, event) {
          if (event.type !== 'usage' || !x.state.ok) return
          const { calls } = event
          const { source } = calls?.at(-1)?.usage ?? event.usage
          if (source === 'unknown' || source === 'partial') return // more will follow
          if (
            config.stream_usage === 'asked' &&
            x.request.stream &&
            !asksForUsage(x.dialect, x.request.at('/stream_options/include_usage'))
          )
            return
          // of several calls each has a price of its own; savings are told of the first one, as in the record
          const { attempt, usage } = calls?.[0] ?? { attempt: x.state.attempt, usage: event.usage }
          const prices = pricesAt(x.receivedAt)
          const cost = calls ? sumCosts(calls.map((call) => costFor(call.attempt, call.usage, prices))) : costFor(attempt, usage, prices)
          const figures = figuresFor(attempt, usage, cost, how, x.peek(Trim), x.peek(PromptCache))
          return { ...event, extra: { ...event.extra, ...membersOf(members, figures) } }
        },
      }),

      settle(x, outcome) {
        if (!outcome.served || free(x.operation)) return
        const cost = servedCost(outcome, pricesAt(x.receivedAt))
        if (!cost.known) unknown.add(1, { upstream: outcome.served.upstream, missing: cost.missing[0]!.replace(/^.*: /, '') })
      },
    }
  },
})

/** @throws Error when two figures have the same place: one would take it from the other. */
function mustBeApart(where: string, places: readonly string[]): void {
  const lower = places.map((name) => name.toLowerCase())
  const twice = lower.findIndex((name, i) => lower.indexOf(name) < i)
  if (twice >= 0) throw new Error(`${where}: two figures are to stand in ${places[twice]}; give each a name of its own`)
}

/** A percentage that amounts can't be marked up with exactly is told at the start, not at the first reply. */
function mustBeExact(markup: string): void {
  try {
    withMarkup(0n, markup)
  } catch {
    throw new Error(`markup: ${markup} can't be counted exactly; give it at most 12 decimals, and no exponent`)
  }
}

/** The members of a usage object that carry figures. */
function membersOf(
  members: readonly { readonly figure: (typeof moneyFigures)[number]; readonly name: string }[],
  figures: Figures,
): Record<string, Json> {
  const made: Record<string, Json> = {}
  for (const { figure, name } of members) {
    const value = figures[figure]
    if (value === undefined) continue
    const isWord = figure === 'cache_status' || figure === 'cache_attribution'
    made[name] = figure === 'cost_unknown' ? true : isWord ? value : exactNumber(value)
  }
  return made
}

/** Whether a client gets usage in its stream anyway; only OpenAI's older dialects must be asked for it. */
function asksForUsage(dialect: string, asked: Json | undefined): boolean {
  return (dialect !== 'openai-chat' && dialect !== 'openai-completions') || asked === true
}

/** A name that an upstream chose, if it can stand in a header. */
function headerText(text: string | undefined): string | undefined {
  return text !== undefined && /^[\x20-\x7e]{1,200}$/.test(text) ? text : undefined
}
