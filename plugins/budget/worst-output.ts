/**
 * The most output tokens that a request can cost, and where it says so. Each dialect spells it its own way.
 */

import type { Json, Operation } from 'headgate/plugin'

/** Pointers of the members that limit one choice, the one to set first; and of those that multiply choices. */
interface Spelling {
  readonly limits: readonly string[]
  readonly choices: readonly string[]
  /** Some of these words stand in a body that says anything of it. */
  readonly words: readonly Buffer[]
}
const spelling = (limits: readonly string[], choices: readonly string[] = []): Spelling => ({
  limits,
  choices,
  words: [...limits, ...choices].map((pointer) => Buffer.from(`"${pointer.slice(pointer.lastIndexOf('/') + 1)}"`)),
})
const spellings: Readonly<Partial<Record<Operation, Spelling>>> = {
  chat: spelling(['/max_completion_tokens', '/max_tokens'], ['/n']),
  completions: spelling(['/max_tokens'], ['/n', '/best_of']),
  responses: spelling(['/max_output_tokens']),
  messages: spelling(['/max_tokens']),
  generate: spelling(['/generationConfig/maxOutputTokens', '/generation_config/max_output_tokens'], ['/generationConfig/candidateCount']),
  converse: spelling(['/inferenceConfig/maxTokens']),
}

/** What a request asks for. */
export interface Asked {
  /** Tokens per choice; undefined when it does not say. */
  readonly output: number | undefined
  readonly choices: number
  /** Where the limit stands, or would. Undefined where there is no output to limit. */
  readonly pointer: string | undefined
}

interface Readable {
  readonly bytes: Uint8Array
  readonly firstEdit: number
  at(pointer: string): Json | undefined
}

/** The limit that a request sets. The body is parsed only when it says something of it. */
export function askedOutput(operation: Operation, request: Readable): Asked {
  const known = spellings[operation]
  if (!known) return { output: undefined, choices: 1, pointer: undefined }
  const { bytes } = request
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  if (request.firstEdit < 0 && !known.words.some((word) => body.includes(word)))
    return { output: undefined, choices: 1, pointer: known.limits[0]! }
  let output: number | undefined
  let pointer = known.limits[0]!
  for (const limit of known.limits) {
    const value = countOf(request.at(limit))
    if (value === undefined || (output !== undefined && value <= output)) continue
    output = value
    pointer = limit
  }
  let choices = 1
  for (const many of known.choices) choices = Math.max(choices, countOf(request.at(many)) ?? 1)
  return { output, choices, pointer }
}

/** Providers take 1.0 and 1e3 too. */
function countOf(value: Json | undefined): number | undefined {
  return typeof value === 'number' && value >= 1 ? Math.ceil(value) : undefined
}
