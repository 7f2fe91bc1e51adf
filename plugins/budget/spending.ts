/**
 * One request's way through the budget, from what it may cost to what it did: shared by the hooks, one per exchange.
 *
 * Decides nothing of accounts; `index.ts` joins it to the store.
 */

import {
  type Catalog,
  type Exchange,
  estimateText,
  formatUsd,
  inputTokens,
  type Json,
  type Model,
  type Outcome,
  type Price,
  type PricesAt,
  perMillion,
  priceClasses,
  type StreamEvent,
  type Usage,
  unknownUsage,
} from 'headgate/plugin'
import { type Bound, dearest, pricesFor, type Rates } from './bound.ts'
import type { Charge, ChargeContext } from './charge.ts'
import type { BudgetConfig } from './config.ts'
import { type Delivered, tokensIn } from './delivered.ts'
import type { Plan } from './plan.ts'
import type { Settlement, Taken } from './settle.ts'
import type { Caller, Take } from './takes.ts'
import { worstInput } from './worst-input.ts'
import { askedOutput } from './worst-output.ts'

/** What hooks of one exchange share. */
export interface Spending {
  /** Absent when the request is none that costs. */
  going: Going | undefined
}

export interface Going {
  /** Id of the hold. */
  id: string
  /** Name under which it is charged once. */
  readonly once: string | undefined
  readonly caller: Caller
  bound: Bound
  /** Its price is known, or bounded. */
  readonly priced: boolean
  /** Resolves when what an attempt adds is reserved or refused; attempts side by side take turns. */
  adding: Promise<unknown>
  /** The model that the request names. */
  readonly model: Model | undefined
  plan: Plan | undefined
  takes: readonly Take[]
  /** Picodollars reserved, with markup. */
  amount: bigint
  /** Settles when the reservation is made or refused. */
  reserving: Promise<unknown> | undefined
  /** Something is held, or may be. */
  held: boolean
  readonly delivered: Delivered
  /** Output tokens that the reservation pays for. */
  allowed: number
  /** The reply was ended because they are used up. */
  cut: boolean
  /** The exchange is settled: nothing may be reserved any more. */
  over: boolean
}

/** What a request can cost; undefined when its price is not known, and nothing is said of such. Reads the body. */
export function boundOf(
  x: Pick<Exchange, 'operation' | 'request' | 'target' | 'receivedAt'>,
  catalog: Catalog,
  config: Pick<BudgetConfig, 'max_output' | 'context'>,
  unknown: Rates | undefined,
): Bound | undefined {
  const { request, operation } = x
  const model = catalog.find(request.model)
  // an id that the catalogue lacks may be made into any other by plugins below
  const models = model || x.target ? [model] : catalog.list()
  const prices = models.flatMap((one) => pricesFor(one, x.target, x.receivedAt))
  const context = model?.context ?? config.context
  const inputTokens = worstInput(request.borrowed, () => request.json, request.model, context)
  const asked = askedOutput(operation, request)
  const writes = asked.pointers.length > 0
  const rates = dearest(prices, inputTokens, unknown, writes)
  if (!rates) return undefined
  const most = model?.maxOutput
  const each = Math.min(asked.output ?? most ?? config.max_output, most ?? Number.MAX_SAFE_INTEGER)
  const outputTokens = writes ? Math.min(each * asked.choices, Number.MAX_SAFE_INTEGER) : 0
  return { ...rates, inputTokens, outputTokens, limited: !writes || (asked.output ?? most) !== undefined }
}

/** The same for one upstream call, which may be of another model than the request named. */
export function boundOfCall(
  { request, operation, receivedAt }: Pick<Exchange, 'operation' | 'request' | 'receivedAt'>,
  { upstream, model: name }: { readonly upstream: string; readonly model: string },
  catalog: Catalog,
  config: Pick<BudgetConfig, 'max_output' | 'context'>,
  unknown: Rates | undefined,
): Bound | undefined {
  const model = catalog.list().find((one) => one.targets.some((target) => target.upstream === upstream && target.model === name))
  const inputTokens = worstInput(request.borrowed, () => request.json, name, model?.context ?? config.context)
  const asked = askedOutput(operation, request)
  const writes = asked.pointers.length > 0
  const rates = dearest([catalog.price(upstream, name, receivedAt)], inputTokens, unknown, writes)
  if (!rates) return undefined
  const most = model?.maxOutput
  const each = Math.min(asked.output ?? most ?? config.max_output, most ?? Number.MAX_SAFE_INTEGER)
  const outputTokens = writes ? Math.min(each * asked.choices, Number.MAX_SAFE_INTEGER) : 0
  return { ...rates, inputTokens, outputTokens, limited: !writes || (asked.output ?? most) !== undefined }
}

/** Whether the reservation was made with this target in mind. */
export function isReservedFor(
  model: Model | undefined,
  { upstream, model: name }: { readonly upstream: string; readonly model: string },
): boolean {
  return model?.targets.some((target) => target.upstream === upstream && target.model === name) ?? false
}

/** Of text whose length is limited elsewhere, it is certain that so many times the estimate of its tokens is too much. */
const doubt = 2

/** Counts an event that passes. */
export function see(going: Going, event: StreamEvent): undefined {
  going.delivered.see(event)
}

/** Counts an event of a stream; gives what leaves instead when the reservation does not pay for it. `input` estimates the input. */
export function passEvent(going: Going, event: StreamEvent, input: () => number): StreamEvent[] | undefined {
  const { delivered, bound } = going
  const size = tokensIn(event)
  if (event.type === 'usage') going.allowed = allowedBy(bound, event.usage)
  const tokens = delivered.tokens + size
  if (going.cut || size === 0 || bound.output === 0n || (bound.limited ? tokens / doubt : tokens) <= going.allowed) return see(going, event)
  going.cut = true
  const known = delivered.usage ?? { ...unknownUsage, inputUncached: input() }
  const usage: Usage = { ...known, source: 'estimated', outputVisible: Math.max(known.outputVisible, delivered.total() - known.reasoning) }
  const choices = delivered.open.size > 0 ? [...delivered.open] : [0]
  const stops = choices.map((choice): StreamEvent => ({ type: 'stop', reason: 'length', raw: '', choice }))
  return [...stops, { type: 'usage', usage }, { type: 'end' }]
}

/** Output tokens that the reservation pays for, when the input is as it was reported. */
export function allowedBy(bound: Bound, usage?: Usage): number {
  const spare = usage ? Math.max(0, bound.inputTokens - inputTokens(usage)) : 0
  const short = usage ? Math.max(0, inputTokens(usage) - bound.inputTokens) : 0
  if (bound.output === 0n) return bound.outputTokens
  return bound.outputTokens + Number((BigInt(spare - short) * bound.input) / bound.output)
}

/** Tokens of a request's texts, for when nobody reports them. */
export function inputEstimate(request: Exchange['request']): number {
  let tokens = 3
  for (const part of request.parts()) tokens += estimateText(part.text) + 4
  return Math.ceil(tokens)
}

export function chargeContext(x: Pick<Exchange, 'request' | 'receivedAt'>, going: Going, catalog: Catalog, markup: string): ChargeContext {
  const prices: PricesAt = { catalog, at: x.receivedAt }
  return { prices, rates: going.bound, markup, delivered: going.delivered.total(), input: () => inputEstimate(x.request) }
}

/** Whether the client was given something: only that is charged and counted. */
export function wasServed(outcome: Pick<Outcome, 'end' | 'served' | 'status'>): boolean {
  if (outcome.served) return true
  return outcome.status < 400 && outcome.end !== 'refused' && outcome.end !== 'failed'
}

/** Gives all back. */
export function settlementToRelease({ id, caller, takes, amount }: Going): Settlement {
  return { id, account: caller.account, takes: takes.map((take) => takenBy(take, amount)) }
}

function takenBy({ counter, unit, endsAt }: Take, amount: bigint): Taken {
  return { counter, unit, endsAt, held: unit === 'messages' ? 1n : amount }
}

/** The settlement of an exchange. Without a charge all is given back. */
export function settlementOf(
  going: Going,
  charge: Charge | undefined,
  about: { readonly now: number; readonly requestId: string; readonly outcome: Outcome; readonly markup: string },
): Settlement {
  const { id, once, caller, amount, plan } = going
  if (!charge) return settlementToRelease(going)
  const { takes } = settlementToRelease(going)
  const { outcome } = about
  const attempt = outcome.served
  // what is estimated may not come to more than was reserved for it
  const estimated = charge.usage.source === 'estimated'
  const spent = estimated && going.held && charge.amount > amount ? amount : charge.amount
  const source = charge.usage.source === 'unknown' ? undefined : charge.usage.source
  return {
    id,
    ...(once !== undefined && { once }),
    account: caller.account,
    takes,
    charge: {
      spent,
      entry: {
        at: about.now,
        kind: 'charge',
        amount: plan?.billed === false ? 0n : -spent,
        requestId: about.requestId,
        model: attempt ? `${attempt.upstream}/${attempt.modelServed ?? attempt.model}` : outcome.modelAsked,
        inputTokens: charge.inputTokens,
        outputTokens: charge.outputTokens,
        cost: charge.cost,
        ...(about.markup !== '0' && { markup: about.markup }),
        ...(attempt?.price && { price: priceText(attempt.price) }),
        ...(source !== undefined && { source }),
        ...(charge.unknown.length > 0 && { unknown: charge.unknown.join(',') }),
        caller: caller.key,
      },
    },
  }
}

/** USD per million tokens by class, as JSON. */
function priceText(price: Price): string {
  const rates: Record<string, Json> = {}
  for (const name of priceClasses)
    if (price[name] !== undefined) rates[name] = formatUsd(name === 'request' ? price[name] : perMillion(price[name]))
  return JSON.stringify(rates)
}
