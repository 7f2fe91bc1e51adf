/**
 * Exchanges that are not inference: model lists and the routes of plugins. They pass the same `admit` hooks, are refused in the caller's
 * dialect, and settle once like any other.
 */

import type { Dialect } from '../dialect/codec.ts'
import { runReply, runSettle } from '../pipeline/ascend.ts'
import { type Arrival, ExchangeCore } from '../pipeline/core.ts'
import { descend } from '../pipeline/descend.ts'
import { messageOf } from '../pipeline/fence.ts'
import { ReplyCore, refusalReply } from '../pipeline/reply-core.ts'
import { unknownUsage } from '../plugin/outcome.ts'
import type { Refusal } from '../plugin/reply.ts'
import { wireError } from '../upstream/deliver.ts'
import { statusOf } from '../upstream/failure.ts'
import type { HandleServices } from './handle.ts'
import type { Snapshot } from './snapshot.ts'

/** Admits the request, lets `handler` answer it, settles. Never rejects. `dialect` spells the errors. */
export async function runEndpoint(
  snapshot: Snapshot,
  services: HandleServices,
  dialect: Dialect,
  arrival: Arrival,
  handler: () => Response | Promise<Response>,
): Promise<Response> {
  const core = new ExchangeCore(arrival, snapshot.plan, services.now())
  snapshot.enter()
  let response: Response | undefined
  let refusal: Refusal | undefined
  let origin = Number.POSITIVE_INFINITY
  const stop = await descend(core, core.plan.admit)
  if (stop) {
    origin = stop.index
    refusal = stop.answer.type === 'refusal' ? stop.answer : { type: 'refusal', code: 'internal_error', message: 'admit can only refuse.' }
  } else {
    try {
      response = await handler()
    } catch (error) {
      services.log.error('a route failed', { path: arrival.path, error: messageOf(error) })
      refusal = { type: 'refusal', code: 'internal_error', message: 'This endpoint failed. Name the request id to the operator.' }
    }
  }
  const status = refusal ? statusOf(refusal, dialect.family) : response!.status
  const by = stop && core.plan.instances[stop.index]!.id
  const reply = refusal
    ? refusalReply(refusal, status, origin, by)
    : new ReplyCore(status < 400, status, new Headers(response!.headers), false, { kind: 'completed', events: [] })
  reply.headers.set('x-request-id', core.id)
  reply.headers.set('request-id', core.id)
  await runReply(core, reply)
  if (refusal) {
    reply.headers.set('content-type', 'application/json')
    if (refusal.retryAfter !== undefined) reply.headers.set('retry-after', String(Math.ceil(refusal.retryAfter)))
  }
  const body = refusal ? dialect.errorBody(wireError(core, refusal)) : response!.body
  const done = runSettle(
    core,
    {
      end: refusal ? 'refused' : status < 500 ? 'finished' : 'failed',
      status,
      ...(refusal && { code: refusal.code, message: refusal.message }),
      ...(by !== undefined && { by }),
      usage: unknownUsage,
      attempts: [],
      stream: false,
      streamState: refusal ? 'none' : 'completed',
      bytesIn: 0,
      bytesOut: 0,
      timings: { endAt: core.elapsed() },
      verdicts: core.verdicts,
    },
    origin,
  )
  if (done instanceof Promise) void done.then(snapshot.leave)
  else snapshot.leave()
  return new Response(body, { status, headers: reply.headers })
}
