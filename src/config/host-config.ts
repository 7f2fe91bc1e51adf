// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${…} is the notation of the config file
/**
 * What gateway.yaml may say about a host that wraps a dialect (Azure, Vertex, Bedrock), and what follows from it: the base URL, the endpoints.
 *
 * Names are those of the hosts' own documentation. Mistakes between fields are in `check-host.ts`.
 */

import { Type } from 'typebox'
import { Secret } from '../plugin/units.ts'
import { Texts } from './kinds.ts'

const strict = { additionalProperties: false } as const

export const hosts = ['azure', 'vertex', 'bedrock'] as const
export type HostName = (typeof hosts)[number]

/** Part of a host name or of a path: nothing that would lead elsewhere. */
const label = '^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$'
const text = (description: string) => Type.String({ minLength: 1, description })
const denyBetas = Type.Optional(
  Texts({ description: 'Beta flags of Claude that this host refuses besides those known to the gateway, with or without their date.' }),
)

/** The members of an upstream that are about its host. */
export const hostFields = {
  host: Type.Optional(
    Type.Enum(hosts, {
      description:
        'Who serves the dialect when it is not its own provider: azure (openai), vertex (gemini, anthropic, openai) or bedrock (anthropic). Then `base_url` need not be written.',
    }),
  ),
  azure: Type.Optional(
    Type.Object(
      {
        resource: Type.Optional(
          Type.String({ pattern: label, description: 'Name of the Azure OpenAI resource: https://<resource>.openai.azure.com.' }),
        ),
        api_version: Type.Optional(
          Type.String({
            minLength: 1,
            description: 'Use the paths /openai/deployments/<model>/… of this API version instead of /openai/v1/….',
          }),
        ),
        entra: Type.Optional(
          Type.Object(
            {
              tenant: text('Directory (tenant) id.'),
              client_id: text('Application (client) id.'),
              client_secret: Secret({ description: 'Secret of the application: ${env:NAME}.' }),
            },
            { ...strict, description: 'Sign in with Microsoft Entra instead of `key`.' },
          ),
        ),
      },
      { ...strict, description: 'For host: azure. Models are names of deployments. The credential is `key` or `entra`.' },
    ),
  ),
  vertex: Type.Optional(
    Type.Object(
      {
        project: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9.:-]*$', description: 'Id of the Google Cloud project.' }),
        location: Type.String({ pattern: label, description: 'A region such as us-east5, a multi-region (us, eu) or global.' }),
        credentials: Type.Optional(
          Secret({
            description:
              'JSON of a service account or user credential, or the path of its file: ${file:/run/secrets/google.json}. By default GOOGLE_APPLICATION_CREDENTIALS, the login of gcloud, or the metadata server of the machine.',
          }),
        ),
        deny_betas: denyBetas,
      },
      { ...strict, description: 'For host: vertex.' },
    ),
  ),
  bedrock: Type.Optional(
    Type.Object(
      {
        region: Type.String({ pattern: label, description: 'AWS region, for example us-east-1.' }),
        api: Type.Optional(
          Type.Enum(['invoke', 'converse'], {
            description: 'invoke (default): Claude in its own dialect. converse: the API of all models, to which requests are translated.',
          }),
        ),
        access_key_id: Type.Optional(text('Access key. Without it and `profile` the usual chain of AWS is followed.')),
        secret_access_key: Type.Optional(Secret({ description: 'Secret of the access key: ${env:NAME}.' })),
        session_token: Type.Optional(Secret({ description: 'Session token of temporary credentials.' })),
        profile: Type.Optional(text('Profile of the shared AWS files.')),
        deny_betas: denyBetas,
      },
      { ...strict, description: 'For host: bedrock. `key` is a Bedrock API key, which replaces AWS credentials.' },
    ),
  ),
}

/** What of an upstream these functions look at. */
export interface HostedUpstream {
  readonly dialect: string
  readonly host?: HostName
  readonly base_url?: string
  readonly azure?: { readonly resource?: string }
  readonly vertex?: { readonly location: string }
  readonly bedrock?: { readonly region: string; readonly api?: 'invoke' | 'converse' }
}

/** Where the host is, unless the file says so; undefined when it can't be told. */
export function hostUrl({ host, azure, vertex, bedrock }: HostedUpstream): string | undefined {
  if (host === 'azure') return azure?.resource === undefined ? undefined : `https://${azure.resource}.openai.azure.com`
  if (host === 'bedrock' && bedrock) {
    return `https://bedrock-runtime.${bedrock.region}.amazonaws.com${bedrock.region.startsWith('cn-') ? '.cn' : ''}`
  }
  if (host !== 'vertex' || !vertex) return undefined
  const { location } = vertex
  if (location === 'global') return 'https://aiplatform.googleapis.com'
  // multi-regions have names of their own
  if (location === 'us' || location === 'eu') return `https://aiplatform.${location}.rep.googleapis.com`
  return `https://${location}-aiplatform.googleapis.com`
}

/** The endpoints of a host, unless the file names them; undefined where those of the dialect are right. */
export function hostApis({ host, dialect, bedrock }: HostedUpstream) {
  if (host === 'azure') return ['chat', 'responses', 'completions', 'embeddings'] as const
  if (host === 'vertex' && dialect === 'openai') return ['chat'] as const
  if (host === 'bedrock')
    return bedrock?.api === 'converse' ? (['converse', 'embeddings'] as const) : (['messages', 'count_tokens', 'embeddings'] as const)
  return undefined
}
