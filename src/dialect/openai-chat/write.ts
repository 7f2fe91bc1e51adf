/** Neutral conversations as Chat Completions requests, cut to what the upstream model understands (PROTOCOL §0.7, §1.1–1.4). */

import type { WriteTarget } from '../codec.ts'
import type { Conversation } from '../conversation.ts'
import type { Writable } from '../json-text.ts'
import type { LossReport } from '../loss.ts'
import { writeMessages } from './write-messages.ts'
import { writeParams } from './write-params.ts'
import { writeTools } from './write-tools.ts'

/** The body of the request. Usage is always asked for on streams: the client gets it only if it asked, too. */
export function writeChat(conversation: Conversation, target: WriteTarget, report: LossReport): Writable {
  const { stream } = conversation
  return {
    model: target.model,
    messages: writeMessages(conversation, target, report),
    ...writeTools(conversation, target, report),
    ...writeParams(conversation, target, report),
    ...(stream && { stream: true }),
    ...(stream && target.can.streamUsage && { stream_options: { include_usage: true } }),
  }
}
