/**
 * Exchanges that are not inference: model lists and the routes of plugins. They pass the same `admit` hooks, are refused in the caller's
 * dialect, and settle once like any other.
 */

import type { Dialect } from '../dialect/codec.ts'
import { runReply, runSettle } from '../pipeline/ascend.ts'
import { type Arrival, ExchangeCore } from '../pipeline/core.ts'
import { descend, type Stop } from '../pipeline/descend.ts'
import { messageOf } from '../pipeline/fence.ts'
import { makeRefusal } from '../pipeline/refuse.ts'
import { ReplyCore, refusalReply } from '../pipeline/reply-core.ts'
import { type RouteAnswer, type RouteCall, StoreUnavailable } from '../plugin/host.ts'
import { unknownUsage } from '../plugin/outcome.ts'
import type { Refusal } from '../plugin/reply.ts'
import { statusOf } from '../upstream/failure.ts'
import { wireError } from '../upstream/wire-error.ts'
import type { HandleServices } from './handle.ts'
import type { Snapshot } from './snapshot.ts'

/** Admits the request, lets `handler` answer it, who is told who calls, settles. Never rejects. `dialect` spells the errors. */
export async function runEndpoint(
  snapshot: Snapshot,
  services: HandleServices,
  dialect: Dialect,
  arrival: Arrival,
  handler: (call: RouteCall) => RouteAnswer | Promise<RouteAnswer>,
): Promise<Response> {
  const core = new ExchangeCore(arrival, snapshot.plan, services.now())
  snapshot.enter()
  const first = await answer(core, services, dialect, handler)
  let { reply } = first
  for (let from: number | undefined = 0; ; ) {
    reply.headers.set('x-request-id', core.id)
    reply.headers.set('request-id', core.id)
    if (reply.code !== undefined) reply.status = snapshot.errors.restated(reply.code, reply.status, dialect.family)
    const after: ReplyCore | Stop = await runReply(core, reply, from)
    if ('type' in after) {
      reply = after
      break
    }
    reply = refused(core, dialect, after.answer as Refusal, after.index)
    from = after.resume
  }
  const { source } = reply
  const refusal = source.kind === 'refusal' ? source.refusal : undefined
  if (refusal) {
    await first.response?.body?.cancel().catch(() => {})
    reply.headers.set('content-type', 'application/json')
    if (refusal.retryAfter !== undefined) reply.headers.set('retry-after', String(Math.ceil(refusal.retryAfter)))
  }
  const { status } = reply
  const done = runSettle(
    core,
    {
      end: refusal && reply.by !== undefined ? 'refused' : status < 500 ? 'finished' : 'failed',
      status,
      ...(refusal && { code: refusal.code, message: refusal.message }),
      ...(reply.by !== undefined && { by: reply.by }),
      usage: unknownUsage,
      attempts: [],
      stream: false,
      streamState: refusal ? 'none' : 'completed',
      bytesIn: 0,
      bytesOut: 0,
      timings: { endAt: core.elapsed() },
      verdicts: core.verdicts,
      hooks: core.hooks,
    },
    reply.origin,
  )
  if (done instanceof Promise) {
    const left = done.then(snapshot.leave)
    if (core.plan.holdsEnd) await left
  } else snapshot.leave()
  const body = refusal ? snapshot.errors.body(dialect, wireError(core, refusal), status) : first.response!.body
  return new Response(body, { status, headers: reply.headers })
}

/** What the plugins above and the handler say. Never rejects. */
async function answer(
  core: ExchangeCore,
  services: HandleServices,
  dialect: Dialect,
  handler: (call: RouteCall) => RouteAnswer | Promise<RouteAnswer>,
): Promise<{ reply: ReplyCore; response?: Response }> {
  try {
    const stop = await descend(core, core.plan.admit)
    if (stop) return { reply: refused(core, dialect, stop.answer as Refusal, stop.index) } // admit can only refuse
    const { id, principal } = core
    const response = await handler({ id, principal, dialect: dialect.name, refuse: makeRefusal })
    if (response === undefined) {
      const message = `There is nothing at ${core.method} ${core.path.slice(0, 200)}.`
      return { reply: refused(core, dialect, { type: 'refusal', code: 'not_found', message }, Number.POSITIVE_INFINITY) }
    }
    if (!(response instanceof Response)) {
      if (response?.type !== 'refusal') throw new TypeError('the handler gave no Response')
      return { reply: refused(core, dialect, response, Number.POSITIVE_INFINITY) }
    }
    const { status } = response
    return { response, reply: new ReplyCore(status < 400, status, new Headers(response.headers), false, { kind: 'completed', events: [] }) }
  } catch (error) {
    if (error instanceof StoreUnavailable) {
      return { reply: refused(core, dialect, makeRefusal('store_unavailable', { retryAfter: 1 }), Number.POSITIVE_INFINITY) }
    }
    services.log.error('a route failed', { path: core.path, error: messageOf(error) })
    const message = 'This endpoint failed. Name the request id to the operator.'
    return { reply: refused(core, dialect, { type: 'refusal', code: 'internal_error', message }, Number.POSITIVE_INFINITY) }
  }
}

function refused(core: ExchangeCore, dialect: Dialect, refusal: Refusal, index: number): ReplyCore {
  return refusalReply(refusal, statusOf(refusal, dialect.family), index, core.plan.instances[index]?.id)
}
