/**
 * Keeps a copy of a reply while it passes: bytes where the upstream speaks the client's dialect, events where it is translated.
 *
 * Bounded by the caller's limit; changes nothing of what is delivered. A reply counts as recorded only when its last byte has passed.
 */

import type { StreamEvent } from '../plugin/events.ts'
import type { Recording, StoredReply } from '../plugin/reply.ts'
import type { EventSource, LiveStream, ReplyCore, StreamFailure } from './reply-core.ts'

interface Making {
  stored: StoredReply | undefined
}

/** @param limit bytes of a body, and of events characters of their JSON text */
export function recordReply(reply: ReplyCore, dialect: string, limit: number): Recording {
  const making: Making = { stored: undefined }
  const { source } = reply
  if (!reply.ok) return making
  switch (source.kind) {
    case 'whole':
      making.stored = source.error ? undefined : ofBytes(dialect, 'whole', source.body, limit)
      break
    case 'completed':
      making.stored = ofEvents(dialect, source.events, limit)
      // plugins below the one that made it never heard of it
      if (making.stored && reply.by !== undefined) making.stored = { ...making.stored, made: true }
      break
    case 'stored':
      making.stored = source.stored
      break
    case 'live':
      reply.source = { kind: 'live', live: watched(source.live, making, dialect, limit) }
      break
  }
  return making
}

function watched(live: LiveStream, making: Making, dialect: string, limit: number): LiveStream {
  const own = {
    dialect: live.dialect,
    pause: () => live.pause(),
    resume: () => live.resume(),
    atBoundary: () => live.atBoundary(),
    missingEnd: () => live.missingEnd(),
    cancel: () => live.cancel(),
  }
  if (live.translated)
    return { ...own, attach: (sink) => live.attach(sink), translated: watchedEvents(live.translated, making, dialect, limit) }
  let chunks: Uint8Array[] | undefined = []
  let size = 0
  return {
    ...own,
    attach(sink) {
      live.attach({
        chunk(bytes) {
          size += bytes.length
          if (size > limit) chunks = undefined
          chunks?.push(bytes)
          sink.chunk(bytes)
        },
        end(failure?: StreamFailure) {
          if (!failure && chunks)
            making.stored = ofBytes(dialect, 'stream', Buffer.concat([...chunks, Buffer.from(live.missingEnd())]), limit)
          chunks = undefined
          sink.end(failure)
        },
      })
    },
  }
}

function watchedEvents(source: EventSource, making: Making, dialect: string, limit: number): EventSource {
  let kept: StreamEvent[] | undefined = []
  let size = 0
  const keep = (events: readonly StreamEvent[]) => {
    for (const event of events) {
      size += sizeOf(event)
      if (size > limit) kept = undefined
      kept?.push(event)
    }
    return events
  }
  return {
    push: (bytes) => keep(source.push(bytes)),
    end() {
      const events = keep(source.end())
      if (kept) making.stored = ofEvents(dialect, kept, limit)
      kept = undefined
      return events
    },
  }
}

/** Characters, roughly. */
function sizeOf(event: StreamEvent): number {
  switch (event.type) {
    case 'text':
    case 'reasoning':
      return event.text.length + (event.signature?.length ?? 0) + 40
    case 'tool_call':
      return event.arguments.length + 100
    case 'media':
    case 'native':
      return event.data.length + 40
    default:
      return 200
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function ofBytes(dialect: string, form: 'whole' | 'stream', bytes: Uint8Array, limit: number): StoredReply | undefined {
  if (bytes.length > limit) return undefined
  try {
    return { dialect, form, body: utf8.decode(bytes) }
  } catch {
    return undefined // not text: it would not come out as it went in
  }
}

function ofEvents(dialect: string, events: readonly StreamEvent[], limit: number): StoredReply | undefined {
  return events.reduce((size, event) => size + sizeOf(event), 0) > limit ? undefined : { dialect, form: 'events', events: [...events] }
}
