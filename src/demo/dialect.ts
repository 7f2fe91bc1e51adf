/**
 * What the demo server needs of a dialect: read a question, write an answer whole or as frames, spell an error.
 *
 * A new dialect is one file with one such object, added to the list in `server.ts`. Shapes only.
 */

import type { Answer, Question } from './answer.ts'
import type { Fields } from './fields.ts'

/** One piece of a stream: its SSE text, and the pause before it. */
export interface Frame {
  readonly text: string
  /** `first` = the thinking time before the first word, `word` = the time of one word, `none` = at once. */
  readonly pause: 'none' | 'first' | 'word'
}

/** A mistake of the client, before a dialect gives it its shape. */
export interface Mistake {
  readonly status: number
  readonly kind: 'invalid' | 'not_found' | 'method'
  readonly message: string
  /** The body field that is wrong, if one is. */
  readonly param?: string
}

export interface DemoDialect {
  /** Paths of a POST that this dialect answers. */
  readonly paths: readonly string[]
  /** What a path says of the request, where it is one of this dialect and the body does not: it then stands in the body. */
  named?(path: string): { readonly model: string; readonly stream: boolean } | undefined
  /** The answer to what is no question to a model, such as texts to embed; undefined for the others. */
  direct?(path: string, body: Fields): Fields | Mistake | undefined
  /** Reads a body that is a JSON object and names the demo model. This and the next ones: absent where all is answered directly. */
  read?(body: Fields): Question | Mistake
  /** The answer to a POST on a path that counts instead of answering; undefined for the others. */
  count?(path: string, question: Question): unknown
  whole?(answer: Answer, body: Fields): unknown
  frames?(answer: Answer, body: Fields): Iterable<Frame>
  error(mistake: Mistake): unknown
}

export function isMistake(value: Question | Mistake | Fields): value is Mistake {
  return 'status' in value && 'kind' in value
}

/** A mistake in the body. */
export function invalid(message: string, param?: string): Mistake {
  return { status: 400, kind: 'invalid', message, ...(param === undefined ? {} : { param }) }
}

/** An id of 24 hex digits after a prefix. */
export function newId(prefix: string): string {
  return prefix + crypto.randomUUID().replaceAll('-', '').slice(0, 24)
}
