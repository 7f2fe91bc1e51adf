/** What an operator may set for `metrics`. */

import { Type } from 'headgate/plugin'

export const config = Type.Object({
  models: Type.Boolean({ default: true, description: 'Tell models apart: those that config and price list name; all others are one' }),
})
