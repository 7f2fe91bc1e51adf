/** What an operator may set for `normalize`. Static type, defaults, checks, editor schema and the README table come from here. */

import { Type } from 'headgate/plugin'

export const config = Type.Object({
  finish_reason: Type.Boolean({
    default: true,
    description:
      "`finish_reason` is `stop`, `length`, `tool_calls` or `content_filter`, whatever word the upstream has. Only in OpenAI's APIs",
  }),
  drop: Type.Array(Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]*$' }), {
    default: [],
    maxItems: 50,
    description:
      'Members of request bodies that clients of another gateway send and no provider takes, such as `transforms`; they are taken out before the request leaves',
  }),
  model: Type.Boolean({
    default: false,
    description: 'The `model` of a reply is the id of the catalogue that was called in the end, whatever the upstream calls it',
  }),
})
