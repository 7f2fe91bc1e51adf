/**
 * How prices are written: of a model or a target in gateway.yaml, and in the price list; and what becomes of them.
 *
 * One price, or several by date. Numbers stay texts until they are exact integers (`plugin/price.ts`): money is never a float.
 */

import { type Static, Type } from 'typebox'
import { formatUsd } from '../plugin/money.ts'
import { type Price, type PriceList, type PriceRates, parsePrice, perMillion, priceClasses } from '../plugin/price.ts'
import { Moment, PriceText } from './kinds.ts'

const strict = { additionalProperties: false } as const
const rate = (what: string) => Type.Optional(PriceText({ description: `USD per million tokens: ${what}.` }))

const rates = {
  input: rate('input that is not cached'),
  output: rate('output'),
  cache_read: rate('input read from the cache. The input price when absent'),
  cache_write: rate('input written to the cache, for 5 minutes or no stated time. Unknown when absent'),
  cache_write_1h: rate('input written to the cache for an hour. Unknown when absent'),
  reasoning: rate('reasoning. The output price when absent'),
  audio_input: rate('audio input. Unknown when absent'),
  audio_output: rate('audio output. Unknown when absent'),
  request: Type.Optional(PriceText({ description: 'USD per million requests, added to the tokens. None when absent.' })),
}

const price = Type.Object(
  {
    from: Type.Optional(
      Moment({ description: 'In force from this date on (UTC), until the next one. In force from the beginning when absent.' }),
    ),
    ...rates,
    long_context: Type.Optional(
      Type.Object(
        {
          above: Type.Integer({ minimum: 1, description: 'Input tokens, cached ones included, above which these prices hold.' }),
          ...rates,
        },
        { ...strict, description: 'Prices of a request with a longer input; they hold for all of its tokens.' },
      ),
    ),
  },
  { ...strict, description: 'What the model costs. What is not stated is unknown, not 0.' },
)

/** One price, or a list of prices with dates. */
export const priceSchema = Type.Union([price, Type.Array(price, { minItems: 1 })], {
  description: 'What it costs: one price, or a list of prices, each with the date `from` which it is in force.',
})

/** The whole of a price list file. */
export const priceListSchema = Type.Object(
  {
    models: Type.Record(
      Type.String(),
      Type.Object(
        {
          context: Type.Optional(Type.Integer({ minimum: 1, description: 'Context window in tokens.' })),
          max_output: Type.Optional(Type.Integer({ minimum: 1, description: 'Largest output in tokens.' })),
          price: Type.Optional(priceSchema),
        },
        strict,
      ),
      { description: "Models by the provider's name for them. A name may hold *: exact names win, then patterns from top to bottom." },
    ),
  },
  { ...strict, description: 'A price list: what models cost whose entry in gateway.yaml does not say so.' },
)

type FilePrice = Static<typeof price>
export type FilePrices = FilePrice | readonly FilePrice[]
export type PriceListFile = Static<typeof priceListSchema>

/** One model of the price list. `id` may hold one `*`. */
export interface ListedModel {
  readonly id: string
  readonly context?: number
  readonly maxOutput?: number
  readonly price?: PriceList
}

/** Prices as written, as a list by date. For checked values only. */
export function resolvePrices(from: FilePrices): PriceList {
  const list = (Array.isArray(from) ? (from as readonly FilePrice[]) : [from as FilePrice]).map(resolvePrice)
  return list.sort((a, b) => (a.from ?? Number.NEGATIVE_INFINITY) - (b.from ?? Number.NEGATIVE_INFINITY))
}

function resolvePrice(from: FilePrice): Price {
  const { long_context: long } = from
  const made: Price = {
    ...(from.from !== undefined && { from: from.from }),
    ...resolveRates(from),
    ...(long && { longContext: { above: long.above, ...resolveRates(long) } }),
  }
  // an attempt carries its price: who writes an outcome as JSON may not fail on it
  return Object.defineProperty(made, 'toJSON', { value: () => writtenPrices([made])[0] })
}

function resolveRates(from: Partial<Record<(typeof priceClasses)[number], string>>): PriceRates {
  const made: Partial<Record<(typeof priceClasses)[number], bigint>> = {}
  for (const name of priceClasses) {
    const text = from[name]
    if (text !== undefined) made[name] = parsePrice(text)
  }
  return made
}

/** The models of a checked price list, in its order. */
export function resolveListed(file: PriceListFile): ListedModel[] {
  return Object.entries(file.models).map(([id, model]) => ({
    id,
    ...(model.context !== undefined && { context: model.context }),
    ...(model.max_output !== undefined && { maxOutput: model.max_output }),
    ...(model.price !== undefined && { price: resolvePrices(model.price) }),
  }))
}

/** Prices as they would be written: USD per million tokens as decimal texts. For people and JSON, which knows no exact integers. */
export function writtenPrices(list: PriceList): readonly object[] {
  return list.map(({ from, longContext, ...own }) => ({
    ...(from !== undefined && { from: new Date(from).toISOString() }),
    ...writtenRates(own),
    ...(longContext && { long_context: { above: longContext.above, ...writtenRates(longContext) } }),
  }))
}

function writtenRates(from: PriceRates): Record<string, string> {
  const made: Record<string, string> = {}
  for (const name of priceClasses) {
    const own = from[name]
    if (own !== undefined) made[name] = formatUsd(perMillion(own))
  }
  return made
}
