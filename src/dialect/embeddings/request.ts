/**
 * The neutral request for embeddings, and the interface by which dialects read and write it (PROTOCOL §1.9).
 *
 * Wide enough for what at least two providers can say. Shapes only. Vectors come back as `embedding` events, which each dialect encodes in its own form.
 */

import type { Extra } from '../conversation.ts'
import type { JsonSource } from '../json-source.ts'
import type { Writable } from '../json-text.ts'
import type { LossReport } from '../loss.ts'

export interface EmbeddingRequest {
  /** In order. Token ids mean something to the models of one maker only. */
  readonly inputs: readonly EmbeddingInput[]
  /** Length of the vectors that is asked for. */
  readonly dimensions?: number | undefined
  readonly purpose?: EmbeddingPurpose | undefined
  /** Id of the end user. */
  readonly user?: string | undefined
  /** The client's own names of what it gave, for refusals and disclosure. */
  readonly names: Readonly<Record<'inputs' | 'dimensions' | 'purpose' | 'user', string>>
  readonly extras: readonly Extra[]
}

export type EmbeddingInput =
  | { readonly text: string; readonly title?: string | undefined }
  /** Token ids of OpenAI's vocabularies. */
  | { readonly tokens: readonly number[] }

/** What the vectors are for: some models make other ones for questions than for what is searched. */
export type EmbeddingPurpose = 'query' | 'document' | 'similarity' | 'classification' | 'clustering' | 'question' | 'fact' | 'code'

export interface EmbeddingTarget {
  /** Model id in the upstream's spelling. */
  readonly model: string
  /** The service that wraps the dialect, if any: it may have another endpoint for a model than the maker has. */
  readonly host?: string | undefined
}

export interface EmbeddingsCodec {
  /** Reads a request; what it can't understand and may not skip it refuses in `report`. Never throws on odd shapes. */
  read(source: JsonSource, report: LossReport): EmbeddingRequest
  /** The bodies that ask for all inputs, in order: one for each call, for upstreams take one or a hundred inputs at a time. */
  write(request: EmbeddingRequest, target: EmbeddingTarget, report: LossReport): readonly Writable[]
}

/** For dialects that only upstreams speak. */
export function unreadable(): EmbeddingRequest {
  throw new TypeError('no client speaks this dialect')
}

/** Inputs of one request: OpenAI's own limit, so that no client may turn one request into any number of calls. */
export const maxInputs = 2048

/** The texts of a request; refuses token ids, which other models than OpenAI's would read as other words. */
export function textsOf({ inputs, names }: EmbeddingRequest, report: LossReport): { text: string; title?: string | undefined }[] {
  const texts = inputs.flatMap((input) => ('text' in input ? [input] : []))
  if (texts.length < inputs.length) {
    report.refuse(names.inputs, 'The model that was asked for takes texts, not token ids, which are those of OpenAI. Send texts.')
  }
  return texts
}

/** `items` in groups of at most `size`. */
export function groups<T>(items: readonly T[], size: number): T[][] {
  const out: T[][] = []
  for (let at = 0; at < items.length; at += size) out.push(items.slice(at, at + size))
  return out
}
