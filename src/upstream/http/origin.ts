/**
 * Where a request goes: the parsed origin of a URL, with everything that the client needs per request made once.
 *
 * The cache is bounded, since plugins may make URLs that differ per request. Knows nothing of sockets.
 */

export interface Origin {
  readonly protocol: 'http:' | 'https:'
  /** As `Bun.connect` wants it: IPv6 addresses without brackets. */
  readonly hostname: string
  readonly port: number
  /** Value of the `host` header: port only when it is not the default. */
  readonly host: string
  /** Identity of the origin, the key of pools. */
  readonly key: string
}

export interface HttpUrl {
  readonly origin: Origin
  /** Path and query; never empty. No fragment. */
  readonly path: string
}

const maxCached = 512
const urls = new Map<string, HttpUrl>()

/**
 * Parses an absolute http(s) URL. Cached by its text.
 * @throws TypeError when it isn't one, or carries a user name or password (they would be dropped silently otherwise).
 */
export function parseUrl(url: string): HttpUrl {
  const known = urls.get(url)
  if (known !== undefined) return known
  const parsed = parse(url)
  if (urls.size >= maxCached) urls.delete(urls.keys().next().value as string)
  urls.set(url, parsed)
  return parsed
}

function parse(url: string): HttpUrl {
  const parsed = new URL(url)
  const { protocol, host } = parsed
  if (protocol !== 'http:' && protocol !== 'https:') throw new TypeError(`not an http(s) URL: ${protocol}//${host}`)
  if (parsed.username !== '' || parsed.password !== '') throw new TypeError(`credentials in a URL are not sent: ${protocol}//${host}`)
  const hostname = parsed.hostname.startsWith('[') ? parsed.hostname.slice(1, -1) : parsed.hostname
  const port = parsed.port === '' ? (protocol === 'https:' ? 443 : 80) : Number(parsed.port)
  return { origin: { protocol, hostname, port, host, key: `${protocol}//${host}` }, path: parsed.pathname + parsed.search }
}
