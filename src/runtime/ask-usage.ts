/**
 * Asks the upstream of a Chat stream for its usage when a plugin needs it and the client did not ask: `stream_options.include_usage` (PROTOCOL §0.1).
 *
 * The one edit besides the model that a body in the client's own dialect may get (F01). It is made on the way out: plugins do not see it in the
 * request, and the chunk that it adds to the reply is kept from the client (`upstream/usage-chunk.ts`).
 */

import type { OperationSpec } from '../dialect/family.ts'
import { asBuffer } from '../dialect/sse.ts'
import { JsonDocument } from '../json/document.ts'
import { capabilitiesAt } from '../upstream/capabilities.ts'
import type { UpstreamDefinition } from '../upstream/definition.ts'
import type { InferenceExchange } from './handle.ts'

const member = Buffer.from('stream_options')
const addition = Buffer.from(',"stream_options":{"include_usage":true}')
/** Dialects whose streams say nothing of usage unless they are asked. */
const silent: readonly string[] = ['openai-chat', 'openai-completions']

/** The body, asking for usage where that is needed; when it was changed for that, the exchange withholds what comes of it. */
export function withUsageAsked(
  exchange: InferenceExchange,
  upstream: UpstreamDefinition,
  route: OperationSpec,
  body: readonly Uint8Array[],
): readonly Uint8Array[] {
  const { core } = exchange
  const { stream, model } = core.body!
  const may = stream && silent.includes(route.dialect.name) && understands(upstream, route.dialect.name, model)
  const asking = may ? askForUsage(body) : undefined
  exchange.withholdUsage = asking !== undefined
  return asking ?? body
}

/** Whether what was asked stands behind all else, so that nothing has moved. */
export function isAppended(body: readonly Uint8Array[]): boolean {
  return body.at(-2) === addition
}

/** Answers, by upstream and model: working one out goes through all rules. */
const known = new WeakMap<UpstreamDefinition, Map<string, boolean>>()
const maxKnown = 1000

/** Some providers refuse the field (Mistral), and tell unasked. */
function understands(upstream: UpstreamDefinition, dialect: string, model: string): boolean {
  let models = known.get(upstream)
  if (!models) known.set(upstream, (models = new Map()))
  let can = models.get(model)
  if (can === undefined) {
    can = capabilitiesAt(upstream, dialect, model).streamUsage
    if (models.size >= maxKnown) models.clear()
    models.set(model, can)
  }
  return can
}

/** The pieces of a body with the field in it; undefined when it asks already, or is no object. Without such a member nothing is parsed. */
export function askForUsage(body: readonly Uint8Array[]): Uint8Array[] | undefined {
  // pieces between edits could cut the member's name: then they are looked at as one
  const pieces = body.length > 3 ? [Buffer.concat(body)] : [...body]
  if (pieces.some((piece) => asBuffer(piece).indexOf(member) >= 0)) return edited(Buffer.concat(pieces))
  const last = pieces.pop()!
  const end = asBuffer(last).lastIndexOf(0x7d)
  if (end < 0) return undefined
  return [...pieces, last.subarray(0, end), addition, last.subarray(end)]
}

function edited(body: Uint8Array): Uint8Array[] | undefined {
  try {
    const document = new JsonDocument(body)
    const options = document.at('/stream_options')
    if (typeof options === 'object' && options !== null && !Array.isArray(options)) {
      if ((options as { include_usage?: unknown }).include_usage === true) return undefined
      document.set('/stream_options/include_usage', true)
    } else document.set('/stream_options', { include_usage: true })
    return [document.output()]
  } catch {
    return undefined // not JSON: the provider says so better
  }
}
