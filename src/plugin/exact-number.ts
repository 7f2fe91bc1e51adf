/** A JSON number that is written with just these digits. */

import type { Json } from './request.ts'

declare global {
  interface JSON {
    rawJSON(text: string): unknown
    isRawJSON(value: unknown): boolean
  }
}

/**
 * A JSON value that is written as the decimal text itself: amounts of money are exact, and a float is not. Read back, it is a number like others.
 * @throws RangeError when the text is no plain decimal.
 */
export function exactNumber(text: string): Json {
  if (!/^-?(0|[1-9][0-9]*)(\.[0-9]+)?$/.test(text)) throw new RangeError(`${JSON.stringify(text)} is not a plain decimal number`)
  return JSON.rawJSON(text) as Json
}
