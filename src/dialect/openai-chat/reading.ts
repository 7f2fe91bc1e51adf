/** What the readers of one Chat request share: the body, what was taken of it, the client's names, and what has no neutral word. */

import type { Json } from '../../plugin/request.ts'
import type { Conversation, Extra } from '../conversation.ts'
import type { JsonSource } from '../json-source.ts'
import type { LossReport } from '../loss.ts'
import type { JsonObject } from '../shape.ts'

export interface Reading {
  readonly source: JsonSource
  readonly json: JsonObject
  readonly report: LossReport
  readonly names: { -readonly [K in keyof Conversation['names']]: Conversation['names'][K] }
  readonly extras: Extra[]
  /** A top-level member; undefined also for null, which means the default everywhere. */
  take(member: string): Exclude<Json, null> | undefined
  /** Something of the body that has no neutral word. */
  extra(field: string, weight: Extra['weight'], message?: string): void
  /** Tells the members of an object that nobody knows, as hints. Empty ones say nothing. */
  unknown(object: JsonObject, at: string, known: ReadonlySet<string>): void
  /** Tells the top-level members that were not taken. */
  takeRest(): void
}

/** Extras that are told; a body with more is a mistake. */
const maxExtras = 200

/** Begins to read one request. */
export function startReading(source: JsonSource, report: LossReport): Reading {
  const { json } = source
  const taken = new Set(['model', 'messages'])
  const extras: Extra[] = []
  const extra: Reading['extra'] = (field, weight, message) => {
    if (extras.length < maxExtras || weight !== 'hint') extras.push({ field, weight, message })
  }
  const unknown: Reading['unknown'] = (object, at, known) => {
    for (const member in object) {
      if (!known.has(member) && says(object[member])) extra(at === '' ? member : `${at}.${member}`, 'hint')
    }
  }
  return {
    source,
    json,
    report,
    names: {},
    extras,
    take(member) {
      taken.add(member)
      return Object.hasOwn(json, member) ? (json[member] ?? undefined) : undefined
    },
    extra,
    unknown,
    takeRest: () => unknown(json, '', taken),
  }
}

function says(value: Json | undefined): boolean {
  if (value === undefined || value === null || value === false || value === '') return false
  return !Array.isArray(value) || value.length > 0
}
