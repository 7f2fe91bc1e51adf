/** What callers pay instead of what providers charge: a record's amounts with the operator's markup. Its attempts keep what providers charge. Pure. */

import { withMarkup } from 'headgate/plugin'
import type { AuditRecord } from './record.ts'

/** The record with `markup` percent on its cost and savings. */
export function markedUp(record: AuditRecord, markup: string): AuditRecord {
  const { cost, cache_savings: saved, cache_savings_gross: gross, trim_savings: trim, response_savings: response } = record
  return {
    ...record,
    cost: cost?.known ? { ...cost, pico: withMarkup(cost.pico, markup) } : cost && { ...cost, atLeast: withMarkup(cost.atLeast, markup) },
    cache_savings: saved === undefined ? undefined : withMarkup(saved, markup),
    cache_savings_gross: gross === undefined ? undefined : withMarkup(gross, markup),
    trim_savings: trim === undefined ? undefined : withMarkup(trim, markup),
    response_savings: response === undefined ? undefined : withMarkup(response, markup),
  }
}

/** @throws Error when a percentage is one that amounts can't be marked up with exactly */
export function mustBeExact(markup: string): void {
  try {
    withMarkup(0n, markup)
  } catch {
    throw new Error(`markup: ${markup} can't be counted exactly; give it at most 12 decimals, and no exponent`)
  }
}
