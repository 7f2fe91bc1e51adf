/** What was saved, as it is told: sums become figures, and what can't be measured is said to be so, never 0. Pure. */

import { formatUsd } from '../plugin/money.ts'
import type { AuditArms, AuditRatio } from './command.ts'

type Sums = Readonly<Record<string, bigint>>
/** Null: not measurable. */
export type Figure = number | string | null

export const figureNames = [
  'requests',
  'cost_usd',
  'cost_unknown',
  'cache_savings_usd',
  'cache_savings_gross_usd',
  'trim_savings_usd',
  'trimmed_tokens',
  'response_cache_hits',
  'response_savings_usd',
  'savings_usd',
  'without_usd',
  'share_saved',
  'cache_hit_share',
  'not_measurable',
  'not_measurable_usage',
  'not_measurable_price',
  'responses_not_measurable',
] as const
export const classNames = ['requests', 'trimmed_tokens', 'trim_savings_usd', 'not_measurable'] as const

/** Counts that are no safe numbers are texts. */
const count = (value: bigint): number | string => (value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value.toString())

export function figuresOf(sums: Sums): Record<(typeof figureNames)[number], Figure> {
  const of = (name: string) => sums[name] ?? 0n
  const unmeasured = of('no_usage') + of('no_price')
  const calls = of('calls') === 0n || unmeasured < of('calls')
  const responses = of('hits') === 0n || of('no_response') < of('hits')
  const money = (known: boolean, pico: bigint) => (known ? formatUsd(pico) : null)
  const saved = of('saved') + of('trim_saved') + of('response_saved')
  // what it would have cost is known as far as what it did cost is
  const without = of('cost') + of('cost_least') + saved
  const any = calls && (responses || of('calls') > 0n)
  const input = of('input') + of('cache_read') + of('cache_write')
  return {
    requests: count(of('requests')),
    cost_usd: money(of('cost') !== 0n || of('unknown') === 0n, of('cost')),
    cost_unknown: count(of('unknown')),
    cache_savings_usd: money(calls, of('saved')),
    cache_savings_gross_usd: money(calls, of('saved_gross')),
    trim_savings_usd: money(calls, of('trim_saved')),
    trimmed_tokens: count(of('trimmed')),
    response_cache_hits: count(of('hits')),
    response_savings_usd: money(responses, of('response_saved')),
    savings_usd: money(any, saved),
    without_usd: money(any, without),
    share_saved: any ? share(saved, without) : null,
    cache_hit_share: share(of('cache_read'), input),
    not_measurable: count(unmeasured),
    not_measurable_usage: count(of('no_usage')),
    not_measurable_price: count(of('no_price')),
    responses_not_measurable: count(of('no_response')),
  }
}

export function classFigures(sums: Sums): Record<(typeof classNames)[number], Figure> {
  const of = (name: string) => sums[name] ?? 0n
  return {
    requests: count(of('requests')),
    trimmed_tokens: count(of('trimmed')),
    trim_savings_usd: of('not_measurable') === of('requests') ? null : formatUsd(of('trim_saved')),
    not_measurable: count(of('not_measurable')),
  }
}

/** To a ten-thousandth; null where there is nothing to have a share of. */
export function share(part: bigint, whole: bigint): number | null {
  if (whole <= 0n) return null
  const twice = part * 20_000n
  return Number((twice + (twice < 0n ? -whole : whole)) / (whole * 2n)) / 10_000
}

/** Why savings of sticky routing are in no figure. */
export const stickyWhy =
  'what it saves to send a session to the same machine can only be measured against sessions that are not; no such control arm is kept'

const round = (value: number) => Number(value.toPrecision(4))

/** The control arm as JSON. */
export function armsTold(arms: AuditArms): Record<string, unknown> {
  const { compared, leftOut } = arms
  const arm = ({ sessions, turns, cost, sent, oneIn }: AuditArms['trimmed']) => ({
    sessions,
    turns_per_session: sessions === 0 ? null : round(turns / sessions),
    // picodollars per token are millionths of a dollar per million tokens
    usd_per_million_tokens_sent: sent === 0 ? null : round(cost / sent / 1e6),
    ...(oneIn > 1 && { sampled_one_in: oneIn }),
  })
  const ratio = ({ ratio, low, high }: AuditRatio) => ({ ratio: round(ratio), low: round(low), high: round(high) })
  return {
    ...(typeof compared === 'string'
      ? { measurable: false, why: compared }
      : { measurable: true, cost_per_token_sent: ratio(compared.cost), turns_per_session: ratio(compared.turns), confidence: 0.95 }),
    trimmed: arm(arms.trimmed),
    control: arm(arms.control),
    left_out: { cost_unknown: leftOut.costUnknown, both_arms: leftOut.mixed },
  }
}

/** What stands below a table: what is in no figure, and why. */
export function remarks(sums: Sums, arms: AuditArms): string[] {
  const of = (name: string) => sums[name] ?? 0n
  const lines: string[] = []
  const unmeasured = of('no_usage') + of('no_price')
  if (unmeasured > 0n) {
    const why = [
      of('no_usage') > 0n ? `${of('no_usage')} because the provider did not tell the whole usage` : '',
      of('no_price') > 0n ? `${of('no_price')} because a price is not known` : '',
    ].filter((text) => text !== '')
    lines.push(`Not measurable: ${unmeasured} of ${of('calls')} answered exchanges, ${why.join(', ')}.`)
  }
  if (of('unknown') > 0n) {
    lines.push(
      `Cost unknown: ${of('unknown')} exchanges; shares count them with what they cost at least, ${formatUsd(of('cost_least'))} USD.`,
    )
  }
  if (of('no_response') > 0n) {
    lines.push(`Not measurable: ${of('no_response')} of ${of('hits')} answers given again, because it is not known what their call cost.`)
  }
  lines.push(`Control arm: ${armsLine(arms)}`)
  lines.push(`Sticky routing: not measurable: ${stickyWhy}.`)
  return lines
}

function armsLine({ compared, trimmed, control, leftOut }: AuditArms): string {
  const left = leftOut.costUnknown + leftOut.mixed
  const out = left === 0 ? '' : ` Left out: ${leftOut.costUnknown} of unknown cost, ${leftOut.mixed} of both arms.`
  if (typeof compared === 'string') return `not measurable: ${compared}.${out}`
  const told = ({ ratio, low, high }: AuditRatio) => `${round(ratio)} (95 %: ${round(low)} to ${round(high)})`
  const sampled = [trimmed, control].some((arm) => arm.oneIn > 1) ? ` (of one session in ${trimmed.oneIn} and ${control.oneIn})` : ''
  return (
    `trimmed sessions cost ${told(compared.cost)} times as much per token sent as those left alone, and took ${told(compared.turns)} times as many turns; ` +
    `${trimmed.sessions} against ${control.sessions} sessions${sampled}.${out}`
  )
}
