/** Errors in Bedrock's own form, `{message}`, and as the frame that its exceptions become in a stream (B17). */

import { errorCatalogue } from '../../errors.ts'
import type { WireError } from '../codec.ts'
import { jsonText } from '../shape.ts'
import { errorFrame } from './encode.ts'

/** The body of an HTTP error. */
export function converseErrorBody(error: WireError): string {
  return jsonText({ message: error.message })
}

/** The frame that ends a stream with an error. */
export function converseErrorFrames(error: WireError): string {
  return errorFrame(error.upstreamType ?? errorCatalogue[error.code].anthropic, error.message)
}
