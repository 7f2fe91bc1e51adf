/**
 * Undoes content-encoding of a response body while it streams (hazard A07), for servers that encode although asked not to.
 *
 * Owns one zlib stream and its backpressure. Knows gzip, deflate (with and without zlib header), br and zstd, one of them.
 */

import { createBrotliDecompress, createGunzip, createInflate, createInflateRaw, createZstdDecompress } from 'node:zlib'

export interface DecoderSink {
  data(chunk: Uint8Array): void
  /** All input given was decoded, and it was complete. (Bun's zstd decoder ends a cut stream without an error: there the framing alone tells.) */
  end(): void
  error(message: string): void
  /** The decoder has taken what it was given: it may get more. */
  drain(): void
}

export interface BodyDecoder {
  /** False when it should get no more until `drain`. */
  write(chunk: Uint8Array): boolean
  /** No more input. */
  finish(): void
  pause(): void
  resume(): void
  /** Drops everything; the sink hears no more. */
  destroy(): void
}

const factories: Readonly<Record<string, (first: Uint8Array) => ReturnType<typeof createGunzip>>> = {
  gzip: () => createGunzip(),
  'x-gzip': () => createGunzip(),
  // `deflate` means zlib, but some servers send the bare stream; a zlib header is recognisable
  deflate: (first) => (isZlib(first) ? createInflate() : createInflateRaw()),
  br: () => createBrotliDecompress(),
  zstd: () => createZstdDecompress(),
}

/** True for a coding that is undone here. */
export function canDecode(coding: string): boolean {
  return Object.hasOwn(factories, coding)
}

/** @param coding one that `canDecode` knows */
export function createBodyDecoder(coding: string, sink: DecoderSink): BodyDecoder {
  let stream: ReturnType<typeof createGunzip> | undefined
  let paused = false
  let destroyed = false

  const start = (first: Uint8Array): ReturnType<typeof createGunzip> => {
    const made = (factories[coding] as (first: Uint8Array) => ReturnType<typeof createGunzip>)(first)
    made.on('data', (chunk: Uint8Array) => {
      if (!destroyed) sink.data(chunk)
    })
    made.on('end', () => {
      if (!destroyed) sink.end()
    })
    made.on('error', (error: Error) => {
      if (!destroyed) sink.error(`${coding} body: ${error.message}`)
    })
    made.on('drain', () => {
      if (!destroyed) sink.drain()
    })
    if (paused) made.pause()
    return made
  }

  return {
    write(chunk) {
      stream ??= start(chunk)
      return stream.write(chunk)
    },
    finish() {
      if (stream !== undefined) stream.end()
      else if (!destroyed) sink.end() // an empty body needs no decoding, whatever its label
    },
    pause() {
      paused = true
      stream?.pause()
    },
    resume() {
      paused = false
      stream?.resume()
    },
    destroy() {
      destroyed = true
      stream?.destroy()
    },
  }
}

function isZlib(first: Uint8Array): boolean {
  const cmf = first[0] ?? 0
  // With one byte only, the method nibble has to decide.
  return (cmf & 15) === 8 && (first.length < 2 || ((cmf << 8) | (first[1] as number)) % 31 === 0)
}
