/**
 * An upstream that misbehaves as told: hangs, resets, lies, floods, errs. Real sockets, no clock.
 *
 * Owns the list of misbehaviours and, for each call, promises that say how far it came and when it was over, so that a test
 * can wait for "the upstream saw the client leave" instead of sleeping. It answers in the dialect of the request's path.
 */

import { deliver } from './delivery.ts'
import { chunk, headText, lastChunk, type RawConnection, type RawRequest, type RawServer, startRawHttp } from './raw-http.ts'
import { dialectOfPath, type SampleStream, sampleError, sampleErrorFrame, sampleStream, sampleWhole } from './sample-replies.ts'

/** How a cut stream ends: framing completed properly, FIN, or RST. */
export type CutBy = 'complete' | 'eof' | 'reset'

export type Misbehaviour =
  /** Answers properly; a stream if the body asks for one. */
  | { readonly do: 'ok' }
  | { readonly do: 'close-before-head'; readonly by?: 'eof' | 'reset' }
  /** Sends a part of the head, then FIN. */
  | { readonly do: 'half-head' }
  /** Answers with bytes that are not HTTP. */
  | { readonly do: 'garbage' }
  /** The next three wait until `release()` or the peer leaves, then go on properly. */
  | { readonly do: 'hang-before-head' }
  | { readonly do: 'hang-after-head' }
  | { readonly do: 'hang-mid-stream'; readonly frames?: number }
  /** `body` absent: an error in the request's dialect. */
  | {
      readonly do: 'status'
      readonly status: number
      readonly body?: string
      readonly headers?: Readonly<Record<string, string>>
    }
  | { readonly do: 'html'; readonly status?: number }
  /** 200 with an error as its JSON body (G03); `body` for other bodies that are no reply, e.g. `null`. */
  | { readonly do: 'error-in-200'; readonly body?: string }
  /** 200 and a stream whose first frame is an error (B07). */
  | { readonly do: 'first-frame-error'; readonly message?: string }
  /** An error frame after content (B08). */
  | { readonly do: 'error-after-content'; readonly message?: string }
  /** Cut after the opening frames, before content (B10). */
  | { readonly do: 'cut-before-content'; readonly by: CutBy }
  /** Cut after content, before the terminal event (B01); `halfFrame` cuts inside a frame. */
  | { readonly do: 'cut-after-content'; readonly by: CutBy; readonly halfFrame?: boolean }
  /** 200 without a body (B12). */
  | { readonly do: 'empty'; readonly stream?: boolean }
  | { readonly do: 'gzip' }
  /** A correct reply under another content type (A15). */
  | { readonly do: 'wrong-type'; readonly type: string }
  /** JSON for `stream: true`, SSE for `stream: false` (A15). */
  | { readonly do: 'wrong-form' }
  /** Declares more bytes than it sends, then FIN. */
  | { readonly do: 'length-lie' }
  /** Content without end, as fast as the peer reads. */
  | { readonly do: 'flood'; readonly frameBytes?: number }

export interface Call {
  readonly request: RawRequest
  /** Resolved when the misbehaviour has come to the point where it waits, or has sent everything. */
  readonly held: Promise<void>
  /** Resolved when the call is over: `finished` = answered completely, `peer` = the caller left first, `self` = cut by the upstream. */
  readonly closed: Promise<'finished' | 'peer' | 'self'>
  /** Body bytes handed to the socket so far. */
  sent(): number
  /** Lets a hanging call go on. */
  release(): void
}

export interface BadUpstream {
  readonly url: string
  /** Calls so far, in order of arrival. */
  readonly calls: readonly Call[]
  /** The nth call (from 0), as soon as it has arrived. */
  call(n: number): Promise<Call>
  /** What the next calls do, one each; after them the `always` behaviour. */
  next(...behaviours: readonly Misbehaviour[]): void
  /** What calls do that have no other instruction. At first: `ok`. */
  always(behaviour: Misbehaviour): void
  /** What calls for one model do (the body's `"model"`); wins over the others. */
  forModel(model: string, behaviour: Misbehaviour): void
  /** Calls that are not over. */
  running(): number
  /** Connections open now, idle ones too. */
  openConnections(): number
  stop(): Promise<void>
}

/** A URL where nobody listens: a connection is refused. */
export async function refusedUrl(): Promise<string> {
  const server = await startRawHttp(() => {})
  await server.stop()
  return server.url
}

/** Starts the upstream on a free port of 127.0.0.1. */
export async function startBadUpstream(): Promise<BadUpstream> {
  const calls: Call[] = []
  const waiting = new Map<number, (call: Call) => void>()
  const queue: Misbehaviour[] = []
  const byModel = new Map<string, Misbehaviour>()
  let usual: Misbehaviour = { do: 'ok' }
  let running = 0

  const server: RawServer = await startRawHttp(async (request, connection) => {
    const behaviour = byModel.get(modelOf(request)) ?? queue.shift() ?? usual
    running++
    const play = startCall(request, connection)
    void play.call.closed.then(() => running--)
    calls.push(play.call)
    waiting.get(calls.length - 1)?.(play.call)
    waiting.delete(calls.length - 1)
    await misbehave(behaviour, play)
    play.finish()
  })
  return {
    url: server.url,
    calls,
    call: (n) => {
      const known = calls[n]
      return known ? Promise.resolve(known) : new Promise((resolve) => waiting.set(n, resolve))
    },
    next: (...behaviours) => void queue.push(...behaviours),
    always: (behaviour) => {
      usual = behaviour
    },
    forModel: (model, behaviour) => void byModel.set(model, behaviour),
    running: () => running,
    openConnections: server.open,
    stop: server.stop,
  }
}

/** One call as the misbehaviours see it. */
interface Play {
  readonly call: Call
  readonly connection: RawConnection
  readonly wantsStream: boolean
  readonly frames: SampleStream
  head(headers?: Readonly<Record<string, string>>): Promise<boolean>
  send(frames: readonly string[]): Promise<boolean>
  /** Marks the call as held and waits for `release()` or the peer's leaving. */
  hold(): Promise<void>
  finish(): void
}

function startCall(request: RawRequest, connection: RawConnection): Play {
  const held = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  const over = Promise.withResolvers<'finished' | 'peer' | 'self'>()
  let sent = 0
  void connection.closed.then((by) => over.resolve(by))
  const call: Call = { request, held: held.promise, closed: over.promise, sent: () => sent, release: released.resolve }
  return {
    call,
    connection,
    wantsStream: /"stream"\s*:\s*true/.test(Buffer.from(request.body).toString('latin1')),
    frames: sampleStream(dialectOfPath(request.path)),
    head: (headers = {}) => connection.write(headText(200, { ...sse, 'transfer-encoding': 'chunked', ...headers })),
    async send(frames) {
      for (const frame of frames) {
        if (!(await connection.write(chunk(frame)))) return false
        sent += Buffer.byteLength(frame)
      }
      return true
    },
    async hold() {
      held.resolve()
      await Promise.race([released.promise, connection.closed])
    },
    finish() {
      held.resolve()
      if (!connection.isClosed) over.resolve('finished')
    },
  }
}

const sse = { 'content-type': 'text/event-stream' }
const json = { 'content-type': 'application/json' }

async function misbehave(how: Misbehaviour, play: Play): Promise<void> {
  const { connection, frames } = play
  const dialect = dialectOfPath(play.call.request.path)
  switch (how.do) {
    case 'ok':
      return answer(play, play.wantsStream)
    case 'close-before-head':
      return cut(play, how.by ?? 'eof')
    case 'half-head':
      await connection.write('HTTP/1.1 200 OK\r\ncontent-type: text/ev')
      return cut(play, 'eof')
    case 'garbage':
      await connection.write('\u0000\u0001 this is not HTTP\r\n\r\n')
      return cut(play, 'eof')
    case 'hang-before-head':
      await play.hold()
      return answer(play, play.wantsStream)
    case 'hang-after-head':
      await play.head()
      await play.hold()
      return rest(play, [...frames.opening, ...frames.content, ...frames.closing])
    case 'hang-mid-stream': {
      const all = [...frames.opening, ...frames.content, ...frames.closing]
      const before = how.frames ?? frames.opening.length + 1
      await play.head()
      await play.send(all.slice(0, before))
      await play.hold()
      return rest(play, all.slice(before))
    }
    case 'status':
      return whole(play, how.status, how.body ?? sampleError(dialect), { ...json, ...how.headers })
    case 'html': {
      const page = `<!DOCTYPE html>\n<html><head><title>${how.status ?? 502} Bad gateway</title></head><body><h1>Bad gateway</h1></body></html>\n`
      return whole(play, how.status ?? 502, page, { 'content-type': 'text/html' })
    }
    case 'error-in-200':
      return whole(play, 200, how.body ?? sampleError(dialect), json)
    case 'first-frame-error':
      await play.head()
      return rest(play, [sampleErrorFrame(dialect, how.message)])
    case 'error-after-content':
      await play.head()
      return rest(play, [...frames.opening, ...frames.content, sampleErrorFrame(dialect, how.message)])
    case 'cut-before-content':
      await play.head()
      await play.send(frames.opening)
      return cut(play, how.by)
    case 'cut-after-content': {
      const half = frames.closing[0]!.slice(0, 20)
      await play.head()
      await play.send([...frames.opening, ...frames.content, ...(how.halfFrame ? [half] : [])])
      return cut(play, how.by)
    }
    case 'empty':
      return how.stream ? rest(play, [], await play.head()) : whole(play, 200, '', json)
    case 'gzip':
      return answer(play, play.wantsStream, { gzip: true })
    case 'wrong-type':
      return answer(play, play.wantsStream, { headers: { 'content-type': how.type } })
    case 'wrong-form':
      return answer(play, !play.wantsStream)
    case 'length-lie':
      return answer(play, false, { lengthOff: 100, ending: 'eof' })
    case 'flood':
      return flood(play, how.frameBytes ?? 4096)
  }
}

/** A correct reply, sent in whatever way. */
function answer(play: Play, stream: boolean, how: Parameters<typeof deliver>[2] = {}): Promise<void> {
  const { opening, content, closing } = play.frames
  const body = stream ? [...opening, ...content, ...closing].join('') : sampleWhole(dialectOfPath(play.call.request.path))
  return deliver(play.connection, { status: 200, headers: stream ? sse : json, body: Buffer.from(body), stream }, how)
}

function whole(play: Play, status: number, body: string, headers: Readonly<Record<string, string>>): Promise<void> {
  return deliver(play.connection, { status, headers, body: Buffer.from(body), stream: false })
}

/** Sends the last frames and ends the body properly. */
async function rest(play: Play, frames: readonly string[], alive = true): Promise<void> {
  if (alive && (await play.send(frames))) await play.connection.write(lastChunk)
}

async function cut(play: Play, by: CutBy): Promise<void> {
  if (by === 'complete') await play.connection.write(lastChunk)
  else if (by === 'eof') play.connection.end()
  else play.connection.reset()
}

async function flood(play: Play, frameBytes: number): Promise<void> {
  const sample = play.frames.content[0]!
  const frame = sample.replace('Hello', 'Hello'.padEnd(Math.max(frameBytes - sample.length + 5, 5), '.'))
  await play.head()
  await play.send(play.frames.opening)
  const many = Array.from({ length: 16 }, () => frame)
  while (await play.send(many)) await Bun.sleep(0)
}

function modelOf({ body }: RawRequest): string {
  return /"model"\s*:\s*"([^"]*)"/.exec(Buffer.from(body).toString('latin1'))?.[1] ?? ''
}
