/**
 * AWS credentials by the usual chain.
 *
 * In order: what the config gives (keys, or a profile); AWS_ACCESS_KEY_ID …; AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN (EKS); the profile AWS_PROFILE
 * or `default` of the shared files; the container's endpoint (ECS, EKS Pod Identity); the instance's metadata (IMDSv2). The first place that
 * has something decides: a place that has something wrong is an error, not a reason to look further.
 */

import { readProfile } from './aws-profile.ts'
import { assumeRole } from './aws-sts.ts'
import { parsed } from './oauth.ts'
import { CredentialError, type CredentialSource, credentialSource, type Expiring } from './source.ts'
import type { Surroundings, TokenRequest } from './surroundings.ts'

export interface AwsCredentials extends Expiring {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
}

/** What the config gives. */
export interface AwsGiven {
  readonly region: string
  readonly access_key_id?: string
  readonly secret_access_key?: string
  readonly session_token?: string
  readonly profile?: string
}

/** AWS credentials from the first place that has some. */
export function awsCredentials(given: AwsGiven, around: Surroundings): CredentialSource<AwsCredentials> {
  return credentialSource(() => load(given, around), around.now)
}

/** Keys without an end are looked at again after this long: files are replaced. Milliseconds. */
const rereadAfter = 60 * 60_000

async function load(given: AwsGiven, around: Surroundings): Promise<AwsCredentials> {
  const { env, now } = around
  const { region } = given
  const lasting = (accessKeyId: string, secretAccessKey: string, sessionToken: string | undefined): AwsCredentials => ({
    accessKeyId,
    secretAccessKey,
    sessionToken,
    expiresAt: now() + rereadAfter,
  })
  if (given.access_key_id !== undefined && given.secret_access_key !== undefined) {
    return lasting(given.access_key_id, given.secret_access_key, given.session_token)
  }
  if (given.profile !== undefined) return ofProfile(given.profile, region, around, true)
  if (env.AWS_ACCESS_KEY_ID && env.AWS_SECRET_ACCESS_KEY) {
    return lasting(env.AWS_ACCESS_KEY_ID, env.AWS_SECRET_ACCESS_KEY, env.AWS_SESSION_TOKEN || undefined)
  }
  if (env.AWS_WEB_IDENTITY_TOKEN_FILE && env.AWS_ROLE_ARN) {
    return ofWebIdentity(env.AWS_WEB_IDENTITY_TOKEN_FILE, env.AWS_ROLE_ARN, env.AWS_ROLE_SESSION_NAME, region, around)
  }
  const found = await ofProfile(env.AWS_PROFILE ?? 'default', region, around, env.AWS_PROFILE !== undefined)
  if (found) return found
  const container = containerRequest(around)
  if (container) return ofJson(await around.ask(await container), 'The container', now)
  if (env.AWS_EC2_METADATA_DISABLED?.toLowerCase() === 'true') throw new CredentialError(nowhere)
  return ofInstance(around)
}

const nowhere = 'No AWS credentials: give bedrock.access_key_id and secret_access_key, bedrock.profile, or set AWS_ACCESS_KEY_ID …'

async function ofWebIdentity(file: string, roleArn: string, name: string | undefined, region: string, around: Surroundings) {
  const webIdentityToken = (await around.readText(file)).trim()
  return assumeRole({ region, roleArn, sessionName: name || 'headgate', by: { webIdentityToken } }, around)
}

async function ofProfile(name: string, region: string, around: Surroundings, asked: true): Promise<AwsCredentials>
async function ofProfile(name: string, region: string, around: Surroundings, asked: boolean): Promise<AwsCredentials | undefined>
async function ofProfile(name: string, region: string, around: Surroundings, asked: boolean): Promise<AwsCredentials | undefined> {
  const profile = await readProfile(name, around, asked)
  const { aws_access_key_id: accessKeyId, aws_secret_access_key: secretAccessKey, role_arn: roleArn } = profile
  if (roleArn && profile.web_identity_token_file) {
    return ofWebIdentity(profile.web_identity_token_file, roleArn, profile.role_session_name, region, around)
  }
  if (roleArn && profile.source_profile) {
    const keys = keysOf(profile.source_profile === name ? profile : await readProfile(profile.source_profile, around, true), around)
    if (!keys) throw new CredentialError(`The AWS profile ${profile.source_profile} has no keys to assume ${roleArn} with.`)
    const sessionName = profile.role_session_name || 'headgate'
    return assumeRole({ region, roleArn, sessionName, externalId: profile.external_id, by: { keys } }, around)
  }
  if (accessKeyId && secretAccessKey) return keysOf(profile, around)
  if (!asked && Object.keys(profile).every((key) => ['region', 'output', 'cli_pager'].includes(key))) return undefined
  const what = ['sso_session', 'sso_start_url', 'credential_process', 'login_session', 'credential_source', 'role_arn'].find(
    (key) => profile[key],
  )
  if (!asked && what === undefined) return undefined
  throw new CredentialError(
    `The AWS profile ${name} has no keys${what === undefined ? '' : `, and ${what} is not supported`}. Use keys, or role_arn with source_profile or web_identity_token_file.`,
  )
}

function keysOf(profile: Readonly<Record<string, string>>, around: Surroundings): AwsCredentials | undefined {
  const { aws_access_key_id: accessKeyId, aws_secret_access_key: secretAccessKey, aws_session_token: sessionToken } = profile
  if (!accessKeyId || !secretAccessKey) return undefined
  return { accessKeyId, secretAccessKey, sessionToken: sessionToken || undefined, expiresAt: around.now() + rereadAfter }
}

/** The call to the endpoint that a container's environment names; undefined when it names none. */
function containerRequest(around: Surroundings): Promise<TokenRequest> | undefined {
  const { env } = around
  const relative = env.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI
  const url = relative ? `http://169.254.170.2${relative}` : env.AWS_CONTAINER_CREDENTIALS_FULL_URI
  if (!url) return undefined
  return (async () => {
    const { protocol, hostname } = new URL(url)
    // else whoever sets the variable could have the token sent anywhere in clear text
    if (protocol !== 'https:' && !nearby.test(hostname)) {
      throw new CredentialError(`The container's credential endpoint ${hostname} is neither on this machine nor reached by https.`)
    }
    const file = env.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE
    const token = file ? (await around.readText(file)).trim() : env.AWS_CONTAINER_AUTHORIZATION_TOKEN
    return { url, direct: protocol === 'http:', timeout: 5000, headers: token ? [['authorization', token] as const] : [] }
  })()
}

const nearby = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\]|169\.254\.170\.(2|23)|\[fd00:ec2::23\])$/

async function ofInstance(around: Surroundings): Promise<AwsCredentials> {
  const base = (around.env.AWS_EC2_METADATA_SERVICE_ENDPOINT ?? 'http://169.254.169.254').replace(/\/+$/, '')
  const near = { timeout: 2000, direct: true } as const
  let token: string
  try {
    const lifetime = ['x-aws-ec2-metadata-token-ttl-seconds', '21600'] as const
    const reply = await around.ask({ url: `${base}/latest/api/token`, method: 'PUT', headers: [lifetime], ...near })
    if (reply.status !== 200) throw new CredentialError(`the instance's metadata service answered ${reply.status}`)
    token = reply.text.trim()
  } catch (error) {
    throw new CredentialError(`${nowhere} (${error instanceof Error ? error.message : String(error)})`)
  }
  const headers = [['x-aws-ec2-metadata-token', token] as const]
  const roles = `${base}/latest/meta-data/iam/security-credentials/`
  const { status, text } = await around.ask({ url: roles, headers, ...near })
  const role = text.trim().split('\n')[0] ?? ''
  if (status !== 200 || role === '') throw new CredentialError(`${nowhere} (the instance has no role)`)
  return ofJson(await around.ask({ url: roles + encodeURIComponent(role), headers, ...near }), `The instance's role ${role}`, around.now)
}

/** Credentials as the container's and the instance's endpoints give them. */
function ofJson({ status, text }: { readonly status: number; readonly text: string }, what: string, now: () => number): AwsCredentials {
  const { AccessKeyId, SecretAccessKey, Token, Expiration, Code, Message, message } = parsed(text)
  if (status === 200 && typeof AccessKeyId === 'string' && typeof SecretAccessKey === 'string') {
    const expiresAt = typeof Expiration === 'string' ? Date.parse(Expiration) : Number.NaN
    return {
      accessKeyId: AccessKeyId,
      secretAccessKey: SecretAccessKey,
      sessionToken: typeof Token === 'string' ? Token : undefined,
      expiresAt: Number.isNaN(expiresAt) ? now() + rereadAfter : expiresAt,
    }
  }
  const said = [Code, Message ?? message].filter((word) => typeof word === 'string' && word !== 'Success')
  throw new CredentialError(`${what} has no AWS credentials: ${said.join(': ').slice(0, 300) || 'no words'} (status ${status}).`)
}
