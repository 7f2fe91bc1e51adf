/**
 * The dialect of OpenAI's legacy Completions: a bare prompt in, text out.
 *
 * Its requests are passed on to upstreams that have the endpoint, and translated for those that have not, as far as a conversation can
 * say the same. Nothing is translated into it.
 */

import type { Dialect } from '../codec.ts'
import { chatErrorFrames, openaiErrorBody } from '../openai-chat/errors.ts'
import { chatInteresting } from '../openai-chat/interesting.ts'
import { chatSummary } from '../openai-chat/whole.ts'
import { renamingEncoder, renamingWhole } from '../renamed.ts'
import { readUpstreamError } from '../upstream-error.ts'
import { completionsDecoder } from './decode.ts'
import { completionsEncoder } from './encode.ts'
import { completionsParts } from './parts.ts'
import { readCompletion } from './read.ts'
import { decodeCompletionsWhole, encodeCompletionsWhole } from './whole.ts'

export const openaiCompletions: Dialect = {
  name: 'openai-completions',
  family: 'openai',
  parts: completionsParts,
  request: {
    read: readCompletion,
    write(_, __, report) {
      report.refuse('model', 'The upstream of this model takes bare prompts only, not conversations.')
      return {}
    },
    foreign: () => [],
  },
  interesting: chatInteresting,
  terminal: 'stop',
  decoder: completionsDecoder,
  encoder: renamingEncoder(completionsEncoder, ['/model']),
  summary: chatSummary,
  decodeWhole: renamingWhole(decodeCompletionsWhole, ['/model']),
  encodeWhole: encodeCompletionsWhole,
  errorBody: openaiErrorBody,
  errorFrames: chatErrorFrames,
  readError: readUpstreamError,
}
