/**
 * How many tokens a request is, where nobody can count them: texts, tools, pictures, documents and thoughts (H09, PROTOCOL §1.9).
 *
 * Linear in the size of the conversation and never 0. Good enough to show a user how full the context is; no money depends on it.
 */

import { estimateText } from '../plugin/estimate-text.ts'
import type { CallContent, Conversation, MediaContent, ReasoningContent, TextContent, Tool } from './conversation.ts'
import { imageSize } from './image-size.ts'

/** The words around each turn. */
const perTurn = 4
/** The words around a call or a result, ids included. */
const perCall = 10
/** Providers shrink pictures to about this many tokens; one of unknown size counts as a middling one. */
const largestImage = 1600
const smallestImage = 85
const unknownImage = 800
const pixelsPerToken = 750
/** A page is sent as text, as a picture, or as both. */
const perPage = 1600
const bytesPerPage = 40_000
/** Base64 characters per token of hidden thought, and of sound. */
const perHidden = 6
const perSound = 400

/** What models do with a prompt, as far as a name can tell. Fitted to recorded figures. */
interface Habits {
  /** Tokens of the model's vocabulary per token of the text's estimate. */
  readonly ratio: number
  /** What tells the model about tools at all, and the words around each. */
  readonly perTools: number
  readonly perTool: number
  /** Schemas are shown to the model in a shorter form than JSON. */
  readonly schema: number
}
const usual: Habits = { ratio: 1, perTools: 20, perTool: 5, schema: 0.55 }
const habits: readonly (readonly [RegExp, Habits])[] = [
  [/claude/i, { ratio: 1.12, perTools: 460, perTool: 25, schema: 1 }],
  [/llama-?4/i, { ratio: 1, perTools: 600, perTool: 10, schema: 1 }],
  [/gpt-4/i, { ratio: 1, perTools: 12, perTool: 3, schema: 0.45 }],
]

/**
 * Tokens of a conversation; at least 1.
 * @param model id of the model that will read it, if known
 */
export function estimateTokens(conversation: Conversation, model = ''): number {
  const { turns, tools, params } = conversation
  const habit = habits.find(([names]) => names.test(model))?.[1] ?? usual
  // providers leave thoughts of earlier questions out of the prompt
  const question = turns.findLastIndex((turn) => turn.role === 'user' && turn.content.some((content) => content.type !== 'result'))
  let texts = 0
  let media = 0
  for (const [i, turn] of turns.entries()) {
    texts += perTurn
    for (const content of turn.content) {
      if (content.type === 'media') media += mediaTokens(content)
      else if (content.type === 'result') {
        texts += perCall
        for (const part of content.content) {
          if (part.type === 'media') media += mediaTokens(part)
          else texts += estimateText(part.text)
        }
      } else if (content.type !== 'reasoning' || i > question) texts += contentTokens(content)
    }
  }
  if (tools.length > 0) media += habit.perTools
  for (const tool of tools) texts += habit.perTool + toolTokens(tool, habit)
  if (params.format?.schema !== undefined) texts += estimateText(params.format.schema) * habit.schema
  return Math.max(1, Math.ceil(texts * habit.ratio + media))
}

function toolTokens(tool: Tool, habit: Habits): number {
  const format = tool.format === undefined ? '' : JSON.stringify(tool.format)
  return (
    estimateText(tool.name) + estimateText(tool.description ?? '') + estimateText(tool.schema ?? '') * habit.schema + estimateText(format)
  )
}

function contentTokens(content: TextContent | ReasoningContent | CallContent): number {
  if (content.type === 'call') return perCall + estimateText(content.name) + estimateText(content.arguments)
  if (content.type === 'reasoning' && content.redacted) return (content.proof?.value.length ?? 0) / perHidden
  return estimateText(content.text)
}

function mediaTokens({ kind, source, name }: MediaContent): number {
  const title = name === undefined ? 0 : estimateText(name)
  if (source.kind === 'text') return title + estimateText(source.text)
  if (kind === 'image') {
    const size = source.kind === 'base64' ? imageSize(source.data) : undefined
    if (!size) return unknownImage
    return Math.min(largestImage, Math.max(smallestImage, Math.ceil((size.width * size.height) / pixelsPerToken)))
  }
  if (kind === 'document') return title + perPage * pagesOf(source.kind === 'base64' ? source.data.length * 0.75 : 0)
  return source.kind === 'base64' ? Math.ceil(source.data.length / perSound) : perPage
}

function pagesOf(bytes: number): number {
  return Math.max(1, Math.round(bytes / bytesPerPage))
}
