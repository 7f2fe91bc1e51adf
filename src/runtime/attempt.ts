/**
 * From an exchange to one upstream call: where it goes, with which headers, and the bytes of the body.
 *
 * What was not edited is sent from where it lies: the body leaves as pieces, never joined unless an `attempt` hook wants to see it whole.
 */

import type { ExchangeCore } from '../pipeline/core.ts'
import { failed, runStep } from '../pipeline/fence.ts'
import type { Instance } from '../pipeline/plan.ts'
import { ReplyCore, refusalReply } from '../pipeline/reply-core.ts'
import type { RequestCore } from '../pipeline/request-core.ts'
import type { UpstreamCall as CallView } from '../plugin/hooks.ts'
import type { Attempt } from '../plugin/outcome.ts'
import type { RefusalCode } from '../plugin/refusal.ts'
import type { Refusal } from '../plugin/reply.ts'
import { UpstreamCall } from '../upstream/call.ts'
import type { UpstreamDefinition } from '../upstream/definition.ts'
import { forwardableQuery, requestLines } from '../upstream/headers.ts'
import { parseUrl } from '../upstream/http/origin.ts'
import { headerPairs } from '../upstream/http/request-head.ts'
import type { HeaderLines } from '../upstream/http/transport.ts'
import type { InferenceExchange } from './handle.ts'

/** Sent when the client names none; required by the API. */
const anthropicDefaults = [['anthropic-version', '2023-06-01']] as const
const noDefaults = [] as const

/** Makes the upstream call of an exchange. Resolves to its reply; rejects only on a mistake of ours. */
export function callUpstream(exchange: InferenceExchange, signal: AbortSignal | undefined): Promise<ReplyCore> {
  const { core, dialect, snapshot, spec } = exchange
  const { target } = core
  if (!target)
    return refuse(
      exchange,
      'internal_error',
      'No plugin of this gateway chose where the request goes. The operator needs a router in the list.',
    )
  const upstream = snapshot.upstreams.get(target.upstream)
  if (!upstream) return refuse(exchange, 'internal_error', `The upstream ${JSON.stringify(target.upstream)} is not configured.`)
  if (upstream.family !== dialect.family) {
    return refuse(exchange, 'invalid_request', `The model is served by an upstream that speaks the ${upstream.family} API. Call it there.`)
  }
  const body = core.body!
  const attempt: Attempt = { upstream: upstream.name, model: body.model, url: upstream.baseUrl + spec.suffix, startedAt: core.elapsed() }
  // a client that left while plugins were thinking is not worth a call
  if (attempt.startedAt > patience && core.signal.aborted) return refuse(exchange, 'client_closed', 'The client has gone.')
  core.attempts.push(attempt)

  let path = upstream.basePath + spec.suffix
  // `?beta=true` and its like mean something to Anthropic only (H08)
  if (core.query !== '' && dialect.family === 'anthropic') path += forwardableQuery(core.query)
  const anthropic = dialect.family === 'anthropic'
  const headers = requestLines(core.headers, upstream.headers, anthropic ? anthropicDefaults : noDefaults, anthropic)
  if (core.plan.attempt.length > 0) return withHooks(exchange, upstream, attempt, path, headers, signal)
  return start(exchange, upstream, attempt, path, headers, pieces(body), signal)
}

function refuse(exchange: InferenceExchange, code: RefusalCode, message: string): Promise<ReplyCore> {
  return Promise.resolve(exchange.refused({ type: 'refusal', code, message }))
}

/** Milliseconds after which it is worth asking whether the client is still there. */
const patience = 20

function start(
  exchange: InferenceExchange,
  upstream: UpstreamDefinition,
  attempt: Attempt,
  path: string,
  headers: Headers | HeaderLines,
  body: readonly Uint8Array[],
  signal: AbortSignal | undefined,
): Promise<ReplyCore> {
  const { core } = exchange
  const call = new UpstreamCall({
    transport: exchange.services.transport,
    upstream,
    dialect: exchange.dialect,
    path,
    method: 'POST',
    headers,
    body,
    stream: core.body!.stream,
    attempt,
    startedAt: core.startedAt,
    client: core,
  })
  if (signal) follow(call, signal)
  return call.reply
}

/** Ends the call when a plugin that made it no longer wants it. */
function follow(call: UpstreamCall, signal: AbortSignal): void {
  const cancel = () => {
    const late = (signal.reason as { name?: unknown } | undefined)?.name === 'TimeoutError'
    if (late) call.abandon('upstream_timeout', 'The model provider did not finish in the time that a plugin of this gateway gives it.')
    else call.abandon('client_closed', 'A plugin of this gateway ended the call.') // nobody waits for this branch: not to be tried again
  }
  if (signal.aborted) cancel()
  signal.addEventListener('abort', cancel, { once: true })
  call.onOver = () => signal.removeEventListener('abort', cancel)
}

/** The `attempt` hooks see the call as it will be made, and may change it. */
async function withHooks(
  exchange: InferenceExchange,
  upstream: UpstreamDefinition,
  attempt: Attempt,
  path: string,
  headers: HeaderLines,
  signal: AbortSignal | undefined,
): Promise<ReplyCore> {
  const { core } = exchange
  const view: CallView = {
    upstream: upstream.name,
    dialect: exchange.dialect.name,
    model: attempt.model,
    index: core.attempts.length - 1,
    url: upstream.baseUrl.slice(0, upstream.baseUrl.length - upstream.basePath.length).replace(/\/$/, '') + path,
    headers: new Headers([...headerPairs(headers)] as [string, string][]),
    body: core.body!.document.output(),
  }
  const made = await attemptHooks(exchange, core, view)
  if (made instanceof ReplyCore) {
    attempt.failure = 'refused'
    return made
  }
  if (core.elapsed() > patience && core.signal.aborted) {
    attempt.failure = 'aborted'
    return exchange.refused({ type: 'refusal', code: 'client_closed', message: 'The client has gone.' })
  }
  const url = parseUrl(made.url)
  const where = url.origin === upstream.origin ? upstream : { ...upstream, origin: url.origin }
  return await start(exchange, where, attempt, url.path, made.headers, [made.body], signal)
}

/** The call as the hooks have left it, or the refusal of one of them. */
async function attemptHooks(exchange: InferenceExchange, core: ExchangeCore, view: CallView): Promise<CallView | ReplyCore> {
  for (const step of core.plan.attempt) {
    const { instance } = step
    if (!core.isActive(instance)) continue
    core.reach(instance)
    const before = { ...view, headers: new Headers(view.headers) }
    const { failures } = core
    let answer = await runStep(core, step, view)
    if (!answer && core.failures === failures) answer = unsendable(core, instance, view, before)
    // another object: a hook that timed out still holds the old one
    if (core.failures !== failures) view = before
    if (answer?.type === 'refusal') return refusalReply(answer, exchange.statusOf(answer), instance.index, instance.id)
  }
  return view
}

/** What a hook did to the call that no call can be made of counts as its failure. */
function unsendable(core: ExchangeCore, instance: Instance, view: CallView, before: CallView): Refusal | undefined {
  try {
    if (view.url !== before.url) parseUrl(view.url)
    if (!(view.body instanceof Uint8Array)) throw new TypeError('the body of a call must be bytes')
    return undefined
  } catch (error) {
    return failed(core, instance, 'attempt', error)
  }
}

/** Above this many edits one joined copy is cheaper than many small writes. */
const maxPieces = 16

/** The body as pieces, edits between slices of what was received. */
function pieces(body: RequestCore): Uint8Array[] {
  const spliced = body.splicedModel()
  if (spliced) return spliced
  const edits = body.document.edits()
  if (edits.length === 0 || edits.length > maxPieces) return [body.document.output()]
  const out: Uint8Array[] = []
  let at = 0
  for (const edit of edits) {
    if (edit.start > at) out.push(body.bytes.subarray(at, edit.start))
    if (edit.text.length > 0) out.push(Buffer.from(edit.text))
    at = edit.end
  }
  if (at < body.bytes.length) out.push(body.bytes.subarray(at))
  return out
}
