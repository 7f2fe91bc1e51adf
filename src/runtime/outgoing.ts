/**
 * One upstream call as bytes: where it goes, with which headers, which body, and what turns its reply into the client's terms.
 *
 * In the client's own dialect the body leaves as pieces, from where they lie, with only the model spliced. Else it is translated. Makes no call.
 */

import type { OperationSpec } from '../dialect/family.ts'
import { isTagged, proofMark } from '../dialect/proof.ts'
import { asBuffer } from '../dialect/sse.ts'
import type { ReplyTranslation } from '../dialect/translate.ts'
import type { RequestCore } from '../pipeline/request-core.ts'
import type { Refusal } from '../plugin/reply.ts'
import type { BodyChange } from '../plugin/request.ts'
import type { UpstreamDefinition } from '../upstream/definition.ts'
import { forwardableQuery, requestLines, translatedLines } from '../upstream/headers.ts'
import type { HeaderLines } from '../upstream/http/transport.ts'
import { isAppended, withUsageAsked } from './ask-usage.ts'
import type { InferenceExchange } from './handle.ts'
import { translated } from './translated.ts'

export interface Outgoing {
  /** The upstream's operation. */
  readonly route: OperationSpec
  /** Path and query, base path included. */
  readonly path: string
  readonly headers: HeaderLines
  readonly body: readonly Uint8Array[]
  /** Present when the client speaks another dialect. */
  readonly translation?: ReplyTranslation | undefined
  /** How `body` differs from what was received, where somebody may ask and it is known. */
  readonly changes?: readonly BodyChange[] | undefined
}

/** Sent when the client names none; required by the API. */
const anthropicDefaults = [['anthropic-version', '2023-06-01']] as const
const noDefaults = [] as const

/** The call that an exchange makes of an upstream; a refusal when its request can't be put into the upstream's dialect. */
export function outgoing(exchange: InferenceExchange, upstream: UpstreamDefinition, route: OperationSpec): Outgoing | Refusal {
  const { core, dialect } = exchange
  const body = core.body!
  const anthropic = upstream.family === 'anthropic'
  let path = upstream.basePath + (route.path ? route.path(body.model, body.stream) : route.suffix)
  if (route.dialect !== dialect) {
    const made = translated(exchange, upstream, route)
    if ('type' in made) return made
    const headers = translatedLines(core.headers, upstream.headers, anthropic ? anthropicDefaults : noDefaults)
    return { route, path, headers, body: [made.body], translation: made.reply }
  }
  core.dropped = undefined // of a call before this one, to another upstream
  // `?beta=true` and its like mean something to Anthropic only (H08)
  if (core.query !== '' && anthropic) path += forwardableQuery(core.query)
  // the gateway's own edits are for this call: the next one, to another upstream, begins with what the client and the plugins wrote
  const mark = renameModel(core, route) ?? (exchange.snapshot.mixed ? dropForeignProofs(body, route) : undefined)
  const headers = requestLines(core.headers, upstream.headers, anthropic ? anthropicDefaults : noDefaults, anthropic)
  const sent = pieces(body)
  const changes = core.plan.attempt.length > 0 && body.bytes[0] !== 0xef ? body.changes : undefined
  if (mark !== undefined) body.undo(mark)
  const asking = core.plan.usage ? withUsageAsked(exchange, upstream, route, sent) : sent
  // a body that has such a member is changed where that is
  return { route, path, headers, body: asking, changes: asking === sent || isAppended(asking) ? changes : undefined }
}

/** Puts the upstream's name of the model where a body repeats it. Gives the mark to which these edits are undone. */
function renameModel({ body, modelAsked }: InferenceExchange['core'], { dialect }: OperationSpec): unknown {
  if (!dialect.modelNames || !body || body.model === modelAsked) return undefined
  const mark = body.mark()
  for (const [pointer, name] of dialect.modelNames(body.document.value, body.model)) body.set(pointer, name, 'headgate')
  return mark
}

/**
 * Proofs that another dialect's upstream made and we tagged mean nothing to this one, which would refuse the whole request: the client went from a
 * translated model to one that is not (D03). Gives the mark to which these edits are undone.
 */
function dropForeignProofs(body: RequestCore, route: OperationSpec): unknown {
  const codec = route.dialect.request
  if (!codec || asBuffer(body.bytes).indexOf(codec.proofMark ?? proofMark) < 0) return undefined
  const mark = body.mark()
  const { document } = body
  const { value } = document
  for (const pointer of codec.foreign(value)) {
    if (!isRemovable(document.at(pointer))) continue
    const instead = codec.standIn?.(value, pointer)
    if (instead === undefined) body.remove(pointer, 'headgate')
    else body.set(pointer, instead, 'headgate')
  }
  return mark
}

/** A block, or a proof that stands alone. */
function isRemovable(value: unknown): boolean {
  return typeof value === 'string' ? isTagged(value) : value !== undefined
}

/** Above this many edits one joined copy is cheaper than many small writes. */
const maxPieces = 16

/** The body as pieces, edits between slices of what was received. */
function pieces(body: RequestCore): Uint8Array[] {
  const spliced = body.splicedModel()
  if (spliced) return spliced
  const edits = body.document.edits()
  if (edits.length === 0 || edits.length > maxPieces) return [body.document.output()]
  const out: Uint8Array[] = []
  let at = 0
  for (const edit of edits) {
    if (edit.start > at) out.push(body.bytes.subarray(at, edit.start))
    if (edit.text.length > 0) out.push(Buffer.from(edit.text))
    at = edit.end
  }
  if (at < body.bytes.length) out.push(body.bytes.subarray(at))
  return out
}
