/** What Gemini's generateContent tells, whole and streamed. */

import { count, framesOf, isObject, list, nothingTold, object, parse, type Told, text } from './told.ts'

const stops: Readonly<Record<string, string>> = { STOP: 'end', MAX_TOKENS: 'length', FINISH_REASON_UNSPECIFIED: 'end' }

/** The model could not finish: no other dialect may take that for an answer. */
const faults = new Set(['MALFORMED_FUNCTION_CALL', 'UNEXPECTED_TOOL_CALL', 'OTHER'])

export function toldByGemini(body: string): Told {
  const told = nothingTold()
  const value = parse(body)
  if (!isObject(value)) told.wrong.push('not an object')
  else add(told, value)
  finish(told)
  return told
}

export function toldByGeminiStream(body: string): Told {
  const told = nothingTold()
  for (const { data } of framesOf(body)) {
    const value = parse(data)
    if (!isObject(value)) told.wrong.push('a frame that is no object')
    else add(told, value)
  }
  finish(told)
  return told
}

function add(told: Told, value: Record<string, unknown>): void {
  if (value.error) {
    const error = object(value.error)
    told.error = text(error.message)
    if (typeof error.code !== 'number' || typeof error.status !== 'string') told.wrong.push('error without code and status')
    return
  }
  const [candidate] = list(value.candidates).map(object)
  for (const part of list(object(candidate?.content).parts).map(object)) {
    if (isObject(part.functionCall)) {
      const call = part.functionCall
      if (call.args !== undefined && !isObject(call.args)) told.wrong.push('args are no object')
      if (call.partialArgs !== undefined || call.willContinue !== undefined || text(call.name) === '') told.pieces = true
      told.calls.push({ id: text(call.id), name: text(call.name), args: call.args ?? {} })
    } else if (part.thought === true) told.reasoning += text(part.text)
    else told.text += text(part.text)
  }
  if (typeof candidate?.finishReason === 'string') {
    if (faults.has(candidate.finishReason)) told.error = candidate.finishReason
    told.stop = stops[candidate.finishReason] ?? 'filter'
  } else if (object(value.promptFeedback).blockReason) told.stop = 'filter'
  if (isObject(value.usageMetadata)) {
    const { usageMetadata: usage } = value
    told.usage = {
      input: count(usage.promptTokenCount) + count(usage.toolUsePromptTokenCount),
      output: count(usage.candidatesTokenCount) + count(usage.thoughtsTokenCount),
      cacheRead: count(usage.cachedContentTokenCount),
    }
    if (told.usage.input + told.usage.output === 0) told.usage = undefined // says nothing
  }
}

function finish(told: Told): void {
  if (told.stop === 'end' && told.calls.length > 0) told.stop = 'tool_calls'
  told.complete = told.stop !== 'none' && told.error === undefined
}
