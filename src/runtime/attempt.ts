/**
 * From an exchange to one upstream call: which upstream, which of its operations, through the `attempt` hooks and the host's signature onto the wire.
 *
 * HOT PATH for a call in the client's own dialect without hooks and without a host: nothing is awaited and no body is joined.
 */

import { callsOf } from '../dialect/embeddings/translate.ts'
import type { Branch } from '../pipeline/branch.ts'
import type { ReplyCore } from '../pipeline/reply-core.ts'
import { ReplyCore as Reply } from '../pipeline/reply-core.ts'
import type { Attempt } from '../plugin/outcome.ts'
import { priceAt } from '../plugin/price.ts'
import type { Refusal } from '../plugin/reply.ts'
import { cacheFactsAt } from '../upstream/cache-facts.ts'
import { UpstreamCall } from '../upstream/call.ts'
import type { UpstreamDefinition } from '../upstream/definition.ts'
import { callFailed } from '../upstream/failure.ts'
import { editHeaders, type HostCall, HostError, type PreparedCall, type ReplyAdapter } from '../upstream/host/host.ts'
import { adaptedTransport } from '../upstream/host/host-transport.ts'
import { parseUrl } from '../upstream/http/origin.ts'
import { headerPairs } from '../upstream/http/request-head.ts'
import type { HeaderLines } from '../upstream/http/transport.ts'
import { noteWasted } from '../upstream/noted-usage.ts'
import { type PartHeaders, splitTransport } from '../upstream/split-transport.ts'
import { attemptHooks } from './attempt-hooks.ts'
import { movedUnits } from './call-units.ts'
import { CallView } from './call-view.ts'
import { countLocally } from './count-tokens.ts'
import { goToOrigin } from './earlier-response.ts'
import type { InferenceExchange } from './handle.ts'
import { type Outgoing, outgoing } from './outgoing.ts'
import { earlierResponse, keepsNothing } from './response-origins.ts'
import { routeOf } from './route.ts'
import { withTimeouts } from './target-timeouts.ts'

/** Milliseconds after which it is worth asking whether the client is still there. */
const patience = 20
const clientGone: Refusal = { type: 'refusal', code: 'client_closed', message: 'The client has gone.' }

/**
 * Makes the upstream call of an exchange. Resolves to its reply; rejects only on a mistake of ours.
 * @param placed the exchange goes where the response is that it goes on from
 */
export function callUpstream(exchange: InferenceExchange, branch: Branch | undefined, placed = false): Promise<ReplyCore> {
  const { core, snapshot, spec } = exchange
  const { target } = core
  if (!target) return fault(exchange, 'No plugin of this gateway chose where the request goes. The operator needs a router in the list.')
  const configured = snapshot.upstreams.get(target.upstream)
  if (!configured) return fault(exchange, `The upstream ${JSON.stringify(target.upstream)} is not configured.`)
  const upstream = withTimeouts(configured, target)
  const route = routeOf(spec, upstream, core.body!.model)
  if (!route) return spec.counted ? countLocally(exchange) : refuse(exchange, unserved(upstream))
  const body = core.body!
  if (route.continues && route.dialect === exchange.dialect && !placed) {
    const earlier = earlierResponse(body)
    if (earlier !== undefined) return callOrigin(exchange, earlier, branch)
  }
  const price = target.price ? priceAt(target.price, core.receivedAt) : snapshot.catalog.price(target.upstream, body.model, core.receivedAt)
  const now = performance.now()
  const attempt: Attempt = {
    upstream: upstream.name,
    model: body.model,
    url: upstream.baseUrl + route.suffix,
    startedAt: now - core.startedAt,
    price,
  }
  if (branch?.ended) return Promise.resolve(unmade(exchange, attempt, branch))
  if (exchange.services.ending?.cut)
    return refuse(exchange, { type: 'refusal', code: 'shutting_down', message: 'The gateway is shutting down. Try again.' })
  // a client that left while plugins were thinking is not worth a call
  if (attempt.startedAt > patience && core.signal.aborted) return refuse(exchange, clientGone)
  exchange.withholdUsage = false // of a call before this one
  const call = outgoing(exchange, upstream, route)
  if ('type' in call) return refuse(exchange, call)
  if (route.path) attempt.url = urlOf(upstream, call.path)
  core.attempts.push(attempt)
  if (core.plan.attempt.length > 0 || upstream.host) {
    const made = assembled(exchange, upstream, attempt, call, branch)
    exchange.remember(attempt)
    return made
  }
  exchange.remember(attempt)
  return start(exchange, upstream, attempt, call, branch, now)
}

/** The call of a request that goes on from an earlier response, where that was made. */
async function callOrigin(exchange: InferenceExchange, earlier: string, branch: Branch | undefined): Promise<ReplyCore> {
  return (await goToOrigin(exchange, earlier)) ?? callUpstream(exchange, branch, true)
}

function urlOf({ origin }: Pick<UpstreamDefinition, 'origin'>, path: string): string {
  const query = path.indexOf('?')
  return `${origin.protocol}//${origin.host}${query < 0 ? path : path.slice(0, query)}`
}

function unserved(upstream: UpstreamDefinition): Refusal {
  const message = `The model is served by an upstream (${upstream.name}) that has no such endpoint, and this request can't be translated to one that it has.`
  return { type: 'refusal', code: 'invalid_request', message }
}

function refuse(exchange: InferenceExchange, refusal: Refusal): Promise<ReplyCore> {
  return Promise.resolve(exchange.refused(refusal))
}

function fault(exchange: InferenceExchange, message: string): Promise<ReplyCore> {
  return refuse(exchange, { type: 'refusal', code: 'internal_error', message })
}

/** What is sent. */
interface Sendable extends Pick<Outgoing, 'route' | 'path' | 'body' | 'translation'> {
  readonly headers: Headers | HeaderLines
  readonly adapter?: ReplyAdapter | undefined
  /** Signs one of several calls, where each must be. */
  readonly sign?: PartHeaders | undefined
}

function start(
  exchange: InferenceExchange,
  upstream: UpstreamDefinition,
  attempt: Attempt,
  { adapter, body, headers, path, route, sign, translation }: Sendable,
  branch: Branch | undefined,
  now?: number,
): Promise<ReplyCore> {
  const { core, services } = exchange
  let transport = adapter ? adaptedTransport(services.transport, adapter) : services.transport
  if (translation && route.dialect.embeddings) {
    const calls = callsOf(joined(body))
    if (calls.length > 1)
      transport = splitTransport(transport, calls, sign, (answers, all) => noteWasted(attempt, route.dialect, answers, all))
  }
  const call = new UpstreamCall({
    transport,
    upstream,
    dialect: route.dialect,
    family: exchange.dialect.family,
    translation,
    path,
    method: 'POST',
    headers,
    body,
    stream: core.body!.stream,
    attempt,
    startedAt: core.startedAt,
    now,
    client: core,
    ending: core.inner ? undefined : services.ending,
  })
  if (branch) follow(call, branch)
  return route.continues && !translation ? noted(exchange, attempt, call.reply) : call.reply
}

/** A reply from which its client may go on. */
async function noted({ core, services }: InferenceExchange, attempt: Attempt, reply: Promise<ReplyCore>): Promise<ReplyCore> {
  const made = await reply
  if (made.ok && attempt.replyId !== undefined && core.shadowOf === undefined && !keepsNothing(core.body!)) {
    services.origins.remember(attempt.replyId, attempt.upstream, core.principal)
  }
  return made
}

/** Ends the call when a plugin that made it no longer wants it. */
function follow(call: UpstreamCall, branch: Branch): void {
  const cancel = () => {
    const { code, message } = endOf(branch)
    call.abandon(code, message)
  }
  if (branch.ended) cancel()
  else call.onOver = branch.listen(cancel)
}

/** A call that nobody wants any more before it is made. */
function unmade({ core, dialect }: InferenceExchange, attempt: Attempt, branch: Branch): ReplyCore {
  const { code, message } = endOf(branch)
  attempt.endedAt = core.elapsed()
  // of an exchange that is settled all is told
  if (!core.settled && !core.attempts.includes(attempt)) core.attempts.push(attempt)
  return callFailed(attempt, 'aborted', code, message, dialect.family)
}

/** Why nobody wants a call any more. */
function endOf({ reason }: Branch): { readonly code: 'client_closed' | 'upstream_timeout'; readonly message: string } {
  if ((reason as { name?: unknown } | undefined)?.name === 'TimeoutError')
    return { code: 'upstream_timeout', message: 'The model provider did not finish in the time that a plugin of this gateway gives it.' }
  return { code: 'client_closed', message: 'A plugin of this gateway ended the call.' } // nobody waits for this branch: not to be tried again
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
}

/** A call of which hooks or the host want to see all: they see it as it will be made, and may change it. */
async function assembled(
  exchange: InferenceExchange,
  upstream: UpstreamDefinition,
  attempt: Attempt,
  call: Outgoing,
  branch: Branch | undefined,
): Promise<ReplyCore> {
  const { core } = exchange
  const { host } = upstream
  if (call.body[0]?.buffer === core.body!.bytes.buffer && call.body.length === 1) core.body!.lend() // of several pieces hooks see, and may keep, a copy
  let headers = new Headers([...headerPairs(call.headers)] as [string, string][])
  let { path } = call
  let body = call.body
  let moved = call.changes
  let hosted: HostCall | undefined
  if (host) {
    hosted = {
      operation: call.route.operation,
      dialect: call.route.dialect.name,
      model: attempt.model,
      stream: core.body!.stream,
      headers,
      body: joined(body),
    }
    let prepared: PreparedCall
    try {
      prepared = host.prepare(hosted)
    } catch (error) {
      if (!(error instanceof HostError)) throw error
      attempt.failure = 'refused'
      return exchange.refused({ type: 'refusal', code: 'invalid_request', message: error.message })
    }
    path = upstream.basePath + prepared.path
    if (prepared.body !== hosted.body) moved = undefined
    body = [prepared.body]
    if (prepared.headers) headers = editHeaders(headers, prepared.headers)
    if (prepared.dropped?.length) core.dropped = [...(core.dropped ?? []), ...prepared.dropped]
  }
  const view = new CallView({
    upstream: upstream.name,
    dialect: call.route.dialect.name,
    model: attempt.model,
    index: core.attempts.length - 1,
    translated: call.translation !== undefined,
    url: upstream.baseUrl.slice(0, upstream.baseUrl.length - upstream.basePath.length).replace(/\/$/, '') + path,
    headers,
    body,
    layout: call.route.dialect.prompt,
    units: moved && (() => movedUnits(core.body!.bytes, core.body!.units, moved)),
    cache: () => cacheFactsAt(upstream, call.route.dialect.name, attempt.model),
  })
  const made = await attemptHooks(exchange, core, view)
  if (made instanceof Reply) {
    attempt.failure = 'refused'
    return made
  }
  const url = parseUrl(made.url)
  attempt.url = urlOf({ origin: url.origin }, url.path)
  const where = url.origin === upstream.origin ? upstream : { ...upstream, origin: url.origin }
  let signed = made.headers
  let sign: PartHeaders | undefined
  if (host) {
    const authorized = async (body: Uint8Array): Promise<Headers> => {
      const request = { method: 'POST', origin: url.origin, path: url.path, headers: made.headers, body, now: exchange.services.now() }
      return editHeaders(made.headers, await host.authorize(request))
    }
    try {
      signed = await authorized(made.body)
    } catch (error) {
      attempt.failure = 'refused'
      attempt.message = error instanceof Error ? error.message : String(error)
      // why is the operator's business: the reason may name accounts and files
      exchange.services.log.error('no credential for an upstream', { upstream: upstream.name, error: attempt.message })
      const message = `The gateway has no credential for the upstream ${upstream.name} at the moment. Name the request id to its operator.`
      return exchange.refused({ type: 'refusal', code: 'upstream_auth', message })
    }
    sign = authorized
  }
  if (branch?.ended) return unmade(exchange, attempt, branch)
  if (core.elapsed() > patience && core.signal.aborted) {
    attempt.failure = 'aborted'
    return exchange.refused(clientGone)
  }
  const sendable = { ...call, path: url.path, headers: signed, body: made.bytes, sign, adapter: hosted && host?.adapter?.(hosted) }
  return await start(exchange, where, attempt, sendable, branch)
}
