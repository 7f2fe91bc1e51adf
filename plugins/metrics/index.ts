/**
 * `metrics`: what went through this gateway, for Prometheus, on the admin listener at `/metrics`.
 *
 * Labels are what the operator wrote (upstreams, models, endpoints) or words of this house (how it ended, why a call failed), never what a
 * client made up: their number is bounded. Money is counted in whole picodollars and printed as an exact decimal.
 */

import {
  definePlugin,
  everyUsage,
  formatUsd,
  inputTokens,
  type Outcome,
  outcomeCost,
  type RequestView,
  tokensByClass,
} from 'headgate/plugin'
import { config } from './config.ts'

/** Label sets of money; more are counted together. */
const mostSeries = 1000

export default definePlugin({
  api: 1,
  name: 'metrics',
  summary: 'Counts requests, upstream calls, tokens and money for Prometheus',
  config,
  failure: 'open',
  usage: true,

  setup(host, config) {
    const requests = host.counter('requests_total', 'Exchanges by endpoint and how they ended')
    const refusals = host.counter('refusals_total', 'Refused and failed exchanges by code and by plugin that said so')
    const seconds = host.histogram('request_seconds', 'Time from arrival to the last byte')
    const first = host.histogram('first_content_seconds', 'Time from arrival to the first content')
    const calls = host.counter('upstream_requests_total', 'Upstream calls by result: ok, or why they failed')
    const callSeconds = host.histogram('upstream_seconds', 'Time of upstream calls')
    const callFirst = host.histogram('upstream_first_content_seconds', 'Time of upstream calls to their first content')
    const tokens = host.counter('tokens_total', 'Tokens by class, as upstreams reported them')
    const unknown = host.counter('cost_unknown_total', 'Exchanges whose cost is not known')
    const edits = host.counter('edited_requests_total', 'Requests whose body plugins changed beyond the name of the model')
    const prefixEdits = host.counter('prefix_edits_total', 'Requests in which plugins changed the prompt before its last message')
    const bytes = host.counter('bytes_total', 'Bytes of bodies, in from clients and out to them')
    const money = new Map<string, { readonly labels: Record<string, string>; pico: bigint }>()
    host.gauge('cost_usd_total', 'What providers charge, in USD, exact', () =>
      [...money.values()].map(({ labels, pico }) => ({ value: formatUsd(pico), labels })),
    )

    /** Input tokens of an upstream since the start, and those of them that came from its cache. */
    const inputs = new Map<string, { all: number; read: number }>()
    host.gauge('cache_read_share', 'Share of the input tokens since the start that upstreams read from their caches', () =>
      [...inputs].map(([upstream, { all, read }]) => ({ value: all === 0 ? 0 : read / all, labels: { upstream } })),
    )

    /** A model that the operator's config or price list names; clients may ask for anything. */
    const modelOf = (name: string | undefined): string => {
      if (!config.models) return ''
      return name !== undefined && known(name) ? name : 'other'
    }
    const listed = new Map<string, boolean>()
    let listedFor = host.catalog
    const known = (name: string): boolean => {
      if (listedFor !== host.catalog) {
        listed.clear()
        listedFor = host.catalog
      }
      let is = listed.get(name)
      if (is === undefined) {
        is = host.catalog.list().some((model) => model.id === name)
        if (listed.size < mostSeries) listed.set(name, is)
      }
      return is
    }
    const spend = (labels: Record<string, string>, pico: bigint) => {
      const key = Object.values(labels).join('\n')
      let cell = money.get(key)
      if (!cell && money.size >= mostSeries) {
        labels = { upstream: 'other', model: 'other' }
        cell = money.get('other\nother')
      }
      if (!cell) money.set(Object.values(labels).join('\n'), (cell = { labels, pico: 0n }))
      cell.pico += pico
    }

    const upstreamCalls = ({ attempts }: Outcome, model: string) => {
      for (const a of attempts) {
        calls.add(1, { upstream: a.upstream, result: a.failure ?? 'ok' })
        if (a.endedAt !== undefined) callSeconds.observe((a.endedAt - a.startedAt) / 1000, { upstream: a.upstream })
        if (a.firstContentAt !== undefined) callFirst.observe((a.firstContentAt - a.startedAt) / 1000, { upstream: a.upstream })
        if (!a.usage || a.usage.source === 'unknown') continue
        const input = inputs.get(a.upstream) ?? { all: 0, read: 0 }
        inputs.set(a.upstream, input)
        for (const usage of everyUsage(a.usage)) {
          input.all += inputTokens(usage)
          input.read += usage.cacheRead
          for (const [kind, count] of Object.entries(tokensByClass(usage)))
            if (count > 0) tokens.add(count, { upstream: a.upstream, model, class: kind })
        }
      }
    }

    return {
      settle(x, outcome) {
        const { operation } = x
        requests.add(1, { endpoint: operation, end: outcome.end })
        if (outcome.code !== undefined) refusals.add(1, { code: outcome.code, by: outcome.by ?? '' })
        seconds.observe(outcome.timings.endAt / 1000, { endpoint: operation })
        if (outcome.timings.firstContentAt !== undefined) first.observe(outcome.timings.firstContentAt / 1000, { endpoint: operation })
        if (outcome.bytesIn > 0) bytes.add(outcome.bytesIn, { way: 'in' })
        if (outcome.bytesOut > 0) bytes.add(outcome.bytesOut, { way: 'out' })
        if (outcome.edits?.some((edit) => edit.what !== 'model')) {
          edits.add(1)
          if (touchesPrefix(x.request)) prefixEdits.add(1)
        }
        if (outcome.attempts.length === 0) return
        const model = modelOf(outcome.modelAsked)
        upstreamCalls(outcome, model)
        const labels = { upstream: outcome.upstream ?? outcome.attempts.at(-1)!.upstream, model }
        const cost = operation === 'count_tokens' ? undefined : outcomeCost(outcome, { catalog: host.catalog, at: x.receivedAt })
        if (!cost) return
        if (cost.known) spend(labels, cost.pico)
        else unknown.add(1, labels)
      },
    }
  },
})

/** Whether something was changed in what a provider may have in its cache: the prompt before its last message. Asked only of bodies that were edited. */
function touchesPrefix(request: Pick<RequestView, 'changes' | 'units'>): boolean {
  try {
    const { units } = request
    const last = units.findLast((unit) => unit.kind === 'message')
    return request.changes.some((change) => units.some((unit) => unit !== last && change.start < unit.end && change.end >= unit.start))
  } catch {
    return false // a large body that nobody parsed may turn out to be broken
  }
}
