/**
 * How this gateway spells errors: the operator's words for codes, statuses and the envelope, put over those of the dialects.
 *
 * Every error that leaves goes through one voice: refusals, failed upstream calls, what ends a stream, unknown paths. It decides nothing but words and
 * status. Without a section `errors` it returns what it is given.
 */

import type { Dialect, Family, WireError } from '../dialect/codec.ts'
import { families } from '../dialect/family.ts'
import { errorCatalogue } from '../errors.ts'
import type { RefusalCode } from '../plugin/refusal.ts'
import type { Refusal } from '../plugin/reply.ts'
import type { Json } from '../plugin/request.ts'

/** The section `errors` of the config, resolved. */
export interface Spelling {
  readonly style: 'client' | Family
  readonly body?: Readonly<Record<string, unknown>>
  readonly codes: Readonly<Partial<Record<RefusalCode, SpelledWords>>>
}

interface SpelledWords {
  readonly code?: string
  readonly type?: string
  readonly status?: number
  readonly message?: string
  readonly extra?: Readonly<Record<string, unknown>>
}

export interface ErrorVoice {
  /** Some error of an upstream may have to leave otherwise than it came. */
  readonly speaks: boolean
  /** HTTP status of a refusal for a client of this family. */
  status(refusal: Pick<Refusal, 'code' | 'status'>, family: Family): number
  /** The status of an error whose status was found without this voice. */
  restated(code: RefusalCode, status: number, family: Family): number
  /** The body of an HTTP error. */
  body(dialect: Pick<Dialect, 'family' | 'errorBody'>, error: WireError, status: number): string
  /** An error as the dialect is to write it into a stream. */
  spelled(error: WireError, family: Family, status?: number): WireError
  /** An upstream's own error body may not leave as it is. */
  respells(code: RefusalCode | undefined, family: Family): boolean
}

/** Makes the voice of a config. */
export function errorVoice({ style, body, codes }: Spelling): ErrorVoice {
  const envelopeFor = (family: Family): Family => (style === 'client' ? family : style)
  /** Of which envelope `codes` and `body` speak. */
  const spoken: Family = style === 'client' ? 'openai' : style
  const restated = (code: RefusalCode, status: number, family: Family): number => {
    const own = codes[code]?.status
    if (own !== undefined) return own
    // a status that only Anthropic's clients know; one that an upstream answers its own clients with is theirs to see
    return status === 529 && family === 'anthropic' && envelopeFor(family) !== 'anthropic' ? errorCatalogue[code].status : status
  }
  const usual = (code: RefusalCode, family: Family): number => {
    const entry = errorCatalogue[code]
    return restated(code, (family === 'anthropic' && entry.anthropicStatus) || entry.status, family)
  }
  const spelled = (error: WireError, family: Family, status = usual(error.code, family)): WireError => {
    const own = codes[error.code]
    const envelope = envelopeFor(family)
    const speaks = envelope === spoken
    const other = envelope !== family
    if (own === undefined && !other && !(speaks && body !== undefined)) return error
    const { upstreamType, upstreamCode, ...rest } = error
    // an upstream's words are those of the family that the client called
    const theirs = other ? {} : { ...(upstreamType !== undefined && { upstreamType }), ...(upstreamCode !== undefined && { upstreamCode }) }
    const words: { type?: string; code?: string } = {}
    if (speaks && own?.type !== undefined) words.type = own.type
    if (speaks && own?.code !== undefined) words.code = own.code
    const made: WireError = {
      ...rest,
      ...theirs,
      message: own?.message ?? error.message,
      words,
      ...(own?.extra && { extra: { ...(own.extra as Record<string, Json>), ...error.extra } }),
    }
    if (speaks && body !== undefined) return { ...made, body: JSON.stringify(filled(body, made, envelope, status, own?.extra)) }
    return other ? { ...made, body: families[envelope].operations[0]!.dialect.errorBody(made) } : made
  }
  return {
    speaks: style !== 'client' || body !== undefined || Object.keys(codes).length > 0,
    restated,
    spelled,
    status: ({ code, status }, family) => (status === undefined ? usual(code, family) : restated(code, status, family)),
    body(dialect, error, status) {
      const made = spelled(error, dialect.family, status)
      return made.body ?? dialect.errorBody(made)
    },
    respells: (code, family) =>
      style !== 'client' || (spoken === family && body !== undefined) || (code !== undefined && codes[code] !== undefined),
  }
}

/** The template with what is known of an error. */
function filled(
  body: Readonly<Record<string, unknown>>,
  error: WireError,
  envelope: Family,
  status: number,
  own: Readonly<Record<string, unknown>> = {},
): unknown {
  const entry = errorCatalogue[error.code]
  const { words, upstreamType, upstreamCode, extra } = error
  const figures: Readonly<Record<string, string | number | undefined>> = {
    code: words?.code ?? upstreamCode ?? entry.openai[1] ?? undefined,
    type: words?.type ?? upstreamType ?? (envelope === 'openai' ? entry.openai[0] : entry[envelope]),
    message: error.message,
    param: error.param,
    status,
    status_text: String(status),
    request_id: error.requestId,
    retry_after: error.retryAfter === undefined ? undefined : Math.max(0, Math.ceil(error.retryAfter)),
  }
  const fill = (value: unknown): unknown => {
    if (typeof value === 'string') return fillText(value, figures)
    if (value === null || typeof value !== 'object') return value
    if (Array.isArray(value)) return value.map(fill).filter((one) => one !== undefined)
    const made: Record<string, unknown> = {}
    for (const [key, inner] of Object.entries(value)) {
      const one = fill(inner)
      if (one !== undefined) made[key] = one
    }
    if (extra && Object.values(value).includes('<message>'))
      for (const key in extra) if (key in own || !(key in made)) made[key] = extra[key]
    return made
  }
  return fill(body)
}

/** A text with its figures; one figure alone keeps its kind, and is undefined when it is not there. */
function fillText(text: string, figures: Readonly<Record<string, string | number | undefined>>): string | number | undefined {
  const alone = /^<([^<>]+)>$/.exec(text)
  if (alone && alone[1]! in figures) return figures[alone[1]!]
  return text.replaceAll(/<([^<>]+)>/g, (whole, word: string) => (word in figures ? String(figures[word] ?? '') : whole))
}
