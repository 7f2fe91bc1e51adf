/** What an operator may set for one issuer of tokens. */

import { Duration, Secret, type Static, Type } from 'headgate/plugin'

const strict = { additionalProperties: false } as const

/** Signed with a private key: the public one verifies. */
export const publicAlgorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'] as const
/** Signed with the secret that verifies. */
export const secretAlgorithms = ['HS256', 'HS384', 'HS512'] as const

const key = Type.Object(
  {
    kid: Type.Optional(Type.String({ minLength: 1, description: 'Only for tokens that name this key' })),
    secret: Type.Optional(Secret({ description: 'Shared secret, for HS256, HS384 and HS512; at least 32 bytes' })),
    pem: Type.Optional(Type.String({ minLength: 1, description: 'Public key or certificate as PEM text' })),
    jwk: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { description: 'Public key as a JWK' })),
  },
  strict,
)

const claim = (description: string) => Type.Optional(Type.String({ minLength: 1, description }))

export const jwtIssuer = Type.Object(
  {
    issuer: Type.String({ minLength: 1, description: 'What the claim `iss` must be, to the letter' }),
    audience: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        minItems: 1,
        description: 'One of these must be in `aud`. Leave it out only where this issuer makes tokens for nobody else',
      }),
    ),
    jwks_url: Type.Optional(
      Type.String({
        pattern: '^https?://',
        description: 'Where the issuer publishes its keys. Read when first needed, and again when they change',
      }),
    ),
    keys: Type.Array(key, { default: [], description: 'Keys of the issuer, besides those of `jwks_url`' }),
    algorithms: Type.Optional(
      Type.Array(Type.Enum([...publicAlgorithms, ...secretAlgorithms]), {
        minItems: 1,
        description: 'Which signatures count; all that fit the keys by default',
      }),
    ),
    leeway: Duration({ default: '30s', description: 'How far clocks may be apart, for `exp` and `nbf`' }),
    required: Type.Array(Type.String({ minLength: 1 }), { default: ['exp'], description: 'Claims that a token must have' }),
    kind: Type.Enum(['jwt', 'instance', 'self_host'], { default: 'jwt', description: 'Whose tokens these are' }),
    id_prefix: Type.String({
      default: 'jwt:',
      description:
        'Stands before the subject in the id of a caller, so that no subject can be taken for a key or for one of another issuer',
    }),
    tier: Type.Optional(Type.String({ minLength: 1, description: 'Tier of tokens whose claims name none' })),
    account: Type.Optional(
      Type.String({ minLength: 1, description: 'Account of tokens whose claims name none; the id of the caller when absent' }),
    ),
    models: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), { description: 'Globs of models, for tokens whose claims name none; all when absent' }),
    ),
    claims: Type.Object(
      {
        id: Type.String({ default: 'sub', minLength: 1, description: 'Claim with the subject' }),
        name: claim('Claim with a human name'),
        account: claim('Claim with the account'),
        tier: claim('Claim with the tier'),
        tags: claim('Claim with the tags: a list, or words'),
        user: claim('Claim with the end user'),
        models: claim('Claim with the globs of models: a list, or words'),
      },
      { ...strict, default: {}, description: 'Which claim says what; a name with dots leads into nested claims' },
    ),
  },
  strict,
)

export type JwtIssuer = Static<typeof jwtIssuer>
