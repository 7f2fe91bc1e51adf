/**
 * Mistakes of prices that the schema cannot show: two prices in force from the same date, patterns with several stars.
 *
 * Works on the values as read, whatever their shape. Serves gateway.yaml and the price list.
 */

import type { Path } from './diagnostics.ts'
import { readMoment } from './kinds.ts'

type Report = (path: Path, message: string, fix: string, place?: 'value' | 'key') => void

/** Looks at the price at `path`: only a list of several can be wrong. */
export function checkPrices(prices: unknown, path: Path, report: Report): void {
  if (!Array.isArray(prices)) return
  const seen = new Map<number, number>()
  for (const [i, price] of prices.entries()) {
    const from = (price as { from?: unknown } | null | undefined)?.from
    const read = from === undefined || from === null ? { value: Number.NEGATIVE_INFINITY } : readMoment(String(from))
    if (!('value' in read)) continue
    const before = seen.get(read.value)
    if (before === undefined) seen.set(read.value, i)
    else if (from === undefined || from === null)
      report([...path, i], 'a second price without a date', 'say `from` when it is in force', 'value')
    else report([...path, i, 'from'], `a price is in force from that date already (number ${before + 1})`, 'remove one of the two')
  }
}

/** Looks at all models of a price list. */
export function checkListed(models: unknown, report: Report): void {
  if (models === null || typeof models !== 'object' || Array.isArray(models)) return
  for (const [id, model] of Object.entries(models)) {
    const stars = id.split('*').length - 1
    if (id === '') report(['models', id], 'a model without a name', 'give it its name', 'key')
    if (stars > 1) report(['models', id], `\`${id}\` holds ${stars} stars`, 'use one *: it stands for anything, slashes included', 'key')
    checkPrices((model as { price?: unknown } | null)?.price, ['models', id, 'price'], report)
  }
}
