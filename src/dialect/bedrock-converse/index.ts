/** The dialect of Bedrock's `converse` and `converse-stream`. Upstreams speak it, clients do not. */

import type { Dialect } from '../codec.ts'
import { readUpstreamError } from '../upstream-error.ts'
import { converseDecoder } from './decode.ts'
import { converseEncoder } from './encode.ts'
import { converseErrorBody, converseErrorFrames } from './errors.ts'
import { converseInteresting } from './interesting.ts'
import { converseParts } from './parts.ts'
import { converseRequest } from './request.ts'
import { converseSummary, decodeConverseWhole, encodeConverseWhole } from './whole.ts'

export const bedrockConverse: Dialect = {
  name: 'bedrock-converse',
  // errors of a stream come in Anthropic's words
  family: 'anthropic',
  parts: converseParts,
  prompt: { tools: [], system: ['system'], messages: ['messages'] },
  request: converseRequest,
  // usage comes after messageStop, so that the stop can't be taken for the end of the stream
  terminal: 'stop',
  interesting: converseInteresting,
  decoder: converseDecoder,
  encoder: converseEncoder,
  summary: converseSummary,
  decodeWhole: decodeConverseWhole,
  encodeWhole: encodeConverseWhole,
  errorBody: converseErrorBody,
  errorFrames: converseErrorFrames,
  readError: readUpstreamError,
}
