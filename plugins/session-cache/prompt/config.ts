/** What an operator may set for the prompt cache. What providers do is no setting: it stands in the catalogue (`prompt_cache_facts` of an upstream). */

import { Duration, type Static, Type } from 'headgate/plugin'

export const promptConfig = Type.Object(
  {
    enabled: Type.Boolean({ default: true, description: 'false: requests leave as they are' }),
    marks: Type.Boolean({
      default: true,
      description:
        'Marks for clients that set none, where the provider caches only what is marked. One mark of the client and nothing is changed',
    }),
    keys: Type.Boolean({
      default: true,
      description:
        '`prompt_cache_key` or the like, where the provider knows it and the client sends none: requests of a session reach the same machine',
    }),
    long_lifetime: Type.Enum(['adaptive', 'never', 'always'], {
      default: 'adaptive',
      description:
        'Where marks can ask for a longer lifetime that costs more: adaptive asks for it once a session has waited longer than the short one lasts',
    }),
    hold: Duration({
      default: '3s',
      description:
        'How long requests wait for another one with the same uncached beginning, which they can then read instead of writing it too. 0 = not at all',
    }),
    hold_from: Type.Integer({ default: 4000, minimum: 0, description: 'Tokens of that beginning, from which waiting is worth it' }),
    ping: Type.Boolean({
      default: false,
      description:
        'One call of one token shortly before the cache of a finished answer expires, charged to the caller. Traffic that nobody asked for, so off',
    }),
    ping_from: Type.Integer({ default: 30_000, minimum: 0, description: 'Input tokens from which on a ping is worth it' }),
    lanes: Type.Integer({
      default: 5000,
      minimum: 1,
      maximum: 1_000_000,
      description: 'Lines of turns that are remembered in this process',
    }),
  },
  { additionalProperties: false, default: {}, description: "Keeps the provider's prompt cache warm" },
)

export type PromptConfig = Static<typeof promptConfig>
