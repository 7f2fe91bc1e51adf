/**
 * A real HTTP server that replays recorded exchanges, byte for byte or re-cut, slowed, truncated and otherwise ill-treated.
 *
 * Owns the choice of the reply and the record of what was asked. A request names its recording by the header
 * `x-replay-id: <id>`, by a model called `replay-<id>` in its body, or by a path segment `replay-<id>`, in that order.
 */

import { type Delivery, deliver, type Reply } from './delivery.ts'
import { type RawRequest, startRawHttp } from './raw-http.ts'
import { type Recording, replyBytes } from './recordings.ts'

/** A request as the upstream got it. `id` is empty when it named no recording. */
export interface CapturedRequest extends RawRequest {
  readonly id: string
}

export interface ReplayUpstream {
  /** `http://127.0.0.1:<port>`, without a path. */
  readonly url: string
  /**
   * Makes a recording callable and gives the id to call it by. With several deliveries the nth request gets the nth one, and
   * the last again and again.
   */
  add(recording: Recording, ...deliveries: readonly Delivery[]): string
  /** The same for a reply that was not recorded. */
  addReply(reply: Reply, ...deliveries: readonly Delivery[]): string
  /** Requests in order of arrival. Grows until `clear`. */
  readonly requests: readonly CapturedRequest[]
  /** The requests for one id. */
  requestsFor(id: string): readonly CapturedRequest[]
  /** Forgets requests and replies. */
  clear(): void
  /** Connections open now, idle ones too. */
  openConnections(): number
  stop(): Promise<void>
}

interface Entry {
  readonly reply: Reply
  readonly deliveries: readonly Delivery[]
  used: number
}

export const modelPrefix = 'replay-'

/** Starts the upstream on a free port of 127.0.0.1. */
export async function startReplay(): Promise<ReplayUpstream> {
  const entries = new Map<string, Entry>()
  const requests: CapturedRequest[] = []
  let made = 0

  const server = await startRawHttp(async (request, connection) => {
    const id = idOf(request)
    requests.push({ ...request, id })
    const entry = entries.get(id)
    if (entry === undefined) return deliver(connection, unknown(id))
    const how = entry.deliveries[Math.min(entry.used++, entry.deliveries.length - 1)]
    await deliver(connection, entry.reply, how)
  })

  const addReply = (reply: Reply, ...deliveries: readonly Delivery[]): string => {
    const id = `r${++made}`
    entries.set(id, { reply, deliveries, used: 0 })
    return id
  }
  return {
    url: server.url,
    addReply,
    add: (recording, ...deliveries) => addReply(replyOf(recording), ...deliveries),
    requests,
    requestsFor: (id) => requests.filter((request) => request.id === id),
    clear() {
      entries.clear()
      requests.length = 0
    },
    openConnections: server.open,
    stop: server.stop,
  }
}

/** What a recording answers, as it is sent when no delivery changes it. */
export function replyOf(recording: Recording): Reply {
  const { status, headers } = recording.response
  return { status, headers, body: replyBytes(recording), stream: recording.stream }
}

function idOf({ headers, body, path }: RawRequest): string {
  const named = headers.get('x-replay-id')
  if (named !== null) return named
  const inBody = /"model"\s*:\s*"replay-([A-Za-z0-9]+)"/.exec(Buffer.from(body).toString('latin1'))
  return inBody?.[1] ?? /\/replay-([A-Za-z0-9]+)/.exec(path)?.[1] ?? ''
}

function unknown(id: string): Reply {
  const message = id === '' ? 'the request names no replay' : `there is no replay ${id}`
  const body = JSON.stringify({ type: 'error', error: { type: 'not_found_error', message, param: null, code: 'no_replay' } })
  return { status: 404, headers: { 'content-type': 'application/json' }, body: Buffer.from(body), stream: false }
}
