/** Tokens of Microsoft Entra for an application with a secret (OAuth client credentials), as Azure OpenAI wants them. */

import { type AccessToken, requestToken } from './oauth.ts'
import { type CredentialSource, credentialSource } from './source.ts'
import type { Surroundings } from './surroundings.ts'

export interface EntraClient {
  readonly tenant: string
  readonly client_id: string
  readonly client_secret: string
}

const scope = 'https://cognitiveservices.azure.com/.default'

/** The authority is login.microsoftonline.com, or what AZURE_AUTHORITY_HOST names (other clouds). */
export function entraTokens(client: EntraClient, around: Surroundings): CredentialSource<AccessToken> {
  const authority = (around.env.AZURE_AUTHORITY_HOST ?? 'https://login.microsoftonline.com').replace(/\/+$/, '')
  const url = `${authority}/${encodeURIComponent(client.tenant)}/oauth2/v2.0/token`
  const { client_id, client_secret } = client
  const form = { grant_type: 'client_credentials', client_id, client_secret, scope }
  return credentialSource(() => requestToken(around, url, form, 'Microsoft Entra'), around.now)
}
