/**
 * How another model is asked to go on with a text that broke off, in the dialect of the client: the text as the assistant's own, and, for a model that would
 * not go on with it, a sentence that asks it to.
 *
 * Edits only what must differ, so that the provider's prompt cache still matches the rest. Says of which requests nobody may go on.
 */

import { estimateText, type Json, type RequestView } from 'headgate/plugin'

const please =
  'Your last message was cut off by a broken connection. Continue it exactly where it stops: begin with the very next character, repeat nothing that was said, and do not mention the interruption.'

/** Asks for the rest of `said`; takes that back when called. */
export type Undo = () => void

type Object = { readonly [key: string]: Json }
const objectOf = (value: Json | undefined): Object | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Object) : undefined
const listOf = (value: Json | undefined): readonly Json[] => (Array.isArray(value) ? (value as readonly Json[]) : [])

/** Why nobody may go on with the answer to such a request; undefined when somebody may. */
export function barredBy(request: RequestView, dialect: string): string | undefined {
  const at = (pointer: string) => request.at(pointer) ?? undefined
  const several = (pointer: string) => Number(at(pointer) ?? 1) > 1
  switch (dialect) {
    case 'openai-chat': {
      if (several('/n')) return 'several answers'
      const format = objectOf(at('/response_format'))?.type
      if (format !== undefined && format !== 'text') return 'a format'
      if (at('/logprobs') === true) return 'logprobs'
      if (at('/audio') !== undefined || listOf(at('/modalities')).some((one) => one !== 'text')) return 'sound'
      return listOf(at('/messages')).length === 0 ? 'its shape' : undefined
    }
    case 'anthropic-messages':
      if (at('/output_format') !== undefined || at('/output_config/format') !== undefined) return 'a format'
      return listOf(at('/messages')).length === 0 ? 'its shape' : undefined
    case 'openai-responses': {
      const format = objectOf(at('/text/format'))?.type
      if (format !== undefined && format !== 'text') return 'a format'
      if (['/previous_response_id', '/conversation', '/background', '/prompt'].some((one) => at(one))) return 'state at the provider'
      if (Number(at('/top_logprobs') ?? 0) > 0) return 'logprobs'
      return typeof at('/input') === 'string' || Array.isArray(at('/input')) ? undefined : 'its shape'
    }
    case 'gemini-generate': {
      const config = objectOf(at('/generationConfig')) ?? objectOf(at('/generation_config'))
      if (Number(config?.candidateCount ?? config?.candidate_count ?? 1) > 1) return 'several answers'
      const mime = config?.responseMimeType ?? config?.response_mime_type
      if (mime !== undefined && mime !== 'text/plain') return 'a format'
      if (listOf(config?.responseModalities).some((one) => one !== 'TEXT')) return 'sound or pictures'
      return listOf(at('/contents')).length === 0 ? 'its shape' : undefined
    }
    case 'openai-completions':
      if (several('/n') || several('/best_of')) return 'several answers'
      if (at('/echo') === true || at('/suffix') !== undefined || at('/logprobs') !== undefined) return 'its form'
      return typeof at('/prompt') === 'string' ? undefined : 'its shape'
    default:
      return 'its API'
  }
}

/**
 * Changes a request such that it asks for the rest of `said`.
 * @param prefills the model goes on with an assistant message that stands last
 * @param said without white space at its end when it does: providers refuse that
 */
export function askForRest(request: RequestView, dialect: string, said: string, prefills: boolean): Undo {
  const undo: Undo[] = []
  const set = (pointer: string, value: Json): void => {
    const before = request.at(pointer)
    undo.unshift(() => (before === undefined ? request.remove(pointer) : request.set(pointer, before)))
    request.set(pointer, value)
  }
  const append = (list: string, value: Json): void => {
    const index = listOf(request.at(list)).length
    undo.unshift(() => request.remove(`${list}/${index}`))
    request.set(`${list}/-`, value)
  }
  const less = (pointer: string, least = 1): void => {
    const limit = request.at(pointer)
    if (typeof limit === 'number') set(pointer, Math.max(least, limit - Math.ceil(estimateText(said))))
  }
  const drop = (pointer: string): void => {
    const before = request.at(pointer)
    if (before === undefined) return
    undo.unshift(() => request.set(pointer, before))
    request.remove(pointer)
  }
  /** The assistant's text, behind what the client has begun for it where it has. */
  const messages = (list: string, role: string, message: (role: string, text: string) => Json, textOf: string | undefined): void => {
    const all = listOf(request.at(list))
    const last = objectOf(all.at(-1))
    const place = last?.role === role ? textAt(last, `${list}/${all.length - 1}`, textOf) : undefined
    if (place) set(place.pointer, place.text + said)
    else append(list, message(role, said))
    if (!prefills) append(list, message('user', please))
  }
  switch (dialect) {
    case 'openai-chat':
      messages('/messages', 'assistant', (role, content) => ({ role, content }), 'content')
      less('/max_tokens')
      less('/max_completion_tokens')
      break
    case 'anthropic-messages':
      messages('/messages', 'assistant', (role, content) => ({ role, content }), 'content')
      less('/max_tokens')
      // "Expected `thinking`, but found `text`": thought and prefill exclude each other
      if (prefills) drop('/thinking')
      break
    case 'openai-responses': {
      const input = request.at('/input')
      if (typeof input === 'string') set('/input', [{ role: 'user', content: input }])
      messages('/input', 'assistant', (role, content) => ({ role, content }), undefined)
      less('/max_output_tokens', 16)
      break
    }
    case 'gemini-generate':
      messages('/contents', 'model', (role, text) => ({ role, parts: [{ text }] }), undefined)
      less('/generationConfig/maxOutputTokens')
      break
    case 'openai-completions':
      set('/prompt', `${String(request.at('/prompt'))}${said}`)
      less('/max_tokens')
  }
  return () => {
    for (const one of undo.splice(0)) one()
  }
}

/** Where the text of a message ends to which more can be put; undefined when it does not end with text. */
function textAt(
  message: Object,
  pointer: string,
  member: string | undefined,
): { readonly pointer: string; readonly text: string } | undefined {
  if (member === undefined) return undefined
  const content = message[member]
  if (typeof content === 'string') return { pointer: `${pointer}/${member}`, text: content }
  const parts = listOf(content)
  const last = objectOf(parts.at(-1))
  if (last?.type !== 'text' || typeof last.text !== 'string') return undefined
  return { pointer: `${pointer}/${member}/${parts.length - 1}/text`, text: last.text }
}
