/**
 * Recorded provider traffic for golden tests: `../shared/recordings` beside the repository, or HEADGATE_RECORDINGS.
 *
 * The recordings are not part of the repository; tests that use them skip when they are absent.
 */

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const folder = process.env.HEADGATE_RECORDINGS ?? join(import.meta.dir, '../../../shared/recordings')

export interface Recording {
  readonly id: string
  readonly dialect: string
  readonly provider: string
  readonly stream: boolean
  readonly status: number
  readonly features: readonly string[]
  /** Parsed request body, if recorded. */
  readonly request: unknown
  /** Body of the reply as it went over the wire. */
  readonly body: string
}

interface Entry {
  readonly id: string
  readonly file: string
  readonly dialect: string
  readonly provider: string
  readonly stream: boolean
  readonly status: number
  readonly features: readonly string[]
}

export const hasRecordings = existsSync(join(folder, 'index.jsonl'))
if (!hasRecordings) console.warn(`golden tests are skipped: no recordings in ${folder}; set HEADGATE_RECORDINGS`)

/** All recordings of a dialect; empty when there are none. */
export function recordings(dialect: string): Recording[] {
  if (!hasRecordings) return []
  return readFileSync(join(folder, 'index.jsonl'), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Entry)
    .filter((entry) => entry.dialect === dialect)
    .map((entry) => {
      const whole = JSON.parse(readFileSync(join(folder, entry.file), 'utf8'))
      const { sse, body } = whole.response
      return { ...entry, request: whole.request?.body, body: entry.stream ? sse : typeof body === 'string' ? body : JSON.stringify(body) }
    })
}

/** Deterministic random numbers, so that a failure can be repeated. */
export function randomFrom(seed: string): (below: number) => number {
  let state = Bun.hash.crc32(seed) || 1
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}
