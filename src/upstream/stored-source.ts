/**
 * A recorded reply as the source of a new one: its bytes where the client wants them in the form in which they were recorded, else its events.
 *
 * The new reply has an id of its own: two replies of one id would be one to whoever keeps them.
 */

import type { Dialect } from '../dialect/codec.ts'
import { SseReader } from '../dialect/sse.ts'
import type { LiveStream } from '../pipeline/reply-core.ts'
import type { StreamEvent } from '../plugin/events.ts'
import type { StoredReply } from '../plugin/reply.ts'

export type StoredSource =
  | { readonly kind: 'whole'; readonly body: Uint8Array }
  | { readonly kind: 'completed'; readonly events: readonly StreamEvent[] }
  | { readonly kind: 'live'; readonly live: LiveStream }

/**
 * @param id of the exchange; the reply's new id is made of it
 * @param stream whether the client wants a stream
 */
export function storedSource(reply: StoredReply, dialect: Dialect, id: string, stream: boolean): StoredSource {
  const { form, body = '', events = [] } = reply
  if (form === 'events') return { kind: 'completed', events: renamed(events, id) }
  if (form === 'whole') {
    const bytes = Buffer.from(body)
    if (!stream) return { kind: 'whole', body: withId(bytes, body, dialect.summary(bytes).id, id) }
    return { kind: 'completed', events: renamed(dialect.decodeWhole(bytes, 'translate')?.events ?? [], id) }
  }
  if (!stream) return { kind: 'completed', events: renamed(eventsOf(body, dialect, 'translate'), id) }
  const first = eventsOf(body.slice(0, 64 * 1024), dialect, 'relay').find((event) => event.type === 'start')
  return { kind: 'live', live: ready(withId(Buffer.from(body), body, first?.type === 'start' ? first.id : undefined, id), dialect.name) }
}

function eventsOf(body: string, dialect: Dialect, purpose: 'relay' | 'translate'): StreamEvent[] {
  const reader = new SseReader()
  const decoder = dialect.decoder(purpose)
  return [...reader.push(Buffer.from(body)), ...reader.end()].flatMap((frame) => [...decoder.decode(frame)])
}

/** Prefixes such as `chatcmpl-` and `msg_` say what an id is of. */
function newId(old: string, id: string): string {
  const prefix = /^[a-z]+[-_]/.exec(old)?.[0] ?? ''
  return prefix + id.replace(/[^A-Za-z0-9]/g, '')
}

function renamed(events: readonly StreamEvent[], id: string): readonly StreamEvent[] {
  return events.map((event) => (event.type === 'start' && event.id !== undefined ? { ...event, id: newId(event.id, id) } : event))
}

function withId(bytes: Uint8Array, body: string, old: string | undefined, id: string): Uint8Array {
  return old === undefined ? bytes : Buffer.from(body.replaceAll(JSON.stringify(old), JSON.stringify(newId(old, id))))
}

/** All bytes at once, and then the end. */
function ready(bytes: Uint8Array, dialect: string): LiveStream {
  let cancelled = false
  return {
    dialect,
    ready: true,
    attach(sink) {
      sink.chunk(bytes)
      if (!cancelled) sink.end()
    },
    pause() {},
    resume() {},
    atBoundary: () => true,
    missingEnd: () => '',
    cancel() {
      cancelled = true
    },
  }
}
