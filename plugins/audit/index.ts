/**
 * `audit`: one record for each settled exchange: lines of JSON, rows of the gateway's records that can be asked
 * for and verified, or posts to a webhook.
 *
 * This file joins the parts to hooks. It fails open: when an exchange settles its reply has been sent, so there is nothing left to
 * refuse; a destination that fails shows in the log, in `/ready` and in a counter.
 */

import { Charged, definePlugin, type Exchange, type Outcome, Principal, PromptCache, Session, Trim } from 'headgate/plugin'
import { type AuditConfig, config, whenFull } from './config.ts'
import { editsOf } from './edits.ts'
import { type LinesSink, linesSink } from './lines-sink.ts'
import { markedUp, mustBeExact } from './markup.ts'
import { type AuditRecord, recordOf } from './record.ts'
import type { RecordsSink, Under } from './records-sink.ts'
import { redactor } from './redact.ts'
import { traceIdOf } from './trace-id.ts'

type X = Exchange<never, typeof Principal | typeof Session | typeof Trim | typeof PromptCache | typeof Charged, never, Under>

const unrecorded = {
  message: 'This gateway can not keep records now, and answers nothing unrecorded. Try again in a moment.',
  retryAfter: 5,
}

export default definePlugin({
  api: 1,
  name: 'audit',
  summary: 'Keeps one record per exchange: as lines of JSON, in the records, where it can be asked for and verified, or at a webhook',
  config,
  wants: [Principal, Session, Trim, PromptCache, Charged],
  failure: 'open',
  shadows: true,
  holdsEnd: (config: AuditConfig) => config.sink === 'records' && config.wait,
  hookTimes: (config: AuditConfig) => config.plugin_times,
  usage: (config: AuditConfig) => config.sink !== 'lines',
  state: (): Under => ({ slot: -1, sampled: false, reply: '' }),

  async setup(host, config) {
    const redact = redactor()
    const markup = String(config.markup)
    if (config.markup) mustBeExact(markup)
    const unpriced = host.counter('audit_cost_unknown', 'Exchanges whose cost is not known')
    const recordFrom = (x: X, outcome: Outcome): AuditRecord => {
      const about = {
        principal: x.peek(Principal),
        session: x.peek(Session),
        trim: x.peek(Trim),
        promptCache: x.peek(PromptCache),
        charged: x.peek(Charged),
        // a client's own id is to lead to the client's own exchange
        traceId: x.shadowOf === undefined ? traceIdOf(x.headers, config.trace_headers) : undefined,
        edits: editsOf(x, outcome),
        hooks: config.plugin_times ? outcome.hooks : undefined,
        redact,
      }
      const made = recordOf(x, outcome, about, host.catalog)
      const record = config.markup ? markedUp(made, markup) : made
      if (record.cost?.known === false && !counted.has(outcome)) {
        counted.add(outcome)
        unpriced.add(1, { upstream: outcome.upstream ?? '' })
      }
      return record
    }
    const header = config.receipt_header?.toLowerCase()
    const receipt = header !== undefined && {
      reply(x: X, reply: { headers: Headers }) {
        reply.headers.set(header, x.id)
      },
    }
    if (config.sink === 'records') {
      const { recordsSink } = await import('./records-sink.ts')
      return { ...recordsHooks(await recordsSink(host, config), recordFrom, config), ...receipt }
    }
    const sink: LinesSink =
      config.sink === 'webhook' ? await (await import('./webhook-sink.ts')).webhookSink(host, config) : await linesSink(host, config)
    return {
      ...receipt,
      ...(whenFull(config) === 'refuse' && {
        admit: (x: Pick<X, 'refuse'>) => (sink.full ? x.refuse('store_unavailable', unrecorded) : undefined),
      }),
      settle: (x, outcome) => sink.write(recordFrom(x, outcome)),
      health: sink.health,
      close: sink.close,
    }
  },
})

/** Outcomes whose cost is not known: each is counted once, however many sinks record it. */
const counted = new WeakSet<Outcome>()

function recordsHooks(sink: RecordsSink, recordFrom: (x: X, outcome: Outcome) => AuditRecord, config: AuditConfig) {
  const { bodies } = sink
  return {
    admit(x: Pick<X, 'id' | 'receivedAt' | 'operation' | 'dialect' | 'state' | 'refuse'>) {
      if (sink.refuses) {
        return x.refuse('store_unavailable', unrecorded)
      }
      sink.begin(x, x.state)
      if (bodies) x.state.sampled = bodies.sampled()
      return undefined
    },
    request(x: X) {
      sink.identify(x, x.state, x.peek(Principal), x.request.model)
    },
    ...(bodies &&
      config.bodies?.replies && {
        event(x: X, event: Parameters<typeof bodies.gather>[1]) {
          if (x.state.sampled) bodies.gather(x.state, event)
          return undefined
        },
      }),
    settle(x: X, outcome: Outcome) {
      const body = x.state.sampled && outcome.timings.bodyAt !== undefined ? x.request.bytes : undefined
      return sink.write(recordFrom(x, outcome), outcome, x.state, body)
    },
    health: sink.health,
    close: sink.close,
  }
}
