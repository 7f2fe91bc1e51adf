/** What an operator may set for `validate`. Static type, defaults, checks, editor schema and the README table come from here. */

import { Type } from 'headgate/plugin'

export const config = Type.Object({
  context: Type.Boolean({
    default: true,
    description:
      'Refuse requests that have more words than the `context` of their model, and of all other models that they name, has tokens. What is too long by less is told by the provider',
  }),
})
