/**
 * Bodies of requests and replies, for operators who want them: sampled, redacted, cut, and kept apart from the records, so that they can
 * go sooner. What is gathered of a reply is bounded while it streams.
 */

import { createHash } from 'node:crypto'
import type { Records, StreamEvent } from 'headgate/plugin'
import type { AuditConfig } from './config.ts'
import { redactor } from './redact.ts'

export type BodiesConfig = NonNullable<AuditConfig['bodies']>

/** Bytes of a body that are looked at: more than is ever kept, so that what is cut off was redacted first. */
const mostRead = 4 * 1024 * 1024
/** Characters at a cut edge that may be half of a secret. */
const edge = 1024

/** What is gathered of one exchange. */
export interface Gathered {
  reply: string
}

export interface KeptBodies {
  readonly request: string | null
  readonly reply: string | null
  /** For the record: sizes and SHA-256 of what is kept. */
  readonly sums: object
}

export interface Bodies {
  /** Decides whether this exchange's bodies are kept. */
  sampled(): boolean
  gather(into: Gathered, event: StreamEvent): void
  /** What is to be kept; undefined when there is nothing. */
  made(request: Uint8Array | undefined, gathered: Gathered): KeptBodies | undefined
}

/** @throws SyntaxError for a pattern that is no regular expression. */
export function bodiesOf(config: BodiesConfig): Bodies {
  const redact = redactor(config.redact, config.patterns)
  const most = config.max_size
  const fit = (text: string, cut: boolean): string => {
    const clean = redact(text)
    return clean.slice(0, Math.min(most, cut ? Math.max(0, clean.length - edge) : most)).toWellFormed()
  }
  return {
    sampled: () => config.sample >= 1 || Math.random() < config.sample,
    gather(into, event) {
      if (into.reply.length > most + 2 * edge) return
      if (event.type === 'text') into.reply += event.text
      else if (event.type === 'tool_call') into.reply += `${event.name ? `\n[${event.name}] ` : ''}${event.arguments}`
    },
    made(request, gathered) {
      const cut = request !== undefined && request.length > mostRead
      const asked =
        request && fit(Buffer.from(request.buffer, request.byteOffset, Math.min(request.length, mostRead)).toString('utf8'), cut)
      const told = gathered.reply === '' ? undefined : fit(gathered.reply, gathered.reply.length > most + 2 * edge)
      if (asked === undefined && told === undefined) return undefined
      return {
        request: asked ?? null,
        reply: told ?? null,
        sums: {
          ...(asked !== undefined && { request: { chars: asked.length, sha256: sha256(asked) } }),
          ...(told !== undefined && { reply: { chars: told.length, sha256: sha256(told) } }),
        },
      }
    },
  }
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}

/** Writes them beside the record with that id. */
export async function keepBodies(records: Records, id: string, at: number, { request, reply }: KeptBodies): Promise<void> {
  await records.append('audit_body', [{ id, at: BigInt(Math.floor(at)), request, reply }])
}
