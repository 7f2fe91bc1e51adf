/** What an operator may set for the response cache. */

import { Duration, Size, type Static, Type } from 'headgate/plugin'

export const responseConfig = Type.Object(
  {
    models: Type.Array(Type.String({ minLength: 1 }), {
      default: [],
      maxItems: 1000,
      description: 'Models whose answers are kept, as globs. Empty = only where the client asks for it',
    }),
    header: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9-]+$',
        description:
          'Header in which a client may say `on` or `off`, for example x-cache. Without it clients have no say, but for `cache-control: no-store`',
      }),
    ),
    ttl: Duration({ default: '5m', description: 'How long an answer is given again' }),
    scope: Type.Enum(['key', 'account', 'everyone'], {
      default: 'key',
      description: 'Who shares answers: each key has its own, or an account, or all callers of this gateway',
    }),
    any_temperature: Type.Boolean({
      default: false,
      description:
        'Also where the request does not set `temperature: 0`: the same question then always gets the same answer. Who asks by header means that',
    }),
    max_size: Size({ default: '1mb', description: 'Largest answer that is kept' }),
    wait: Duration({
      default: '30s',
      description: 'How long a request waits for another one of the same words that is being answered. 0 = not at all',
    }),
    vary: Type.Array(Type.String({ pattern: '^[A-Za-z0-9-]+$' }), {
      default: [],
      maxItems: 50,
      description: "More request headers that an answer depends on; providers' own count anyway",
    }),
  },
  {
    additionalProperties: false,
    description:
      'Gives the answer to the very same request again, without calling a provider. Off unless models or a header are named. Not for conversations of agents, which hardly ever repeat',
  },
)

export type ResponseConfig = Static<typeof responseConfig>
