/**
 * The section `errors` of gateway.yaml: how the errors of a gateway are spelled. And what its schema can't say of it: which words stand for a figure.
 *
 * Codes and what they mean by default come from the catalogue of refusals. This file spells nothing; `upstream/error-voice.ts` does.
 */

import { type Static, Type } from 'typebox'
import { errorCatalogue } from '../errors.ts'
import { type RefusalCode, refusalCodes } from '../plugin/refusal.ts'

const strict = { additionalProperties: false } as const

/** What may stand in `body`, between < and >. */
export const errorFigures = ['code', 'type', 'message', 'param', 'status', 'status_text', 'request_id', 'retry_after'] as const
export type ErrorFigure = (typeof errorFigures)[number]

const spelled = Type.Object(
  {
    code: Type.Optional(Type.String({ minLength: 1, description: '`error.code` in the published spelling.' })),
    type: Type.Optional(Type.String({ minLength: 1, description: '`error.type` in the published spelling.' })),
    status: Type.Optional(Type.Integer({ minimum: 400, maximum: 599, description: 'HTTP status.' })),
    message: Type.Optional(Type.String({ minLength: 1, description: 'Said instead of the sentence that the gateway would say.' })),
    extra: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), { description: 'More members of the error object, such as { kind: usage }.' }),
    ),
  },
  strict,
)

const codes = Object.fromEntries(
  refusalCodes.map((code) => {
    const { status, openai, message } = errorCatalogue[code]
    const description = `${status}, ${openai[0]}${openai[1] === null ? '' : `, ${openai[1]}`}: ${message}`
    return [code, Type.Optional(Type.Union([Type.String({ minLength: 1 }), spelled], { description }))]
  }),
) as Record<RefusalCode, ReturnType<typeof oneCode>>
function oneCode() {
  return Type.Optional(Type.Union([Type.String(), spelled]))
}

export const errorSpelling = Type.Object(
  {
    style: Type.Enum(['client', 'openai', 'anthropic', 'gemini'], {
      default: 'client',
      description:
        'Whose errors clients get: those of the API that they call (client; an upstream of the same API is passed on as it speaks), or those of one API for all, whoever made them. What `body` and the `code` and `type` of `codes` say is said of that one; with client of OpenAI.',
    }),
    body: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), {
        description:
          'The body of an error as JSON, where it is to be another one than OpenAI has: { error: { code: <code>, message: <message>, request_id: <request_id> } }. <code>, <type>, <message>, <param>, <status> (a number), <status_text>, <request_id> and <retry_after> (seconds) stand for what is said; a member whose figure is not there is left out. Extra members go where <message> is.',
      }),
    ),
    codes: Type.Object(codes, {
      ...strict,
      default: {},
      description:
        'Codes of this gateway and how it publishes them: `rate_limited: too_many_requests`, or more than the code: { code, type, status, message, extra }. What an upstream says of an error stays unless its code stands here.',
    }),
  },
  { ...strict, default: {}, description: 'How errors are spelled, in every endpoint.' },
)

type Written = Static<typeof errorSpelling>

/** How one code is published. */
export type SpelledCode = Readonly<Static<typeof spelled>>

/** The section as used: every code that is named, as a map. */
export interface ErrorSpelling {
  readonly style: Written['style']
  readonly body?: Readonly<Record<string, unknown>>
  readonly codes: Readonly<Partial<Record<RefusalCode, SpelledCode>>>
}

export function resolveErrors({ style, body, codes }: Written): ErrorSpelling {
  const named: Partial<Record<RefusalCode, SpelledCode>> = {}
  for (const [code, said] of Object.entries(codes) as [RefusalCode, string | SpelledCode][])
    named[code] = typeof said === 'string' ? { code: said } : said
  return { style, ...(body && { body }), codes: named }
}

/** Told of each mistake in a `body`: where below it, what is wrong, what to do. */
export type BodyMistake = (path: readonly (string | number)[], message: string, fix: string) => void

/** Looks for figures that do not exist, and for a body that says nothing. */
export function checkErrorBody(body: unknown, mistake: BodyMistake): void {
  if (body === null || typeof body !== 'object' || Array.isArray(body)) return
  let message = false
  const look = (value: unknown, path: readonly (string | number)[]): void => {
    if (typeof value === 'string') {
      for (const [, word] of value.matchAll(/<([^<>]*)>/g)) {
        if (word === 'message') message = true
        if (!(errorFigures as readonly string[]).includes(word!))
          mistake(path, `<${word!.slice(0, 40)}> stands for nothing`, `known: ${errorFigures.map((one) => `<${one}>`).join(', ')}`)
      }
    } else if (value !== null && typeof value === 'object') {
      for (const [key, inner] of Object.entries(value)) look(inner, [...path, Array.isArray(value) ? Number(key) : key])
    }
  }
  look(body, [])
  if (!message) mistake([], 'the body never says <message>', 'put it where clients look for the sentence: message: <message>')
}
