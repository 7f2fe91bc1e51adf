/**
 * What a model's entry says of the model itself, besides where it is served and what it costs: for lists of models and price pages.
 *
 * Nothing here changes how a request is carried out, but `tiers`, which `auth` holds callers to, and `deprecation`, which the plugin of that name tells.
 */

import { type Static, Type } from 'typebox'
import type { Deprecation, Model } from '../plugin/host.ts'
import { Moment, Texts } from './kinds.ts'

const strict = { additionalProperties: false } as const

/** What a model can take or give. */
export const modalities = ['text', 'image', 'audio', 'video', 'file', 'embeddings'] as const

const text = (description: string) => Type.Optional(Type.String({ minLength: 1, description }))
const kindsOf = (what: string) =>
  Type.Array(Type.Enum(modalities), { minItems: 1, description: `What it ${what}: ${modalities.join(', ')}.` })

const deprecation = Type.Object(
  {
    since: Moment({ description: 'When it was, or will be, marked as on its way out (UTC).' }),
    sunset: Type.Optional(Moment({ description: 'When it ends (UTC).' })),
    link: Type.Optional(
      Type.String({ pattern: '^(https?://|/)[^\\s<>"]+$', description: 'A page about it: what to use instead, until when.' }),
    ),
  },
  { ...strict, description: 'That the model is on its way out. Told in model lists, and in headers by the plugin `deprecation`.' },
)

export const modelFacts = {
  name: text('What people call it. The id by default.'),
  description: text('What it is good for, in a sentence or two.'),
  created: Type.Optional(Moment({ description: 'When it came out (UTC).' })),
  owned_by: text("Whose model it is. Its first target's upstream by default."),
  modalities: Type.Optional(
    Type.Object(
      { input: kindsOf('takes'), output: kindsOf('gives') },
      { ...strict, description: 'By default what is known of the model at its first target, else text.' },
    ),
  ),
  tokenizer: text('Name of its tokenizer, for those who count tokens themselves.'),
  canonical: text('A name of exactly this version, where the id may come to mean another one. The id by default.'),
  tiers: Type.Optional(
    Texts({ description: 'Tiers whose callers may use it. Others do not see it, and `auth` refuses them. All by default.' }),
  ),
  deprecation: Type.Optional(deprecation),
} as const

/** The facts of a checked entry. */
export type ModelFacts = Partial<{ [Name in keyof typeof modelFacts]: Static<(typeof modelFacts)[Name]> }>

/** The same as the catalogue has it. */
export function resolveFacts(
  from: ModelFacts,
): Pick<Model, 'name' | 'description' | 'created' | 'ownedBy' | 'modalities' | 'tokenizer' | 'canonical' | 'tiers' | 'deprecation'> {
  const { name, description, created, owned_by: ownedBy, modalities: takes, tokenizer, canonical, tiers, deprecation: ends } = from
  return {
    ...(name !== undefined && { name }),
    ...(description !== undefined && { description }),
    ...(created !== undefined && { created }),
    ...(ownedBy !== undefined && { ownedBy }),
    ...(takes !== undefined && { modalities: takes }),
    ...(tokenizer !== undefined && { tokenizer }),
    ...(canonical !== undefined && { canonical }),
    ...(tiers !== undefined && { tiers }),
    ...(ends !== undefined && { deprecation: deprecationOf(ends) }),
  }
}

function deprecationOf({ since, sunset, link }: Static<typeof deprecation>): Deprecation {
  return { since, ...(sunset !== undefined && { sunset }), ...(link !== undefined && { link }) }
}
