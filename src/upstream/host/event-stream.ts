/**
 * Messages of AWS's binary event stream (application/vnd.amazon.eventstream), cut anywhere.
 *
 *   prelude 12: total length, headers length, CRC-32 of the first 8 │ headers │ payload │ CRC-32 of all before
 *
 * Both checksums are checked, the first before the lengths are believed. A byte is joined at most twice, so that time stays linear however
 * a message is cut (I04). Knows nothing of what messages mean.
 */

export interface EventMessage {
  /** Headers whose values are texts, by name (`:event-type`, `:message-type` …). */
  readonly headers: ReadonlyMap<string, string>
  /** A view of received bytes. */
  readonly payload: Uint8Array
}

/** The bytes are not an event stream. */
export class EventStreamError extends Error {
  override readonly name = 'EventStreamError'
}

export interface EventStreamReader {
  /** The messages that this chunk completes. What is whole before a fault is given first. @throws EventStreamError */
  push(chunk: Uint8Array): EventMessage[]
  /** The bytes are over. @throws EventStreamError when a fault has not been told yet */
  end(): void
  /** Bytes of a message that is not complete. */
  readonly pending: number
}

const prelude = 12
const trailer = 4
/** Largest message in bytes. */
const defaultLimit = 64 * 1024 * 1024

/** @param limit largest message in bytes */
export function eventStreamReader(limit = defaultLimit): EventStreamReader {
  let pieces: Uint8Array[] = []
  let pending = 0
  /** Bytes after which there is something to do: a prelude, or the whole message. */
  let needed = prelude
  let fault: unknown

  /** Takes whole messages off the front; gives what is left. */
  const take = (bytes: Buffer, messages: EventMessage[]): Buffer => {
    let at = 0
    for (;;) {
      needed = prelude
      if (bytes.length - at < prelude) break
      needed = lengthOf(bytes, at, limit)
      if (bytes.length - at < needed) break
      messages.push(messageOf(bytes.subarray(at, at + needed)))
      at += needed
    }
    return bytes.subarray(at)
  }

  return {
    get pending() {
      return pending
    },
    push(chunk) {
      if (fault !== undefined) throw fault
      pending += chunk.length
      pieces.push(chunk)
      if (pending < needed) return []
      const messages: EventMessage[] = []
      try {
        const rest = take(pieces.length === 1 ? asBuffer(chunk) : Buffer.concat(pieces, pending), messages)
        pending = rest.length
        pieces = pending === 0 ? [] : [rest]
      } catch (error) {
        fault = error
        if (messages.length === 0) throw error
      }
      return messages
    },
    end() {
      if (fault !== undefined) throw fault
    },
  }
}

/** Length of the message that begins at `at`. */
function lengthOf(bytes: Buffer, at: number, limit: number): number {
  if (Bun.hash.crc32(bytes.subarray(at, at + 8)) !== bytes.readUInt32BE(at + 8)) {
    throw new EventStreamError('the checksum of a message head is wrong')
  }
  const total = bytes.readUInt32BE(at)
  if (total < prelude + trailer) throw new EventStreamError(`a message cannot be ${total} bytes long`)
  if (total > limit) throw new EventStreamError(`a message of ${total} bytes is larger than ${limit}`)
  return total
}

function messageOf(bytes: Buffer): EventMessage {
  const end = bytes.length - trailer
  if (Bun.hash.crc32(bytes.subarray(0, end)) !== bytes.readUInt32BE(end)) throw new EventStreamError('the checksum of a message is wrong')
  const payloadAt = prelude + bytes.readUInt32BE(4)
  if (payloadAt > end) throw new EventStreamError('the headers of a message are longer than the message')
  return { headers: headersOf(bytes.subarray(prelude, payloadAt)), payload: bytes.subarray(payloadAt, end) }
}

/** Bytes of a value by its type; -1 = two bytes of length come first. */
const sizes = [0, 0, 1, 2, 4, 8, -1, -1, 8, 16]
const textType = 7

function headersOf(bytes: Buffer): Map<string, string> {
  const headers = new Map<string, string>()
  let at = 0
  try {
    while (at < bytes.length) {
      const nameEnd = at + 1 + bytes.readUInt8(at)
      const name = bytes.toString('utf8', at + 1, nameEnd)
      const type = bytes.readUInt8(nameEnd)
      const size = sizes[type]
      if (size === undefined) throw new EventStreamError(`a header of the unknown type ${type}`)
      const start = nameEnd + 1 + (size < 0 ? 2 : 0)
      at = start + (size < 0 ? bytes.readUInt16BE(nameEnd + 1) : size)
      if (at > bytes.length) throw new EventStreamError('a header is longer than all headers')
      if (type === textType) headers.set(name, bytes.toString('utf8', start, at))
    }
  } catch (error) {
    if (error instanceof EventStreamError) throw error
    throw new EventStreamError('the headers of a message end too soon')
  }
  return headers
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
