/** What OpenAI Responses tell, whole and streamed. */

import { argsOf, count, framesOf, isObject, list, nothingTold, object, parse, type Told, text } from './told.ts'

export function toldByResponses(body: string): Told {
  const told = nothingTold()
  const value = parse(body)
  if (!isObject(value)) {
    told.wrong.push('not an object')
    return told
  }
  if (value.error && !value.object) {
    told.error = text(object(value.error).message)
    return told
  }
  readResponse(told, value)
  return told
}

function readResponse(told: Told, value: Record<string, unknown>): void {
  if (value.object !== 'response') told.wrong.push(`object ${String(value.object)}`)
  for (const key of ['id', 'created_at', 'status', 'model', 'output']) if (!(key in value)) told.wrong.push(`no ${key}`)
  let filtered = false
  for (const item of list(value.output).map(object)) {
    if (item.type === 'message') {
      for (const part of list(item.content).map(object)) {
        if (part.type === 'refusal') filtered = true
        told.text += text(part.text) + text(part.refusal)
      }
    } else if (item.type === 'reasoning') {
      for (const part of [...list(item.content), ...list(item.summary)].map(object)) told.reasoning += text(part.text)
    } else if (item.type === 'function_call') {
      if (typeof item.arguments !== 'string') told.wrong.push('function_call without arguments')
      told.calls.push({ id: text(item.call_id), name: text(item.name), args: argsOf(text(item.arguments)) })
    } else if (item.type === 'custom_tool_call') told.calls.push({ id: text(item.call_id), name: text(item.name), args: text(item.input) })
  }
  if (value.status === 'failed') told.error = text(object(value.error).message)
  else if (value.status === 'incomplete') told.stop = object(value.incomplete_details).reason === 'content_filter' ? 'filter' : 'length'
  else if (value.status === 'completed') told.stop = filtered ? 'filter' : told.calls.length > 0 ? 'tool_calls' : 'end'
  else told.wrong.push(`status ${String(value.status)}`)
  if (isObject(value.usage)) {
    const { usage } = value
    if (!isObject(usage.input_tokens_details) || !isObject(usage.output_tokens_details)) told.wrong.push('usage without details')
    told.usage = {
      input: count(usage.input_tokens),
      output: count(usage.output_tokens),
      cacheRead: count(object(usage.input_tokens_details).cached_tokens),
    }
  }
  told.complete = told.stop !== 'none'
}

interface Item {
  readonly type: string
  readonly id: string
  text: string
  done: boolean
}

export function toldByResponsesStream(body: string): Told {
  const told = nothingTold()
  const items: Item[] = []
  let sequence = -1
  let terminal: Record<string, unknown> | undefined
  let streamed = ''
  for (const { event, data } of framesOf(body)) {
    if (data === '[DONE]') continue
    const value = parse(data)
    if (!isObject(value)) {
      told.wrong.push('a frame that is no object')
      continue
    }
    const type = text(value.type)
    if (event !== undefined && event !== type) told.wrong.push(`event ${event} for ${type}`)
    if (typeof value.sequence_number !== 'number' || value.sequence_number <= sequence)
      told.wrong.push(`sequence_number ${String(value.sequence_number)} after ${sequence} (${type})`)
    sequence = count(value.sequence_number)
    if (terminal) told.wrong.push(`${type} after the end`)
    if (sequence === 0 && type !== 'response.created' && type !== 'error' && type !== 'response.failed') told.wrong.push(`${type} first`)
    const index = count(value.output_index)
    const item = items[index]
    if (type === 'response.output_item.added') {
      if (index !== items.length) told.wrong.push(`output_index ${index} after ${items.length} items`)
      const added = object(value.item)
      items[index] = { type: text(added.type), id: text(added.id), text: '', done: false }
      if (text(added.id) === '') told.wrong.push('an item without id')
    } else if (type === 'response.output_item.done') {
      if (!item || item.done) told.wrong.push('done of no open item')
      else {
        item.done = true
        if (object(value.item).id !== item.id) told.wrong.push('another id when done')
        const whole = wholeText(object(value.item))
        if (whole !== undefined && whole !== item.text) told.wrong.push(`the ${item.type} says other text when done`)
      }
    } else if (type.endsWith('.delta')) {
      if (!item || item.done) told.wrong.push(`${type} of no open item`)
      else if (value.item_id !== item.id) told.wrong.push(`${type} without the item's id`)
      else {
        item.text += text(value.delta)
        if (type === 'response.output_text.delta' || type === 'response.refusal.delta') streamed += text(value.delta)
      }
    } else if (type === 'response.completed' || type === 'response.incomplete' || type === 'response.failed')
      terminal = object(value.response)
    else if (type === 'error') told.error = text(value.message)
  }
  if (terminal) {
    readResponse(told, terminal)
    if (told.error === undefined) {
      if (items.some((item) => !item.done)) told.wrong.push('an item is not done')
      if (list(terminal.output).length !== items.length) told.wrong.push('the end repeats another number of items')
      if (streamed !== told.text) told.wrong.push('the end says other text')
    }
  }
  if (told.error !== undefined) told.complete = false
  return told
}

function wholeText(item: Record<string, unknown>): string | undefined {
  if (item.type === 'message')
    return list(item.content)
      .map((part) => text(object(part).text) + text(object(part).refusal))
      .join('')
  if (item.type === 'function_call') return text(item.arguments)
  if (item.type === 'custom_tool_call') return text(item.input)
  return undefined
}
