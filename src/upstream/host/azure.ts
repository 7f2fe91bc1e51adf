/**
 * Azure OpenAI: OpenAI's dialects below `/openai`, with deployments in the place of models (PROTOCOL §1.10).
 *
 * Two layouts: `/openai/v1/…` with the deployment as `model` in the body, and, when an API version is configured,
 * `/openai/deployments/<deployment>/…?api-version=`. The body is sent as it is. An `api-key` is one of the upstream's own headers; what is here is
 * the bearer token of Microsoft Entra.
 */

import type { AccessToken } from '../credential/oauth.ts'
import type { CredentialSource } from '../credential/source.ts'
import { bearer, noEdit, rejecting } from './bearer.ts'
import { type HostCall, HostError, type UpstreamHost } from './host.ts'
import { segment } from './segment.ts'

/** Path below the API's root, by dialect. */
const paths: Readonly<Record<string, string>> = {
  'openai-chat': '/chat/completions',
  'openai-responses': '/responses',
  'openai-responses-compact': '/responses/compact',
  'openai-completions': '/completions',
  'openai-embeddings': '/embeddings',
}

/** Dialects that Azure serves beside the deployments, with the model in the body, in either layout. */
const besideDeployments: ReadonlySet<string> = new Set(['openai-responses'])

/** Dialects that are in the v1 layout only, which every resource has (openai/codex#25939). */
const onlyV1: ReadonlySet<string> = new Set(['openai-responses-compact'])

/**
 * @param apiVersion absent: the v1 layout, which has none
 * @param tokens absent: the credential is a header of the upstream
 */
export function azureHost(apiVersion: string | undefined, tokens: CredentialSource<AccessToken> | undefined): UpstreamHost {
  return {
    name: 'azure',
    prepare: (call) => ({ path: pathOf(call, apiVersion), body: call.body }),
    authorize: () => (tokens ? bearer(tokens) : noEdit),
    ...(tokens && { adapter: () => rejecting(tokens) }),
  }
}

function pathOf({ dialect, model }: HostCall, apiVersion: string | undefined): string {
  const path = paths[dialect]
  if (path === undefined) throw new HostError(`Azure OpenAI does not serve the ${dialect} API.`)
  if (apiVersion === undefined || onlyV1.has(dialect)) return `/openai/v1${path}`
  const query = `?api-version=${encodeURIComponent(apiVersion)}`
  if (besideDeployments.has(dialect)) return `/openai${path}${query}`
  return `/openai/deployments/${segment(model)}${path}${query}`
}
