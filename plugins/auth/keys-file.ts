/**
 * The form of the keys file: `{ "version": 1, "keys": [ … ] }`, and the check that a text has it.
 *
 * A broken file is refused whole, with the place and the mistake; half a key list would lock people out silently.
 */

import { fieldProblem } from './key-fields.ts'
import type { KeyRecord } from './keys.ts'

/**
 * The keys of a keys file's text.
 * @param from its name, for messages.
 * @throws Error that names file, key and field; never the value.
 */
export function decodeKeys(text: string, from: string): KeyRecord[] {
  const wrong = (what: string): Error => new Error(`${from}: ${what}`)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw wrong('is not JSON')
  }
  if (!isObject(value) || !Array.isArray(value.keys)) throw wrong('is not a keys file: it has no list "keys"')
  if (value.version !== 1) throw wrong('has another version than 1')
  const seen = new Set<string>()
  return value.keys.map((entry: unknown, index) => {
    const problem = keyProblem(entry)
    if (problem) throw wrong(`keys[${index}]${problem}`)
    const key = entry as KeyRecord
    for (const name of [`id ${key.id}`, `prefix ${key.prefix}`]) {
      if (seen.has(name)) throw wrong(`keys[${index}] has the same ${name} as an earlier key`)
      seen.add(name)
    }
    return key
  })
}

/** What is wrong with one entry; undefined when nothing is. */
function keyProblem(entry: unknown): string | undefined {
  if (!isObject(entry)) return ' is not an object'
  for (const field of ['id', 'name', 'prefix', 'salt', 'hash', 'created']) {
    if (typeof entry[field] !== 'string' || (entry[field] === '' && field !== 'name')) return `.${field} must be a text`
  }
  if (!/^[0-9a-f]{64}$/.test(entry.hash as string)) return '.hash must be 64 hex digits'
  return fieldProblem(entry, true)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
