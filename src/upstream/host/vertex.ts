/**
 * Vertex AI: Gemini, Claude and OpenAI-shaped models below one project and location (PROTOCOL §1.10).
 *
 *   gemini              v1beta1/…/publishers/google/models/M:generateContent | :streamGenerateContent?alt=sse | :countTokens
 *   anthropic-messages  v1/…/publishers/anthropic/models/M:rawPredict | :streamRawPredict, and models/count-tokens:rawPredict
 *   openai-chat         v1/…/endpoints/openapi/chat/completions
 *
 * Claude's bodies lose `model` and gain `anthropic_version`. The beta flags that Vertex knows stand in the header, which it reads, and in the body, where
 * some of them must stand; both lists agree (H05).
 */

import type { GoogleToken } from '../credential/google.ts'
import type { CredentialSource } from '../credential/source.ts'
import { bearer, noEdit, rejecting } from './bearer.ts'
import { denyMore, vertexBodyOnly, vertexFlags } from './beta-flags.ts'
import { type ClaudeHost, claudeBody, movedHeaders } from './claude-body.ts'
import { type HostCall, HostError, type PreparedCall, type UpstreamHost } from './host.ts'
import { segment } from './segment.ts'

export interface VertexPlace {
  readonly project: string
  readonly location: string
  readonly deny_betas?: readonly string[]
}

const version = 'vertex-2023-10-16'

/** @param tokens absent: the credential is a header of the upstream */
export function vertexHost(place: VertexPlace, tokens: CredentialSource<GoogleToken> | undefined): UpstreamHost {
  const base = `/projects/${encodeURIComponent(place.project)}/locations/${encodeURIComponent(place.location)}`
  const flags = denyMore(vertexFlags, place.deny_betas ?? [])
  const claude: ClaudeHost = { version, flags, without: ['model'] }
  /** Counting names the model in the body. */
  const counting: ClaudeHost = { version, flags, without: [] }

  return {
    name: 'vertex',
    prepare(call) {
      if (call.dialect.startsWith('gemini')) return { path: `/v1beta1${base}${geminiPath(call)}`, body: call.body }
      if (call.dialect === 'openai-chat') return { path: `/v1${base}/endpoints/openapi/chat/completions`, body: call.body }
      if (!call.dialect.startsWith('anthropic')) throw new HostError(`Vertex AI does not serve the ${call.dialect} API.`)
      return prepareClaude(call, `/v1${base}/publishers/anthropic/models/`, call.operation === 'count_tokens' ? counting : claude)
    },
    authorize: () =>
      tokens ? bearer(tokens, ({ quotaProject }) => (quotaProject === undefined ? [] : [['x-goog-user-project', quotaProject]])) : noEdit,
    ...(tokens && { adapter: () => rejecting(tokens) }),
  }
}

function prepareClaude(call: HostCall, models: string, host: ClaudeHost): PreparedCall {
  const { body, dropped, flags } = claudeBody(call, host)
  const header = flags.filter((flag) => !vertexBodyOnly.test(flag)).join(',')
  const path =
    call.operation === 'count_tokens'
      ? `${models}count-tokens:rawPredict`
      : `${models}${modelSegment(call.model)}:${call.stream ? 'streamRawPredict' : 'rawPredict'}`
  return { path, body, dropped, headers: { remove: movedHeaders, set: header === '' ? [] : [['anthropic-beta', header]] } }
}

function geminiPath({ body, operation, model, stream }: HostCall): string {
  const name = model.replace(/^models\//, '')
  // tuned models and those of other publishers are named by a path of their own
  const where = /^(publishers|endpoints)\//.test(name)
    ? `/${name.split('/').map(modelSegment).join('/')}`
    : `/publishers/google/models/${modelSegment(name)}`
  if (operation === 'count_tokens') return `${where}:countTokens`
  // models before the second generation have the older call, whose body names instances
  if (operation === 'embeddings')
    return `${where}:${Buffer.from(body.subarray(0, 64)).includes('"instances"') ? 'predict' : 'embedContent'}`
  return stream ? `${where}:streamGenerateContent?alt=sse` : `${where}:generateContent`
}

/** One segment of a path. `@` stands in names of versions and may stand in a path as it is. */
function modelSegment(name: string): string {
  return segment(name).replaceAll('%40', '@')
}
