/**
 * What the demo model says: one neutral question in, one neutral answer out, the same for every dialect.
 *
 * Owns the wording, the choice between text and a tool call, and the token estimate. Deterministic: the same question gives
 * the same answer. Knows no wire format; a dialect of the demo is a reader of questions and a writer of answers.
 */

import type { Fields } from './fields.ts'
import { exampleArguments, exampleOf } from './schema-example.ts'

/** A tool that the client offers. `schema` is the JSON Schema of its arguments, whatever the client sent. */
export interface OfferedTool {
  readonly name: string
  readonly schema: unknown
}

/** A request, without its dialect. */
export interface Question {
  readonly stream: boolean
  /** Text of the last user message; empty when it has none. */
  readonly said: string
  /** Set when the last message brings the result of a tool. */
  readonly result?: { readonly tool: string; readonly text: string }
  readonly tools: readonly OfferedTool[]
  /** `name` forces one tool, `none` forbids all. */
  readonly choice: 'auto' | 'none' | { readonly name: string }
  /** Set when the client wants JSON: the schema, or `{}` for any object. */
  readonly json?: unknown
  /** Most output tokens, if the client set it. Text is cut there; tool calls and JSON are not. */
  readonly limit?: number
  readonly inputTokens: number
}

/** A reply, without its dialect: text, or one tool call. */
export interface Answer {
  readonly text: string
  readonly call?: { readonly name: string; readonly input: Fields; readonly json: string }
  readonly stop: 'end' | 'length' | 'tool_calls'
  readonly inputTokens: number
  readonly outputTokens: number
}

/** Longest quotation of the client's own text, in UTF-16 units. */
const quoteLimit = 2000

/** Tokens of a text by the usual rule of thumb: one for each 4 bytes of UTF-8, at least 1 where there is any text. */
export function estimateTokens(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / 4)
}

/** Answers a question. Never throws. */
export function answer(question: Question): Answer {
  const tool = question.result === undefined ? chosenTool(question) : undefined
  if (tool !== undefined) {
    const input = exampleArguments(tool.schema)
    const json = JSON.stringify(input)
    return done(question, { text: '', call: { name: tool.name, input, json }, stop: 'tool_calls' }, tool.name + json)
  }
  if (question.json !== undefined) {
    const text = JSON.stringify(jsonAnswer(question))
    return done(question, { text, stop: 'end' }, text)
  }
  const full = sentence(question)
  const pieces = words(full)
  const kept = question.limit === undefined ? full : cut(pieces, question.limit)
  return done(question, { text: kept, stop: kept.length < full.length ? 'length' : 'end' }, kept)
}

/** A text in the pieces that a stream sends: each word with the space before it. Joined they are the text again. */
export function words(text: string): string[] {
  return text.match(/\s*\S+|\s+$/g) ?? []
}

function done(question: Question, part: Pick<Answer, 'text' | 'call' | 'stop'>, output: string): Answer {
  return { ...part, inputTokens: question.inputTokens, outputTokens: estimateTokens(output) }
}

function chosenTool(question: Question): OfferedTool | undefined {
  const { choice, tools } = question
  if (choice === 'none') return undefined
  if (choice === 'auto') return tools[0]
  return tools.find((tool) => tool.name === choice.name)
}

function sentence(question: Question): string {
  if (question.result !== undefined) {
    return `The tool ${question.result.tool} answered: ${quoted(question.result.text)}\nThat closes the loop: your client ran the tool and the demo model saw what it returned.`
  }
  const heard = question.said === '' ? 'Your last message has no text that I could repeat.' : `You said: ${quoted(question.said)}`
  return `Hello from the demo model. Your request went through the gateway and its plugins, and this reply came back the same way.\n${heard}\nNext: set a provider key, such as OPENAI_API_KEY or ANTHROPIC_API_KEY, restart, and ask for one of its models.`
}

function jsonAnswer(question: Question): unknown {
  const schema = question.json
  const empty = typeof schema === 'object' && schema !== null && Object.keys(schema).length === 0
  return empty ? { model: 'demo', you_said: shortened(question.said) } : exampleOf(schema)
}

function quoted(text: string): string {
  return `"${shortened(text)}"`
}

function shortened(text: string): string {
  if (text.length <= quoteLimit) return text
  const lone = /[\uD800-\uDBFF]$/
  return `${text.slice(0, quoteLimit).replace(lone, '')}…`
}

/** As many whole pieces as fit into `limit` tokens; at least the first. */
function cut(pieces: readonly string[], limit: number): string {
  let kept = pieces[0] ?? ''
  for (const piece of pieces.slice(1)) {
    if (estimateTokens(kept + piece) > limit) break
    kept += piece
  }
  return kept
}
