/**
 * JSON text with pieces that are JSON text already: how tool arguments and schemas get into a body without being parsed and printed.
 */

import type { Json } from '../plugin/request.ts'

/** JSON text that stands for itself. Whoever makes one vouches that it is valid. */
export class RawJson {
  constructor(readonly text: string) {}
}

/** A value that is written to a body. Members that are undefined are left out. */
export type Writable = Json | RawJson | undefined | readonly Writable[] | { readonly [key: string]: Writable }

/** The text of a value. @throws RangeError when it is nested too deep. */
export function writeJson(value: Writable): string {
  // a line break in JSON text is white space only, and would end the line of an SSE frame
  if (value instanceof RawJson)
    return value.text.includes('\n') || value.text.includes('\r') ? value.text.replace(/[\r\n]+/g, ' ') : value.text
  if (value === undefined) return 'null'
  if (value === null || typeof value !== 'object' || JSON.isRawJSON(value)) return JSON.stringify(value)
  let text = ''
  if (Array.isArray(value)) {
    for (const item of value as readonly Writable[]) text += `${text === '' ? '' : ','}${writeJson(item)}`
    return `[${text}]`
  }
  const object = value as { readonly [key: string]: Writable }
  for (const key of Object.keys(object)) {
    const member = object[key]
    if (member !== undefined) text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${writeJson(member)}`
  }
  return `{${text}}`
}

/** The text as a JSON object if it is one, `{}` for nothing; undefined for anything else: a model may write broken arguments. */
export function rawObject(text: string): RawJson | undefined {
  const trimmed = text.trim()
  if (trimmed === '') return new RawJson('{}')
  if (!trimmed.startsWith('{')) return undefined
  try {
    JSON.parse(trimmed)
    return new RawJson(trimmed)
  } catch {
    return undefined
  }
}
