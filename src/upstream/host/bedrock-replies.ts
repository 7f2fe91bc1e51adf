/**
 * Bedrock's replies as those of the dialect: event streams as server-sent events, counts in Anthropic's words, statuses that mean what they say.
 *
 * A rejected signature or key comes as a 403, which for us is a 401: it is our credential, not what the client may do.
 */

import type { AwsCredentials } from '../credential/aws.ts'
import type { CredentialSource } from '../credential/source.ts'
import { converseTranscoder, invokeTranscoder } from './event-stream-sse.ts'
import type { AdaptedHead, HostCall, ReplyAdapter, Transcoder } from './host.ts'

/** Errors of AWS that are about the credential itself. */
const ofCredential: ReadonlySet<string> = new Set([
  'UnrecognizedClientException',
  'InvalidClientTokenId',
  'InvalidSignatureException',
  'SignatureDoesNotMatch',
  'IncompleteSignatureException',
  'IncompleteSignature',
  'MissingAuthenticationTokenException',
  'MissingAuthenticationToken',
  'ExpiredTokenException',
  'ExpiredToken',
  'RequestExpired',
])

/** @param credentials those of the upstream, when calls are signed */
export function bedrockReplies(call: HostCall, credentials: CredentialSource<AwsCredentials> | undefined): ReplyAdapter {
  const claude = call.dialect.startsWith('anthropic')
  return {
    reads: ['content-type', 'x-amzn-errortype', 'x-amzn-requestid', tokenCount],
    head(status, headers): AdaptedHead {
      const requestId = headers.get('x-amzn-requestid')
      if (requestId !== null) headers.set('x-request-id', requestId)
      if (status === 403 || status === 401) {
        const mine = status === 401 || ofCredential.has(errorType(headers))
        if (mine) credentials?.rejected()
        return { status: mine ? 401 : 403 }
      }
      if (status === 424) return { status: 502 } // the model failed: nothing that the client did
      if (status !== 200) return { status }
      if (call.dialect === 'bedrock-embeddings') return { status, transcoder: countedTranscoder(headers.get(tokenCount)) }
      if (call.operation === 'count_tokens') return { status, transcoder: claude ? countTranscoder() : undefined }
      if (headers.get('content-type')?.startsWith('application/vnd.amazon.eventstream') !== true) return { status }
      headers.set('content-type', 'text/event-stream')
      return { status, transcoder: claude ? invokeTranscoder() : converseTranscoder() }
    },
  }
}

/** `ThrottlingException:http://…` without what follows the name. */
function errorType(headers: Headers): string {
  return /^[A-Za-z.]+/.exec(headers.get('x-amzn-errortype') ?? '')?.[0] ?? ''
}

/** Header with the tokens of the input; of most embeddings nothing else tells them. */
const tokenCount = 'x-amzn-bedrock-input-token-count'

/** Puts the count into the reply, in the word that Titan has for it. */
function countedTranscoder(count: string | null): Transcoder | undefined {
  if (count === null || !/^[0-9]{1,15}$/.test(count)) return undefined
  let begun = false
  return {
    push(chunk) {
      if (begun || chunk.length === 0) return chunk
      begun = true
      // of duplicate members the last counts: a model's own figure wins
      return chunk[0] === 0x7b ? Buffer.concat([Buffer.from(`{"inputTextTokenCount":${Number(count)},`), chunk.subarray(1)]) : chunk
    },
    end: () => nothing,
  }
}

const maxCount = 64 * 1024
const nothing = new Uint8Array()

/** `{"inputTokens": n}` → `{"input_tokens": n}`. */
function countTranscoder(): Transcoder {
  const chunks: Uint8Array[] = []
  let size = 0
  return {
    push(chunk) {
      size += chunk.length
      if (size > maxCount) throw new Error('a count of tokens cannot be that long')
      chunks.push(chunk)
      return nothing
    },
    end() {
      const body = Buffer.concat(chunks)
      const { inputTokens } = JSON.parse(body.toString()) as { inputTokens?: unknown }
      return typeof inputTokens === 'number' ? Buffer.from(`{"input_tokens":${inputTokens}}`) : body
    },
  }
}
