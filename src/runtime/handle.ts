/**
 * One inference exchange from arrival to settlement: the order of DESIGN §2, and nothing else.
 *
 *   arrived ─admit─▶ body ─request─▶ around ─upstream─▶ reply ─▶ delivered ─▶ settled (once)
 *
 * Whatever happens on the way becomes an answer: this never rejects. Settlement runs when the last byte is handed over, the client has
 * gone, or the exchange was refused.
 */

import type { Dialect } from '../dialect/codec.ts'
import type { OperationSpec } from '../dialect/family.ts'
import { runReply, runSettle } from '../pipeline/ascend.ts'
import { runAround } from '../pipeline/chain.ts'
import { type Arrival, ExchangeCore } from '../pipeline/core.ts'
import { descend, type Stop } from '../pipeline/descend.ts'
import { runStep } from '../pipeline/fence.ts'
import { completedReply, type ReplyCore, refusalReply } from '../pipeline/reply-core.ts'
import { RequestCore } from '../pipeline/request-core.ts'
import type { UpstreamCall as CallView } from '../plugin/hooks.ts'
import type { Logger } from '../plugin/host.ts'
import type { Attempt, Outcome } from '../plugin/outcome.ts'
import { unknownUsage } from '../plugin/outcome.ts'
import type { Refusal } from '../plugin/reply.ts'
import { UpstreamCall } from '../upstream/call.ts'
import { type DeliveryEnd, deliver } from '../upstream/deliver.ts'
import { statusOf } from '../upstream/failure.ts'
import { requestHeaders } from '../upstream/headers.ts'
import { parseUrl } from '../upstream/http/origin.ts'
import type { Transport } from '../upstream/http/transport.ts'
import { readBody } from './body.ts'
import type { Snapshot } from './snapshot.ts'

export interface HandleServices {
  readonly transport: Transport
  readonly log: Logger
  readonly now: () => number
}

/** An exchange of an inference endpoint. `bodyRead` is called once the body is in: from then on silence is the model thinking. */
export class InferenceExchange {
  private readonly core: ExchangeCore
  private readonly dialect: Dialect
  private readonly leave: () => void
  private readonly calls: UpstreamCall[] = []
  private origin = Number.POSITIVE_INFINITY
  private readonly onGone = () => this.clientGone()

  constructor(
    private readonly snapshot: Snapshot,
    private readonly services: HandleServices,
    private readonly spec: OperationSpec,
    arrival: Arrival,
    private readonly request: Request,
    private readonly bodyRead: () => void,
  ) {
    this.core = new ExchangeCore(arrival, snapshot.plan, services.now())
    this.dialect = spec.dialect
    this.leave = snapshot.enter()
    this.core.signal.addEventListener('abort', this.onGone, { once: true })
  }

  async run(): Promise<Response> {
    const { core } = this
    let reply: ReplyCore
    try {
      reply = await this.answer()
    } catch (error) {
      if (!core.signal.aborted)
        this.services.log.error('exchange failed', {
          id: core.id,
          error: error instanceof Error ? (error.stack ?? error.message) : String(error),
        })
      reply = this.refused({
        type: 'refusal',
        code: core.signal.aborted ? 'client_closed' : 'internal_error',
        message: 'The gateway failed. Name the request id to the operator.',
      })
    }
    return await this.leaveWith(reply)
  }

  // Down

  private async answer(): Promise<ReplyCore> {
    const { core, snapshot } = this
    const { plan } = core
    const admitted = descend(core, plan.admit)
    const stop = admitted instanceof Promise ? await admitted : admitted
    if (stop) return this.stopped(stop)
    core.admittedAt = core.elapsed()

    const { server } = snapshot.config
    const body = await readBody(this.request, { size: server.body_limit, depth: server.max_depth })
    this.bodyRead()
    if ('type' in body) return this.refused(body)
    core.bodyAt = core.elapsed()
    core.bytesIn = body.bytes.length
    core.body = new RequestCore(body.bytes, body.top, this.dialect.parts)
    core.modelAsked = body.top.model

    const requested = descend(core, plan.request)
    const answered = requested instanceof Promise ? await requested : requested
    if (answered) return this.stopped(answered)
    return await runAround(core, { upstream: this.callUpstream, statusOf: this.statusOf })
  }

  private stopped(stop: Stop): ReplyCore {
    const { answer, index } = stop
    const by = this.core.plan.instances[index]!.id
    if (answer.type === 'refusal') return refusalReply(answer, this.statusOf(answer), index, by)
    return completedReply(answer, this.core.body?.stream ?? false, index, by)
  }

  /** A refusal by the gateway itself, which stands below all plugins that were asked so far. */
  private refused(refusal: Refusal): ReplyCore {
    return refusalReply(refusal, this.statusOf(refusal), Number.POSITIVE_INFINITY, undefined)
  }

  private readonly statusOf = (refusal: Refusal): number => statusOf(refusal, this.dialect.family)

  // The upstream

  private readonly callUpstream = async (core: ExchangeCore, signal: AbortSignal | undefined): Promise<ReplyCore> => {
    const { target } = core
    if (!target)
      return this.refused({
        type: 'refusal',
        code: 'internal_error',
        message: 'No plugin of this gateway chose where the request goes. The operator needs a router in the list.',
      })
    const upstream = this.snapshot.upstreams.get(target.upstream)
    if (!upstream)
      return this.refused({
        type: 'refusal',
        code: 'internal_error',
        message: `The upstream ${JSON.stringify(target.upstream)} is not configured.`,
      })
    if (upstream.family !== this.dialect.family) {
      return this.refused({
        type: 'refusal',
        code: 'invalid_request',
        message: `The model is served by an upstream that speaks the ${upstream.family} API. Call it there.`,
        param: 'model',
      })
    }
    if (core.signal.aborted) return this.refused({ type: 'refusal', code: 'client_closed', message: 'The client has gone.' })

    let path = upstream.basePath + this.spec.suffix
    // `?beta=true` and its like mean something to Anthropic only (H08)
    if (core.query !== '' && upstream.family === 'anthropic') path += `?${core.query}`
    let headers: Headers | [string, string][] = requestHeaders(
      core.headers,
      upstream.headers,
      this.dialect.family === 'anthropic' ? anthropicDefaults : [],
    )
    let body = segments(core.body!)
    let { origin } = upstream
    const attempt: Attempt = {
      upstream: upstream.name,
      model: core.body!.model,
      url: upstream.baseUrl + this.spec.suffix,
      startedAt: core.elapsed(),
    }
    core.attempts.push(attempt)

    if (core.plan.attempt.length > 0) {
      const view: CallView = {
        upstream: upstream.name,
        dialect: this.dialect.name,
        model: attempt.model,
        index: core.attempts.length - 1,
        url: urlOf(upstream.baseUrl, path, upstream.basePath),
        headers: new Headers(headers),
        body: join(body),
      }
      const refusal = await this.attemptHooks(core, view)
      if (refusal) {
        attempt.failure = 'refused'
        return refusal
      }
      const url = parseUrl(view.url)
      origin = url.origin
      path = url.path
      headers = view.headers
      body = [view.body]
    }
    const call = new UpstreamCall({
      transport: this.services.transport,
      upstream: origin === upstream.origin ? upstream : { ...upstream, origin },
      dialect: this.dialect,
      path,
      method: 'POST',
      headers,
      body,
      stream: core.body!.stream,
      attempt,
      startedAt: core.startedAt,
    })
    this.calls.push(call)
    if (!signal) return await call.reply
    const cancel = () => call.abandon('aborted', 'cancelled by a plugin')
    if (signal.aborted) cancel()
    signal.addEventListener('abort', cancel, { once: true })
    call.onOver = () => signal.removeEventListener('abort', cancel)
    return await call.reply
  }

  private async attemptHooks(core: ExchangeCore, view: CallView): Promise<ReplyCore | undefined> {
    for (const step of core.plan.attempt) {
      if (!core.isActive(step.instance)) continue
      core.reach(step.instance)
      const before = { url: view.url, body: view.body, headers: [...view.headers] }
      const verdicts = core.verdicts.length
      const answer = await runStep(core, step, view)
      if (core.verdicts.slice(verdicts).some((v) => v.did === 'failed-open')) {
        view.url = before.url
        view.body = before.body
        for (const name of [...view.headers.keys()]) view.headers.delete(name)
        for (const [name, value] of before.headers) view.headers.append(name, value)
      }
      if (answer?.type === 'refusal') return refusalReply(answer, this.statusOf(answer), step.instance.index, step.instance.id)
    }
    return undefined
  }

  /** The client has gone: upstream calls end now, unless the operator wants them read to the end. */
  private clientGone(): void {
    for (const call of this.calls) {
      if (this.snapshot.upstreams.get(call.upstream)?.onDisconnect !== 'drain') call.abandon('aborted', 'the client has gone')
    }
  }

  // Up

  private async leaveWith(reply: ReplyCore): Promise<Response> {
    const { core } = this
    reply.headers.set('x-request-id', core.id)
    reply.headers.set('request-id', (this.dialect.family === 'anthropic' && reply.attempt?.upstreamRequestId) || core.id)
    for (;;) {
      const result = runReply(core, reply)
      const stop = result instanceof Promise ? await result : result
      if (!stop) break
      reply.discard()
      const { headers } = reply
      reply = this.stopped(stop)
      for (const name of ['x-request-id', 'request-id']) reply.headers.set(name, headers.get(name)!)
    }
    this.origin = reply.origin
    core.headAt = core.elapsed()
    const { attempt } = reply
    const upstream = attempt && this.snapshot.upstreams.get(attempt.upstream)
    return deliver({
      core,
      reply,
      dialect: this.dialect,
      includeUsage: () => includeUsage(core),
      drain: upstream?.onDisconnect === 'drain',
      onEnd: (end) => this.settle(end, reply),
    })
  }

  private settle(end: DeliveryEnd, reply: ReplyCore): void {
    const { core } = this
    if (core.settled) return
    core.settled = true
    core.signal.removeEventListener('abort', this.onGone)
    const outcome = outcomeOf(core, end, reply)
    const done = runSettle(core, outcome, this.origin)
    if (done instanceof Promise) void done.then(this.leave)
    else this.leave()
  }
}

function outcomeOf(core: ExchangeCore, delivery: DeliveryEnd, reply: ReplyCore): Outcome {
  const attempt = reply.attempt ?? core.attempts.at(-1)
  const gone = delivery.code === 'client_closed'
  const end = gone ? 'abandoned' : delivery.end
  const served = reply.ok ? reply.attempt : undefined
  const { headAt, firstContentAt, admittedAt, bodyAt } = core
  return {
    end,
    status: gone ? 499 : reply.status,
    ...(delivery.code !== undefined && { code: delivery.code }),
    ...(delivery.by !== undefined && { by: delivery.by }),
    ...(delivery.message !== undefined && { message: delivery.message }),
    usage: attempt?.usage ?? unknownUsage,
    attempts: core.attempts,
    ...(core.modelAsked !== undefined && { modelAsked: core.modelAsked }),
    ...(served?.modelServed !== undefined && { modelServed: served.modelServed }),
    ...(served && { upstream: served.upstream }),
    stream: core.body?.stream ?? false,
    streamState: streamState(end, reply, attempt),
    bytesIn: core.bytesIn,
    bytesOut: core.bytesOut,
    timings: {
      ...(admittedAt !== undefined && { admittedAt }),
      ...(bodyAt !== undefined && { bodyAt }),
      ...(headAt !== undefined && { headAt }),
      ...(firstContentAt !== undefined && { firstContentAt }),
      endAt: core.elapsed(),
    },
    verdicts: core.verdicts,
  }
}

function streamState(end: Outcome['end'], reply: ReplyCore, attempt: Attempt | undefined): Outcome['streamState'] {
  if (end === 'abandoned') return 'client_disconnect'
  if (!reply.ok) return 'none'
  if (end === 'finished') return 'completed'
  return attempt?.failure?.endsWith('_timeout') ? 'timeout' : 'upstream_error'
}

function includeUsage(core: ExchangeCore): boolean {
  const options = core.body?.document.at('/stream_options')
  return typeof options === 'object' && options !== null && (options as { include_usage?: unknown }).include_usage === true
}

/** Sent when the client names none; required by the API. */
const anthropicDefaults = [['anthropic-version', '2023-06-01']] as const

const text = new TextEncoder()

/** The body as pieces: what was not edited is sent from where it lies, without a copy. */
function segments(body: RequestCore): Uint8Array[] {
  const edits = body.document.edits()
  if (edits.length === 0 || edits.length > 16) return [body.document.output()]
  const out: Uint8Array[] = []
  let at = 0
  for (const edit of edits) {
    if (edit.start > at) out.push(body.bytes.subarray(at, edit.start))
    if (edit.text.length > 0) out.push(text.encode(edit.text))
    at = edit.end
  }
  if (at < body.bytes.length) out.push(body.bytes.subarray(at))
  return out
}

function join(pieces: readonly Uint8Array[]): Uint8Array {
  return pieces.length === 1 ? pieces[0]! : new Uint8Array(Buffer.concat(pieces))
}

function urlOf(baseUrl: string, path: string, basePath: string): string {
  return baseUrl.slice(0, baseUrl.length - basePath.length).replace(/\/$/, '') + path
}
