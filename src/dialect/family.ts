/**
 * The API families: which operations each has, at which paths, in which dialect.
 *
 * A mount serves a family under a prefix, an upstream speaks one below its base URL; both take the path suffixes from here. The base
 * URL of an OpenAI-speaking upstream ends with its version (`/v1`), that of an Anthropic-speaking one does not.
 */

import type { Operation } from '../plugin/exchange.ts'
import { countReply as messagesCountReply } from './anthropic-messages/count-tokens.ts'
import { anthropicCountTokens, anthropicMessages } from './anthropic-messages/index.ts'
import { bedrockConverse } from './bedrock-converse/index.ts'
import { bedrockEmbeddings } from './bedrock-embeddings/index.ts'
import type { CapabilityEdit } from './capability.ts'
import type { Dialect, Family } from './codec.ts'
import { cohereEmbed } from './cohere-embed/index.ts'
import { countReply, geminiBatchEmbed, geminiCountTokens, geminiEmbedContent, geminiGenerate, geminiPath } from './gemini/index.ts'
import { openaiChat } from './openai-chat/index.ts'
import { openaiCompletions } from './openai-completions/index.ts'
import { openaiEmbeddings } from './openai-embeddings/index.ts'
import { inputTokensReply } from './openai-responses/beside.ts'
import { openaiCompact, openaiInputTokens, openaiResponses } from './openai-responses/index.ts'

export interface OperationSpec {
  readonly operation: Operation
  /** Path of the POST, below the mount at our side and below the base URL at the upstream's. */
  readonly suffix: string
  readonly dialect: Dialect
  /** Where the model stands in the path (Gemini): the path of a call below the base URL, instead of `suffix`. */
  readonly path?: (model: string, stream: boolean) => string
  /** Gemini: the verbs of the path that mean it; one that begins with `stream` asks for a stream. */
  readonly verbs?: readonly string[]
  /** Only upstreams have it: no mount serves it. */
  readonly upstreamOnly?: true
  /** The reply to a request for a count of tokens, where this is one. */
  readonly counted?: (tokens: number) => string
  /** Its requests may go on from an earlier response, which its upstream keeps: they go where that is, and only for who made it. */
  readonly continues?: true
}

export interface FamilyApi {
  /** What upstreams name as `dialect` and mounts as `api`. */
  readonly name: string
  /** Whose manners it has: statuses, headers and the wording of errors. */
  readonly family: Family
  readonly operations: readonly OperationSpec[]
  /** Where its models differ from the defaults of its dialects. */
  readonly capabilities?: CapabilityEdit
}

export const families: Readonly<Record<Family, FamilyApi>> = {
  openai: {
    name: 'openai',
    family: 'openai',
    operations: [
      { operation: 'chat', suffix: '/chat/completions', dialect: openaiChat },
      { operation: 'responses', suffix: '/responses', dialect: openaiResponses, continues: true },
      { operation: 'responses', suffix: '/responses/compact', dialect: openaiCompact, continues: true },
      {
        operation: 'count_tokens',
        suffix: '/responses/input_tokens',
        dialect: openaiInputTokens,
        counted: inputTokensReply,
        continues: true,
      },
      { operation: 'completions', suffix: '/completions', dialect: openaiCompletions },
      { operation: 'embeddings', suffix: '/embeddings', dialect: openaiEmbeddings },
      // Cohere's own API, below /v2
      { operation: 'embed', suffix: '/embed', dialect: cohereEmbed, upstreamOnly: true },
    ],
  },
  anthropic: {
    name: 'anthropic',
    family: 'anthropic',
    operations: [
      { operation: 'messages', suffix: '/v1/messages', dialect: anthropicMessages },
      {
        operation: 'count_tokens',
        suffix: '/v1/messages/count_tokens',
        dialect: anthropicCountTokens,
        counted: messagesCountReply,
      },
      // the host makes the path
      { operation: 'converse', suffix: '/model/{model}/converse', dialect: bedrockConverse, upstreamOnly: true },
      { operation: 'embeddings', suffix: '/model/{model}/invoke', dialect: bedrockEmbeddings, upstreamOnly: true },
    ],
  },
  gemini: {
    name: 'gemini',
    family: 'gemini',
    operations: [
      {
        operation: 'generate',
        suffix: '/v1beta/models/{model}:generateContent',
        dialect: geminiGenerate,
        path: (model, stream) => geminiPath(model, stream ? 'streamGenerateContent?alt=sse' : 'generateContent'),
        verbs: ['generateContent', 'streamGenerateContent'],
      },
      {
        operation: 'count_tokens',
        suffix: '/v1beta/models/{model}:countTokens',
        dialect: geminiCountTokens,
        path: (model) => geminiPath(model, 'countTokens'),
        verbs: ['countTokens'],
        counted: countReply,
      },
      {
        operation: 'embeddings',
        suffix: '/v1beta/models/{model}:batchEmbedContents',
        dialect: geminiBatchEmbed,
        path: (model) => geminiPath(model, 'batchEmbedContents'),
        verbs: ['batchEmbedContents'],
      },
      {
        operation: 'embeddings',
        suffix: '/v1beta/models/{model}:embedContent',
        dialect: geminiEmbedContent,
        path: (model) => geminiPath(model, 'embedContent'),
        verbs: ['embedContent'],
      },
    ],
  },
}
