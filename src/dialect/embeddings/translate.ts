/**
 * A request for embeddings from one dialect to another: one body, or several where the upstream takes fewer inputs at a time.
 *
 * Several bodies travel as the items of one JSON array, so that hooks see one; `callsOf` takes them apart again when they are sent, and the replies are
 * put together likewise (`replies.ts`).
 */

import { childSpans, rootSpan } from '../../json/spans.ts'
import { estimateText } from '../../plugin/estimate-text.ts'
import type { Usage } from '../../plugin/outcome.ts'
import { unknownUsage } from '../../plugin/outcome.ts'
import type { JsonSource } from '../json-source.ts'
import { writeJson } from '../json-text.ts'
import { LossReport } from '../loss.ts'
import { type EmbeddingRequest, type EmbeddingsCodec, type EmbeddingTarget, maxInputs } from './request.ts'

export interface EmbeddingsTranslation {
  /** Do not send it when `report` refuses. */
  readonly body: Uint8Array
  readonly report: LossReport
  /** What the inputs cost, roughly, for upstreams that do not tell. */
  estimate(): Usage
}

/** Translates a request for vectors. What the upstream can't be told is dropped or refused in `report`. */
export function translateEmbeddings(
  source: JsonSource,
  from: EmbeddingsCodec,
  to: EmbeddingsCodec,
  target: EmbeddingTarget,
): EmbeddingsTranslation {
  const report = new LossReport()
  const request = from.read(source, report)
  const { extras, inputs, names } = request
  for (const { details, field, message, weight } of extras) {
    if (weight === 'hint') report.drop(field)
    else report.refuse(field, message, details)
  }
  if (inputs.length === 0) report.refuse(names.inputs, 'There is nothing to embed. Send at least one text.')
  if (inputs.length > maxInputs) {
    report.refuse(names.inputs, `These are ${inputs.length} inputs; one request may have ${maxInputs}. Send them in several requests.`)
  }
  const calls = report.refusal ? [] : to.write(request, target, report).map(writeJson)
  const text = calls.length === 1 ? calls[0]! : `[${calls.join(',')}]`
  return { body: new TextEncoder().encode(text), report, estimate: () => estimated(request) }
}

/** The bodies to be sent: the items of an array, else the one that it is. */
export function callsOf(body: Uint8Array): readonly Uint8Array[] {
  const { start } = rootSpan(body, 0)
  return body[start] === 0x5b ? childSpans(body, start).map((child) => body.subarray(child.start, child.end)) : [body]
}

function estimated({ inputs }: EmbeddingRequest): Usage {
  let tokens = 0
  for (const input of inputs) tokens += 'text' in input ? Math.max(1, Math.round(estimateText(input.text))) : input.tokens.length
  return { ...unknownUsage, source: 'estimated', inputUncached: tokens }
}
