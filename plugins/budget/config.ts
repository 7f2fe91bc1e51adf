/**
 * What an operator may set for `budget`. Static type, defaults, checks, editor schema and the README table come from here.
 */

import { type Static, Type } from 'headgate/plugin'

const most = 9_000_000
const usd = (description: string) => Type.Number({ minimum: 0, maximum: most, description })

const cap = Type.Object(
  {
    of: Type.Enum(['account', 'key', 'user', 'session'], {
      default: 'account',
      description: 'What is counted apart: the account, the API key, the end user, the session',
    }),
    per: Type.Enum(['day', 'month', 'total'], { default: 'month', description: 'Days and months begin at 00:00 UTC' }),
    usd: Type.Optional(usd('USD that may be spent')),
    messages: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000_000, description: 'Requests that may be answered' })),
  },
  { additionalProperties: false },
)

const plan = Type.Object(
  {
    billed: Type.Boolean({ default: true, description: '`false`: the account pays nothing; only caps count' }),
    included: Type.Number({
      default: 0,
      minimum: 0,
      maximum: most / 2,
      description: 'USD of credit that come with each month; used up before anything else, and gone at its end',
    }),
    overage: Type.Number({
      default: 0,
      minimum: 0,
      maximum: most,
      description: 'USD a month that may be spent beyond credit and balance, to be invoiced',
    }),
    caps: Type.Array(cap, { default: [], maxItems: 16, description: 'What may be spent or sent at most' }),
  },
  { additionalProperties: false },
)

export const config = Type.Object({
  plans: Type.Record(Type.String({ minLength: 1 }), plan, {
    default: {},
    description: 'Plans by name. An account has the plan that was set for it, else that with the name of its tier',
  }),
  no_plan: Type.Enum(['prepaid', 'subscription_required', 'unlimited'], {
    default: 'prepaid',
    description: 'Accounts without a plan pay from their balance, are refused, or pay nothing',
  }),
  markup: Type.Number({ default: 0, minimum: -100, maximum: 1_000_000, description: 'Percent added to what providers charge' }),
  unknown_price: Type.Optional(
    Type.Object(
      { input: usd('Input'), output: usd('Output') },
      {
        additionalProperties: false,
        description:
          'USD per million tokens where the price list has no price; when absent, such requests of accounts that pay are refused',
      },
    ),
  ),
  max_output: Type.Integer({
    default: 32_000,
    minimum: 1,
    maximum: 10_000_000,
    description: 'Output tokens to reserve for when neither the request nor the catalogue says how many there may be',
  }),
  context: Type.Integer({
    default: 200_000,
    minimum: 1,
    maximum: 100_000_000,
    description: 'Input tokens to reserve for where files or earlier replies count and the catalogue does not say what the model can read',
  }),
  cap_output: Type.Boolean({
    default: false,
    description: 'Lower the output limit of a request to what the balance can pay, instead of refusing it',
  }),
  path: Type.String({ default: '/credits', pattern: '^/[^ ?#]*$', description: 'Path at which callers see their own account' }),
  totals: Type.Boolean({
    default: false,
    description:
      'That path also tells `data: { total_credits, total_usage }` since the account began, as OpenRouter does. Each call sums up the ledger of the account',
  }),
})

export type BudgetConfig = Static<typeof config>
