/** The figures of a replay for people: totals, medians over sessions, and per agent. The first policy is what the others are compared with. */

import type { ReplayResult, SessionResult } from './replay.ts'

export interface Summary {
  readonly policy: string
  /** Share of what the same calls cost with nothing cached or trimmed. */
  readonly ofUncached: number
  /** Shares by which sessions cost less than under the first policy: in total, of the median session, of the median of those with 30 calls and more. */
  readonly less: number
  readonly median: number
  readonly medianLong: number
  /** Sessions that cost over 0.5 % more. */
  readonly worse: readonly string[]
  readonly editLines: number
  readonly editLinesKept: number
  readonly warmMisses: number
  readonly calls: number
  /** What the gateway said it saved over what an exact count says; 1 = the same. NaN where nothing was saved. */
  readonly trimClaim: number
  readonly cacheClaim: number
}

const longSession = 30

export function summarise(result: ReplayResult, base: ReplayResult): Summary {
  const { sessions } = result
  const less = sessions.map((session, i) => 1 - session.cost / base.sessions[i]!.cost)
  return {
    policy: result.policy,
    ofUncached: total(sessions, 'cost') / total(sessions, 'uncached'),
    less: 1 - total(sessions, 'cost') / total(base.sessions, 'cost'),
    median: median(less),
    medianLong: median(less.filter((_, i) => sessions[i]!.calls >= longSession)),
    worse: sessions.filter((_, i) => less[i]! < -0.005).map((session) => session.file),
    editLines: total(sessions, 'editLines'),
    editLinesKept: total(sessions, 'editLinesKept'),
    warmMisses: total(sessions, 'warmMisses'),
    calls: total(sessions, 'calls'),
    trimClaim: total(sessions, 'trimReported') / total(sessions, 'trimExact'),
    cacheClaim: total(sessions, 'cacheReported') / total(sessions, 'cacheExact'),
  }
}

type Figure = { [K in keyof SessionResult]: SessionResult[K] extends number ? K : never }[keyof SessionResult]

function total(sessions: readonly SessionResult[], figure: Figure): number {
  return sessions.reduce((sum, session) => sum + session[figure], 0)
}

export function median(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

const percent = (share: number) => (Number.isNaN(share) ? '-' : `${(share * 100).toFixed(2)} %`)
const ratio = (value: number) => (Number.isFinite(value) ? value.toFixed(3) : '-')

export function table(results: readonly ReplayResult[]): string {
  const base = results[0]!
  const lines = [
    `${base.sessions.length} sessions, ${total(base.sessions, 'calls')} calls; compared with "${base.policy}"`,
    '',
    row([
      'policy',
      'of uncached',
      'less',
      'median',
      'median 30+',
      'worse',
      'edit lines kept',
      'warm misses',
      'trim claim',
      'cache claim',
      'seconds',
    ]),
  ]
  for (const result of results) {
    const s = summarise(result, base)
    lines.push(
      row([
        s.policy,
        percent(s.ofUncached),
        percent(s.less),
        percent(s.median),
        percent(s.medianLong),
        String(s.worse.length),
        `${s.editLinesKept} of ${s.editLines}`,
        `${s.warmMisses} of ${s.calls}`,
        ratio(s.trimClaim),
        ratio(s.cacheClaim),
        result.seconds.toFixed(0),
      ]),
    )
    for (const file of s.worse.slice(0, 5)) lines.push(`    worse: ${file}`)
  }
  if (results.length > 1) {
    const agents = [...new Set(base.sessions.map((session) => session.agent))].sort()
    lines.push('', row(['agent', 'sessions', ...results.slice(1).map((result) => result.policy)]))
    for (const agent of agents) {
      const of = (result: ReplayResult) => ({ ...result, sessions: result.sessions.filter((session) => session.agent === agent) })
      const own = of(base)
      lines.push(row([agent, String(own.sessions.length), ...results.slice(1).map((result) => percent(summarise(of(result), own).less))]))
    }
  }
  return lines.join('\n')
}

function row(cells: readonly string[]): string {
  return cells.map((cell, i) => (i === 0 ? cell.padEnd(18) : cell.padStart(16))).join('')
}
