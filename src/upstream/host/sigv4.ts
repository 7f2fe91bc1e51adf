/**
 * AWS Signature Version 4 over a request with a body that is all there.
 *
 * Follows "Create a signed AWS API request" of the IAM user guide. Path segments are encoded a second time for the canonical request, which is what
 * all services but S3 do: `%3A` on the wire is signed as `%253A`. Pure and synchronous; the caller sends exactly what was signed.
 */

import type { HeaderEdit } from './host.ts'

export interface SigningKeys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
}

export interface Signing {
  readonly method: string
  /** Value of the `host` header, as it will be sent. */
  readonly host: string
  /** Path and query as on the request line. */
  readonly path: string
  /** Headers to sign besides `host` and the `x-amz-*` ones made here: lower-case names. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Uint8Array
  readonly region: string
  readonly service: string
  readonly keys: SigningKeys
  /** Milliseconds since the epoch. */
  readonly now: number
}

const algorithm = 'AWS4-HMAC-SHA256'

/** The headers that make the request a signed one. */
export function signRequest(signing: Signing): Required<Pick<HeaderEdit, 'set'>> {
  const { keys, region, service } = signing
  const time = amzTime(signing.now)
  const day = time.slice(0, 8)
  const own: [string, string][] = [['x-amz-date', time]]
  if (keys.sessionToken !== undefined) own.push(['x-amz-security-token', keys.sessionToken])
  const signed = [...signing.headers, ['host', signing.host] as const, ...own].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  const names = signed.map(([name]) => name).join(';')
  const scope = `${day}/${region}/${service}/aws4_request`
  const text = `${algorithm}\n${time}\n${scope}\n${sha256(canonicalRequest(signing, signed, names))}`
  const signature = new Bun.CryptoHasher('sha256', signingKey(keys.secretAccessKey, day, region, service)).update(text).digest('hex')
  const authorization = `${algorithm} Credential=${keys.accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`
  return { set: [...own, ['authorization', authorization]] }
}

/** `20150830T123600Z`. */
export function amzTime(now: number): string {
  return `${new Date(now).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`
}

function canonicalRequest({ method, path, body }: Signing, headers: Signing['headers'], names: string): string {
  const mark = path.indexOf('?')
  const lines = headers.map(([name, value]) => `${name}:${value.trim().replaceAll(/\s+/g, ' ')}\n`).join('')
  return [
    method,
    canonicalPath(mark < 0 ? path : path.slice(0, mark)),
    mark < 0 ? '' : canonicalQuery(path.slice(mark + 1)),
    lines,
    names,
    sha256(body),
  ].join('\n')
}

/** The wire path with each segment encoded once more. */
function canonicalPath(path: string): string {
  return path.split('/').map(encode).join('/')
}

/** Parameters sorted by name, then value, each encoded exactly once. */
function canonicalQuery(query: string): string {
  return query
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const equals = pair.indexOf('=')
      const [name, value] = equals < 0 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)]
      return [encode(decodeURIComponent(name)), encode(decodeURIComponent(value))] as const
    })
    .sort(([a, x], [b, y]) => (a < b ? -1 : a > b ? 1 : x < y ? -1 : x > y ? 1 : 0))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
}

/** RFC 3986: everything but letters, digits, `-`, `.`, `_` and `~`. */
export function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
}

let known: { readonly name: string; readonly key: Uint8Array } | undefined

/** The key of one day, region and service. The last one is kept: four HMACs less per call. */
function signingKey(secret: string, day: string, region: string, service: string): Uint8Array {
  const name = `${day} ${region} ${service} ${secret}`
  if (known?.name === name) return known.key
  let key: Uint8Array = Buffer.from(`AWS4${secret}`)
  for (const part of [day, region, service, 'aws4_request']) key = new Bun.CryptoHasher('sha256', key).update(part).digest()
  known = { name, key }
  return key
}

function sha256(data: string | Uint8Array): string {
  return new Bun.CryptoHasher('sha256').update(data).digest('hex')
}
