/**
 * The headers that say where limits stand, under the operator's names, in place of those of the provider.
 *
 * A provider's own figures are those of the gateway's key, which many callers share: they say nothing to one of them, and much to a stranger.
 */

import type { ReplyHead, TakeResult } from 'headgate/plugin'
import type { Limit, What } from './limit.ts'
import { type ResetForm, resetText, tightest } from './told.ts'

export interface HeaderNames {
  readonly limit: string
  readonly remaining: string
  readonly reset: string
}

/** Limits and where they stand, in the same order. */
export interface Standing {
  readonly limits: readonly Limit[]
  readonly results: readonly TakeResult[]
  /** Index of the limit that refused; -1 when none did. */
  readonly refusedBy: number
}

interface Named {
  readonly what: What | undefined
  readonly names: HeaderNames
}

/** Writes the headers of a reply. `now` in milliseconds since the epoch. */
export type WriteHeaders = (headers: Headers, standing: Standing, now: number) => void

/**
 * Compiles the names. With `{what}` in a name, one is sent for requests and one for tokens.
 * @throws Error when only some of the names tell requests from tokens.
 */
export function headerWriter(names: HeaderNames, form: ResetForm): WriteHeaders {
  const all = Object.values(names) as string[]
  const split = all.filter((name) => name.includes('{what}')).length
  if (split > 0 && split < all.length) throw new Error('header_names: put `{what}` into all of the names, or into none')
  const named = (what: What): Named => ({
    what,
    names: {
      limit: names.limit.replace('{what}', what),
      remaining: names.remaining.replace('{what}', what),
      reset: names.reset.replace('{what}', what),
    },
  })
  const sets: readonly Named[] = split > 0 ? [named('requests'), named('tokens')] : [{ what: undefined, names }]
  return (headers, standing, now) => {
    const { limits, results, refusedBy } = standing
    for (const { what, names } of sets) {
      const refused = refusedBy >= 0 && (what === undefined || limits[refusedBy]!.what === what)
      const i = refused ? refusedBy : limits.length === 1 && what === undefined ? 0 : tightest(limits, results, what)
      if (i < 0) continue
      const result = results[i]!
      headers.set(names.limit, String(limits[i]!.capacity))
      headers.set(names.remaining, String(Math.max(0, result.remaining)))
      headers.set(names.reset, resetText(form, result.resetAt, now))
    }
  }
}

/** Replies that an instance below has rid of the provider's figures: what they say now is the gateway's. */
const cleaned = new WeakSet<Headers>()
/** Instances that write headers; only where there are several can one stand below another. */
let writers = 0

/** An instance begins to write headers. Gives a function that ends that. */
export function beginWriting(): () => void {
  writers++
  return () => void writers--
}

/** Takes a provider's own figures out of a reply. */
export function dropProvidersFigures(reply: ReplyHead): void {
  const { headers } = reply
  if (reply.attempt === undefined) return
  if (writers > 1) {
    if (cleaned.has(headers)) return
    cleaned.add(headers)
  }
  // Bun's own, at a third of the price of an iterator
  const given = (headers as Headers & { toJSON(): Record<string, string> }).toJSON()
  for (const name in given) if (name.startsWith('x-ratelimit-') || name.startsWith('anthropic-ratelimit-')) headers.delete(name)
}
