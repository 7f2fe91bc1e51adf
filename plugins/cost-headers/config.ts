/**
 * What an operator may set for `cost-headers`. Static type, defaults, checks, editor schema and the README table come from here.
 */

import { Type } from 'headgate/plugin'

const header = (description: string) =>
  Type.Optional(
    Type.String({
      pattern:
        "^(?![Cc]ontent-|[Cc]onnection$|[Tt]ransfer-|[Kk]eep-|[Uu]pgrade$|[Ss]et-[Cc]ookie$|[Tt]railer$)[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
      description: `Header with ${description}`,
    }),
  )
const member = (description: string) =>
  Type.Optional(Type.String({ pattern: '^usage\\.[A-Za-z_][A-Za-z0-9_]*$', description: `Member of the usage object with ${description}` }))

export const config = Type.Object({
  headers: Type.Object(
    {
      cost_usd: header('the cost in USD'),
      cost_cents: header('the cost in US cents'),
      cost_unknown: header('`true` when the cost is not known; left out otherwise'),
      cache_savings_usd: header('what the provider cache saved, less what writing to it cost more; may be negative'),
      cache_savings_gross_usd: header('what cache reads cost less than plain input'),
      trim_savings_usd: header('what the shortening of tool results saved, by the bill of the provider; may be negative'),
      trimmed_tokens: header('the input tokens, estimated, that were taken out before routing; known before a stream begins'),
      cache_status: header('what became of the prompt in the provider cache: `hit`, `partial`, `miss`, `cold` or `off`'),
      cache_attribution: header('who is to thank for what was cached: `client`, `provider`, `gateway` or `none`; needs session-cache'),
      request_id: header('the id of the request'),
      session: header('the id of the session, where a session plugin stands above'),
      tier: header('the tier of the caller'),
      upstream: header('the name of the upstream that answered'),
      model: header('the model that answered, as its upstream calls it'),
    },
    { additionalProperties: false, default: {}, description: 'Figures by the header that carries them; what is not named is not sent' },
  ),
  body: Type.Object(
    {
      cost_usd: member('the cost in USD, a number'),
      cost_cents: member('the cost in US cents, a number'),
      cost_unknown: member('true when the cost is not known; left out otherwise'),
      cache_savings_usd: member('the net savings, a number'),
      cache_savings_gross_usd: member('the gross savings, a number'),
      cache_status: member('`hit`, `partial`, `miss`, `cold` or `off`'),
      cache_attribution: member('`client`, `provider`, `gateway` or `none`'),
      trim_savings_usd: member('the savings by shortened tool results, a number'),
      trimmed_tokens: member('the input tokens that were taken out'),
    },
    {
      additionalProperties: false,
      default: {},
      description: 'Figures by the place that carries them in a whole reply and in the last usage event of a stream: `usage.cost`',
    },
  ),
  markup: Type.Number({
    default: 0,
    minimum: -100,
    maximum: 1_000_000,
    description: 'Percent added to every amount; the record keeps the cost without it',
  }),
  decimals: Type.Optional(
    Type.Integer({ minimum: 0, maximum: 10, description: 'Amounts are rounded half up to so many decimals; exact when absent' }),
  ),
  stream_usage: Type.Enum(['always', 'asked'], {
    default: 'always',
    description: 'Chat streams carry usage when the client asks for it. `always`: with `body`, it is sent unasked too',
  }),
})
