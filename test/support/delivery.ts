/**
 * How a reply's bytes travel: where they are cut, how fast, in which transfer framing, and how they end.
 *
 * Owns every way a correct body can arrive, and the ways its transport can fail. Knows nothing of what the bytes mean except
 * that an empty line ends an SSE frame.
 */

import { chunk, headText, lastChunk, type RawConnection } from './raw-http.ts'

/** Where pieces end: byte offsets, each byte alone, each SSE frame alone, or random places from a seed. */
export type Cuts = readonly number[] | 'bytes' | 'frames' | { readonly seed: number; readonly pieces?: number }

export interface Delivery {
  readonly status?: number
  /** Added to the reply's own; they win. */
  readonly headers?: Readonly<Record<string, string>>
  /** Absent: one piece. */
  readonly cuts?: Cuts
  /** Milliseconds before each piece. */
  readonly delayMs?: number
  /** Awaited before each piece, after the delay: lets a test hold a stream without a clock. */
  readonly before?: (piece: number) => void | Promise<void>
  /** Rewrites line ends (A02). */
  readonly newline?: 'crlf' | 'cr'
  /** Puts a byte order mark first (A06). */
  readonly bom?: boolean
  readonly gzip?: boolean
  /** Stops the body early: after that many bytes, or after that many SSE frames. */
  readonly stopAfter?: number | { readonly frames: number }
  /** After the last byte: `complete` ends the transfer framing properly, `eof` sends FIN only, `reset` sends RST. */
  readonly ending?: 'complete' | 'eof' | 'reset'
  /** `close` = no length at all, the end of the connection ends the body. Default: chunked for streams, length otherwise. */
  readonly transfer?: 'chunked' | 'length' | 'close'
  /** Added to the declared content-length: a lie. */
  readonly lengthOff?: number
}

export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  readonly stream: boolean
}

const fromTransport = new Set(['content-length', 'transfer-encoding', 'content-encoding', 'connection', 'keep-alive'])

/** Sends one reply. Returns early when the peer leaves. */
export async function deliver(connection: RawConnection, reply: Reply, how: Delivery = {}): Promise<void> {
  const body = shapedBody(reply.body, how)
  const transfer = how.transfer ?? (reply.stream ? 'chunked' : 'length')
  const ending = how.ending ?? 'complete'
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(reply.headers)) if (!fromTransport.has(name.toLowerCase())) headers[name] = value
  if (how.gzip) headers['content-encoding'] = 'gzip'
  if (transfer === 'chunked') headers['transfer-encoding'] = 'chunked'
  else if (transfer === 'close') headers.connection = 'close'
  else headers['content-length'] = String(body.declared + (how.lengthOff ?? 0))

  if (!(await connection.write(headText(how.status ?? reply.status, { ...headers, ...how.headers })))) return
  for (const [i, piece] of cutBytes(body.bytes, how.cuts).entries()) {
    if (how.delayMs !== undefined) await pause(how.delayMs, connection)
    await how.before?.(i)
    if (!(await connection.write(transfer === 'chunked' ? chunk(piece) : piece))) return
  }
  if (ending === 'reset') connection.reset()
  else if (ending === 'eof' || transfer === 'close') connection.end()
  else if (transfer === 'chunked') await connection.write(lastChunk)
}

/** The bytes that are sent, and the length of the body they are a part of. */
function shapedBody(original: Uint8Array, how: Delivery): { bytes: Uint8Array; declared: number } {
  let bytes: Uint8Array = original
  if (how.newline !== undefined)
    bytes = Buffer.from(
      Buffer.from(bytes)
        .toString()
        .replaceAll('\n', how.newline === 'cr' ? '\r' : '\r\n'),
    )
  if (how.bom) bytes = Buffer.concat([Uint8Array.of(0xef, 0xbb, 0xbf), bytes])
  if (how.gzip) bytes = Bun.gzipSync(Uint8Array.from(bytes))
  const declared = bytes.length
  if (how.stopAfter === undefined) return { bytes, declared }
  const end = typeof how.stopAfter === 'number' ? how.stopAfter : (frameEnds(bytes)[how.stopAfter.frames - 1] ?? 0)
  return { bytes: bytes.subarray(0, end), declared: how.ending === undefined || how.ending === 'complete' ? end : declared }
}

/** Cuts bytes into pieces that joined are the bytes again; none is empty. */
export function cutBytes(bytes: Uint8Array, cuts: Cuts | undefined): Uint8Array[] {
  const offsets = cutOffsets(bytes, cuts)
  const pieces: Uint8Array[] = []
  let from = 0
  for (const to of [...offsets, bytes.length]) {
    if (to <= from || to > bytes.length) continue
    pieces.push(bytes.subarray(from, to))
    from = to
  }
  return pieces
}

function cutOffsets(bytes: Uint8Array, cuts: Cuts | undefined): readonly number[] {
  if (cuts === undefined) return []
  if (cuts === 'bytes') return Array.from(bytes.keys())
  if (cuts === 'frames') return frameEnds(bytes)
  if (!('seed' in cuts)) return cuts.toSorted((a, b) => a - b)
  const random = seeded(cuts.seed)
  const count = (cuts.pieces ?? 16) - 1
  return Array.from({ length: count }, () => Math.floor(random() * bytes.length)).sort((a, b) => a - b)
}

/** Offsets after each empty line, for LF, CRLF and CR alike. */
export function frameEnds(bytes: Uint8Array): number[] {
  const ends: number[] = []
  for (const match of Buffer.from(bytes)
    .toString('latin1')
    .matchAll(/\r\n\r\n|\n\n|\r\r(?!\n)/g))
    ends.push(match.index + match[0].length)
  return ends
}

/** A repeatable source of numbers in [0, 1): mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** Waits, but not longer than the connection lives. */
async function pause(ms: number, connection: RawConnection): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const slept = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([slept, connection.closed])
  clearTimeout(timer)
}
