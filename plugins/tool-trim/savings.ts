/**
 * What trimming saved, by what the provider billed: each text that left at the rate at which its place in the prompt was billed. Never the list price of all
 * that is gone: most of it would have been read from a cache.
 *
 * Counted as a difference of two bills, of the same cache state with and without the texts, so that a price for long contexts counts too. Pure.
 */

import { costOf, inputTokens, type Price, type Usage } from 'headgate/plugin'

/** One text, where it stands in the prompt that was sent. */
export interface Removed {
  /** Bytes of the prompt before its middle. */
  readonly middle: number
  /** Tokens less; negative where it grew. */
  readonly tokens: number
}

/** A place whose tokens are known from a bill: the end of the lane's last prompt. */
export interface Anchor {
  readonly bytes: number
  readonly tokens: number
}

export interface Prompt {
  readonly removed: readonly Removed[]
  /** Bytes of the prompt as it was sent. */
  readonly bytes: number
  readonly anchor: Anchor | undefined
  /** Where bytes differ from those of the last request, if that was warm as far as anybody knew; undefined = nowhere. */
  readonly changedAt: number | undefined
}

/** Picodollars; undefined when the bill does not say enough. */
export function savings({ removed, bytes, anchor, changedAt }: Prompt, usage: Usage, price: Price): bigint | undefined {
  const total = inputTokens(usage)
  if (usage.source === 'unknown' || usage.source === 'partial' || total === 0 || bytes === 0) return undefined
  const read = usage.cacheRead
  const written = usage.cacheWrite5m + usage.cacheWrite1h + usage.cacheWriteOther
  const tokensAt = placing(bytes, total, anchor)
  let fromRead = 0
  let fromWritten = 0
  let fromRest = 0
  for (const { middle, tokens } of removed) {
    const at = tokensAt(middle)
    if (at < read) fromRead += tokens
    else if (at < read + written) fromWritten += tokens
    else fromRest += tokens
  }
  // a cache that was thought lost and was not: what stands behind the change had to be written again because of us
  const broken = changedAt === undefined || read === 0 ? 0 : Math.max(0, Math.min(written, (anchor?.tokens ?? 0) - read))
  // … if it was read up to there: what stands before all conversations may be warm because of others
  const stillWarm = broken > 0 && read >= tokensAt(changedAt!) * 0.95
  const moved = stillWarm ? broken : 0
  const share = (part: number) => (written === 0 ? 0 : part / written)
  const add = Math.round(fromWritten) - moved
  const without: Usage = {
    ...usage,
    inputUncached: usage.inputUncached + Math.round(fromRest) + (written === 0 ? Math.round(fromWritten) : 0),
    cacheRead: usage.cacheRead + Math.round(fromRead) + moved,
    cacheWrite5m: usage.cacheWrite5m + Math.round(add * share(usage.cacheWrite5m)),
    cacheWrite1h: usage.cacheWrite1h + Math.round(add * share(usage.cacheWrite1h)),
    cacheWriteOther: usage.cacheWriteOther + Math.round(add * share(usage.cacheWriteOther)),
  }
  const { extra: _, ...plain } = usage
  const { extra: __, ...other } = without
  const actual = costOf(plain, price)
  const untrimmed = costOf(other, price)
  return actual.known && untrimmed.known ? untrimmed.pico - actual.pico : undefined
}

/** Tokens of the prompt before a byte: even between places that are known. */
function placing(bytes: number, total: number, anchor: Anchor | undefined): (at: number) => number {
  const known = anchor && anchor.bytes > 0 && anchor.bytes < bytes && anchor.tokens < total ? anchor : undefined
  if (!known) return (at) => (at / bytes) * total
  const before = known.tokens / known.bytes
  const behind = (total - known.tokens) / (bytes - known.bytes)
  return (at) => (at <= known.bytes ? at * before : known.tokens + (at - known.bytes) * behind)
}
