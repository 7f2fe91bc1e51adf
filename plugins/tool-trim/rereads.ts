/**
 * Whether references send models back to files: how often a file is read again within two turns of a reference to it, in trimmed sessions and in those of
 * the control group, where it is only noted where one would have been. When it is surely more often, references are made no more.
 *
 * Counted over all instances by host.state; a figure that is not to be had now is only late.
 */

import type { GaugeReading, State } from 'headgate/plugin'

export type Arm = 'trimmed' | 'control'

export interface Rereads {
  /** A result of a file was given with references, or would have been. */
  referred(arm: Arm): void
  /** It was read again. */
  again(arm: Arm): void
  /** References do harm. */
  readonly harmful: boolean
  gauge(): GaugeReading[]
  counts(): Readonly<Record<Arm, { readonly referred: number; readonly again: number }>>
}

/** Fewer say nothing. */
const fewestTrimmed = 200
const fewestControl = 40
/** Standard errors between the two shares: once in two hundred by chance. */
const surely = 2.6
const ttl = 30 * 24 * 3600_000

/** @param found told once, when references were found to do harm */
export function rereads(state: State, found: (trimmed: number, control: number) => void): Rereads {
  const counts = { trimmed: { referred: 0, again: 0 }, control: { referred: 0, again: 0 } }
  let harmful = false
  const add = (arm: Arm, what: 'referred' | 'again') => {
    state
      .add(`k:${arm}:${what}`, 1, ttl)
      .then(
        (total) => {
          counts[arm][what] = Math.max(counts[arm][what], total)
        },
        () => {
          counts[arm][what]++ // the store is away
        },
      )
      .then(judge)
  }
  const judge = () => {
    const { trimmed, control } = counts
    if (harmful || trimmed.referred < fewestTrimmed || control.referred < fewestControl) return
    const [p, q] = [shareOf(trimmed), shareOf(control)]
    const pooled = (trimmed.again + control.again) / (trimmed.referred + control.referred)
    const error = Math.sqrt(pooled * (1 - pooled) * (1 / trimmed.referred + 1 / control.referred))
    if (p - q <= surely * error) return
    harmful = true
    found(p, q)
  }
  return {
    referred: (arm) => add(arm, 'referred'),
    again: (arm) => add(arm, 'again'),
    get harmful() {
      return harmful
    },
    counts: () => ({ trimmed: { ...counts.trimmed }, control: { ...counts.control } }),
    gauge() {
      return (['trimmed', 'control'] as const).flatMap((arm) =>
        counts[arm].referred > 0 ? [{ value: shareOf(counts[arm]), labels: { arm } }] : [],
      )
    },
  }
}

function shareOf({ referred, again }: { readonly referred: number; readonly again: number }): number {
  return referred === 0 ? 0 : Math.min(1, again / referred)
}

/** What the reader of one conversation remembers: files that were given with references, and when. */
export interface Referred {
  readonly path: string
  readonly turn: number
}

/** Turns within which reading a file again counts. */
export const soon = 2
