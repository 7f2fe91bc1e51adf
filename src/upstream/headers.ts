/**
 * Which headers cross the gateway, in both directions (PROTOCOL §1.8).
 *
 * Client credentials of any spelling never reach an upstream (H01); there is exactly one value of `anthropic-version` (H03); headers of the
 * connection stay on the connection.
 */

const never = new Set([
  'authorization',
  'x-api-key',
  'api-key',
  'x-goog-api-key',
  'cookie',
  'host',
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
  'content-length',
  'content-encoding',
  'accept-encoding',
  'openai-organization',
  'openai-project',
  'forwarded',
  'via',
  'x-real-ip',
  'priority',
])

/** True for a client header that may be sent to an upstream of the same dialect. Names are lower-case. */
export function forwardable(name: string): boolean {
  return !(
    never.has(name) ||
    name.startsWith('proxy-') ||
    name.startsWith('x-forwarded-') ||
    name.startsWith('sec-') ||
    name.startsWith('cf-')
  )
}

/** The headers of an upstream call: the client's forwardable ones, then the upstream's own, which win. */
export function requestHeaders(
  client: Headers,
  own: readonly (readonly [string, string])[],
  defaults: readonly (readonly [string, string])[],
): [string, string][] {
  const out: [string, string][] = []
  for (const [name, value] of client) {
    if (!forwardable(name) || own.some((o) => o[0] === name)) continue
    // Bun joins repeated headers: one anthropic-version goes upstream, the first (H03)
    if (name === 'anthropic-version' && value.includes(',')) out.push([name, value.slice(0, value.indexOf(',')).trim()])
    else out.push([name, value])
  }
  for (const pair of defaults) if (!client.has(pair[0])) out.push([pair[0], pair[1]])
  for (const pair of own) out.push([pair[0], pair[1]])
  return out
}

const passed = new Set([
  'content-type',
  'retry-after',
  'retry-after-ms',
  'x-should-retry',
  'openai-processing-ms',
  'openai-version',
  'openai-model',
  'warning',
])

/** True for an upstream header that the client gets (H07). */
export function returnable(name: string): boolean {
  return passed.has(name) || name.startsWith('anthropic-ratelimit-') || name.startsWith('x-ratelimit-')
}

/** The client's headers of an upstream's answer. `x-request-id` is the gateway's; the upstream's own id stays readable. */
export function replyHeaders(upstream: Headers): { headers: Headers; requestId: string | undefined } {
  const headers = new Headers()
  let requestId: string | undefined
  for (const [name, value] of upstream) {
    if (returnable(name)) headers.set(name, value)
    else if (name === 'request-id' || name === 'x-request-id') {
      requestId = value
      headers.set('x-upstream-request-id', value)
    }
  }
  return { headers, requestId }
}
