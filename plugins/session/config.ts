/**
 * What an operator may set for `session`. Static type, defaults, checks, editor schema and the README table come from here.
 */

import { Duration, Secret, Type } from 'headgate/plugin'
import { sessionHeaders } from './client-id.ts'

const headerName =
  "^(?![Cc]ontent-|[Cc]onnection$|[Tt]ransfer-|[Kk]eep-|[Uu]pgrade$|[Ss]et-[Cc]ookie$|[Tt]railer$)[!#$%&'*+.^_`|~0-9A-Za-z-]+$"

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
  headers: Type.Array(Type.String({ pattern: headerName }), {
    default: [...sessionHeaders],
    maxItems: 50,
    description: 'Request headers in which clients name their session, in the order in which they are asked',
  }),
  body: Type.Boolean({
    default: true,
    description:
      'Ask members of the body, too: `metadata.user_id` of Claude Code, `prompt_cache_key`, `session_id`, `conversation`. Turn it off where clients send one `prompt_cache_key` for all they do',
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
