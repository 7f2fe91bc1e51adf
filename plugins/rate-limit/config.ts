/**
 * What an operator may set for `rate-limit`. Static type, defaults, checks, editor schema and the README table come from here.
 */

import { Duration, Type } from 'headgate/plugin'

export const config = Type.Object({
  requests: Type.Integer({ minimum: 1, description: 'Requests allowed per window' }),
  window: Duration({ default: '1m', description: 'Length of a window; windows are fixed and start at multiples of it' }),
  by: Type.Union([Type.Literal('key'), Type.Literal('ip'), Type.Literal('account'), Type.Literal('model')], {
    default: 'key',
    description: 'What is counted apart: the API key, the address, the account, or the model (all callers together)',
  }),
  headers: Type.Boolean({ default: true, description: 'Send X-RateLimit-Limit, -Remaining and -Reset (unix seconds) with each reply' }),
})
