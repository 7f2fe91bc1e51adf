/** The kinds of endpoint, by name: one list for the type, for what the config may name and for plugins. */

/** Every operation that an exchange can have. Dialects of plugins have no others. */
export const operations = [
  'chat',
  'completions',
  'embeddings',
  'embed',
  'responses',
  'messages',
  'generate',
  'converse',
  'count_tokens',
  'models',
  'route',
] as const

/** What kind of endpoint is called: it says what the body means. */
export type Operation = (typeof operations)[number]
