/**
 * Reads a request body: size limit, content coding, media type. Says what is wrong with it before any plugin sees it.
 *
 * The limit holds for the bytes on the wire and again for the decoded bytes, so that a small bomb can't grow (A08, A16).
 */

import { brotliDecompress, gunzip, inflate, type ZlibOptions, zstdDecompress } from 'node:zlib'
import { quickLook, quickLookFrom } from '../json/quick-look.ts'
import { type JsonProblem, scanTopLevel, type TopLevel } from '../json/scan.ts'
import type { Refusal } from '../plugin/reply.ts'

export interface BodyLimits {
  /** Bytes. */
  readonly size: number
  readonly depth: number
}

/** What the headers alone forbid; undefined when the body may be read. */
export function refuseUnread(headers: Headers, limits: BodyLimits): Refusal | undefined {
  const type = headers.get('content-type')
  if (!isJson(type)) {
    return refusal(
      'unsupported_media_type',
      type
        ? `The content type is ${JSON.stringify(type.slice(0, 80))}. Send the body as application/json.`
        : 'There is no content type. Send the body as application/json.',
    )
  }
  return Number(headers.get('content-length')) > limits.size ? tooLarge(limits.size) : undefined
}

/** True when one read gives the body as it is: a declared length, no coding. Nearly always. */
export function isPlain(headers: Headers): boolean {
  return headers.has('content-length') && !headers.has('content-encoding')
}

/** A body without a declared length, or with a content coding. Rejects only when the client has gone. */
export async function readCoded(request: Request, limits: BodyLimits): Promise<Uint8Array | Refusal> {
  const raw = await readCapped(request, limits.size)
  if (!raw) return tooLarge(limits.size)
  const coding = request.headers.get('content-encoding')
  return coding === null || coding === 'identity' ? raw : await decode(raw, coding, limits.size)
}

/** What is known of a body that was read: its model and whether it asks for a stream, or the refusal that it earns. */
export function examine(bytes: Uint8Array, limits: BodyLimits): TopLevel | Refusal {
  const top = (bytes.length >= quickLookFrom ? quickLook(bytes) : undefined) ?? scanTopLevel(bytes, limits.depth)
  if (!top.ok) return jsonRefusal(top)
  if (top.modelCount > 1) {
    // a gateway that checks one of them while the upstream takes the other would let limits be walked around
    return { ...refusal('invalid_parameter', 'The body names the model more than once. Send one "model".'), param: 'model' }
  }
  return top
}

/** A body without a declared length, read only as far as the limit. */
async function readCapped(request: Request, limit: number): Promise<Uint8Array | undefined> {
  if (!request.body) return new Uint8Array(0)
  const chunks: Uint8Array[] = []
  let size = 0
  const reader = request.body.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    size += value.length
    if (size > limit) {
      await reader.cancel()
      return undefined
    }
    chunks.push(value)
  }
  return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, size)
}

type Decoder = (buffer: Uint8Array, options: ZlibOptions, done: (error: Error | null, result: Buffer) => void) => void

const decoders: Readonly<Record<string, Decoder>> = {
  gzip: gunzip as Decoder,
  'x-gzip': gunzip as Decoder,
  deflate: inflate as Decoder,
  br: brotliDecompress as Decoder,
  zstd: zstdDecompress as Decoder,
}

function decode(raw: Uint8Array, coding: string, limit: number): Promise<Uint8Array | Refusal> {
  const decoder = decoders[coding.trim().toLowerCase()]
  if (!decoder) {
    return Promise.resolve(
      refusal(
        'unsupported_media_type',
        `The content encoding ${JSON.stringify(coding.slice(0, 80))} is not supported. Use gzip, deflate, br, zstd or none.`,
      ),
    )
  }
  return new Promise((resolve) => {
    decoder(raw, { maxOutputLength: limit }, (error, result) => {
      if (!error) resolve(result)
      else if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') resolve(tooLarge(limit))
      else resolve(refusal('invalid_request', `The body is not valid ${coding}: ${error.message}.`))
    })
  })
}

function isJson(type: string | null): boolean {
  if (type === null) return false
  if (type === 'application/json') return true
  const media = type.split(';', 1)[0]!.trim().toLowerCase()
  return media === 'application/json' || (media.startsWith('application/') && media.endsWith('+json'))
}

function jsonRefusal(problem: JsonProblem): Refusal {
  const code = problem.kind === 'syntax' || problem.kind === 'empty' ? 'invalid_json' : 'invalid_request'
  const sentence = problem.kind === 'syntax' ? `The body is not valid JSON: ${problem.message}` : problem.message.replace(/^the /, 'The ')
  const made = refusal(code, `${sentence}.`)
  return problem.param === undefined ? made : { ...made, code: 'invalid_parameter', param: problem.param }
}

function tooLarge(limit: number): Refusal {
  return refusal('request_too_large', `The body is larger than the ${formatSize(limit)} that this gateway accepts.`)
}

function formatSize(bytes: number): string {
  return bytes % (1024 * 1024) === 0 ? `${bytes / 1024 / 1024} MB` : `${bytes} bytes`
}

function refusal(code: Refusal['code'], message: string): Refusal {
  return { type: 'refusal', code, message }
}
