/** Names in paths: encoded once, so that whatever a client calls a model, the call stays where the config says. */

import { HostError } from './host.ts'
import { encode } from './sigv4.ts'

/**
 * A name as one segment of a path.
 * @throws HostError for what no encoding makes a name: nothing, dots that would climb, half a character
 */
export function segment(name: string): string {
  if (name === '' || name === '.' || name === '..' || !name.isWellFormed()) {
    throw new HostError(`${JSON.stringify(name)} can't be the name of a model.`)
  }
  return encode(name)
}
