/** Writes messages of AWS's event stream, for tests. */

/** One message. Header values are texts. */
export function eventMessage(headers: Readonly<Record<string, string>>, payload: string | Uint8Array): Buffer {
  const head = Buffer.concat(
    Object.entries(headers).map(([name, value]) => {
      const bytes = Buffer.from(value)
      const size = Buffer.alloc(2)
      size.writeUInt16BE(bytes.length)
      return Buffer.concat([Buffer.from([Buffer.byteLength(name)]), Buffer.from(name), Buffer.from([7]), size, bytes])
    }),
  )
  return rawMessage(head, Buffer.from(payload as string))
}

/** A message with these bytes as its headers. */
export function rawMessage(head: Uint8Array, body: Uint8Array): Buffer {
  const total = 16 + head.length + body.length
  const out = Buffer.alloc(total)
  out.writeUInt32BE(total, 0)
  out.writeUInt32BE(head.length, 4)
  out.writeUInt32BE(Bun.hash.crc32(out.subarray(0, 8)), 8)
  out.set(head, 12)
  out.set(body, 12 + head.length)
  out.writeUInt32BE(Bun.hash.crc32(out.subarray(0, total - 4)), total - 4)
  return out
}

/** An event as Converse sends it. */
export const event = (type: string, payload: unknown): Buffer =>
  eventMessage({ ':event-type': type, ':content-type': 'application/json', ':message-type': 'event' }, JSON.stringify(payload))

/** A chunk as `invoke-with-response-stream` sends it: the model's own event, in base64. */
export const chunk = (payload: unknown): Buffer =>
  event('chunk', { bytes: Buffer.from(JSON.stringify(payload)).toString('base64'), p: 'abcdefgh' })

/** An exception in mid-stream. */
export const exception = (type: string, message: string): Buffer =>
  eventMessage({ ':exception-type': type, ':content-type': 'application/json', ':message-type': 'exception' }, JSON.stringify({ message }))
