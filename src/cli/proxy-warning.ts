/**
 * A warning about Bun's limit of concurrent requests, for gateways that call their upstreams through a proxy.
 *
 * Only then are upstreams called with Bun's `fetch`, which runs 256 requests at a time for the whole process and lets the others wait
 * in silence. The variable that raises the limit is read when the process starts; values above 65535 count as none.
 */

const variables = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'] as const

/** The warning; undefined when there is nothing to warn of. */
export function proxyWarning(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const proxy = variables.find((name) => env[name])
  if (proxy === undefined) return undefined
  const limit = env.BUN_CONFIG_MAX_HTTP_REQUESTS
  if (limit !== undefined && /^[0-9]+$/.test(limit) && Number(limit) >= 1 && Number(limit) <= 65_535) return undefined
  const state = limit ? `BUN_CONFIG_MAX_HTTP_REQUESTS=${limit} is not a number from 1 to 65535` : 'BUN_CONFIG_MAX_HTTP_REQUESTS is not set'
  return `${proxy} is set and ${state}: at most 256 upstream calls through the proxy run at a time, the others wait. Set it to 20000 before the start.`
}
