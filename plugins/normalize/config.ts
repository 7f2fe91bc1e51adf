/** What an operator may set for `normalize`. Static type, defaults, checks, editor schema and the README table come from here. */

import { Type } from 'headgate/plugin'

export const config = Type.Object({
  finish_reason: Type.Boolean({
    default: true,
    description:
      "`finish_reason` is `stop`, `length`, `tool_calls` or `content_filter`, whatever word the upstream has. Only in OpenAI's APIs",
  }),
  model: Type.Boolean({
    default: false,
    description: 'The `model` of a reply is the id of the catalogue that was called in the end, whatever the upstream calls it',
  }),
})
