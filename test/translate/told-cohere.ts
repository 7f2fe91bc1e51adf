/** What Cohere's Chat API tells, whole and streamed. */

import { argsOf, count, framesOf, isObject, list, nothingTold, object, parse, type Told, text } from './told.ts'

const stops: Readonly<Record<string, string>> = { COMPLETE: 'end', STOP_SEQUENCE: 'end', TOOL_CALL: 'tool_calls', MAX_TOKENS: 'length' }

export function toldByCohere(body: string): Told {
  const told = nothingTold()
  const value = parse(body)
  if (!isObject(value) || !isObject(value.message)) {
    told.error = text(object(value).message)
    return told
  }
  const { message } = value as { message: Record<string, unknown> }
  told.reasoning = text(message.tool_plan)
  for (const block of list(message.content).map(object)) {
    told.text += text(block.text)
    told.reasoning += text(block.thinking)
  }
  for (const call of list(message.tool_calls).map(object)) {
    told.calls.push({ id: text(call.id), name: text(object(call.function).name), args: argsOf(text(object(call.function).arguments)) })
  }
  if (message.role !== 'assistant' || typeof value.id !== 'string') told.wrong.push('role or id')
  ended(told, value)
  return told
}

export function toldByCohereStream(body: string): Told {
  const told = nothingTold()
  const calls: { id: string; name: string; args: string }[] = []
  let begun = false
  let open = ''
  for (const { event, data } of framesOf(body)) {
    const frame = object(parse(data))
    if (frame.type !== event) told.wrong.push(`a frame ${event} of type ${String(frame.type)}`)
    if (told.complete || told.error !== undefined) told.wrong.push(`${event} after the end`)
    if (!begun && event !== 'message-start' && event !== 'message-end') told.wrong.push(`${event} before the start`)
    const delta = object(frame.delta)
    const message = object(delta.message)
    const call = object(message.tool_calls)
    const made = object(call.function)
    switch (event) {
      case 'message-start':
        if (begun || typeof frame.id !== 'string') told.wrong.push('a second start, or one without id')
        begun = true
        break
      case 'content-start':
      case 'tool-call-start':
        if (open !== '') told.wrong.push(`${event} while ${open} is open`)
        open = `${event.slice(0, -6)} ${count(frame.index)}`
        if (event === 'tool-call-start') calls.push({ id: text(call.id), name: text(made.name), args: text(made.arguments) })
        break
      case 'content-delta':
      case 'tool-call-delta': {
        if (open !== `${event.slice(0, -6)} ${count(frame.index)}`) told.wrong.push(`${event} of what is not open`)
        told.text += text(object(message.content).text)
        told.reasoning += text(object(message.content).thinking)
        const last = calls.at(-1)
        if (event === 'tool-call-delta' && last) last.args += text(made.arguments)
        break
      }
      case 'content-end':
      case 'tool-call-end':
        if (open !== `${event.slice(0, -4)} ${count(frame.index)}`) told.wrong.push(`${event} of what is not open`)
        open = ''
        break
      case 'tool-plan-delta':
        told.reasoning += text(message.tool_plan)
        break
      case 'message-end':
        if (open !== '') told.wrong.push(`the end while ${open} is open`)
        if (delta.error !== undefined) told.error = text(delta.error)
        else ended(told, delta)
    }
  }
  told.calls.push(...calls.map(({ id, name, args }) => ({ id, name, args: argsOf(args) })))
  return told
}

function ended(told: Told, value: Record<string, unknown>): void {
  told.stop = stops[text(value.finish_reason)] ?? 'none'
  const billed = object(object(value.usage).billed_units)
  if (isObject(value.usage)) told.usage = { input: count(billed.input_tokens), output: count(billed.output_tokens), cacheRead: 0 }
  told.complete = told.stop !== 'none'
}
