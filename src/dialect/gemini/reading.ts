/**
 * What all readers of a Gemini request share: the body, and the list of what has no neutral word.
 */

import type { Conversation, Extra } from '../conversation.ts'
import type { JsonSource } from '../json-source.ts'
import type { LossReport } from '../loss.ts'
import type { JsonObject } from '../shape.ts'
import { camelName } from './names.ts'

export const dialectName = 'gemini-generate'

type Names = { -readonly [K in keyof Conversation['names']]: string }

export interface Reading {
  readonly source: JsonSource
  readonly json: JsonObject
  readonly report: LossReport
  readonly extras: Extra[]
  readonly names: Names
  /** Notes something that has no neutral word. */
  extra(field: string, weight: Extra['weight'], message?: string): void
  /** Notes the members of an object that are not known, in either spelling, as hints. */
  unknown(object: JsonObject | undefined, known: ReadonlySet<string>, at: string): void
}

/** Hints that are listed; what is refused is always listed. */
const maxExtras = 256

/** Begins to read one request. */
export function startReading(source: JsonSource, report: LossReport): Reading {
  const extras: Extra[] = []
  const extra: Reading['extra'] = (field, weight, message) => {
    if (extras.length < maxExtras || weight !== 'hint') extras.push({ field, weight, message })
  }
  return {
    source,
    json: source.json,
    report,
    extras,
    names: {},
    extra,
    unknown(object, known, at) {
      for (const name in object) {
        const value = object[name]
        const empty = value === undefined || value === null || (Array.isArray(value) && value.length === 0)
        if (!empty && !known.has(camelName(name))) extra(at === '' ? name : `${at}.${name}`, 'hint')
      }
    },
  }
}
