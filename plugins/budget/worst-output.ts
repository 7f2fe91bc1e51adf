/**
 * The most output tokens that a request can cost, and where it says so. Each dialect spells it its own way.
 */

import type { Json, Operation } from 'headgate/plugin'

/** Pointers of the members that limit one choice, the one to set first; of those that say how many choices; and of the list each item of which gets as many. */
interface Spelling {
  readonly limits: readonly string[]
  readonly choices: readonly string[]
  readonly items: string | undefined
  /** Some of these words stand in a body that says anything of it. */
  readonly words: readonly Buffer[]
}
/** Letters of a name may be written as escapes; no word is found then. */
const escaped = Buffer.from('\\u00')
const spelling = (limits: readonly string[], choices: readonly string[] = [], items?: string): Spelling => ({
  limits,
  choices,
  items,
  words: [
    escaped,
    ...[...limits, ...choices, ...(items === undefined ? [] : [items])].map((at) => Buffer.from(`"${at.slice(at.lastIndexOf('/') + 1)}"`)),
  ],
})
/** Google takes both spellings of each member. */
const google = (camel: string, snake: string) =>
  ['generationConfig', 'generation_config'].flatMap((parent) => [`/${parent}/${camel}`, `/${parent}/${snake}`])
const spellings: Readonly<Partial<Record<Operation, Spelling>>> = {
  chat: spelling(['/max_completion_tokens', '/max_tokens'], ['/n']),
  completions: spelling(['/max_tokens'], ['/n', '/best_of'], '/prompt'),
  responses: spelling(['/max_output_tokens']),
  messages: spelling(['/max_tokens']),
  generate: spelling(google('maxOutputTokens', 'max_output_tokens'), google('candidateCount', 'candidate_count')),
  converse: spelling(['/inferenceConfig/maxTokens']),
}

/** What a request asks for. */
export interface Asked {
  /** Tokens per choice; undefined when it does not say. */
  readonly output: number | undefined
  readonly choices: number
  /** Where limits stand, or where one would. Empty where there is no output to limit. */
  readonly pointers: readonly string[]
}

interface Readable {
  readonly borrowed: Uint8Array
  readonly firstEdit: number
  at(pointer: string): Json | undefined
}

/** The limit that a request sets. The body is parsed only when it says something of it. */
export function askedOutput(operation: Operation, request: Readable): Asked {
  const known = spellings[operation]
  if (!known) return { output: undefined, choices: 1, pointers: [] }
  const { borrowed: bytes } = request
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  if (request.firstEdit < 0 && !known.words.some((word) => body.includes(word)))
    return { output: undefined, choices: 1, pointers: [known.limits[0]!] }
  let output: number | undefined
  const pointers: string[] = []
  for (const limit of known.limits) {
    const value = countOf(request.at(limit))
    if (value === undefined) continue
    output = Math.max(output ?? 0, value)
    pointers.push(limit)
  }
  let choices = 1
  for (const many of known.choices) choices = Math.max(choices, countOf(request.at(many)) ?? 1)
  if (known.items !== undefined) choices *= itemsOf(request.at(known.items))
  return { output, choices, pointers: pointers.length > 0 ? pointers : [known.limits[0]!] }
}

/** Whether a response is to be made after its reply has ended: what it used is said to nobody who pays, and it may be read for nothing. */
export function inBackground(operation: Operation, request: Readable): boolean {
  if (operation !== 'responses') return false
  const { borrowed: bytes } = request
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  if (request.firstEdit < 0 && !body.includes('"background"') && !body.includes(escaped)) return false
  return ![undefined, null, false].includes(request.at('/background') as null)
}

/** Prompts of one request; a list of numbers is the tokens of one. */
function itemsOf(value: Json | undefined): number {
  return Array.isArray(value) && typeof value[0] !== 'number' ? Math.max(1, value.length) : 1
}

/** Providers take 1.0 and 1e3 too, and some a number in a text. */
function countOf(value: Json | undefined): number | undefined {
  const count = typeof value === 'string' ? Number(value) : value
  return typeof count === 'number' && count >= 1 ? Math.ceil(count) : undefined
}
