/**
 * What an operator may set for `audit`. Static type, defaults, checks, editor schema and the README table come from here.
 */

import { Type } from 'headgate/plugin'
import { fieldNames } from './record.ts'

export const config = Type.Object({
  file: Type.Optional(
    Type.String({
      minLength: 1,
      description: 'File that lines are appended to, relative to gateway.yaml; standard output when absent. May be renamed while in use',
    }),
  ),
  fields: Type.Optional(
    Type.Array(Type.Union(fieldNames.map((name) => Type.Literal(name))), {
      minItems: 1,
      description: 'Only these fields, in this order; all when absent',
    }),
  ),
})
