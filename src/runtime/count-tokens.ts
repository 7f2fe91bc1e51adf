/**
 * A count of tokens for a model whose upstream can't count: an estimate, marked as one (H09, PROTOCOL §1.9).
 *
 * Counts what the model would be sent, tools and pictures included; never 0.
 */

import { estimateTokens } from '../dialect/estimate.ts'
import { jsonSource } from '../dialect/json-source.ts'
import { LossReport } from '../dialect/loss.ts'
import { ReplyCore } from '../pipeline/reply-core.ts'
import type { InferenceExchange } from './handle.ts'

/** The answer to a request for a count. */
export function countLocally(exchange: InferenceExchange): Promise<ReplyCore> {
  const { core, dialect, spec } = exchange
  const source = jsonSource(core.body!.document.output())
  if (!source || !dialect.request || !spec.counted) {
    return Promise.resolve(exchange.refused({ type: 'refusal', code: 'invalid_json', message: 'The body is not valid JSON.' }))
  }
  const tokens = estimateTokens(dialect.request.read(source, new LossReport()), core.body!.model)
  const headers = new Headers({ 'x-gateway-estimated': 'true' })
  const events = [{ type: 'native', data: spec.counted(tokens) }] as const
  return Promise.resolve(new ReplyCore(true, 200, headers, false, { kind: 'completed', events }))
}
