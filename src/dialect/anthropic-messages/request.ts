/** Requests of Messages to and from the neutral conversation. */

import type { RequestCodec } from '../codec.ts'
import { foreignBlocks } from './foreign.ts'
import { readMessagesRequest } from './read-request.ts'
import { writeMessagesRequest } from './write-request.ts'

export const messagesRequest: RequestCodec = { read: readMessagesRequest, write: writeMessagesRequest, foreign: foreignBlocks }
