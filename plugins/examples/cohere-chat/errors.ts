/** Errors as Cohere tells them: `{id, message}`, and in a stream as a `message-end` that says ERROR. */

import { frameText, jsonText, type WireError } from 'headgate/dialect'

/** The body of an HTTP error. */
export function errorBody({ message, requestId }: WireError): string {
  return jsonText({ id: requestId, message })
}

/** The frame that ends a stream with an error. */
export function errorFrames({ message }: Pick<WireError, 'message'>): string {
  return frameText('message-end', jsonText({ type: 'message-end', delta: { finish_reason: 'ERROR', error: message } }))
}
