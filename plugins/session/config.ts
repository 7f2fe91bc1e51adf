/**
 * What an operator may set for `session`. Static type, defaults, checks, editor schema and the README table come from here.
 */

import { Duration, Secret, Type } from 'headgate/plugin'
import { usualPlaces } from './client-id.ts'

const headerName =
  "^(?![Cc]ontent-|[Cc]onnection$|[Tt]ransfer-|[Kk]eep-|[Uu]pgrade$|[Ss]et-[Cc]ookie$|[Tt]railer$)[!#$%&'*+.^_`|~0-9A-Za-z-]+$"

const idPlace = "^(body(\\.[A-Za-z_][A-Za-z0-9_]*)+|(?!body\\.)[!#$%&'*+.^_`|~0-9A-Za-z-]+)$"

export const config = Type.Object({
  secret: Type.Optional(
    Secret({ description: 'Ids of sessions are made with it; made once and kept in the stores when absent. Another one means other ids' }),
  ),
  idle: Duration({ default: '24h', description: 'A session that nobody went on with for so long is forgotten' }),
  sessions: Type.Integer({
    default: 100_000,
    minimum: 1,
    maximum: 10_000_000,
    description: 'Sessions that are known at most; the least recently used give way',
  }),
  ids: Type.Array(Type.String({ pattern: idPlace }), {
    default: [...usualPlaces],
    maxItems: 50,
    description:
      'Where clients name their session, in the order in which it is looked for: request headers, and members of the body as `body.metadata.session_id`. Leave `body.prompt_cache_key` out where an application sends one for all it does',
  }),
  prefix: Type.Boolean({
    default: true,
    description: 'Find the session of a request that names none by the messages that it goes on from',
  }),
  header: Type.Union([Type.String({ pattern: headerName }), Type.Literal(false)], {
    default: 'x-gateway-session-id',
    description: 'Header of the reply with the id of the session; `false`: none',
  }),
})
