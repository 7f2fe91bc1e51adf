/**
 * The chunk that `include_usage` adds to a Chat stream, kept from a client that did not ask for it (PROTOCOL §0.1).
 *
 * Only the chunk with usage and an empty list of choices is withheld. `"usage":null` in other chunks stays, as do chunks that carry usage beside
 * content: clients of any provider have seen those.
 */

import { objectOf, parseJson } from '../dialect/shape.ts'
import { asBuffer, endsAtBoundary, SseReader } from '../dialect/sse.ts'
import type { LiveStream, StreamSink } from '../pipeline/reply-core.ts'

/** True for the data of a chunk that holds usage and no choice. */
export function isUsageOnly(data: string): boolean {
  if (!/"usage"\s*:\s*\{/.test(data) || !/"choices"\s*:\s*\[\s*\]/.test(data)) return false
  const chunk = objectOf(parseJson(data))
  return chunk !== undefined && Array.isArray(chunk.choices) && chunk.choices.length === 0 && objectOf(chunk.usage) !== undefined
}

/** The stream without such chunks, every other byte as it came. A chunk of bytes in which no usage stands passes after one native search. */
export function withoutUsageOnly(live: LiveStream): LiveStream {
  const reader = new SseReader()
  return {
    dialect: live.dialect,
    ...(live.ready && { ready: true }),
    attach: (sink) => live.attach(filter(reader, sink)),
    pause: () => live.pause(),
    resume: () => live.resume(),
    atBoundary: () => live.atBoundary(),
    missingEnd: () => live.missingEnd(),
    cancel: () => live.cancel(),
    get said() {
      return live.said === true
    },
  }
}

function filter(reader: SseReader, sink: StreamSink): StreamSink {
  const pass = (frames: ReturnType<SseReader['push']>) => {
    for (const frame of frames) if (!isUsageOnly(frame.data)) sink.chunk(frame.raw)
  }
  return {
    chunk(bytes) {
      if (reader.pending === 0 && endsAtBoundary(bytes) && !mayHoldUsage(bytes)) sink.chunk(bytes)
      else pass(reader.push(bytes))
    },
    end(failure) {
      pass(reader.end())
      sink.end(failure)
    },
  }
}

const usageKey = Buffer.from('usage"')

/** True when a key `usage` stands in the bytes with an object behind it. */
function mayHoldUsage(chunk: Uint8Array): boolean {
  const bytes = asBuffer(chunk)
  for (let at = bytes.indexOf(usageKey); at >= 0; at = bytes.indexOf(usageKey, at + usageKey.length)) {
    let next = at + usageKey.length
    while (isSpace(bytes[next])) next++
    if (bytes[next] !== 0x3a) continue
    next++
    while (isSpace(bytes[next])) next++
    if (bytes[next] === 0x7b) return true
  }
  return false
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d
}
