/** The conditions under which an entry of the plugin list runs, as they are written. What they mean stands in `pipeline/match.ts`. */

import { type Static, Type } from 'typebox'
import { operations } from '../plugin/operations.ts'
import { Texts } from './kinds.ts'

export const when = Type.Object(
  {
    path: Type.Optional(Texts({ description: 'Path of the URL.' })),
    operation: Type.Optional(Texts({ description: `What kind of endpoint is called: ${operations.join(', ')}.` })),
    model: Type.Optional(Texts({ description: 'Model id that the client asked for.' })),
    tier: Type.Optional(Texts({ description: 'Tier of the caller.' })),
    tag: Type.Optional(Texts({ description: 'A tag of the caller.' })),
    method: Type.Optional(Texts({ description: 'HTTP method.' })),
    header: Type.Optional(Type.Record(Type.String(), Texts(), { description: 'Request headers by name.' })),
    stream: Type.Optional(Type.Boolean({ description: 'Whether the client asked for a stream.' })),
    inner: Type.Optional(
      Type.Boolean({ description: 'Whether a plugin of this gateway makes the call for somebody, as `batch` does, instead of a client.' }),
    ),
  },
  {
    additionalProperties: false,
    description:
      'The plugin runs only for exchanges that match: all fields, and in each field one of the patterns (* stands for anything).',
  },
)

/** Globs by field: AND across fields, OR inside a list. Header names are lower case. */
export type WhenConfig = Readonly<Static<typeof when>>
