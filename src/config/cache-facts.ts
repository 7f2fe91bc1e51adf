/**
 * What the config may say of an upstream's prompt cache: corrections of what the gateway knows, by the model's name at the upstream.
 *
 * Names are those of the file; `plugin/cache-facts.ts` says what each means. What is 0 of a lifetime means that there is none.
 */

import { type Static, Type } from 'typebox'
import type { CacheFactsEdit } from '../plugin/cache-facts.ts'
import { Duration } from '../plugin/units.ts'

const share = (description: string) => Type.Optional(Type.Number({ minimum: 0, maximum: 100, description }))

const facts = Type.Object(
  {
    caching: Type.Optional(
      Type.Enum(['marks', 'auto', 'none'], {
        description: 'marks: only what requests mark is cached. auto: the provider caches by itself. none: it does not.',
      }),
    ),
    marks: Type.Optional(
      Type.Enum(['cache_control', 'cachePoint', 'prompt_cache_breakpoint', 'none'], {
        description: 'How a mark is written; none = not understood.',
      }),
    ),
    max_marks: Type.Optional(Type.Integer({ minimum: 0, maximum: 16, description: 'Marks in one request, at most.' })),
    look_back: Type.Optional(Type.Integer({ minimum: 1, description: 'How many blocks before a mark an earlier entry is found.' })),
    minimum: Type.Optional(Type.Integer({ minimum: 0, description: 'Tokens of the shortest prefix that is cached.' })),
    lifetime: Type.Optional(Duration({ description: 'How long an entry lives after its last use.' })),
    long_lifetime: Type.Optional(Duration({ description: 'The longer lifetime that a mark may ask for; 0 = none.' })),
    write: share('Price of a token that is written, as a share of plain input.'),
    write_long: share('The same for the longer lifetime.'),
    read: share('Price of a token that is read, as a share of plain input.'),
    key: Type.Optional(Type.Boolean({ description: 'prompt_cache_key is understood.' })),
    conversation_header: Type.Optional(
      Type.String({ pattern: '^[a-z0-9-]+$', description: 'Header that leads requests of one conversation to one machine.' }),
    ),
    per_key_per_minute: Type.Optional(
      Type.Integer({ minimum: 1, description: 'Requests per minute with one prefix and key before they are spread over cold machines.' }),
    ),
  },
  { additionalProperties: false },
)

export const promptCacheFacts = Type.Record(Type.String({ minLength: 1 }), facts, {
  description:
    "Corrections of what the gateway knows of this provider's prompt cache, by the model's name at the upstream (* stands for anything); later ones win. Plugins that keep the cache warm go by them.",
})

export type PromptCacheFactsConfig = Static<typeof promptCacheFacts>

/** The corrections in the order of the file, each with the glob of the models that it is of. */
export function cacheFactEdits(config: PromptCacheFactsConfig = {}): readonly (readonly [glob: string, edit: CacheFactsEdit])[] {
  return Object.entries(config).map(([glob, given]) => {
    const { caching, look_back, minimum, lifetime, write, write_long, read, key } = given
    const edit: Record<string, unknown> = {
      caching,
      lookBack: look_back,
      minimum,
      lifetime,
      write,
      writeLong: write_long,
      read,
      key,
      maxMarks: given.max_marks,
      conversationHeader: given.conversation_header,
      perKeyPerMinute: given.per_key_per_minute,
    }
    for (const [name, value] of Object.entries(edit)) if (value === undefined) delete edit[name]
    if (given.marks !== undefined) Object.assign(edit, marksEdit(given.marks, given.max_marks))
    if (given.long_lifetime !== undefined) {
      const has = given.long_lifetime > 0
      edit.longLifetime = has ? given.long_lifetime : undefined
      edit.longName = has ? `${Math.max(1, Math.round(given.long_lifetime / 3_600_000))}h` : undefined
    }
    return [glob, { ...edit, asOf: 'config', source: 'config' } as CacheFactsEdit]
  })
}

type Marks = 'cache_control' | 'cachePoint' | 'prompt_cache_breakpoint' | 'none'

/** A server that is said to know marks knows them where their inventor does. */
function marksEdit(marks: Marks, most: number | undefined): CacheFactsEdit {
  const places = ['system', 'messages'] as const
  switch (marks) {
    case 'none':
      return { marks: undefined, maxMarks: 0, places: [] } as unknown as CacheFactsEdit
    case 'cache_control':
      return {
        marks,
        maxMarks: most ?? 4,
        places: ['tools', ...places],
        blocks: ['text', 'image', 'document', 'tool_use', 'tool_result', 'image_url', 'file'],
      }
    case 'cachePoint':
      return { marks, maxMarks: most ?? 4, places: ['tools', ...places], blocks: ['text', 'image', 'document', 'toolUse', 'toolResult'] }
    case 'prompt_cache_breakpoint':
      return { marks, maxMarks: most ?? 3, places, blocks: ['text', 'input_text', 'image_url', 'input_image', 'file', 'input_file'] }
  }
}
