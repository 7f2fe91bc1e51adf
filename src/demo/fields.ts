/**
 * Reading fields of JSON that a stranger sent: each function gives the wanted kind of value or its empty form.
 *
 * Owns nothing but these narrowings. It never throws and never converts one kind into another.
 */

export type Fields = Readonly<Record<string, unknown>>

const none: Fields = Object.freeze({})

/** True for JSON objects: not null, not an array. */
export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The object, or an empty one. */
export function fields(value: unknown): Fields {
  return isFields(value) ? value : none
}

/** The array, or an empty one. */
export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

/** The string, or `''`. */
export function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** The positive whole number, or undefined. */
export function count(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 ? value : undefined
}

/** The text of message content in any family: a string, or the text of its text parts, one line each. */
export function contentText(content: unknown): string {
  if (typeof content === 'string') return content
  const found: string[] = []
  for (const part of list(content)) {
    const one = text(fields(part).text)
    if (one !== '') found.push(one)
  }
  return found.join('\n')
}
