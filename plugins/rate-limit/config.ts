/**
 * What an operator may set for `rate-limit`. Static type, defaults, checks, editor schema and the README table come from here.
 */

import { Duration, operations, Type } from 'headgate/plugin'

const subject = Type.Enum(['key', 'account', 'tier', 'ip', 'user', 'session', 'model', 'all'])
const by = (description: string) =>
  Type.Union([subject, Type.Array(subject, { minItems: 1, maxItems: 4, uniqueItems: true })], { default: 'key', description })
const globs = (description: string) => Type.Optional(Type.Array(Type.String({ minLength: 1 }), { minItems: 1, description }))
/** A misspelt operation would be a limit that nobody ever meets. */
const operation = Type.String({
  minLength: 1,
  pattern: `^(${operations.join('|')}|.*[*].*)$`,
  description: `write one of: ${operations.join(', ')}; * stands for anything`,
})
const requests = Type.Optional(Type.Integer({ minimum: 1, description: 'Requests allowed per window' }))
const tokens = Type.Optional(Type.Integer({ minimum: 1, description: 'Tokens allowed per window, input and output together' }))
const window = Duration({ default: '1m', description: 'Length of a window; windows are fixed and start at multiples of it' })

const limit = Type.Object(
  {
    requests,
    tokens,
    window,
    by: by('What is counted apart, as above; a list counts each combination'),
    kind: Type.Optional(
      Type.Enum(['fixed', 'bucket'], {
        description: '`fixed` windows (default), or a `bucket` that is refilled evenly by so much per window (default with `burst`)',
      }),
    ),
    burst: Type.Optional(
      Type.Integer({ minimum: 1, description: 'What a bucket holds: so much may come at once; the limit itself when absent' }),
    ),
    when: Type.Optional(
      Type.Object(
        {
          tier: globs('Tiers'),
          tag: globs('Tags of the caller; one is enough'),
          model: globs('Models, as the client asks for them'),
          operation: Type.Optional(
            Type.Array(operation, { minItems: 1, description: `Kinds of endpoint: ${operations.map((name) => `\`${name}\``).join(', ')}` }),
          ),
        },
        {
          additionalProperties: false,
          description: 'Whom the limit is for: all fields must match, by one of their globs; everybody when absent',
        },
      ),
    ),
  },
  { additionalProperties: false },
)

const headerName = (what: string, name: string) =>
  Type.String({
    default: name,
    pattern:
      "^(?![Cc]ontent-|[Cc]onnection$|[Tt]ransfer-|[Kk]eep-|[Uu]pgrade$|[Ss]et-[Cc]ookie$|[Tt]railer$)[!#$%&'*+.^_`|~0-9A-Za-z-]*([{]what[}][!#$%&'*+.^_`|~0-9A-Za-z-]*)?$",
    minLength: 1,
    description: `Header with ${what}`,
  })
const member = (what: string) => Type.Optional(Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]*$', description: `Member with ${what}` }))

export const config = Type.Object({
  requests,
  tokens,
  window,
  by: by(
    'What is counted apart: API key, account, tier, address, end user, session, model (all callers together), or nothing: `all`; a list counts combinations',
  ),
  limits: Type.Array(limit, {
    default: [],
    maxItems: 32,
    description: 'More limits, or all of them; a request must fit into each, and is taken from all at once or from none',
  }),
  default_output: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 100_000_000,
      description:
        'Tokens reserved for the output of a request that does not say how long it may be; when absent as much as the catalogue says the model can give, else 4096',
    }),
  ),
  headers: Type.Union([Type.Boolean(), Type.Enum(['always', 'missing', 'limited', 'never'])], {
    default: true,
    description:
      'When replies say where the tightest limit stands: `always` (true), only where no limit below has said so (`missing`), only on refusals by a limit (`limited`), or `never` (false)',
  }),
  header_names: Type.Object(
    {
      limit: headerName('the limit', 'x-ratelimit-limit'),
      remaining: headerName('what is left of it', 'x-ratelimit-remaining'),
      reset: headerName('when it is whole again', 'x-ratelimit-reset'),
    },
    {
      additionalProperties: false,
      default: {},
      description:
        'Names of the headers; with `{what}` in a name it is sent for `requests` and for `tokens`, each for the tightest of its kind',
    },
  ),
  reset: Type.Enum(['unix', 'unix_ms', 'seconds', 'ms', 'duration', 'iso'], {
    default: 'unix',
    description:
      'How the reset is written: seconds or milliseconds since the epoch, seconds, milliseconds or a duration (`6m0s`) from now, or ISO 8601',
  }),
  body: Type.Object(
    {
      retry_after: member('the seconds to wait, like Retry-After'),
      limit: member('the limit'),
      remaining: member('what is left of it'),
      reset: member('when it is whole again, in the form of the header'),
      extra: Type.Record(Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]*$' }), Type.Union([Type.String(), Type.Number(), Type.Boolean()]), {
        default: {},
        description: 'Fixed members and their values, for example `{ kind: usage }`',
      }),
    },
    {
      additionalProperties: false,
      default: {},
      description: 'Members added to the error of a refusal, by their names; what is not named is not added',
    },
  ),
})
