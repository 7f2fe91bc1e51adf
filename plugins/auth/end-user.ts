/** The end user that a request names, wherever its API has a place for one. Pure; anybody can make one up. */

import type { RequestView } from 'headgate/plugin'

const places = ['/safety_identifier', '/user', '/metadata/user_id'] as const
const longest = 256

/** Undefined when the body names none, or one that is no name. */
export function endUserOf(request: Pick<RequestView, 'at'>): string | undefined {
  for (const place of places) {
    const value = request.at(place)
    if (typeof value === 'string' && value !== '' && value.length <= longest && !/\p{Cc}/u.test(value)) return value
  }
  return undefined
}
