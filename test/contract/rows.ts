/**
 * The rows of the published contracts: each is the beginning of the name of at least one test, and has its line in the table that
 * `bun run test:contract` prints. The last two gateways have rows of our own making: what clients of the originals rely on.
 */

export interface Gateway {
  readonly preset: string
  readonly prefix: string
  /** What each row is about, from row 1 on. */
  readonly rows: readonly string[]
}

export const gateways: readonly Gateway[] = [
  {
    preset: 'synrouter',
    prefix: 'SYNR',
    rows: [
      'paths of both APIs, with and without /api',
      'keys, as bearer and as x-api-key',
      'pricing without a key',
      'session ids',
      'cache savings',
      'trim savings',
      'figures of streams in the last usage event',
      'the bill is what was used',
    ],
  },
  {
    preset: 'syntopen',
    prefix: 'SYNT',
    rows: ['paths and SDK', 'keys shown once', 'streaming', 'error codes', 'limits per key', 'ten models and prices', 'prepaid balance'],
  },
  {
    preset: 'anyrouter',
    prefix: 'ANYR',
    rows: [
      'chat, messages, completions, embeddings',
      'models, by id, counted',
      'batches',
      'figures of one request',
      'providers, credits, key info, health',
      'a forced upstream',
      'trace ids',
      'the error envelope',
      'limits on every response',
      'deprecation and versions',
    ],
  },
  {
    preset: 'solrouter',
    prefix: 'SOLR',
    rows: [
      'keys and paths',
      'fields accepted and validated',
      'chains of models',
      'messages, tools, structured output',
      'usage.cost',
      'finish_reason',
      'the model object',
      'statuses and codes',
      'legacy completions',
      'requests that are too long',
    ],
  },
  {
    preset: 'syncropel',
    prefix: 'SYNC',
    rows: [
      'three kinds of bearer',
      'headers and request ids',
      'tiers',
      'subscriptions and caps',
      '429',
      'gates before streams',
      'billed on delivery',
      'capabilities',
      'audit records',
      '503',
    ],
  },
  {
    preset: 'openrouter-like',
    prefix: 'ORLK',
    rows: ['paths and headers', 'usage.cost', 'models', 'generation, key, credits', 'provider preferences, models', 'errors', 'streams'],
  },
  {
    preset: 'litellm-like',
    prefix: 'LITE',
    rows: ['paths and virtual keys', 'key management', 'models and model info', 'x-litellm headers', 'errors', 'health'],
  },
]

/** All row ids, in order. */
export const rowIds: readonly string[] = gateways.flatMap(({ prefix, rows }) => rows.map((_, i) => `${prefix}-${i + 1}`))

/** The row that a test is of; undefined when its name begins with none. */
export function rowOf(test: string): string | undefined {
  return /^([A-Z]{4}-\d+)[: ]/.exec(test)?.[1]
}
