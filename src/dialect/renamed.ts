/**
 * Lets hooks rename the model of a reply that is passed on in its own dialect: a changed `start` event writes its model wherever the dialect says it.
 *
 * Wraps what a dialect has for streams and for whole replies. Replies whose start event comes back as it was cost one comparison, and leave byte for byte.
 */

import type { StartEvent, StreamEvent } from '../plugin/events.ts'
import type { DecodedWhole, Purpose, ReplyIdentity, StreamEncoder } from './codec.ts'
import { spliceBytes, spliceText } from './json-edits.ts'
import { objectOf, parseJson } from './shape.ts'

/** An encoder that renames the model in each frame, once the start event was given another. `pointers`: where a frame may name it. */
export function renamingEncoder(make: (head: ReplyIdentity) => StreamEncoder, pointers: readonly string[]) {
  return (head: ReplyIdentity): StreamEncoder => {
    const inner = make(head)
    let model: string | undefined
    return {
      ...inner,
      get rewriting() {
        return model !== undefined || inner.rewriting
      },
      encode(after, origin) {
        model ??= origin && renamed(origin.before, after)
        const text = inner.encode(after, origin)
        return model === undefined ? text : inFrames(text, pointers, model)
      },
    }
  }
}

/** A reader of whole replies that renames the model, where the start event was given another. */
export function renamingWhole(read: (body: Uint8Array, purpose?: Purpose) => DecodedWhole | null, pointers: readonly string[]) {
  return (body: Uint8Array, purpose?: Purpose): DecodedWhole | null => {
    const whole = read(body, purpose)
    if (!whole) return null
    return {
      events: whole.events,
      apply(after) {
        const model = renamed(whole.events, after.flat())
        if (model === undefined) return whole.apply(after)
        const own = startOf(whole.events)!
        const bytes = whole.apply(after.map((list) => list.map((event) => (event.type === 'start' ? own : event))))
        try {
          const value = objectOf(parseJson(Buffer.from(bytes).toString()))
          return spliceBytes(bytes, places(value, pointers, model))
        } catch {
          return bytes
        }
      },
    }
  }
}

/** The model that hooks gave a reply; undefined when they left it. */
function renamed(before: readonly StreamEvent[], after: readonly StreamEvent[]): string | undefined {
  const old = startOf(before)
  const now = old && startOf(after)
  return now === undefined || now === old || now.model === old?.model ? undefined : now.model
}

function startOf(events: readonly StreamEvent[]): StartEvent | undefined {
  for (const event of events) if (event.type === 'start') return event
  return undefined
}

/** SSE text with the model of each of its frames renamed. */
function inFrames(text: string, pointers: readonly string[], model: string): string {
  if (!text.includes('"model"')) return text
  return text
    .split('\n')
    .map((line) => {
      if (!line.startsWith('data:') || !line.includes('"model"')) return line
      const data = line.slice(5).trimStart()
      const value = objectOf(parseJson(data))
      try {
        return value ? `data: ${spliceText(data, places(value, pointers, model))}` : line
      } catch {
        return line
      }
    })
    .join('\n')
}

/** Edits at the places where a value names a model. */
function places(value: ReturnType<typeof objectOf>, pointers: readonly string[], model: string) {
  return pointers.flatMap((pointer) => {
    let at: unknown = value
    for (const name of pointer.slice(1).split('/')) at = objectOf(at as never)?.[name]
    return typeof at === 'string' && at !== model ? [{ pointer, value: model }] : []
  })
}
