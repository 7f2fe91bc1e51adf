/**
 * What an operator may set for `auth`. Static type, defaults, checks, editor schema and the README table come from here.
 */

import { Type } from 'headgate/plugin'

const inlineKey = Type.Object(
  {
    id: Type.String({ minLength: 1, maxLength: 100, description: 'Public id, for logs, limits and audit' }),
    hash: Type.String({
      pattern: '^[0-9a-fA-F]{64}$',
      description: 'SHA-256 of the whole key, in hex: printf %s "$KEY" | sha256sum. Only for long random keys',
    }),
    name: Type.Optional(Type.String({ description: 'Human name' })),
    account: Type.Optional(Type.String({ minLength: 1, description: 'Account that pays; the id when absent' })),
    tier: Type.Optional(Type.String({ description: 'Tier, for `when: { tier: [...] }`' })),
    tags: Type.Optional(Type.Array(Type.String(), { description: 'Tags, for `when: { tag: [...] }`' })),
    models: Type.Optional(Type.Array(Type.String(), { description: 'Globs of the models that it may use; all when absent' })),
    expires: Type.Optional(Type.String({ description: 'ISO 8601 date or time from which the key is refused' })),
  },
  { additionalProperties: false },
)

export const config = Type.Object({
  keys_file: Type.String({
    default: './data/keys.json',
    minLength: 1,
    description: 'File of hashed keys, relative to gateway.yaml; `headgate keys` writes it, changes act within a second',
  }),
  keys: Type.Array(inlineKey, { default: [], description: 'More keys, by their hash, in the config itself' }),
  key_prefix: Type.String({
    default: 'sk-hg-',
    pattern: '^[A-Za-z0-9_-]{0,32}$',
    description: 'How new keys begin; keys made under another prefix stay valid',
  }),
  headers: Type.Array(Type.String({ pattern: '^[A-Za-z0-9-]+$' }), {
    default: ['authorization', 'x-api-key', 'api-key', 'x-goog-api-key'],
    minItems: 1,
    maxItems: 8,
    description: 'Headers that may carry the key; `authorization` as a bearer token, the others as they are',
  }),
  anonymous: Type.Boolean({
    default: false,
    description: 'Admit requests without a key, as the principal `anonymous` in tier `anonymous`',
  }),
})
