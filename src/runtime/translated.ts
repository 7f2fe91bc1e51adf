/**
 * A request put into the dialect of an upstream that speaks another one than the client, or the refusal that says why it can't be.
 *
 * What had to be left out is noted on the exchange: it leaves in a header and stands in the record. With `on_drop: refuse` it is a refusal instead.
 */

import { translateEmbeddings } from '../dialect/embeddings/translate.ts'
import type { OperationSpec } from '../dialect/family.ts'
import { jsonSource } from '../dialect/json-source.ts'
import type { LossReport } from '../dialect/loss.ts'
import { ReplyTranslation, translateRequest } from '../dialect/translate.ts'
import type { Refusal } from '../plugin/reply.ts'
import { capabilitiesAt } from '../upstream/capabilities.ts'
import type { UpstreamDefinition } from '../upstream/definition.ts'
import type { InferenceExchange } from './handle.ts'

export interface TranslatedRequest {
  readonly body: Uint8Array
  readonly reply: ReplyTranslation
}

/** Translates the request of an exchange for one operation of an upstream. */
export function translated(exchange: InferenceExchange, upstream: UpstreamDefinition, route: OperationSpec): TranslatedRequest | Refusal {
  const { core, dialect, snapshot } = exchange
  const body = core.body!
  const source = jsonSource(body.document.output())
  if (!source) return { type: 'refusal', code: 'invalid_json', message: 'The body is not valid JSON.' }
  const maker = { dialect: route.dialect.name, upstream: upstream.name }
  if (route.dialect.embeddings) {
    const place = { model: body.model, host: upstream.host?.name }
    const made = translateEmbeddings(source, dialect.embeddings!, route.dialect.embeddings, place)
    return lost(exchange, upstream, made.report) ?? { body: made.body, reply: ReplyTranslation.ofVectors(maker, made.estimate) }
  }
  const can = capabilitiesAt(upstream, route.dialect.name, body.model)
  const target = {
    model: body.model,
    upstream: upstream.name,
    can,
    maxOutput: core.target?.maxOutput ?? snapshot.catalog.find(core.modelAsked ?? '')?.maxOutput,
    stream: body.stream,
    autoCache: upstream.autoCache === true,
  }
  const made = translateRequest(source, dialect.request!, route.dialect.request!, target)
  return (
    lost(exchange, upstream, made.report) ?? {
      body: made.body,
      reply: new ReplyTranslation(maker, made.names, made.conversation, can),
    }
  )
}

/** Notes what had to be left out; the refusal that it earns, if any. */
function lost({ core }: InferenceExchange, { onDrop }: UpstreamDefinition, { dropped, refusal }: LossReport): Refusal | undefined {
  if (refusal) {
    const { field, message, details } = refusal
    return { type: 'refusal', code: 'unsupported_parameter', message, param: field, ...(details !== undefined && { extra: { details } }) }
  }
  if (dropped.length > 0 && onDrop === 'refuse') {
    const message = `The upstream of this model can't be told ${named(dropped)}. Leave ${dropped.length === 1 ? 'it' : 'them'} out: this gateway drops nothing in silence.`
    return { type: 'refusal', code: 'unsupported_parameter', message, param: dropped[0]! }
  }
  core.dropped = dropped.length > 0 ? dropped : undefined
  return undefined
}

function named(fields: readonly string[]): string {
  const quoted = fields.slice(0, 10).map((field) => `"${field}"`)
  return `${quoted.join(', ')}${fields.length > 10 ? ` and ${fields.length - 10} more` : ''}`
}
