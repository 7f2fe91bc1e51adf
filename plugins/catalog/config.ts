/**
 * What an operator may set for `catalog`. Static type, defaults, checks, editor schema and the README table come from here.
 */

import { type Static, Type } from 'headgate/plugin'

const strict = { additionalProperties: false } as const

const paths = (usual: readonly string[], what: string) =>
  Type.Array(Type.String({ pattern: '^/[^\\s?#*:]*[^\\s?#*:/]$' }), {
    default: [...usual],
    maxItems: 8,
    description: `Where ${what}; [] = nowhere`,
  })
const open = Type.Boolean({ default: false, description: 'Answer callers without a key too' })

export const config = Type.Object({
  models: Type.Object(
    {
      paths: paths(['/v1/models'], 'models are listed with GET; below it <path>/count, and <path>/{id} for one of them'),
      style: Type.Union([Type.Literal('openai'), Type.Literal('openrouter')], {
        default: 'openrouter',
        description:
          'What is told of a model: openai = id, object, created and owned_by; openrouter = these and all else: name, description, context, prices, modalities …. Clients that speak the API of Anthropic or Gemini get its own lists',
      }),
      price_per: Type.Union([Type.Literal('token'), Type.Literal('million')], {
        default: 'token',
        description: 'openrouter: whether `pricing` says USD per token, as OpenRouter does, or per million tokens',
      }),
      open,
    },
    { ...strict, default: {}, description: 'Lists of models' },
  ),
  providers: Type.Object(
    { paths: paths([], 'upstreams are listed, each with the models that it serves'), open },
    { ...strict, default: {}, description: 'The list of upstreams' },
  ),
  pricing: Type.Object(
    { paths: paths([], 'prices are listed: USD per million tokens, of every model that the caller may use'), open },
    { ...strict, default: {}, description: 'The price list' },
  ),
  capabilities: Type.Object(
    { paths: paths([], 'models are listed with the tiers that may use them and their prices'), open },
    { ...strict, default: {}, description: 'What the gateway can do now: models that have not come to their end' },
  ),
  model_info: Type.Object(
    { paths: paths([], 'models are listed as LiteLLM does at /model/info'), open },
    { ...strict, default: {}, description: 'The list that clients of LiteLLM ask for' },
  ),
  markup: Type.Number({
    default: 0,
    minimum: -100,
    maximum: 1_000_000,
    description: 'Percent added to every price that is told; the same as that of `budget`, which charges it',
  }),
})

export type CatalogConfig = Static<typeof config>
