/**
 * Google's application default credentials as access tokens.
 *
 * In order: what the config gives; GOOGLE_APPLICATION_CREDENTIALS; the file of `gcloud auth application-default login`; the metadata server of
 * GCE, GKE and Cloud Run. Service accounts sign a JWT with their key (RS256) and trade it for a token; user credentials trade their refresh
 * token. Other kinds of credential files are refused by name.
 */

import { type AccessToken, parsed, requestToken, tokenOf } from './oauth.ts'
import { CredentialError, type CredentialSource, credentialSource } from './source.ts'
import type { Surroundings } from './surroundings.ts'

export interface GoogleToken extends AccessToken {
  /** Project that pays for the quota of a user's calls. */
  readonly quotaProject?: string
}

const scope = 'https://www.googleapis.com/auth/cloud-platform'
const tokenEndpoint = 'https://oauth2.googleapis.com/token'

/** @param given JSON of a credential file, or its path; absent: looked for */
export function googleTokens(given: string | undefined, around: Surroundings): CredentialSource<GoogleToken> {
  return credentialSource(() => load(given, around), around.now)
}

async function load(given: string | undefined, around: Surroundings): Promise<GoogleToken> {
  const { env, home } = around
  if (given !== undefined) return given.trimStart().startsWith('{') ? ofFile(given, around) : ofFile(await around.readText(given), around)
  if (env.GOOGLE_APPLICATION_CREDENTIALS) return ofFile(await around.readText(env.GOOGLE_APPLICATION_CREDENTIALS), around)
  const wellKnown = `${env.CLOUDSDK_CONFIG ?? `${home}/.config/gcloud`}/application_default_credentials.json`
  let text: string | undefined
  try {
    text = await around.readText(wellKnown)
  } catch {
    // most machines have none
  }
  return text === undefined ? ofMetadata(around) : ofFile(text, around)
}

async function ofFile(text: string, around: Surroundings): Promise<GoogleToken> {
  const file = parsed(text)
  const field = (name: string): string => {
    const value = file[name]
    if (typeof value === 'string' && value !== '') return value
    throw new CredentialError(`The Google credential file has no ${name}.`)
  }
  const endpoint = typeof file.token_uri === 'string' ? file.token_uri : tokenEndpoint
  switch (file.type) {
    case 'service_account': {
      const assertion = await assertionOf(field('client_email'), field('private_key'), file.private_key_id, endpoint, around.now())
      const form = { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion }
      return requestToken(around, endpoint, form, `The service account ${field('client_email')}`)
    }
    case 'authorized_user': {
      const form = {
        grant_type: 'refresh_token',
        client_id: field('client_id'),
        client_secret: field('client_secret'),
        refresh_token: field('refresh_token'),
      }
      const token = await requestToken(around, endpoint, form, 'The Google user credential')
      return typeof file.quota_project_id === 'string' ? { ...token, quotaProject: file.quota_project_id } : token
    }
    default:
      throw new CredentialError(
        `Google credentials of the type ${JSON.stringify(file.type ?? 'none')} are not supported. Use a service_account or authorized_user file, or the metadata server.`,
      )
  }
}

/** Seconds that an assertion is valid; the longest that Google takes. */
const assertionLife = 3600

/** A JWT by which a service account asks for a token (RFC 7523). */
async function assertionOf(email: string, pem: string, keyId: unknown, audience: string, now: number): Promise<string> {
  const issued = Math.floor(now / 1000)
  const header = { alg: 'RS256', typ: 'JWT', ...(typeof keyId === 'string' && { kid: keyId }) }
  const claims = { iss: email, scope, aud: audience, iat: issued, exp: issued + assertionLife }
  const unsigned = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
  let key: CryptoKey
  try {
    const der = Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64')
    key = await crypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign'])
  } catch {
    throw new CredentialError(`The private_key of the service account ${email} is not a PKCS #8 RSA key.`)
  }
  const signature = await crypto.subtle.sign(algorithm, key, Buffer.from(unsigned))
  return `${unsigned}.${Buffer.from(signature).toString('base64url')}`
}

async function ofMetadata(around: Surroundings): Promise<GoogleToken> {
  const host = around.env.GCE_METADATA_HOST ?? 'metadata.google.internal'
  const asked = around.now()
  try {
    const reply = await around.ask({
      url: `http://${host}/computeMetadata/v1/instance/service-accounts/default/token`,
      headers: [['metadata-flavor', 'Google']],
      timeout: 5000,
      direct: true,
    })
    return tokenOf(reply, "The machine's service account", asked)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new CredentialError(`No Google credentials: set vertex.credentials or GOOGLE_APPLICATION_CREDENTIALS. (${why})`)
  }
}
