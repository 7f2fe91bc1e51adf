/**
 * Requests of Converse. Only upstreams speak it, so that a body in it never comes from a client: reading one is refused.
 */

import type { RequestCodec } from '../codec.ts'
import { writeConverseRequest } from './write.ts'
import { dialectName } from './write-blocks.ts'

export const converseRequest: RequestCodec = {
  read(_, report) {
    report.refuse('messages', "Bedrock's Converse API is not served here: call this gateway in another dialect.")
    return { source: dialectName, stream: false, turns: [], tools: [], params: {}, names: {}, extras: [] }
  },
  write: writeConverseRequest,
  foreign: () => [],
}
