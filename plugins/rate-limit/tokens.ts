/**
 * How many tokens a request may use, guessed before it is sent, and how many it has used.
 *
 * The guess needs no tokenizer: four bytes of text are a token, and the output is as long as it may get. It only has to be near, for settlement
 * corrects it. Linear in the size of the body; the body is parsed only when it says how long the output may be, or holds pictures.
 */

import { type Catalog, type Exchange, everyUsage, inputTokens, type Json, type Outcome, outputTokens, type Usage } from 'headgate/plugin'

/** What a request reserves, in tokens. */
export interface Reserve {
  readonly input: number
  readonly output: number
}

/** Bytes per token of text. */
const bytesPerToken = 4
/**
 * Bytes per token of a stream, most of which is the frames around the words: recorded replies of all APIs have 40 to 200, hardly any fewer than this.
 */
const bytesPerStreamedToken = 16
/** Bytes per token of what is no text: pictures and documents of usual size come out near what providers count. */
const bytesPerMediaToken = 256
/** Below this many bytes nobody sends a picture worth looking for. */
const smallBody = 16 * 1024
/** What a body with pictures, sound or documents says. */
const mediaWords = ['base64', 'inlineData', 'inline_data', 'input_audio', 'file_data'].map((word) => Buffer.from(word))

/** Where each kind of body says how long the output may be, and how many choices it asks for. */
type Limits = (body: { readonly [key: string]: Json }) => { readonly output: readonly Said[]; readonly choices?: readonly Said[] }
type Said = Json | undefined
interface Spelling {
  readonly words: readonly Buffer[]
  readonly read: Limits
}
const spelling = (words: readonly string[], read: Limits): Spelling => ({ words: words.map((word) => Buffer.from(`"${word}"`)), read })
const member = (value: Json | undefined, name: string): Json | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as { readonly [key: string]: Json })[name] : undefined
/** Some providers heed the one limit, and some the other: what both allow may come. */
const chat = spelling(['max_completion_tokens', 'max_tokens', 'n'], (b) => ({
  output: [b.max_completion_tokens, b.max_tokens],
  choices: [b.n],
}))
const spellings: Readonly<Record<string, Spelling>> = {
  chat,
  completions: spelling(['max_tokens', 'n', 'best_of'], (b) => ({ output: [b.max_tokens], choices: [b.n, b.best_of] })),
  responses: spelling(['max_output_tokens'], (b) => ({ output: [b.max_output_tokens] })),
  messages: spelling(['max_tokens'], (b) => ({ output: [b.max_tokens] })),
  generate: spelling(['maxOutputTokens', 'candidateCount'], (b) => ({
    output: [member(b.generationConfig, 'maxOutputTokens')],
    choices: [member(b.generationConfig, 'candidateCount')],
  })),
  converse: spelling(['maxTokens'], (b) => ({ output: [member(b.inferenceConfig, 'maxTokens')] })),
}

/** Output that neither the request, nor the operator, nor the catalogue says anything of. */
const usualOutput = 4096

/** What the request may use at most; undefined when it is of a kind that uses no tokens. `unsaid`: output of requests that do not say how much it may be. */
export function reserveOf(x: Pick<Exchange, 'operation' | 'request'>, catalog: Catalog, unsaid: number | undefined): Reserve | undefined {
  const { operation, request } = x
  if (operation === 'embeddings') return { input: inputOf(request), output: 0 }
  const known = spellings[operation]
  if (known === undefined) return undefined
  const most = catalog.find(request.model)?.maxOutput
  const said = request.firstEdit >= 0 || mayHold(asBuffer(request.borrowed), known.words) ? known.read(request.json) : undefined
  const each = Math.min(largest(said?.output) ?? unsaid ?? most ?? usualOutput, most ?? Number.POSITIVE_INFINITY)
  return { input: inputOf(request), output: Math.min(each * Math.max(1, largest(said?.choices) ?? 1), tooMany) }
}

/** Whether a body may hold a member with one of these names: JSON may spell a letter of it as an escape, `max\u005ftokens`. */
function mayHold(bytes: Buffer, words: readonly Buffer[]): boolean {
  if (words.some((word) => bytes.includes(word))) return true
  return bytes.includes(escaped) && escapedLetters.some((letter) => bytes.includes(letter))
}

const escaped = Buffer.from('\\u00')
const escapedLetters = ['4', '5', '6', '7'].map((digit) => Buffer.from(`\\u00${digit}`))

/** The largest count among what a body says; undefined when it says none. */
function largest(said: readonly Said[] | undefined): number | undefined {
  let found: number | undefined
  for (const one of said ?? nothing) {
    const n = count(one)
    if (n !== undefined && (found === undefined || n > found)) found = n
  }
  return found
}

const nothing: readonly Said[] = []

/** What the input may be: its bytes by four; of a body with pictures the texts by four, and the rest as pictures. */
function inputOf(request: Exchange['request']): number {
  const { borrowed: bytes } = request
  const all = asBuffer(bytes)
  if (bytes.length < smallBody || !mediaWords.some((word) => all.includes(word))) return Math.ceil(bytes.length / bytesPerToken)
  let text = 0
  for (const part of request.parts()) text += part.text.length
  text = Math.min(text, bytes.length)
  return Math.ceil(text / bytesPerToken) + Math.ceil((bytes.length - text) / bytesPerMediaToken)
}

/**
 * What an exchange has used: the usage that its upstream calls reported, wasted calls included. Where the reply that the client got came
 * without, or only with a part of it, because the client left or the upstream says none: the input as reserved, and of the output what was sent.
 */
export function usedTokens(outcome: Outcome, reserve: Reserve): number {
  const { served, continued = [] } = outcome
  const given = served ? [served, ...continued] : []
  let used = 0
  for (const attempt of outcome.attempts) if (attempt.usage && !given.includes(attempt)) used += tokensOf(attempt.usage)
  // of several calls that went on with one reply each is counted with what it said of that
  let left = outcome.bytesOut / (outcome.stream ? bytesPerStreamedToken : bytesPerToken)
  for (const attempt of given) {
    const said = attempt === given.at(-1) ? left : Math.min(left, attempt.delivered ?? 0)
    used += servedTokens(attempt.usage, said, reserve)
    left -= said
  }
  return Math.min(Math.ceil(used), tooMany)
}

function servedTokens(usage: Usage | undefined, delivered: number, reserve: Reserve): number {
  if (usage?.source === 'reported' || usage?.source === 'estimated') return tokensOf(usage)
  const sent = Math.min(reserve.output, Math.ceil(delivered))
  if (usage === undefined) return reserve.input + sent
  const [input, output] = [inputTokens(usage), outputTokens(usage)]
  const beside = tokensOf(usage) - input - output
  return (input > 0 ? input : reserve.input) + Math.max(output, sent) + beside
}

/** All tokens of a usage, also those of work that is billed beside it. */
function tokensOf(usage: Usage): number {
  return everyUsage(usage).reduce((sum, one) => sum + inputTokens(one) + outputTokens(one), 0)
}

/** More than anybody's limit, and small enough to be counted exactly. */
const tooMany = 1e12

function count(value: Json | undefined): number | undefined {
  return typeof value === 'number' && value >= 0 && value <= tooMany ? Math.ceil(value) : undefined
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
