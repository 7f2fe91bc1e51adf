/**
 * Parts of a candidate made of events.
 *
 * Arguments that are no JSON object stand under one fixed key: a model may write broken ones (PROTOCOL §1.2). Their text is kept.
 */

import type { MediaEvent } from '../../plugin/events.ts'
import { rawObject, type Writable } from '../json-text.ts'
import { type CarriedThought, signatureOf } from './proofs.ts'

export type WritablePart = { readonly [key: string]: Writable }

/** A text, with the proof that belongs to it. */
export function textPart(text: string, signature: string | undefined): WritablePart {
  return { text, thoughtSignature: signatureOf(signature) }
}

/** A thought. One that is hidden has no text at all, which tells it from one whose text is empty. */
export function thoughtPart(text: string, signature: string | undefined, redacted: boolean): WritablePart {
  return { text: redacted ? undefined : text, thought: true, thoughtSignature: signatureOf(signature) }
}

export interface CallPart {
  readonly id: string | undefined
  readonly name: string | undefined
  readonly arguments: string
  readonly signature: string | undefined
}

/** @param thoughts told before the call, which it carries */
export function callPart(call: CallPart, thoughts: readonly CarriedThought[] = []): WritablePart {
  const args = rawObject(call.arguments) ?? { _raw: call.arguments }
  return { functionCall: { id: call.id, name: call.name ?? '', args }, thoughtSignature: signatureOf(call.signature, thoughts) }
}

/** Media that the model made, inline. */
export function mediaPart({ mime, data }: MediaEvent): WritablePart {
  return { inlineData: { mimeType: mime, data } }
}
