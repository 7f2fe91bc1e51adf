/** Makes the refusals that plugins ask for, in hooks and in handlers of routes; a code or status that does not exist is the author's mistake. */

import { errorCatalogue } from '../errors.ts'
import type { RefusalCode } from '../plugin/refusal.ts'
import type { Refusal, RefusalOptions } from '../plugin/reply.ts'

/** @throws what `misuse` makes when there is no such code, or the status is none of an error */
export function makeRefusal(
  code: RefusalCode,
  options: RefusalOptions | string = {},
  misuse: (what: string) => Error = (what) => new Error(what),
): Refusal {
  const entry = errorCatalogue[code]
  if (!entry) throw misuse(`refuse(${JSON.stringify(code)}): no such code`)
  if (typeof options === 'string') return { type: 'refusal', code, message: options }
  const { status } = options
  if (status !== undefined && !(Number.isInteger(status) && status >= 400 && status <= 599))
    throw misuse(`refuse(${JSON.stringify(code)}): ${status} is no status of an error`)
  return { type: 'refusal', code, ...options, message: options.message ?? entry.message }
}
