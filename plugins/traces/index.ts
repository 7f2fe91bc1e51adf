/**
 * `traces`: spans of exchanges, plugins and upstream calls for OpenTelemetry, and W3C trace context in from clients and out to upstreams.
 *
 * Spans go to a collector in batches, in the background; while it is away the newest wait, up to a bound, and the rest is counted. Nothing of
 * a request waits for it. Fails open.
 */

import { definePlugin, Principal, Session } from 'headgate/plugin'
import { config } from './config.ts'
import { type Context, contextOf, randomHex, traceparent } from './context.ts'
import { type CallSpan, type Span, spansOf } from './spans.ts'

/** Spans that may wait, and those of one request. */
const mostWaiting = 8192
const batch = 512
/** Milliseconds for what is left at the end. */
const patience = 2000

interface Under {
  context: Context | undefined
  /** Spans of upstream calls, by their index. */
  readonly calls: CallSpan[]
}

export default definePlugin({
  api: 1,
  name: 'traces',
  summary: 'Spans of exchanges, plugins and upstream calls for OpenTelemetry, and W3C trace context',
  config,
  wants: [Principal, Session],
  failure: 'open',
  usage: true,
  hookTimes: true,
  state: (): Under => ({ context: undefined, calls: [] }),

  setup(host, config) {
    const lost = host.counter('traces_spans_lost', 'Spans that no collector took in time')
    let waiting: Span[] = []
    let failing = false
    const resource = { attributes: [{ key: 'service.name', value: { stringValue: config.service } }] }

    /** Posts what waits; false when the collector did not take it. */
    const post = async (signal: AbortSignal): Promise<boolean> => {
      while (waiting.length > 0) {
        const spans = waiting.slice(0, batch)
        try {
          const response = await host.fetch(config.endpoint, {
            method: 'POST',
            headers: { ...config.headers, 'content-type': 'application/json' },
            body: JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ scope: { name: 'headgate' }, spans }] }] }),
            signal,
          })
          await response.body?.cancel()
          if (!response.ok) throw new Error(`it answers ${response.status}`)
        } catch (error) {
          if (!failing)
            host.log.warn('the trace collector does not take spans', { to: new URL(config.endpoint).host, error: String(error) })
          failing = true
          return false
        }
        if (failing) host.log.info('the trace collector takes spans again')
        failing = false
        // some may have been dropped meanwhile, from the front
        const sent = new Set(spans)
        waiting = waiting.filter((span) => !sent.has(span))
      }
      return true
    }
    host.task('traces', config.every, async (signal) => void (await post(signal)))

    return {
      admit(x) {
        x.state.context = contextOf(x.headers.get('traceparent'), config.sample)
      },
      attempt(x, call) {
        const { context, calls } = x.state
        if (!context) return
        const { span } = (calls[call.index] ??= { span: randomHex(8), dialect: call.dialect })
        call.headers.set('traceparent', traceparent(context, span))
      },
      settle(x, outcome) {
        const { context, calls } = x.state
        if (!context?.sampled) return
        const more = { caller: x.peek(Principal)?.id, session: x.peek(Session)?.id, catalog: host.catalog }
        waiting.push(...spansOf(x, outcome, context, calls, more))
        const surplus = waiting.length - mostWaiting
        if (surplus <= 0) return
        waiting = waiting.slice(surplus)
        lost.add(surplus)
      },
      async close() {
        if (!(await post(AbortSignal.timeout(patience)))) lost.add(waiting.length)
        waiting = []
      },
    }
  },
})
