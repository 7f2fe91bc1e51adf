/**
 * From a reply to an HTTP response: the last thing that happens to an answer.
 *
 *   refusal, error body ─▶ ready bytes
 *   whole               ─▶ ready bytes, through the event pass when a plugin looks at events
 *   completed           ─▶ encoded whole or as a stream, through the event pass
 *   stored              ─▶ one of these, as it was recorded
 *   live                ─▶ a relay: raw, frame by frame through the event pass (`relay.ts`), or translated (`translating-relay.ts`)
 *
 * `onEnd` is called exactly once per delivery, when the last byte is handed over or the client has gone.
 */

import type { DecodedWhole } from '../dialect/codec.ts'
import { EventPass } from '../pipeline/events.ts'
import type { LiveStream } from '../pipeline/reply-core.ts'
import type { StreamEvent } from '../plugin/events.ts'
import type { Refusal, StoredReply } from '../plugin/reply.ts'
import { clientHasGone, type DeliveryEnd, type DeliveryOptions, identityOf } from './delivery.ts'
import { EventRelay } from './event-relay.ts'
import { RawRelay, type Relay } from './relay.ts'
import { socketBody } from './socket-outlet.ts'
import { storedSource } from './stored-source.ts'
import { TranslatingRelay } from './translating-relay.ts'
import { withoutUsageOnly } from './usage-chunk.ts'
import { wireError } from './wire-error.ts'

/** Bytes that may wait for a slow client before its upstream is paused. */
const highWater = 256 * 1024
const text = new TextEncoder()

const finished: DeliveryEnd = { end: 'finished' }

/** Makes the response. */
export function deliver(options: DeliveryOptions): Response {
  const { reply } = options
  switch (reply.source.kind) {
    case 'refusal':
      return refused(options, reply.source.refusal, reply.source.upstream)
    case 'whole':
      return whole(options, reply.source.body, reply.source.error)
    case 'completed':
      return completed(options, reply.source.events)
    case 'live':
      return live(options, reply.source.live)
    case 'stored':
      return stored(options, reply.source.stored)
  }
}

/** A recorded reply takes the way that its like took when it was new. */
function stored(o: DeliveryOptions, reply: StoredReply): Response {
  const again = storedSource(reply, o.dialect, o.core.id, o.reply.stream)
  // its stream tells its usage to whoever asks; it was recorded for everybody
  if (again.kind === 'live') return live(o.includeUsage() ? o : Object.create(o, { withholdUsage: { value: true } }), again.live)
  return again.kind === 'whole' ? whole(o, again.body, false) : completed(o, again.events)
}

function refused(o: DeliveryOptions, refusal: Refusal, upstream?: { readonly type?: string; readonly code?: string }): Response {
  const body = o.errors.body(o.dialect, wireError(o.core, refusal, upstream), o.reply.status)
  o.reply.headers.set('content-type', 'application/json')
  if (refusal.retryAfter !== undefined) o.reply.headers.set('retry-after', String(Math.max(0, Math.ceil(refusal.retryAfter))))
  const failedUpstream = o.reply.attempt !== undefined
  return send(o, text.encode(body), {
    end: failedUpstream ? 'failed' : 'refused',
    code: refusal.code,
    message: refusal.message,
    ...(o.reply.by !== undefined && { by: o.reply.by }),
  })
}

function whole(o: DeliveryOptions, body: Uint8Array, error: boolean): Response {
  const { core, reply, dialect } = o
  if (!reply.headers.has('content-type')) reply.headers.set('content-type', 'application/json')
  if (error) {
    return send(o, body, {
      end: 'failed',
      ...(reply.code && { code: reply.code }),
      ...(reply.message !== undefined && { message: reply.message }),
    })
  }
  core.firstContentAt = core.headAt ?? core.elapsed()
  const pass = EventPass.for(core, reply.heardBelow)
  const decoded = pass && dialect.decodeWhole(body)
  if (!pass || !decoded) return send(o, body, finished)
  return wholeThrough(o, body, pass, decoded)
}

function wholeThrough(o: DeliveryOptions, body: Uint8Array, pass: EventPass, decoded: DecodedWhole): Response {
  const after = decoded.events.map((event) => pass.pass(event, 'end')) // each bears all of its text
  if (pass.stopped) return stoppedWhole(o, pass.stopped, pass.stoppedBy)
  const changed = after.some((list, i) => list.length !== 1 || list[0] !== decoded.events[i])
  return send(o, changed ? decoded.apply(after) : body, { end: 'finished' })
}

function completed(o: DeliveryOptions, events: readonly StreamEvent[]): Response {
  const { core, reply, dialect } = o
  core.firstContentAt = core.elapsed()
  const pass = EventPass.for(core, reply.heardBelow)
  let passed = events
  if (pass) {
    // an answer of a plugin may lack the end, at which text that is held back is let go
    const ended = events.some((e) => e.type === 'end') ? events : [...events, { type: 'end' } as const]
    passed = ended.flatMap((event) => pass.pass(event))
    if (pass.stopped) return stoppedWhole(o, pass.stopped, pass.stoppedBy)
    // what a plugin ended early has usage behind its end
    if (pass.over) passed = [...passed.filter((e) => e.type !== 'end'), { type: 'end' }]
  }
  const identity = identityOf(o, events)
  const end: DeliveryEnd = reply.by === undefined ? { end: 'finished' } : { end: 'finished', by: reply.by }
  if (!reply.stream) {
    reply.headers.set('content-type', 'application/json')
    return send(o, text.encode(dialect.encodeWhole(passed, identity)), end)
  }
  streamHeaders(reply.headers)
  const ended = passed.some((e) => e.type === 'end') ? passed : [...passed, { type: 'end' } as const]
  return send(o, text.encode(dialect.encoder(identity).encode(ended)), end)
}

/** A plugin stopped an answer of which nothing has left yet: a plain HTTP error. */
function stoppedWhole(o: DeliveryOptions, refusal: Refusal, by: string | undefined): Response {
  o.reply.headers.set('content-type', 'application/json')
  o.reply.status = o.errors.status(refusal, o.dialect.family)
  return send(o, text.encode(o.errors.body(o.dialect, wireError(o.core, refusal), o.reply.status)), {
    end: 'refused',
    code: refusal.code,
    message: refusal.message,
    unserved: true,
    ...(by !== undefined && { by }),
  })
}

function send(o: DeliveryOptions, body: Uint8Array, end: DeliveryEnd): Response {
  // who has gone before the head was given nothing
  const gone = clientHasGone(o) && end.end !== 'failed'
  if (!gone) o.core.bytesOut = body.length
  const response = new Response(body as Uint8Array<ArrayBuffer>, { status: o.reply.status, headers: o.reply.headers })
  o.onEnd(gone ? { end: 'abandoned', code: 'client_closed' } : end)
  return response
}

function streamHeaders(headers: Headers): void {
  headers.set('content-type', 'text/event-stream; charset=utf-8')
  headers.set('cache-control', 'no-cache, no-transform')
  headers.set('x-accel-buffering', 'no')
}

// Live streams

function live(o: DeliveryOptions, upstream: LiveStream): Response {
  streamHeaders(o.reply.headers)
  o.core.firstContentAt = o.core.headAt ?? o.core.elapsed()
  // frames are looked at one by one where an error of the upstream's may be among them that is spelled otherwise here
  const pass = EventPass.for(o.core, o.reply.heardBelow, o.resumable || (o.errors.speaks && !upstream.translated))
  const relay = relayOf(o, upstream, pass)
  const body = upstream.ready && !o.resumable ? gathered(relay) : o.direct ? socketBody(relay) : streamed(relay)
  if (relay.refused && pass?.stopped) {
    // stopped by what had come before the head could leave: an HTTP error says it better than a stream
    o.core.bytesOut = 0
    for (const name of ['cache-control', 'x-accel-buffering']) o.reply.headers.delete(name)
    return stoppedWhole(o, pass.stopped, pass.stoppedBy)
  }
  relay.starting = false
  return new Response(body, { status: o.reply.status, headers: o.reply.headers })
}

function streamed(relay: Relay): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => relay.start(controller),
      pull: () => relay.pull(),
      cancel: () => relay.cancel(),
    },
    { highWaterMark: highWater, size: (chunk) => chunk?.length ?? 0 },
  )
}

/**
 * A stream that is complete before anything of it has left, and that nobody will go on with: its bytes, for a stream object costs as much as all the rest of a
 * short reply.
 */
function gathered(relay: Relay): Uint8Array<ArrayBuffer> {
  const chunks: Uint8Array[] = []
  relay.start({ desiredSize: 1, enqueue: (bytes) => void chunks.push(bytes), close() {} })
  return (chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)) as Uint8Array<ArrayBuffer>
}

function relayOf(o: DeliveryOptions, upstream: LiveStream, pass: EventPass | undefined): Relay {
  if (upstream.translated) return new TranslatingRelay(o, upstream, upstream.translated, pass)
  if (pass) return new EventRelay(o, upstream, pass)
  return new RawRelay(o, o.withholdUsage ? withoutUsageOnly(upstream) : upstream)
}
