/**
 * What an operator may set for `auth`. Static type, defaults, checks, editor schema and the README table come from here.
 */

import { Duration, Secret, type Static, Type } from 'headgate/plugin'
import { jwtIssuer } from './jwt-config.ts'

const strict = { additionalProperties: false } as const
const text = (description: string) => Type.Optional(Type.String({ minLength: 1, description }))
const texts = (description: string) => Type.Optional(Type.Array(Type.String({ minLength: 1 }), { description }))

const limit = Type.Object(
  {
    window: Duration({ description: 'Length of the window' }),
    requests: Type.Optional(Type.Integer({ minimum: 0, description: 'Requests per window' })),
    tokens: Type.Optional(Type.Integer({ minimum: 0, description: 'Tokens per window' })),
  },
  strict,
)
const cap = Type.Object(
  {
    per: Type.Enum(['day', 'month', 'total'], { description: 'Period' }),
    usd: Type.Optional(Type.String({ pattern: '^[0-9]{1,12}(\\.[0-9]{1,12})?$', description: 'Money per period, in USD' })),
    messages: Type.Optional(Type.Integer({ minimum: 0, description: 'Messages per period' })),
  },
  strict,
)
const limits = Type.Optional(Type.Array(limit, { description: 'Limits of its own, used by `rate-limit`' }))
const caps = Type.Optional(Type.Array(cap, { description: 'Caps of its own, used by `budget`' }))

const inlineKey = Type.Object(
  {
    id: Type.String({ minLength: 1, maxLength: 100, description: 'Public id, for logs, limits and audit' }),
    hash: Type.String({
      pattern: '^[0-9a-fA-F]{64}$',
      description: 'SHA-256 of the whole key, in hex: printf %s "$KEY" | sha256sum. Only for long random keys',
    }),
    kind: Type.Enum(['key', 'instance', 'self_host'], {
      default: 'key',
      description: "Whose key it is: a user's, that of one hosted instance, or that of a gateway which a customer runs (tier `self-host`)",
    }),
    name: Type.Optional(Type.String({ description: 'Human name' })),
    account: text('Account that pays; the id when absent'),
    tier: text('Tier, for `when: { tier: [...] }`'),
    tags: texts('Tags, for `when: { tag: [...] }`'),
    models: texts('Globs of the models that it may use; all when absent'),
    limits,
    caps,
    expires: Type.Optional(Type.String({ description: 'ISO 8601 date or time from which the key is refused' })),
  },
  strict,
)

const anonymous = Type.Object(
  {
    by: Type.Enum(['ip', 'user'], {
      default: 'ip',
      description: 'Tell callers apart by address, or by the end user whom the request names (anybody can make one up), else by address',
    }),
    tier: Type.String({ default: 'anonymous', minLength: 1, description: 'Their tier' }),
    account: Type.String({ default: 'anonymous', minLength: 1, description: 'Account that pays for them' }),
    tags: Type.Array(Type.String({ minLength: 1 }), { default: [], description: 'Their tags' }),
    models: texts('Globs of the models that they may use; all when absent'),
    limits,
    caps,
    secret: Type.Optional(
      Secret({
        description:
          'Keys the hashes of addresses that are their ids. By default a random one in shared state, so ids change when that is lost',
      }),
    ),
  },
  { ...strict },
)

export const config = Type.Object({
  keys_file: Type.String({
    default: './data/keys.json',
    minLength: 1,
    description: 'File of hashed keys, relative to gateway.yaml; changes act within a second',
  }),
  store: Type.Enum(['file', 'records'], {
    default: 'file',
    description:
      'Where keys made by `headgate keys` and the admin API live: in the keys file, or in the records of the gateway, which several instances share',
  }),
  admin_style: Type.Enum(['keys', 'litellm'], {
    default: 'keys',
    description:
      'How keys are managed on the admin listener: at `/keys`, or also at `/key/generate`, `/key/info`, `/key/update`, `/key/delete`, `/key/block` and `/key/list` as with LiteLLM',
  }),
  stale_for: Duration({
    default: '1h',
    description: "With `store: records`: how long known keys stay good while the records can't be reached; at least 2 s",
  }),
  cache: Type.Integer({
    default: 10_000,
    minimum: 1,
    maximum: 1_000_000,
    description: 'With `store: records`: keys that are kept in memory, about 1 KB each',
  }),
  keys: Type.Array(inlineKey, { default: [], description: 'More keys, by their hash, in the config itself' }),
  key_prefix: Type.String({
    default: 'sk-hg-',
    pattern: '^[A-Za-z0-9_-]{0,32}$',
    description: 'How new keys begin; keys made under another prefix stay valid',
  }),
  tier: text('Tier of keys that name none'),
  jwt: Type.Array(jwtIssuer, { default: [], maxItems: 32, description: 'Issuers whose tokens (JWT) are let in' }),
  headers: Type.Array(Type.String({ pattern: '^[A-Za-z0-9-]+$' }), {
    default: ['authorization', 'x-api-key', 'api-key', 'x-goog-api-key'],
    minItems: 1,
    maxItems: 8,
    description: 'Headers that may carry the key; `authorization` as a bearer token, the others as they are',
  }),
  query: Type.Array(Type.String({ pattern: '^[A-Za-z0-9_.-]+$' }), {
    default: ['key'],
    maxItems: 8,
    description: 'Query parameters that may carry the key, as clients of Gemini do. They stand in the logs of proxies: [] takes none',
  }),
  anonymous: Type.Union([Type.Boolean(), anonymous], {
    default: false,
    description: 'Admit requests without a key: true, or who they are then',
  }),
  end_user: Type.Boolean({
    default: false,
    description:
      'Read the end user from the body (`safety_identifier`, `user`, `metadata.user_id`) where the credential names none. Every body is parsed then',
  }),
  info_paths: Type.Array(Type.String({ pattern: '^/' }), {
    default: ['/v1/auth/key'],
    maxItems: 8,
    description: 'Where callers learn about their own key with GET',
  }),
})

export type AuthConfig = Static<typeof config>
