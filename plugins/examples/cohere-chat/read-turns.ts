/** Messages of a request as neutral turns. Results that follow one another are those of one turn of the user. */

import {
  type Content,
  type Extra,
  type JsonObject,
  type LossReport,
  listOf,
  objectOf,
  type ResultContent,
  type Turn,
  textOf,
  wordOf,
} from 'headgate/dialect'
import type { Json } from 'headgate/plugin'

type Plain = ResultContent['content'][number]

export function readTurns(json: JsonObject, report: LossReport, extras: Extra[]): Turn[] {
  const turns: Turn[] = []
  let results: ResultContent[] | undefined
  for (const [i, item] of listOf(json.messages).entries()) {
    const message = objectOf(item)
    const field = `messages[${i}]`
    const role = message?.role
    if (message && role === 'tool') {
      const id = wordOf(message.tool_call_id)
      if (id === undefined) report.refuse(`${field}.tool_call_id`, `"${field}" has to say which call it answers.`)
      else {
        if (!results) turns.push({ role: 'user', content: (results = []) })
        results.push({ type: 'result', id, content: plainContent(message.content, `${field}.content`, extras) })
      }
      continue
    }
    results = undefined
    if (message && (role === 'user' || role === 'system')) {
      turns.push({ role, content: plainContent(message.content, `${field}.content`, extras) })
    } else if (message && role === 'assistant') turns.push({ role, content: assistantContent(message, field, extras) })
    else report.refuse(`${field}.role`, `"${field}.role" has to be system, user, assistant or tool.`)
  }
  return turns
}

function assistantContent(message: JsonObject, field: string, extras: Extra[]): Content[] {
  const content: Content[] = []
  const plan = wordOf(message.tool_plan)
  if (plan !== undefined) content.push({ type: 'reasoning', text: plan })
  for (const item of listOf(message.content)) {
    const thinking = wordOf(objectOf(item)?.thinking)
    if (thinking !== undefined) content.push({ type: 'reasoning', text: thinking })
  }
  content.push(...plainContent(message.content, `${field}.content`, extras))
  for (const [i, item] of listOf(message.tool_calls).entries()) {
    const call = objectOf(item)
    const made = objectOf(call?.function)
    const id = wordOf(call?.id) ?? `call_${i}`
    content.push({ type: 'call', id, name: textOf(made?.name), kind: 'function', arguments: textOf(made?.arguments) })
  }
  return content
}

/** Texts, pictures and documents of a message. */
function plainContent(value: Json | undefined, field: string, extras: Extra[]): Plain[] {
  if (typeof value === 'string') return value === '' ? [] : [{ type: 'text', text: value }]
  return listOf(value).flatMap((item, i): Plain[] => {
    const block = objectOf(item)
    const at = `${field}[${i}]`
    if (typeof block?.text === 'string') return [{ type: 'text', text: block.text }]
    const image = objectOf(block?.image_url)
    const url = wordOf(image?.url)
    if (url !== undefined) {
      const inline = /^data:([^;,]+);base64,(.*)$/s.exec(url)
      const source = inline ? { kind: 'base64' as const, mime: inline[1]!, data: inline[2]! } : { kind: 'url' as const, url }
      return [{ type: 'media', kind: 'image', source, detail: wordOf(image?.detail), field: at }]
    }
    const document = objectOf(block?.document)
    if (document) {
      const data = document.data
      return [{ type: 'text', text: typeof data === 'string' ? data : JSON.stringify(data ?? document) }]
    }
    if (block && block.type !== 'thinking') extras.push({ field: at, weight: 'hint' })
    return []
  })
}
