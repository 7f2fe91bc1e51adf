/** How many tokens a request is, roughly, where nobody can count them. Linear in its size. */

import type { Conversation } from './conversation.ts'

/** Tokens of the texts, calls, results and tools of a conversation; at least 1. */
export function estimateTokens(conversation: Conversation): number {
  return Math.max(1, Math.ceil(JSON.stringify([conversation.turns, conversation.tools]).length / 4))
}
