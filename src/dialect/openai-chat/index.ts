/** The dialect of OpenAI Chat Completions and of everything that calls itself compatible with it. */

import type { Dialect } from '../codec.ts'
import { renamingEncoder, renamingWhole } from '../renamed.ts'
import { readUpstreamError } from '../upstream-error.ts'
import { chatDecoder } from './decode.ts'
import { chatEncoder } from './encode.ts'
import { chatErrorFrames, openaiErrorBody } from './errors.ts'
import { foreignInChat } from './foreign.ts'
import { chatInteresting } from './interesting.ts'
import { chatParts } from './parts.ts'
import { readChat } from './read.ts'
import { chatSummary, decodeChatWhole } from './whole.ts'
import { encodeChatWhole } from './whole-encode.ts'
import { writeChat } from './write.ts'

export const openaiChat: Dialect = {
  name: 'openai-chat',
  family: 'openai',
  parts: chatParts,
  prompt: { tools: ['tools', 'functions'], system: [], messages: ['messages'] },
  request: { read: readChat, write: writeChat, foreign: foreignInChat },
  interesting: chatInteresting,
  terminal: 'stop',
  decoder: chatDecoder,
  encoder: renamingEncoder(chatEncoder, ['/model']),
  summary: chatSummary,
  decodeWhole: renamingWhole(decodeChatWhole, ['/model']),
  encodeWhole: encodeChatWhole,
  errorBody: openaiErrorBody,
  errorFrames: chatErrorFrames,
  readError: readUpstreamError,
}
