/**
 * What a client asks of a response that exists: to see it or its input, to cancel it, to delete it (PROTOCOL §1.9).
 *
 * The call goes to the upstream that made the response, and only for the caller for whom it was made. To everybody else there is no such response.
 */

import type { Dialect } from '../dialect/codec.ts'
import { StoreUnavailable } from '../plugin/host.ts'
import type { RefusalCode } from '../plugin/refusal.ts'
import type { Refusal } from '../plugin/reply.ts'
import type { PrincipalValue } from '../plugin/slots.ts'
import type { UpstreamDefinition } from '../upstream/definition.ts'
import type { ErrorVoice } from '../upstream/error-voice.ts'
import { forwardableQuery, requestLines, toReplyHeaders } from '../upstream/headers.ts'
import { editHeaders } from '../upstream/host/host.ts'
import { headerPairs } from '../upstream/http/request-head.ts'
import { PlainCallFailed, relayPlain } from '../upstream/relay-plain.ts'
import type { HandleServices } from './handle.ts'
import type { Snapshot } from './snapshot.ts'

export interface StoredCall {
  readonly caller: PrincipalValue | undefined
  /** Id of the response, decoded. */
  readonly id: string
  /** `GET`, `POST` or `DELETE`. */
  readonly method: string
  /** What follows the id in the path: empty, `/cancel`, `/input_items`. */
  readonly tail: string
  /** Without a question mark. */
  readonly query: string
  readonly headers: Headers
  readonly signal: AbortSignal
}

/** Bytes of an upstream's error that are read. */
const longestError = 1024 * 1024

/** Answers the call. `dialect` spells the errors. Rejects only on a mistake of ours. */
export async function callStored(
  snapshot: Snapshot,
  services: HandleServices,
  dialect: Dialect,
  call: StoredCall,
): Promise<Response | Refusal> {
  const { caller, id, method } = call
  const error = (code: RefusalCode, message: string): Refusal => ({ type: 'refusal', code, message })
  const nothing = () => error('not_found', `Response with id '${id.slice(0, 100)}' not found.`)
  let origin: string | undefined
  try {
    origin = await services.origins.find(id, caller)
  } catch (failure) {
    if (!(failure instanceof StoreUnavailable)) throw failure
    return error('store_unavailable', 'The gateway cannot look up responses at the moment. Try again.')
  }
  const upstream = origin === undefined ? undefined : snapshot.upstreams.get(origin)
  if (!upstream) return nothing()
  try {
    const target = await addressed(upstream, call, services.now())
    const response = await relayPlain(services.transport, { ...target, origin: upstream.origin, method }, upstream.timeouts, call.signal)
    const headers = new Headers(response.headers)
    toReplyHeaders(headers)
    const { status } = response
    if ((status === 401 || status === 402 || status === 403) && upstream.ownKey) {
      await response.body?.cancel()
      return error('upstream_auth', 'The model provider rejected the credential of this gateway. Name the request id to its operator.')
    }
    if (status >= 300 && status < 400) {
      await response.body?.cancel()
      return error('upstream_bad_reply', `The model provider answered with a redirect (${status}), which is not followed.`)
    }
    if (status >= 400) return await inItsWords(snapshot.errors, response, headers, dialect)
    if (method === 'DELETE') services.origins.forget(id)
    return new Response(response.body, { status, headers })
  } catch (failure) {
    if (!(failure instanceof PlainCallFailed)) throw failure
    return failure.late
      ? error('upstream_timeout', failure.message)
      : error('upstream_unreachable', 'The model provider cannot be reached.')
  }
}

/** Path and headers of the call at the upstream. */
async function addressed(upstream: UpstreamDefinition, { headers: given, id, method, query, tail }: StoredCall, now: number) {
  const { host } = upstream
  const lines = requestLines(given, upstream.headers, [], false)
  const below = `/${encodeURIComponent(id)}${tail}`
  const asked = query === '' ? '' : forwardableQuery(query)
  if (!host) return { path: `${upstream.basePath}/responses${below}${asked}`, headers: lines }
  const headers = new Headers([...headerPairs(lines)] as [string, string][])
  const body = new Uint8Array()
  const made = host.prepare({ operation: 'responses', dialect: 'openai-responses', model: '', stream: false, headers, body })
  // its path may end in a query of its own
  const at = made.path.indexOf('?')
  const plain = at < 0 ? made.path : made.path.slice(0, at)
  const own = at < 0 ? asked : `${made.path.slice(at)}${asked.replace('?', '&')}`
  const path = `${upstream.basePath}${plain}${below}${own}`
  const signed = await host.authorize({ method, origin: upstream.origin, path, headers, body, now })
  return { path, headers: editHeaders(headers, signed) }
}

/** An error of the upstream: as it is where it is one of OpenAI's, else its sentence in our envelope. */
async function inItsWords(errors: ErrorVoice, response: Response, headers: Headers, dialect: Dialect): Promise<Response | Refusal> {
  const body = await beginning(response)
  const { status } = response
  headers.set('content-type', 'application/json')
  const said = dialect.readError(status, body)
  const code = status === 404 ? 'not_found' : status < 500 ? 'invalid_request' : 'upstream_error'
  if (said.type !== undefined && !errors.respells(code, dialect.family)) return new Response(body, { status, headers })
  return { type: 'refusal', code, message: said.message, status, ...(said.param !== undefined && { param: said.param }) }
}

/** The body, as far as an error may be long. */
async function beginning({ body }: Response): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body ?? []) {
    chunks.push(chunk)
    size += chunk.length
    if (size >= longestError) break // which cancels the rest
  }
  return Buffer.concat(chunks).subarray(0, longestError)
}
