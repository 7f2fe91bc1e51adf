/** The dialects of OpenAI Responses, and of the calls beside it. */

import type { Dialect } from '../codec.ts'
import { openaiErrorBody } from '../openai-chat/errors.ts'
import { renamingEncoder, renamingWhole } from '../renamed.ts'
import { readUpstreamError } from '../upstream-error.ts'
import { compactDialect, inputTokensDialect } from './beside.ts'
import { responsesDecoder, responsesEdge } from './decode.ts'
import { responsesEncoder } from './encode.ts'
import { encodeResponsesWhole } from './encode-whole.ts'
import { responsesErrorFrames } from './errors.ts'
import { responsesInteresting } from './interesting.ts'
import { responsesParts } from './parts.ts'
import { decodeResponsesWhole, responsesSummary } from './whole.ts'
import { responsesRequest } from './write.ts'

export const openaiResponses: Dialect = {
  name: 'openai-responses',
  family: 'openai',
  parts: responsesParts,
  prompt: { tools: ['tools'], system: ['instructions'], messages: ['input'] },
  request: responsesRequest,
  interesting: responsesInteresting,
  terminal: 'end',
  decoder: responsesDecoder,
  encoder: renamingEncoder(responsesEncoder, ['/response/model']),
  blockEdge: responsesEdge,
  summary: responsesSummary,
  decodeWhole: renamingWhole(decodeResponsesWhole, ['/model']),
  encodeWhole: encodeResponsesWhole,
  errorBody: openaiErrorBody,
  errorFrames: responsesErrorFrames,
  readError: readUpstreamError,
}

/** `POST /responses/compact`. */
export const openaiCompact: Dialect = compactDialect(openaiResponses)
/** `POST /responses/input_tokens`. */
export const openaiInputTokens: Dialect = inputTokensDialect(openaiResponses)
