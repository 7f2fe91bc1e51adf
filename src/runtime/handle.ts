/**
 * One inference exchange from arrival to settlement: the order of DESIGN §2, and nothing else.
 *
 *   arrived ─admit─▶ body ─request─▶ around ─upstream─▶ reply ─▶ delivered ─▶ settled (once)
 *
 * Whatever happens on the way becomes an answer: `run` never rejects. Settlement runs when the last byte is handed over, the client has
 * gone, or the exchange was refused. HOT PATH: one async function, no closure per step, nothing awaited that is not a promise.
 */

import type { Dialect } from '../dialect/codec.ts'
import type { OperationSpec } from '../dialect/family.ts'
import { runReply, runSettle } from '../pipeline/ascend.ts'
import { Branch } from '../pipeline/branch.ts'
import { runAround, runResume } from '../pipeline/chain.ts'
import { type Arrival, type CoreMark, ExchangeCore } from '../pipeline/core.ts'
import { descend, type Stop } from '../pipeline/descend.ts'
import type { Plan } from '../pipeline/plan.ts'
import { completedReply, type ReplyCore, refusalReply, type StreamFailure } from '../pipeline/reply-core.ts'
import { RequestCore } from '../pipeline/request-core.ts'
import type { ShadowOptions } from '../plugin/exchange.ts'
import type { Logger, Target } from '../plugin/host.ts'
import { type Attempt, addUsage, type CallUsage, type Outcome, type Usage } from '../plugin/outcome.ts'
import type { Refusal } from '../plugin/reply.ts'
import type { Ending } from '../upstream/call-options.ts'
import { deliver } from '../upstream/deliver.ts'
import type { DeliveryEnd, DeliveryOptions, Resumption } from '../upstream/delivery.ts'
import type { ErrorVoice } from '../upstream/error-voice.ts'
import type { Transport } from '../upstream/http/transport.ts'
import { examine, isPlain, readCoded, refuseUnread } from './body.ts'
import { droppedHeader } from './dropped.ts'
import { inOurWords } from './our-words.ts'
import { joinedUsage, outcomeOf, shareOf } from './outcome.ts'
import type { ResponseOrigins } from './response-origins.ts'
import { sendShadow } from './shadow.ts'
import type { Snapshot } from './snapshot.ts'
import { callReadably } from './unread-proofs.ts'

export interface HandleServices {
  readonly transport: Transport
  readonly log: Logger
  readonly now: () => number
  readonly origins: ResponseOrigins
  /** Aborted when the gateway begins to shut down: what nobody waits for ends then. */
  readonly stopping: AbortSignal
  readonly ending?: Ending
}

const unreadable: Refusal = { type: 'refusal', code: 'invalid_json', message: 'The body is not valid JSON any more.' }

/** What the path says of a request, where the body does not (Gemini). */
export interface Outside {
  readonly model: string
  readonly stream: boolean
}

/** An exchange of an inference endpoint. `thinking` is told when the body is in, for from then on silence is the model's, and when all is over. */
export class InferenceExchange implements DeliveryOptions {
  readonly core: ExchangeCore
  readonly dialect: Dialect
  /** The answer on its way to the client. */
  reply!: ReplyCore
  drain = false
  direct = false
  /** Bodies of so many bytes and more are given back at settlement. For requests whose body nobody else has. */
  givesBackFrom = Number.POSITIVE_INFINITY
  withholdUsage = false
  /** Told how a shadow ended. */
  told: ((outcome: Outcome) => void) | undefined = undefined
  /** The calls that went on with the reply, and what the ones before the last of them used. */
  private readonly continued: Attempt[] = []
  private usedBefore: Usage | undefined = undefined
  /** The same, call by call. */
  private used: readonly CallUsage[] = []
  private first: CoreMark | undefined = undefined
  private bodyRead = false
  /** Settlement, while it runs. */
  private held: Promise<unknown> | undefined = undefined
  private peculiar: Map<Attempt, { readonly withholdUsage: boolean; readonly dropped: readonly string[] | undefined }> | undefined =
    undefined

  constructor(
    readonly snapshot: Snapshot,
    readonly services: HandleServices,
    readonly spec: OperationSpec,
    arrival: Arrival,
    private readonly request: Request | undefined,
    private readonly thinking: (on: boolean) => void,
    readonly outside?: Outside,
    plan: Plan = snapshot.plan,
  ) {
    this.core = new ExchangeCore(arrival, plan, services.now())
    this.core.means = this
    this.dialect = spec.dialect
    snapshot.enter()
  }

  /** @param begin when to begin; at once when absent. Must not reject. */
  async run(begin?: Promise<void>): Promise<Response> {
    if (begin) await begin
    const { core, snapshot } = this
    const { plan } = core
    let reply: ReplyCore
    try {
      const admitted = descend(core, plan.admit)
      let stop = admitted instanceof Promise ? await admitted : admitted
      if (stop === undefined) {
        const request = this.request!
        if (plan.admit.length > 0) core.admittedAt = core.elapsed()
        const { limits } = snapshot
        let problem = refuseUnread(core.headers, limits)
        if (problem === undefined) {
          const read = isPlain(core.headers) ? new Uint8Array(await request.arrayBuffer()) : await readCoded(request, limits)
          this.thinking(true)
          this.bodyRead = true
          problem = 'type' in read ? read : this.begin(read)
        }
        if (problem) reply = this.refused(problem)
        else {
          const requested = descend(core, plan.request)
          stop = requested instanceof Promise ? await requested : requested
          reply = stop ? this.stopped(stop) : await runAround(core, this)
        }
      } else reply = this.stopped(stop)
    } catch (error) {
      reply = this.crashed(error)
    }
    const response = this.answer(reply)
    return response instanceof Promise ? await response : response
  }

  /** Sends the body to the target as both are, past every hook on the way down. Never rejects. */
  async alone(branch: Branch): Promise<Response> {
    let reply: ReplyCore
    try {
      reply = this.core.body ? await this.upstream(this.core, branch) : this.refused(unreadable)
    } catch (error) {
      reply = this.crashed(error)
    }
    return await this.answer(reply)
  }

  /** Ends a shadow of which no call was made. */
  async unsent(): Promise<Response> {
    return await this.answer(this.refused({ type: 'refusal', code: 'client_closed', message: 'It was called off before it began.' }))
  }

  shadow(target: Target, options: ShadowOptions, by: string): Promise<Outcome> {
    const { services, snapshot, spec } = this
    return sendShadow(
      this,
      target,
      options,
      by,
      (arrival, plan) => new InferenceExchange(snapshot, services, spec, arrival, undefined, () => {}, this.outside, plan),
    )
  }

  private answer(reply: ReplyCore): Response | Promise<Response> {
    try {
      const response = this.leaveWith(reply)
      return response instanceof Promise ? this.answerLater(reply, response) : response
    } catch (error) {
      return this.unspeakable(reply, error)
    }
  }

  private async answerLater(reply: ReplyCore, response: Promise<Response>): Promise<Response> {
    try {
      return await response
    } catch (error) {
      return this.unspeakable(reply, error)
    }
  }

  /** An answer that can't be put into bytes: what is told instead has passed no plugin, and can. */
  private unspeakable(reply: ReplyCore, error: unknown): Response {
    reply.discard()
    this.reply = this.crashed(error)
    this.identify(this.reply)
    return deliver(this)
  }

  /** Makes the body known to the exchange; the refusal that it earns, if any. */
  private begin(bytes: Uint8Array): Refusal | undefined {
    const { core } = this
    core.bytesIn = bytes.length
    const top = examine(bytes, this.snapshot.limits)
    if ('type' in top) return top
    core.bodyAt = core.elapsed()
    const { outside } = this
    core.body = new RequestCore(
      bytes,
      outside ? { ...top, ...outside } : top,
      this.dialect.parts,
      outside !== undefined,
      this.dialect.prompt,
    )
    core.modelAsked = core.body.model
    return undefined
  }

  private stopped(stop: Stop): ReplyCore {
    const { answer, index } = stop
    const by = this.core.plan.instances[index]!.id
    if (answer.type === 'refusal') return refusalReply(answer, this.statusOf(answer), index, by)
    return completedReply(answer, this.core.body?.stream ?? false, index, by)
  }

  private crashed(error: unknown): ReplyCore {
    const { core } = this
    if (core.signal.aborted) return this.refused({ type: 'refusal', code: 'client_closed', message: 'The client has gone.' })
    this.services.log.error('exchange failed', {
      id: core.id,
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    })
    return this.refused({ type: 'refusal', code: 'internal_error', message: 'The gateway failed. Name the request id to the operator.' })
  }

  /** Keeps what the call that was just made is told by; of several calls at the same time the last one made need not be the one that answers. */
  remember(attempt: Attempt): void {
    const { withholdUsage } = this
    const { dropped } = this.core
    if (withholdUsage || dropped) (this.peculiar ??= new Map()).set(attempt, { withholdUsage, dropped })
  }

  /** Adds to what a call left out: it was found only when it was answered. */
  alsoDropped(attempt: Attempt, fields: readonly string[]): void {
    const own = this.peculiar?.get(attempt)
    const dropped = [...(own?.dropped ?? []), ...fields]
    ;(this.peculiar ??= new Map()).set(attempt, { withholdUsage: own?.withholdUsage ?? false, dropped })
  }

  /** A refusal by the gateway itself, which stands below all plugins that were asked so far. */
  refused(refusal: Refusal): ReplyCore {
    return refusalReply(refusal, this.statusOf(refusal), Number.POSITIVE_INFINITY, undefined)
  }

  statusOf(refusal: Refusal): number {
    return this.errors.status(refusal, this.dialect.family)
  }

  get errors(): ErrorVoice {
    return this.snapshot.errors
  }

  /** The bottom of the around chain. */
  upstream(_core: ExchangeCore, branch: Branch | undefined): Promise<ReplyCore> {
    return callReadably(this, branch)
  }

  /** Up again: the reply hooks, then delivery. */
  private leaveWith(made: ReplyCore, from = 0): Response | Promise<Response> {
    const reply = made.ok ? made : inOurWords(made, this.errors, this.dialect)
    this.identify(reply)
    const result = runReply(this.core, reply, from)
    if (result instanceof Promise) return this.afterReplyHooksLater(reply, result)
    return this.afterReplyHooks(reply, result)
  }

  private async afterReplyHooksLater(reply: ReplyCore, result: Promise<ReplyCore | Stop>): Promise<Response> {
    return this.afterReplyHooks(reply, await result)
  }

  private identify({ headers, attempt }: ReplyCore): void {
    const { core } = this
    if (attempt && core.attempts.length > 1) {
      const own = this.peculiar?.get(attempt)
      core.dropped = own?.dropped
      this.withholdUsage = own?.withholdUsage ?? false
    }
    const { dropped, id } = core
    // Anthropic's clients know Anthropic's own id, and no other
    const theirs = attempt?.upstreamRequestId !== undefined && this.dialect.family === 'anthropic'
    const kept = theirs && this.snapshot.upstreams.get(attempt.upstream)?.family === 'anthropic'
    headers.set('x-request-id', id)
    if (dropped) headers.set('x-gateway-dropped', droppedHeader(dropped))
    headers.set('request-id', kept ? attempt.upstreamRequestId! : id)
  }

  private afterReplyHooks(before: ReplyCore, reply: ReplyCore | Stop): Response | Promise<Response> {
    if (!('type' in reply)) {
      before.discard()
      return this.leaveWith(this.stopped(reply), reply.resume)
    }
    const { core } = this
    this.reply = reply
    core.headAt = core.elapsed()
    const { attempt } = reply
    if (attempt && reply.stream && core.shadowOf === undefined)
      this.drain = this.snapshot.upstreams.get(attempt.upstream)?.onDisconnect === 'drain'
    const response = deliver(this)
    return this.held && core.holdsEnd ? heldUntil(this.held, response) : response
  }

  get resumable(): boolean {
    return this.core.plan.resume.length > 0
  }

  /** Lets the plugins go on with a stream that broke off. */
  resume({ code, message }: StreamFailure, said: string): Resumption {
    const { core } = this
    const branch = new Branch(undefined, undefined)
    const calls = [this.reply.attempt, ...this.continued]
    const attempt = calls.pop()
    const share = shareOf(said, calls)
    if (attempt) attempt.delivered = share
    const own = joinedUsage(undefined, attempt?.usage, share)
    const usage = this.usedBefore ? addUsage(this.usedBefore, own) : own
    const used = attempt ? [...this.used, { attempt, usage: own }] : this.used
    // each continuation begins with what was sent at first
    if (this.first) core.undoEdits(this.first)
    this.first ??= core.mark()
    const reply = runResume(core, this, { code, message, attempt }, branch).then((next) => {
      if (next?.attempt && !core.settled) {
        this.continued.push(next.attempt)
        this.usedBefore = usage
        this.used = used
      }
      return next
    })
    return { reply, usage, used, cancel: () => branch.end() }
  }

  /** Google's SDKs take no comments between their frames. */
  get heartbeat(): number {
    return this.dialect.family === 'gemini' || this.core.shadowOf !== undefined ? 0 : this.snapshot.config.server.heartbeat
  }

  /** Chat: the client asked for the usage-only chunk. */
  includeUsage(): boolean {
    let options: unknown
    try {
      options = this.core.body?.document.at('/stream_options')
    } catch {
      return false // a large body that nobody parsed turns out to be broken: the upstream took it all the same
    }
    return typeof options === 'object' && options !== null && (options as { include_usage?: unknown }).include_usage === true
  }

  /** All is settled. */
  private leave(): void {
    this.snapshot.leave()
    const { attempts, body, underWay } = this.core
    if (body === undefined || body.bytes.length < this.givesBackFrom || underWay > 0) return
    for (const { endedAt } of attempts) if (endedAt === undefined) return // it may still send
    body.giveBack()
  }

  /** The delivery is over: settles, once. */
  onEnd(end: DeliveryEnd): Promise<unknown> | undefined {
    const { core, reply } = this
    if (!core.settled) {
      core.settled = true
      if (this.bodyRead) this.thinking(false)
      const outcome = outcomeOf(core, end, reply, { attempts: this.continued, usage: this.usedBefore })
      const done = runSettle(core, outcome, reply.origin)
      this.told?.(outcome)
      if (done instanceof Promise) this.held = done.then(() => this.leave())
      else this.leave()
    }
    return core.holdsEnd ? (this.held ?? Promise.resolve()) : undefined
  }
}

// a function of its own, so that replies that wait for nothing make no scope
function heldUntil(settled: Promise<unknown>, response: Response): Promise<Response> {
  return settled.then(() => response)
}
