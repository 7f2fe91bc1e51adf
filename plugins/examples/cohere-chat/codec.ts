/** The codec: one object with all that the gateway needs to know of the wire format. */

import { type Dialect, readUpstreamError } from 'headgate/dialect'
import { decoder } from './decode.ts'
import { encoder } from './encode.ts'
import { errorBody, errorFrames } from './errors.ts'
import { interesting } from './interesting.ts'
import { parts } from './parts.ts'
import { readRequest } from './read.ts'
import { decodeWhole, encodeWhole, summary } from './whole.ts'
import { writeRequest } from './write.ts'

export const cohereChat: Dialect = {
  name: 'cohere-chat',
  // its statuses are OpenAI's
  family: 'openai',
  parts,
  // the API has no field for proofs, so that none of another provider can stand in a request
  request: { read: readRequest, write: writeRequest, foreign: () => [] },
  terminal: 'end',
  interesting,
  decoder,
  encoder,
  summary,
  decodeWhole,
  encodeWhole,
  errorBody,
  errorFrames,
  readError: readUpstreamError,
}
