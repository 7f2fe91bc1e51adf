/** Neutral conversations as Responses requests, cut to what the upstream model understands (PROTOCOL §0.7, §1.1–1.4). Always stateless. */

import type { RequestCodec, WriteTarget } from '../codec.ts'
import type { Conversation } from '../conversation.ts'
import type { Writable } from '../json-text.ts'
import type { LossReport } from '../loss.ts'
import { foreignInResponses } from './foreign.ts'
import { readResponses } from './read.ts'
import { writeInput } from './write-input.ts'
import { writeParams } from './write-params.ts'
import { writeTools } from './write-tools.ts'

/** The body of the request. */
function writeResponses(conversation: Conversation, target: WriteTarget, report: LossReport): Writable {
  return {
    model: target.model,
    ...writeInput(conversation, target, report),
    ...writeTools(conversation, target, report),
    ...writeParams(conversation, target, report),
    ...(conversation.stream && { stream: true }),
  }
}

export const responsesRequest: RequestCodec = { read: readResponses, write: writeResponses, foreign: foreignInResponses }
