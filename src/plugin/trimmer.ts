/**
 * What a class of trimming is: one function that makes a tool result shorter and its inverse, both pure.
 *
 * Plugins bring classes of their own through the slot `Trimmers`. The trimmer that runs them holds each to its word: what it made is used only if its
 * inverse gives the input back, and if it is shorter by enough to matter. This file may not know any class.
 */

/**
 * What a class promises, in the order in which they run; each is switched on and off by this name.
 * - `byte`: the inverse gives back each byte. `value`: an equal value, for results that are data. `ref`: each byte, from what stands earlier in the prompt.
 * - `void`: takes out text that says nothing; its output stays as it is, there is no inverse.
 * - `derivable`: each byte, but a reader has to count or reckon. `lossy-entry`: takes out text that says something.
 */
export const trimClasses = ['void', 'lossy-entry', 'value', 'ref', 'byte', 'derivable'] as const
export type TrimClass = (typeof trimClasses)[number]

/** What is known of a tool result besides its text. */
export interface ToolResultFacts {
  /** Name of the tool, as the model called it; empty when the call is not in the prompt. */
  readonly tool: string
  /** `shell`: a command's output. `file`: reads, lists, searches or writes files. `api`: anything else, MCP tools among them. */
  readonly kind: 'shell' | 'file' | 'api'
  /** Position among the tool results of the prompt, from 1. */
  readonly ordinal: number
  /** The file that the call names, as it was written there. */
  readonly path?: string
  /** The command that the call names. */
  readonly command?: string
  /** Set when the result shows a file: which, and which part of it; an empty `part` is all of it. Edits have to match its lines. */
  readonly read?: { readonly path: string; readonly part: string }
}

/** A tool result at its first sight. */
export interface ToolResultText extends ToolResultFacts {
  readonly text: string
}

/** One text that stands earlier in the prompt. */
export interface SeenText extends ToolResultFacts {
  /** `result` of a tool; `call`: what the model wrote into the call whose result has this ordinal; `message`: other text, `ordinal` is that of the next result. */
  readonly from: 'result' | 'call' | 'message'
  /** Of a call: the argument that holds this text. Of a message: its role. */
  readonly part?: string
  /** What the model can read, or make out of what it reads: for a result, the text before references and what came after them were put in. */
  readonly text: string
  /** Lines of `text` (the first is 0, ends not included) that stand there themselves rather than by reference. Absent = all. */
  readonly shown?: readonly (readonly [from: number, to: number])[]
}

/** What stands in the prompt before a tool result: bounded, oldest first. The same array and items come back while nothing is added: an index may hang on them. */
export interface TrimHistory {
  readonly seen: readonly SeenText[]
}

/** One class: both functions pure, without clock or chance, in time linear in the text. */
export interface Trimmer {
  /** Kebab-case; names it in metrics and receipts. */
  readonly name: string
  readonly class: TrimClass
  /** The shorter text, or undefined when there is nothing to gain. What it writes has to be readable without being told how. */
  encode(result: ToolResultText, history: TrimHistory): string | undefined
  /** The text that was encoded (`value`: an equal one), or undefined when this text was not made by `encode`. Never called for `void`. */
  decode(text: string, result: ToolResultFacts, history: TrimHistory): string | undefined
  /** Only for `value`: whether both say the same. Absent = byte by byte. */
  equal?(a: string, b: string): boolean
  /** Tokens less, for a class that knows better than an estimate of both texts. */
  saved?(before: string, after: string): number
}
