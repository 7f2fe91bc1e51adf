/**
 * What a reply tells a client, read by parsers of the tests' own, and what is wrong with how it tells it (PROTOCOL §1.5, §1.6, §4).
 *
 * Knows nothing of the gateway's codecs: what these find wrong, a strict SDK would find wrong too.
 */

export interface ToldCall {
  readonly id: string
  readonly name: string
  /** The arguments as a value; the text itself when it is no JSON. */
  readonly args: unknown
}

export interface Told {
  text: string
  reasoning: string
  calls: ToldCall[]
  /** `end`, `tool_calls`, `length`, `filter`; `none` when the reply says nothing. */
  stop: string
  /** Totals of each side, and of their parts. */
  usage: { input: number; output: number; cacheRead: number } | undefined
  /** The sentence of an error, in the body or in mid-stream. */
  error: string | undefined
  /** The reply ended as its dialect says. */
  complete: boolean
  /** Calls came in pieces that this parser does not put together (Vertex' `partialArgs`). */
  pieces?: boolean
  /** Breaches of the dialect. */
  readonly wrong: string[]
}

export function nothingTold(): Told {
  return { text: '', reasoning: '', calls: [], stop: 'none', usage: undefined, error: undefined, complete: false, wrong: [] }
}

export type Any = Record<string, never> & { readonly [key: string]: Any } & readonly Any[]

/** The frames of a stream of events, split with care for every line end. */
export function framesOf(text: string): { event: string | undefined; data: string }[] {
  const frames: { event: string | undefined; data: string }[] = []
  for (const block of text
    .replace(/^\ufeff/, '')
    .replace(/\r\n|\r/g, '\n')
    .split(/\n\n+/)) {
    let event: string | undefined
    const data: string[] = []
    for (const line of block.split('\n')) {
      if (line.startsWith('event:')) event = line.slice(6).trim()
      else if (line.startsWith('data:')) data.push(line.slice(line[5] === ' ' ? 6 : 5))
    }
    if (data.length > 0) frames.push({ event, data: data.join('\n') })
  }
  return frames
}

export function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Arguments as a value; nothing at all counts as no arguments. */
export function argsOf(text: string): unknown {
  return text.trim() === '' ? {} : (parse(text) ?? text)
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
export const text = (value: unknown): string => (typeof value === 'string' ? value : '')
export const count = (value: unknown): number => (typeof value === 'number' ? value : 0)
export const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])
export const object = (value: unknown): Record<string, unknown> => (isObject(value) ? value : {})
