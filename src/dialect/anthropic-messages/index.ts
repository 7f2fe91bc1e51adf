/** The dialect of Anthropic Messages, and its variant for counting tokens. */

import type { Dialect } from '../codec.ts'
import { renamingEncoder, renamingWhole } from '../renamed.ts'
import { readUpstreamError } from '../upstream-error.ts'
import { countTokensDialect } from './count-tokens.ts'
import { messagesDecoder, messagesEdge } from './decode.ts'
import { messagesEncoder } from './encode.ts'
import { messagesErrorBody, messagesErrorFrames } from './errors.ts'
import { messagesInteresting } from './interesting.ts'
import { messagesParts } from './parts.ts'
import { messagesRequest } from './request.ts'
import { decodeMessagesWhole, encodeMessagesWhole, messagesSummary } from './whole.ts'

export const anthropicMessages: Dialect = {
  name: 'anthropic-messages',
  family: 'anthropic',
  parts: messagesParts,
  prompt: { tools: ['tools'], system: ['system'], messages: ['messages'] },
  request: messagesRequest,
  interesting: messagesInteresting,
  terminal: 'end',
  decoder: messagesDecoder,
  encoder: renamingEncoder(messagesEncoder, ['/message/model']),
  blockEdge: messagesEdge,
  summary: messagesSummary,
  decodeWhole: renamingWhole(decodeMessagesWhole, ['/model']),
  encodeWhole: encodeMessagesWhole,
  errorBody: messagesErrorBody,
  errorFrames: messagesErrorFrames,
  readError: readUpstreamError,
}

export const anthropicCountTokens: Dialect = countTokensDialect(anthropicMessages)
