/**
 * What an operator may set for `deprecation`. Static type, defaults, checks, editor schema and the README table come from here.
 */

import { type Static, Type } from 'headgate/plugin'

const date = (description: string) =>
  Type.String({ pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?Z)?$', description })

const route = Type.Object(
  {
    path: Type.String({ pattern: '^/', description: 'Path of the URL; * stands for anything' }),
    method: Type.Optional(
      Type.Enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE'], { description: 'Only requests of this method; all when absent' }),
    ),
    since: date('When the route was, or will be, marked (UTC): 2026-01-31, 2026-01-31T12:00:00Z'),
    sunset: Type.Optional(date('When it ends (UTC)')),
    link: Type.Optional(Type.String({ pattern: '^(https?://|/)[^\\s<>"]+$', description: 'A page about it' })),
    successor: Type.Optional(Type.String({ pattern: '^(https?://|/)[^\\s<>"]+$', description: 'URL or path of what comes after it' })),
  },
  { additionalProperties: false },
)

export const config = Type.Object({
  routes: Type.Array(route, {
    default: [],
    maxItems: 1000,
    description: 'Routes that are on their way out; the first that fits counts. Models say so themselves: `deprecation` of their entry',
  }),
  after_sunset: Type.Union([Type.Literal('serve'), Type.Literal('refuse')], {
    default: 'serve',
    description:
      'What becomes of requests after the sunset: serve them all the same, or refuse them: routes with 410 and `not_found`, models with 404 and `model_not_found`',
  }),
})

export type DeprecationConfig = Static<typeof config>
