/**
 * Shadow traffic: a share of the requests goes to another model, too, and what comes of it is for figures and records alone.
 *
 * Bounded in number, in time and in the queue; what finds no place is dropped and counted. Never touches the client's own request: it begins behind that, and
 * no failure of it is anybody's but the log's, the figures' and its own record's.
 */

import { formatUsd, globMatcher, type Host, type Operation, type Outcome, outcomeCost, type Target } from 'headgate/plugin'
import { asBuffer } from './affinity.ts'
import type { ShadowConfig } from './config.ts'
import type { Plan, X } from './plan.ts'
import { providerOf } from './resolve.ts'

export interface Shadows {
  /** Whether a copy of this exchange is to be sent, and where; decided once per exchange. */
  of(x: X, plan: Plan): ShadowTarget | undefined
  /** Sends it. Never throws. */
  send(x: X, shadow: ShadowTarget): void
  /** Ends those under way. */
  close(): void
}

export interface ShadowTarget {
  readonly target: Target
  /** The catalogue's id of its model. */
  readonly model: string
}

const mirrored: ReadonlySet<Operation> = new Set(['chat', 'completions', 'responses', 'messages', 'generate'])
/** State at the provider: a copy would go on from something that the other one does not hold. */
const stateful = ['conversation', 'background'] as const

/** Makes the shadows of an instance. `modelOf` finds the targets of the model that they go to, by the config in force. */
export function createShadows(
  host: Pick<Host, 'counter' | 'histogram' | 'gauge' | 'log' | 'catalog' | 'now'>,
  config: ShadowConfig,
  modelOf: (id: string) => { readonly id: string; readonly targets: readonly Target[] } | undefined,
  random: () => number,
): Shadows {
  const wanted = globMatcher(config.models)
  const results = host.counter('router_shadows', 'Copies of requests sent elsewhere, by upstream, model and result')
  const seconds = host.histogram('router_shadow_seconds', 'How long they took, by upstream')
  const unpriced = host.counter('router_shadow_cost_unknown', 'Copies whose cost is not known, by upstream')
  const costs = new Map<string, bigint>()
  host.gauge('router_shadow_cost_usd', 'What copies of requests cost, by upstream; charged to nobody', () =>
    [...costs].map(([upstream, pico]) => ({ value: formatUsd(pico), labels: { upstream } })),
  )
  const ending = new AbortController()
  const waiting: { inside: boolean; enter: () => void }[] = []
  let active = 0

  function leave(): void {
    const next = waiting.shift()
    if (next) next.enter()
    else active--
  }

  /** It is over. */
  function settled({ target, model }: ShadowTarget, id: string, outcome: Outcome): void {
    const { upstream } = target
    const last = outcome.attempts.at(-1)
    results.add(1, { upstream, model, result: outcome.end })
    seconds.observe(outcome.timings.endAt / 1000, { upstream })
    const cost = outcomeCost(outcome, { catalog: host.catalog, at: host.now() })
    costs.set(upstream, (costs.get(upstream) ?? 0n) + (cost.known ? cost.pico : cost.atLeast))
    if (!cost.known) unpriced.add(1, { upstream })
    if (outcome.end === 'finished' || ending.signal.aborted) return
    const failure = last?.failure ?? outcome.code
    host.log.warn('shadow failed', { shadow_of: id, upstream, model, end: outcome.end, status: last?.status, failure })
  }

  return {
    of(x, { candidates, pinned }) {
      const { share, to, upstream } = config
      if (pinned || !mirrored.has(x.operation) || ending.signal.aborted || !(random() < share)) return undefined
      const first = candidates[0]!
      if (!wanted(first.model)) return undefined
      const body = asBuffer(x.request.borrowed)
      if (stateful.some((name) => body.includes(`"${name}"`) && x.request.at(`/${name}`))) return undefined
      const model = modelOf(to)
      const target = model?.targets.find(
        (one) =>
          (upstream === undefined || one.upstream === upstream || providerOf(one.upstream) === upstream) &&
          (one.upstream !== first.target.upstream || one.model !== first.target.model),
      )
      return target && { target, model: to }
    },
    send(x, shadow) {
      const { model, target } = shadow
      const full = active >= config.concurrency
      if (full && waiting.length >= config.queue) {
        results.add(1, { upstream: target.upstream, model, result: 'dropped' })
        return
      }
      const place = { inside: !full, enter: () => {} }
      let after: Promise<void> | undefined
      if (full) {
        after = new Promise((resolve) => {
          place.enter = () => {
            place.inside = true
            resolve()
          }
        })
        waiting.push(place)
      } else active++
      const limit = new AbortController()
      const timer = setTimeout(() => limit.abort(new DOMException('a shadow takes too long', 'TimeoutError')), config.timeout)
      const ended = () => limit.abort(ending.signal.reason)
      ending.signal.addEventListener('abort', ended, { once: true })
      const { id } = x
      const over = (): void => {
        clearTimeout(timer)
        ending.signal.removeEventListener('abort', ended)
        if (place.inside) leave()
        else waiting.splice(waiting.indexOf(place), 1)
      }
      let sent: Promise<Outcome>
      try {
        sent = x.shadow(target, { model, signal: limit.signal, ...(after && { after }) })
      } catch (error) {
        sent = Promise.reject(error as Error)
      }
      void sent
        .then((outcome) => settled(shadow, id, outcome))
        .catch((error: unknown) => {
          results.add(1, { upstream: target.upstream, model, result: 'failed' })
          host.log.error('a shadow broke', { shadow_of: id, error: String(error) })
        })
        .then(over)
    },
    close: () => ending.abort(new DOMException('the gateway shuts down', 'AbortError')),
  }
}
