/**
 * Recorded provider traffic, read lazily from a folder outside the project.
 *
 * Owns the shape of a recording and the way to its bytes. The folder is `../shared/recordings` beside the project, or what
 * HEADGATE_RECORDINGS names. It may be absent: then every function says so once and gives undefined, and tests skip.
 * Nothing of it may be copied into the project.
 */

import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** One line of the index. */
export interface RecordingEntry {
  readonly id: string
  /** Path inside the folder. */
  readonly file: string
  /** `openai-chat`, `anthropic-messages`, … */
  readonly dialect: string
  readonly provider: string
  readonly stream: boolean
  readonly status: number
  /** `exchange` = request and reply recorded, `response` = the request was made up to fit, `spec-example` = from a specification. */
  readonly kind: 'exchange' | 'response' | 'spec-example'
  readonly recorded: boolean
  readonly features: readonly string[]
}

export interface RecordedRequest {
  readonly method: string
  readonly host: string
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string>>
  /** Parsed JSON; absent for a GET. */
  readonly body?: unknown
  /** True when the request was made up to fit the reply. */
  readonly synthetic?: boolean
}

/** One of `body` (parsed JSON), `sse` (text of a stream), `text` (a body that is not JSON) and `base64` (binary stream) is present. */
export interface RecordedResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** `recorded` = as received, `rebuilt` = put together again from the recorded events. */
  readonly framing: string
  readonly body?: unknown
  readonly sse?: string
  readonly text?: string
  readonly base64?: string
}

export interface Recording extends RecordingEntry {
  readonly request: RecordedRequest
  readonly response: RecordedResponse
}

/** What to choose; a list means any of its values. Fields that are left out match everything. */
export interface RecordingFilter {
  readonly dialect?: string | readonly string[]
  readonly stream?: boolean
  readonly status?: number | readonly number[]
  readonly kind?: RecordingEntry['kind'] | readonly RecordingEntry['kind'][]
  /** All of these must be there. */
  readonly features?: readonly string[]
  /** None of these may be there. */
  readonly without?: readonly string[]
  readonly limit?: number
}

const folder = resolve(process.env.HEADGATE_RECORDINGS ?? join(import.meta.dir, '../../../shared/recordings'))
let index: readonly RecordingEntry[] | undefined
let told = false

/** The recordings that match, in the order of the index; undefined (with one printed line) when there is no folder. */
export function findRecordings(filter: RecordingFilter = {}): readonly RecordingEntry[] | undefined {
  const all = readIndex()
  if (all === undefined) return undefined
  const found = all.filter((entry) => matches(entry, filter))
  return filter.limit === undefined ? found : found.slice(0, filter.limit)
}

/**
 * Reads one recording.
 * @throws Error when its file is missing or broken.
 */
export function readRecording(entry: RecordingEntry): Recording {
  return JSON.parse(readFileSync(join(folder, entry.file), 'utf8')) as Recording
}

/** The reply's body as bytes: of the stream, the text, the binary stream, or the JSON written compactly. */
export function replyBytes({ response }: Recording): Uint8Array {
  if (response.base64 !== undefined) return Buffer.from(response.base64, 'base64')
  return Buffer.from(response.sse ?? response.text ?? (response.body === undefined ? '' : JSON.stringify(response.body)))
}

/** The request's body as JSON text, with another model name if given; empty when it has none. */
export function requestText({ request }: Recording, model?: string): string {
  const body = request.body
  if (body === undefined) return ''
  return JSON.stringify(model !== undefined && typeof body === 'object' && body !== null ? { ...body, model } : body)
}

function readIndex(): readonly RecordingEntry[] | undefined {
  if (index !== undefined) return index
  const path = join(folder, 'index.jsonl')
  if (!existsSync(path)) {
    if (!told) console.error(`recordings: none at ${folder} (set HEADGATE_RECORDINGS to their folder); tests that need them are skipped`)
    told = true
    return undefined
  }
  const lines = readFileSync(path, 'utf8').split('\n')
  index = lines.filter((line) => line !== '').map((line) => JSON.parse(line) as RecordingEntry)
  return index
}

function matches(entry: RecordingEntry, filter: RecordingFilter): boolean {
  return (
    among(filter.dialect, entry.dialect) &&
    among(filter.stream, entry.stream) &&
    among(filter.status, entry.status) &&
    among(filter.kind, entry.kind) &&
    (filter.features ?? []).every((feature) => entry.features.includes(feature)) &&
    !(filter.without ?? []).some((feature) => entry.features.includes(feature))
  )
}

function among<T>(wanted: T | readonly T[] | undefined, value: T): boolean {
  return wanted === undefined || (Array.isArray(wanted) ? wanted.includes(value) : wanted === value)
}
