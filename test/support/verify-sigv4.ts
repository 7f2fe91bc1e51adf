/**
 * Checks a request's AWS signature as the service would: from what arrived, by the written algorithm, with none of the gateway's code.
 *
 * Knows one secret. Says what is wrong in words, for a test to show.
 */

import { createHash, createHmac } from 'node:crypto'

export interface SignedRequest {
  readonly method: string
  /** As on the request line. */
  readonly path: string
  readonly query: string
  readonly headers: Headers
  readonly body: Uint8Array
}

const sha = (data: string | Uint8Array) => createHash('sha256').update(data).digest('hex')
const hmac = (key: string | Uint8Array, data: string) => createHmac('sha256', key).update(data).digest()
const encoded = (text: string) =>
  [...Buffer.from(text)]
    .map((b) =>
      /[A-Za-z0-9._~-]/.test(String.fromCharCode(b)) ? String.fromCharCode(b) : `%${b.toString(16).toUpperCase().padStart(2, '0')}`,
    )
    .join('')

/** What is wrong with a signature; undefined when nothing is. `now` = milliseconds since the epoch. */
export function signatureFault(
  { method, path, query, headers, body }: SignedRequest,
  expected: { readonly accessKeyId: string; readonly secret: string; readonly region: string; readonly service: string },
  now = Date.now(),
): string | undefined {
  const authorization = headers.get('authorization') ?? ''
  const parts = /^AWS4-HMAC-SHA256 Credential=([^,]+), SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(authorization)
  if (!parts) return `no signature: ${authorization}`
  const [, credential, names, signature] = parts as unknown as [string, string, string, string]
  const time = headers.get('x-amz-date') ?? ''
  const stamp = Date.parse(time.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))
  if (!(Math.abs(stamp - now) < 5 * 60_000)) return `the time ${time} is not now`
  const scope = `${time.slice(0, 8)}/${expected.region}/${expected.service}/aws4_request`
  if (credential !== `${expected.accessKeyId}/${scope}`) return `the credential is ${credential}`
  const signed = names.split(';')
  for (const name of headers.keys()) if (name.startsWith('x-amz-') && !signed.includes(name)) return `${name} is not signed`
  if (!signed.includes('host') || !signed.includes('x-amz-date')) return `only ${names} is signed`
  const canonical = [
    method,
    path.split('/').map(encoded).join('/'),
    query.split('&').sort().join('&'),
    ...signed.map((name) => `${name}:${(headers.get(name) ?? '').trim()}`),
    '',
    names,
    sha(body),
  ].join('\n')
  const text = ['AWS4-HMAC-SHA256', time, scope, sha(canonical)].join('\n')
  const key = [time.slice(0, 8), expected.region, expected.service, 'aws4_request'].reduce<string | Buffer>(hmac, `AWS4${expected.secret}`)
  const right = hmac(key as Buffer, text).toString('hex')
  return right === signature ? undefined : `the signature is wrong for\n${canonical}`
}
