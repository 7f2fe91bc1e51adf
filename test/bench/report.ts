/**
 * Figures and goals: what a scenario hands over, and how it is printed.
 *
 * Owns the comparison with a goal and the table. Measures nothing.
 */

import { median } from './stats.ts'

/** One measured figure of one candidate. */
export interface Figure {
  readonly scenario: string
  /** What was measured, with its unit. */
  readonly what: string
  readonly candidate: string
  readonly value: number
  /** Median over the rounds of this value divided by the floor's in the same round. */
  readonly ratio?: number
  /** Compared with `ratio` where `of` is `ratio`, with `value` otherwise; NaN fails. */
  readonly goal?: { readonly of: 'ratio' | 'value'; readonly least?: number; readonly most?: number }
}

export const goals = {
  requestRate: { of: 'ratio', least: 0.75 },
  requestRateLarge: { of: 'ratio', least: 0.8 },
  cpu: { of: 'ratio', most: 1.35 },
  cpuLarge: { of: 'ratio', most: 1.25 },
  chunkCpu: { of: 'ratio', most: 1.3 },
  addedMedian: { of: 'value', most: 0.25 },
  streamMemory: { of: 'value', most: 60 },
  idleMemory: { of: 'value', most: 90 },
  coldStart: { of: 'value', most: 600 },
  peerRate: { of: 'ratio', least: 20 },
  failures: { of: 'value', most: 0 },
} as const satisfies Record<string, NonNullable<Figure['goal']>>

/** The median of the quotients of two series, round by round. */
export function medianRatio(values: readonly number[], base: readonly number[]): number {
  return median(values.map((value, i) => value / (base[i] ?? Number.NaN)))
}

/** `pass`, `FAIL`, or nothing where there is no goal. */
export function verdict(figure: Figure): 'pass' | 'FAIL' | '' {
  const goal = figure.goal
  if (goal === undefined) return ''
  const value = goal.of === 'ratio' ? (figure.ratio ?? Number.NaN) : figure.value
  return value >= (goal.least ?? Number.NEGATIVE_INFINITY) && value <= (goal.most ?? Number.POSITIVE_INFINITY) ? 'pass' : 'FAIL'
}

function goalText(figure: Figure): string {
  const goal = figure.goal
  if (goal === undefined) return ''
  const bound = goal.least === undefined ? `<= ${goal.most}` : `>= ${goal.least}`
  return goal.of === 'ratio' ? `${bound}x` : bound
}

function number(value: number): string {
  if (Number.isNaN(value)) return '-'
  const size = Math.abs(value)
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3)
}

/** Figures as a table for people. */
export function table(figures: readonly Figure[]): string {
  const rows = figures.map((f) => [
    f.scenario,
    f.what,
    f.candidate,
    number(f.value),
    f.ratio === undefined ? '' : `${number(f.ratio)}x`,
    goalText(f),
    verdict(f),
  ])
  const all = [['scenario', 'what', 'candidate', 'value', 'to floor', 'goal', ''], ...rows]
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)))
  const right = new Set([3, 4])
  return all
    .map((row) =>
      row
        .map((cell, i) => (right.has(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
