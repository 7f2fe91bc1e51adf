/**
 * Neutral turns as messages: a result is a message of its own behind its call, a thought before a call is its `tool_plan`.
 *
 * Calls whose results are missing get one, calls in a turn keep their order, ids are legal and unique: `pairResults` sees to it.
 */

import {
  type Content,
  type Conversation,
  type LossReport,
  type MediaContent,
  mimeOf,
  pairResults,
  type Turn,
  uniqueCallIds,
  type Writable,
  type WriteTarget,
  writeJson,
} from 'headgate/dialect'

export function writeMessages({ turns }: Conversation, target: WriteTarget, report: LossReport): readonly Writable[] {
  const messages: Writable[] = []
  if (turns.some((turn) => turn.name !== undefined)) report.drop('messages[].name')
  for (const turn of pairResults(turns, report, uniqueCallIds(target.can.callIds))) {
    if (turn.role === 'assistant') messages.push(...assistant(turn, target, report))
    else if (turn.role === 'user') messages.push(...user(turn, target, report))
    else {
      const text = textOf(turn.content, '\n\n')
      if (text !== '') messages.push({ role: 'system', content: text })
    }
  }
  return messages
}

function user({ content }: Turn, target: WriteTarget, report: LossReport): Writable[] {
  const messages: Writable[] = []
  const shown: MediaContent[] = []
  for (const item of content) {
    if (item.type !== 'result') continue
    // results are texts alone: pictures follow as the user's
    shown.push(...item.content.filter((inner) => inner.type === 'media'))
    const text = textOf(item.content, '\n')
    messages.push({ role: 'tool', tool_call_id: item.id, content: item.error ? `[The tool call failed.] ${text}`.trim() : text })
  }
  const blocks = [...shown, ...content].flatMap((item) => {
    if (item.type === 'media') return [media(item, target, report)]
    return item.type === 'text' && item.text !== '' ? [{ type: 'text', text: item.text }] : []
  })
  const [first] = blocks
  if (first === undefined) return messages
  const alone = blocks.length === 1 && 'text' in first
  messages.push({ role: 'user', content: alone ? (first.text as string) : blocks })
  return messages
}

function assistant({ content }: Turn, { toolName, can }: WriteTarget, report: LossReport): Writable[] {
  const calls = content.flatMap((item) => {
    if (item.type === 'media') report.drop(item.field)
    if (item.type !== 'call') return []
    const text = item.kind === 'custom' ? writeJson({ input: item.arguments }) : item.arguments.trim() === '' ? '{}' : item.arguments
    return [{ id: item.id, type: 'function', function: { name: toolName(item.name, item.namespace), arguments: text } }]
  })
  const text = textOf(content, '')
  const plan = content.flatMap((item) => (item.type === 'reasoning' && !item.redacted ? [item.text] : [])).join('\n\n')
  if (calls.length === 0) return text === '' ? [] : [{ role: 'assistant', content: text }]
  const planned = can.reasoningEcho && plan !== '' && content.every((item) => item.type !== 'reasoning' || item.proof === undefined)
  return [{ role: 'assistant', content: text === '' ? undefined : text, tool_plan: planned ? plan : undefined, tool_calls: calls }]
}

function textOf(content: readonly Content[], between: string): string {
  return content.flatMap((item) => (item.type === 'text' && item.text !== '' ? [item.text] : [])).join(between)
}

function media({ kind, source, field, name, detail }: MediaContent, { can }: WriteTarget, report: LossReport): { [key: string]: Writable } {
  const refuse = (why: string) => {
    report.refuse(field, `"${field}": ${why}`)
    return { type: 'text', text: '' }
  }
  if (source.kind === 'text') return { type: 'text', text: name === undefined ? source.text : `${name}:\n${source.text}` }
  if (kind !== 'image' || !can.images) return refuse('the model that was asked for takes texts and pictures only.')
  if (source.kind === 'file') return refuse('an uploaded file is known only to the provider that has it. Send its content.')
  const url = source.kind === 'url' ? source.url : `data:${mimeOf(source.data, source.mime)};base64,${source.data}`
  return { type: 'image_url', image_url: { url, detail } }
}
