/**
 * Cache marks for conversations whose client knows none, where the operator wants them (PROTOCOL §1.4, F06).
 *
 * Claude's providers cache only what is marked: a client of another API would pay for the whole prefix in each turn. The end of the tools, of the leading
 * system texts and of the last turn of the user are marked; a conversation with a mark of its client's own is left as it is.
 */

import type { Content, Conversation, Tool, Turn } from './conversation.ts'

/** The conversation with marks, unless it has some. */
export function withCacheMarks(conversation: Conversation): Conversation {
  const { tools, turns } = conversation
  if (tools.some((tool) => tool.cache) || turns.some(({ content }) => content.some((c) => c.type !== 'reasoning' && c.cache)))
    return conversation
  const lead = turns.findIndex(({ role }) => role !== 'system' && role !== 'developer')
  const system = (lead < 0 ? turns.length : lead) - 1
  const user = turns.findLastIndex(({ role }) => role === 'user')
  return {
    ...conversation,
    tools: tools.map((tool, i): Tool => (i === tools.length - 1 ? { ...tool, cache: {} } : tool)),
    turns: turns.map((turn, i): Turn => (i === system || i === user ? { ...turn, content: marked(turn.content) } : turn)),
  }
}

/** A mark on the last piece that can bear one: providers refuse it on thoughts and on empty texts. */
function marked(content: readonly Content[]): readonly Content[] {
  const at = content.findLastIndex((c) => c.type !== 'reasoning' && !(c.type === 'text' && c.text.trim() === ''))
  return content.map((c, i): Content => (i === at && c.type !== 'reasoning' ? { ...c, cache: {} } : c))
}
