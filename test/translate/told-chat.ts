/** What Chat Completions tell, whole and streamed. */

import { argsOf, count, framesOf, isObject, list, nothingTold, object, parse, type Told, text } from './told.ts'

const stops: Readonly<Record<string, string>> = {
  stop: 'end',
  tool_calls: 'tool_calls',
  function_call: 'tool_calls',
  length: 'length',
  content_filter: 'filter',
}

export function toldByChat(body: string): Told {
  const told = nothingTold()
  const value = parse(body)
  if (!isObject(value)) {
    told.wrong.push('not an object')
    return told
  }
  if (value.error) {
    told.error = errorText(value.error, told)
    return told
  }
  const [choice] = list(value.choices).map(object)
  if (value.object !== 'chat.completion') told.wrong.push(`object ${String(value.object)}`)
  if (typeof value.id !== 'string' || typeof value.created !== 'number' || typeof value.model !== 'string')
    told.wrong.push('id, created or model')
  const message = object(choice?.message)
  if (!('content' in message)) told.wrong.push('no content')
  told.text = contentOf(message.content, 'text') + text(message.refusal) || text(object(message.audio).transcript)
  told.reasoning = text(message.reasoning_content) || text(message.reasoning) || contentOf(message.content, 'thinking')
  for (const call of list(message.tool_calls).map(object)) {
    const custom = object(call.custom)
    const fn = object(call.function)
    told.calls.push({
      id: text(call.id),
      name: text(fn.name) || text(custom.name),
      args: call.type === 'custom' ? text(custom.input) : isObject(fn.arguments) ? fn.arguments : argsOf(text(fn.arguments)),
    })
    if (typeof call.id !== 'string' || (call.function && typeof fn.arguments !== 'string'))
      told.wrong.push('call without id or text of arguments')
  }
  told.stop = stops[text(choice?.finish_reason)] ?? 'none'
  if (told.stop === 'none') told.wrong.push(`finish_reason ${String(choice?.finish_reason)}`)
  told.usage = usageOf(value.usage)
  told.complete = told.stop !== 'none'
  return told
}

export function toldByChatStream(body: string): Told {
  const told = nothingTold()
  const calls: { id: string; name: string; args: string }[] = []
  let identity: string | undefined
  let role = false
  let done = false
  let usageSeen = false
  for (const { data } of framesOf(body)) {
    if (done) told.wrong.push('something after [DONE]')
    if (data === '[DONE]') {
      done = true
      continue
    }
    const chunk = parse(data)
    if (!isObject(chunk)) {
      told.wrong.push('a frame that is no object')
      continue
    }
    if (chunk.error) {
      told.error = errorText(chunk.error, told)
      continue
    }
    if (told.error !== undefined) told.wrong.push('something after the error')
    if (usageSeen) told.wrong.push('something after the usage')
    const named = `${String(chunk.id)} ${String(chunk.model)} ${String(chunk.created)}`
    identity ??= named
    if (identity !== named) told.wrong.push('another id, model or created')
    if (!Array.isArray(chunk.choices)) told.wrong.push('no choices')
    if (isObject(chunk.usage)) {
      usageSeen = true
      told.usage = usageOf(chunk.usage)
      if (list(chunk.choices).length > 0) told.wrong.push('usage beside choices')
    }
    for (const choice of list(chunk.choices).map(object)) {
      if (choice.index !== 0) continue
      const delta = object(choice.delta)
      if (!role && delta.role !== 'assistant') told.wrong.push('first delta without role')
      role = true
      told.text += contentOf(delta.content, 'text') + text(delta.refusal)
      told.reasoning += text(delta.reasoning_content) || text(delta.reasoning) || contentOf(delta.content, 'thinking')
      for (const call of list(delta.tool_calls).map(object)) {
        const index = count(call.index)
        const fn = object(call.function)
        const custom = object(call.custom)
        const known = calls[index]
        if (!known) {
          if (index !== calls.length) told.wrong.push(`call index ${index} after ${calls.length} calls`)
          if (typeof call.id !== 'string' || !call.type || !(fn.name || custom.name))
            told.wrong.push('first part of a call without id, type or name')
          calls[index] = {
            id: text(call.id),
            name: text(fn.name) || text(custom.name),
            args: isObject(fn.arguments) ? JSON.stringify(fn.arguments) : text(fn.arguments) || text(custom.input),
          }
        } else {
          if (fn.name) told.wrong.push('a second name of a call')
          known.args += text(fn.arguments) || text(custom.input)
        }
      }
      if (typeof choice.finish_reason === 'string') {
        if (told.stop !== 'none') told.wrong.push('two finish reasons')
        told.stop = stops[choice.finish_reason] ?? `? ${choice.finish_reason}`
      } else if (told.stop !== 'none') told.wrong.push('a delta after the finish reason')
    }
  }
  told.calls = calls.map(({ id, name, args }) => ({ id, name, args: argsOf(args) }))
  told.complete = done && told.stop !== 'none' && told.error === undefined
  if (done && told.error !== undefined) told.wrong.push('[DONE] after an error')
  if (done && told.stop === 'none') told.wrong.push('[DONE] without finish reason')
  return told
}

/** Content is a text, or parts of it: Mistral's thoughts stand among them. */
function contentOf(content: unknown, kind: 'text' | 'thinking'): string {
  if (typeof content === 'string') return kind === 'text' ? content : ''
  const parts = list(content).map(object)
  if (kind === 'text') return parts.map((part) => (part.type === 'text' ? text(part.text) : '')).join('')
  return parts.flatMap((part) => list(part.thinking).map((thought) => text(object(thought).text))).join('')
}

function usageOf(value: unknown): Told['usage'] {
  if (!isObject(value)) return undefined
  return {
    input: count(value.prompt_tokens),
    output: Math.max(count(value.completion_tokens), count(value.total_tokens) - count(value.prompt_tokens)),
    cacheRead:
      count(object(value.prompt_tokens_details).cached_tokens) ||
      count(value.prompt_cache_hit_tokens) ||
      count(value.num_cached_tokens) ||
      count(value.cached_tokens),
  }
}

function errorText(error: unknown, told: Told): string {
  const { message, type, code } = object(error)
  if (typeof message !== 'string' || typeof type !== 'string' || !(code === null || typeof code === 'string'))
    told.wrong.push('error without its four members')
  return text(message)
}
