/**
 * From an upstream's config to its host. Looks nothing up: credentials are fetched by the first call that needs them.
 */

import { awsCredentials } from '../credential/aws.ts'
import { type EntraClient, entraTokens } from '../credential/entra.ts'
import { googleTokens } from '../credential/google.ts'
import type { Surroundings } from '../credential/surroundings.ts'
import { azureHost } from './azure.ts'
import { bedrockHost } from './bedrock.ts'
import type { UpstreamHost } from './host.ts'
import { vertexHost } from './vertex.ts'

/** The part of an upstream's config that is about its host. */
export interface HostConfig {
  readonly host: 'azure' | 'vertex' | 'bedrock'
  /** A key is sent as a header of the upstream, so that the host has no credential to find. */
  readonly keyed: boolean
  readonly azure?: { readonly api_version?: string; readonly entra?: EntraClient }
  readonly vertex?: {
    readonly project: string
    readonly location: string
    readonly credentials?: string
    readonly deny_betas?: readonly string[]
  }
  readonly bedrock?: {
    readonly region: string
    readonly access_key_id?: string
    readonly secret_access_key?: string
    readonly session_token?: string
    readonly profile?: string
    readonly deny_betas?: readonly string[]
  }
}

/** @throws TypeError when the config has no section for its host, which the config's checks rule out */
export function createHost({ host, keyed, azure, vertex, bedrock }: HostConfig, around: Surroundings): UpstreamHost {
  if (host === 'azure') return azureHost(azure?.api_version, keyed || !azure?.entra ? undefined : entraTokens(azure.entra, around))
  if (host === 'vertex' && vertex) return vertexHost(vertex, keyed ? undefined : googleTokens(vertex.credentials, around))
  if (host === 'bedrock' && bedrock) {
    if (keyed) return bedrockHost(bedrock, undefined)
    const named = bedrock.access_key_id !== undefined || bedrock.profile !== undefined
    const key = named ? undefined : around.env.AWS_BEARER_TOKEN_BEDROCK // as AWS's own clients do: before the chain
    return key ? bedrockHost(bedrock, undefined, key) : bedrockHost(bedrock, awsCredentials(bedrock, around))
  }
  throw new TypeError(`the config says nothing about ${host}`)
}
