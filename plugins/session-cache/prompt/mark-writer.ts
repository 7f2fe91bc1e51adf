/**
 * How a mark is written on one piece of a prompt: the texts to insert, for each way that providers have. Nothing before the mark changes but the form of
 * a plain string, which providers read as one block of text. Pure but for the reads of the call.
 */

import type { BodyInsertion, ByteSpan, CacheFacts, PromptUnit, UpstreamCall } from 'headgate/plugin'
import { firstKey, isBlank, wordAt } from './json-bytes.ts'

/** What is read of a call. */
export type CallBytes = Pick<UpstreamCall, 'body' | 'dialect' | 'spanAt' | 'itemsAt'>

/** @param long ask for the longer lifetime */
export function markOn(call: CallBytes, unit: PromptUnit, facts: CacheFacts, long: boolean): readonly BodyInsertion[] | undefined {
  if (unit.kind === 'tools') return markOnTools(call, unit, facts, long)
  const { body } = call
  const content = unit.kind === 'system' ? unit : body[unit.start] === 0x22 ? unit : call.spanAt(unit.start, '/content')
  if (!content) return undefined
  if (body[content.start] === 0x22) return markOnText(call, content, facts, long)
  if (body[content.start] !== 0x5b) return undefined
  return facts.marks === 'cachePoint' ? pointAfter(call, content, facts, long) : markOnBlock(call, content, facts, long)
}

/** The end of Converse's tools, which are no unit. */
export function pointAfterTools(call: CallBytes, facts: CacheFacts, long: boolean): readonly BodyInsertion[] | undefined {
  const tools = call.spanAt(0, '/toolConfig/tools')
  if (!tools || call.itemsAt(tools.start, '').length === 0) return undefined
  return [{ at: tools.end - 1, text: `,${pointOf(facts, long)}` }]
}

/** On the last tool that is sent with the prompt: deferred ones are not. */
function markOnTools(call: CallBytes, tools: ByteSpan, facts: CacheFacts, long: boolean): readonly BodyInsertion[] | undefined {
  if (facts.marks !== 'cache_control' || call.body[tools.start] !== 0x5b) return undefined
  const items = call.itemsAt(tools.start, '')
  for (let i = items.length - 1; i >= 0; i--) {
    const item = items[i]!
    const deferred = call.spanAt(item.start, '/defer_loading')
    if (call.body[item.start] !== 0x7b || (deferred && call.body[deferred.start] === 0x74)) continue
    return [{ at: item.end - 1, text: `,${memberOf(facts, long)}` }]
  }
  return undefined
}

function markOnText(call: CallBytes, text: ByteSpan, facts: CacheFacts, long: boolean): readonly BodyInsertion[] | undefined {
  if (facts.marks === 'cachePoint' || isBlank(call.body, text)) return undefined
  const type = call.dialect === 'openai-responses' ? 'input_text' : 'text'
  return [
    { at: text.start, text: `[{"type":"${type}","text":` },
    { at: text.end, text: `,${memberOf(facts, long)}}]` },
  ]
}

/** On the last block of a list that may bear one. */
function markOnBlock(call: CallBytes, list: ByteSpan, facts: CacheFacts, long: boolean): readonly BodyInsertion[] | undefined {
  const blocks = call.itemsAt(list.start, '')
  for (let i = blocks.length - 1; i >= 0; i--) {
    const block = blocks[i]!
    const type = call.body[block.start] === 0x7b ? wordAt(call.body, call.spanAt(block.start, '/type')) : undefined
    if (type === undefined || !facts.blocks.includes(type)) continue
    if (type.endsWith('text')) {
      const text = call.spanAt(block.start, '/text')
      if (!text || isBlank(call.body, text)) continue
    }
    return [{ at: block.end - 1, text: `,${memberOf(facts, long)}` }]
  }
  return undefined
}

/** Behind the last block of a list: a point of its own, which may not follow a thought. */
function pointAfter(call: CallBytes, list: ByteSpan, facts: CacheFacts, long: boolean): readonly BodyInsertion[] | undefined {
  const last = call.itemsAt(list.start, '').at(-1)
  const key = last && firstKey(call.body, last.start)
  if (key === undefined || !facts.blocks.includes(key)) return undefined
  return [{ at: list.end - 1, text: `,${pointOf(facts, long)}` }]
}

function memberOf({ marks, longName }: CacheFacts, long: boolean): string {
  if (marks === 'prompt_cache_breakpoint') return '"prompt_cache_breakpoint":{"mode":"explicit"}'
  return `"cache_control":{"type":"ephemeral"${long && longName ? `,"ttl":"${longName}"` : ''}}`
}

function pointOf({ longName }: CacheFacts, long: boolean): string {
  return `{"cachePoint":{"type":"default"${long && longName ? `,"ttl":"${longName}"` : ''}}}`
}
