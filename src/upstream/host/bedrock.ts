/**
 * Amazon Bedrock: Claude by `invoke`, every model by `converse` (PROTOCOL §1.10).
 *
 *   anthropic-messages  /model/M/invoke | /invoke-with-response-stream    body without model and stream, flags inside
 *   bedrock-converse    /model/M/converse | /converse-stream              body as it is
 *   counting            /model/M/count-tokens                             the body of either, wrapped
 *
 * Model ids and ARNs are encoded once on the wire. Calls are signed (SigV4) over the final bytes, or carry a bearer key, which is one of
 * the upstream's own headers. Streams come as AWS's event stream and leave as server-sent events.
 */

import { JsonDocument } from '../../json/document.ts'
import type { AwsCredentials } from '../credential/aws.ts'
import type { CredentialSource } from '../credential/source.ts'
import { noEdit } from './bearer.ts'
import { bedrockReplies } from './bedrock-replies.ts'
import { bedrockFlags, denyMore } from './beta-flags.ts'
import { type ClaudeHost, claudeBody, movedHeaders } from './claude-body.ts'
import { type HeaderEdit, type HostCall, HostError, type HostRequest, type PreparedCall, type UpstreamHost } from './host.ts'
import { segment } from './segment.ts'
import { signRequest } from './sigv4.ts'

export interface BedrockPlace {
  readonly region: string
  readonly deny_betas?: readonly string[]
}

/**
 * @param credentials absent: the credential is a header of the upstream, or `bearerKey`
 * @param bearerKey a Bedrock API key, sent instead of a signature
 */
export function bedrockHost(
  place: BedrockPlace,
  credentials: CredentialSource<AwsCredentials> | undefined,
  bearerKey?: string,
): UpstreamHost {
  const unsigned: HeaderEdit = bearerKey === undefined ? noEdit : { set: [['authorization', `Bearer ${bearerKey}`]] }
  const flags = denyMore(bedrockFlags, place.deny_betas ?? [])
  const claude: ClaudeHost = { version: 'bedrock-2023-05-31', flags, without: ['model', 'stream'] }
  return {
    name: 'bedrock',
    prepare(call) {
      if (call.operation === 'count_tokens') return counting(call, claude)
      const { dialect, stream } = call
      const headers = headersFor(stream)
      if (dialect === 'bedrock-converse') {
        return { path: modelPath(call.model, stream ? 'converse-stream' : 'converse'), body: call.body, headers }
      }
      if (dialect === 'bedrock-embeddings') return { path: modelPath(call.model, 'invoke'), body: call.body, headers }
      if (!dialect.startsWith('anthropic')) throw new HostError(`Bedrock does not serve the ${dialect} API.`)
      const { body, dropped } = claudeBody(call, claude)
      return {
        path: modelPath(call.model, stream ? 'invoke-with-response-stream' : 'invoke'),
        body: profiled(body, call),
        dropped,
        headers,
      }
    },
    authorize(request) {
      if (!credentials) return unsigned
      const keys = credentials.get()
      return keys instanceof Promise ? keys.then((ready) => sign(request, ready, place.region)) : sign(request, keys, place.region)
    },
    adapter: (call) => bedrockReplies(call, credentials),
  }
}

function headersFor(stream: boolean): HeaderEdit {
  const accept = stream ? 'application/vnd.amazon.eventstream' : 'application/json'
  return {
    remove: [...movedHeaders, profileHeader],
    set: [
      ['accept', accept],
      ['content-type', 'application/json'],
    ],
  }
}

/** A model id or ARN as one segment; one that was given encoded is not encoded twice. */
function modelPath(model: string, action: string): string {
  const id = model.replaceAll(/%3a/gi, ':').replaceAll(/%2f/gi, '/')
  return `/model/${segment(id)}/${action}`
}

const profileHeader = 'anthropic-user-profile-id'

/** Bedrock reads the profile of a user in the body only. */
function profiled(body: Uint8Array, { headers }: HostCall): Uint8Array {
  const id = headers.get(profileHeader)
  if (id === null) return body
  const document = new JsonDocument(body)
  if (document.at('/user_profile_id') === undefined) document.set('/user_profile_id', id)
  return document.output()
}

/** Inference profiles of regions have no count of their own: the model behind them has. */
const profile = /^(us|us-gov|eu|apac|au|ca|jp|sa|global)\./

function counting(call: HostCall, claude: ClaudeHost): PreparedCall {
  const path = modelPath(call.model.replace(profile, ''), 'count-tokens')
  const headers = headersFor(false)
  if (call.dialect === 'bedrock-converse') {
    const input = new JsonDocument(call.body)
    for (const name of ['inferenceConfig', 'guardrailConfig', 'performanceConfig', 'requestMetadata', 'serviceTier'])
      input.remove(`/${name}`)
    const text = Buffer.from(input.output()).toString()
    return { path, body: Buffer.from(`{"input":{"converse":${text}}}`), headers }
  }
  if (!call.dialect.startsWith('anthropic')) throw new HostError(`Bedrock does not count tokens of the ${call.dialect} API.`)
  const made = claudeBody(call, claude)
  const body = new JsonDocument(made.body)
  if (body.at('/max_tokens') === undefined) body.set('/max_tokens', 1) // a request to count has none, one to invoke must
  const input = Buffer.from(body.output()).toString('base64')
  return { path, body: Buffer.from(`{"input":{"invokeModel":{"body":"${input}"}}}`), headers, dropped: made.dropped }
}

/** AWS wants its own headers under the signature; what a client made up of them does not leave. */
function sign({ method, origin, path, headers, body, now }: HostRequest, keys: AwsCredentials, region: string): HeaderEdit {
  const foreign = [...headers.keys()].filter((name) => name.startsWith('x-amz-'))
  const type = headers.get('content-type')
  const signed = signRequest({
    method,
    host: origin.host,
    path,
    headers: type === null ? [] : [['content-type', type]],
    body,
    region,
    service: 'bedrock',
    keys,
    now,
  })
  return { remove: [...foreign, 'authorization'], ...signed }
}
