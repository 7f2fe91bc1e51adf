/**
 * What an operator may set for `router`. Static type, defaults, checks, editor schema and the README table come from here.
 */

import { Type } from 'headgate/plugin'

export const config = Type.Object({
  default_model: Type.Optional(
    Type.String({ minLength: 1, description: 'Model of the catalogue for requests that name none; without it they are refused' }),
  ),
})
