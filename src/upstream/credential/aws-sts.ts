/** AWS's Security Token Service: temporary credentials for a role, by a web identity token or by other credentials. */

import { signRequest } from '../host/sigv4.ts'
import { parseUrl } from '../http/origin.ts'
import type { AwsCredentials } from './aws.ts'
import { CredentialError } from './source.ts'
import type { Surroundings } from './surroundings.ts'

export interface RoleRequest {
  readonly region: string
  readonly roleArn: string
  readonly sessionName: string
  readonly externalId?: string | undefined
  readonly by: { readonly webIdentityToken: string } | { readonly keys: AwsCredentials }
}

/** Assumes a role. The endpoint is the region's, or AWS_ENDPOINT_URL_STS. @throws CredentialError */
export async function assumeRole(request: RoleRequest, around: Surroundings): Promise<AwsCredentials> {
  const { region, roleArn, sessionName, externalId, by } = request
  const domain = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com'
  const url = around.env.AWS_ENDPOINT_URL_STS ?? `https://sts.${region}.${domain}`
  const web = 'webIdentityToken' in by
  const form = new URLSearchParams({
    Action: web ? 'AssumeRoleWithWebIdentity' : 'AssumeRole',
    Version: '2011-06-15',
    RoleArn: roleArn,
    RoleSessionName: sessionName,
    ...(web && { WebIdentityToken: by.webIdentityToken }),
    ...(externalId !== undefined && { ExternalId: externalId }),
  }).toString()
  const { origin, path } = parseUrl(url)
  const type = ['content-type', 'application/x-www-form-urlencoded'] as const
  const signed = web
    ? []
    : signRequest({
        method: 'POST',
        host: origin.host,
        path,
        headers: [type],
        body: Buffer.from(form),
        region,
        service: 'sts',
        keys: by.keys,
        now: around.now(),
      }).set
  const { status, text } = await around.ask({ url, method: 'POST', headers: [type, ...signed], body: form })
  const field = (name: string) => unescapeXml(new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1] ?? '')
  const accessKeyId = field('AccessKeyId')
  const secretAccessKey = field('SecretAccessKey')
  const expiresAt = Date.parse(field('Expiration'))
  if (status === 200 && accessKeyId && secretAccessKey && !Number.isNaN(expiresAt)) {
    return { accessKeyId, secretAccessKey, sessionToken: field('SessionToken'), expiresAt }
  }
  const why = [field('Code'), field('Message')].filter(Boolean).join(': ').slice(0, 300) || 'no words'
  throw new CredentialError(`AWS did not let the role ${roleArn} be assumed: ${why} (status ${status}).`)
}

const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' }

function unescapeXml(text: string): string {
  return text.replaceAll(/&(lt|gt|quot|apos|amp);/g, (_, name: string) => entities[name]!)
}
