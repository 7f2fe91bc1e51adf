/**
 * What an operator may set for `batch`. Static type, defaults, checks, editor schema and the README table come from here.
 */

import { Duration, Size, type Static, Type } from 'headgate/plugin'

const count = (description: string, usual: number, maximum: number) => Type.Integer({ default: usual, minimum: 1, maximum, description })
const prefixes = (usual: readonly string[], description: string) =>
  Type.Array(Type.String({ pattern: '^/([^\\s?#*:]*[^\\s?#*:/])?$' }), { default: [...usual], maxItems: 8, description })

export const config = Type.Object({
  simple: Type.Array(Type.String({ pattern: '^/[^\\s?#*:]*[^\\s?#*:/]$' }), {
    default: ['/v1/batch'],
    maxItems: 8,
    description: 'Paths of the plain shape: POST {"requests": [...]}, GET <path>/{id}, <path>/{id}/results, POST <path>/{id}/cancel',
  }),
  openai: prefixes(['/v1'], "Prefixes below which OpenAI's /files and /batches are served: those of the `openai` mounts"),
  anthropic: prefixes(
    ['/anthropic', '/'],
    "Prefixes below which Anthropic's /v1/messages/batches is served: those of the `anthropic` mounts",
  ),
  visible_to: Type.Union([Type.Literal('key'), Type.Literal('account')], {
    default: 'key',
    description:
      'Who sees, reads and cancels a batch or file: the key that made it, or all keys of its account. Callers without a key: only themselves',
  }),
  concurrency: count('Requests that this process runs at a time, of all batches', 16, 10_000),
  per_batch: count('The same of one batch', 8, 10_000),
  per_account: count('The same of one account', 8, 10_000),
  tries: count(
    'How often a request is tried that fails at the upstream or in the gateway (408, 5xx), also by a crash. What is limited (429) waits as it is told, until the batch expires',
    3,
    100,
  ),
  expires: Duration({
    default: '24h',
    description: 'How long a batch may take; what is not done then has expired. OpenAI clients can only ask for 24h',
  }),
  keep: Duration({ default: '30d', description: 'How long batches that are over, their results, and files are kept' }),
  headers: Type.Array(
    Type.String({
      pattern: '^(?!([Aa]uthorization|[Cc]ookie|[Xx]-[Aa][Pp][Ii]-[Kk]ey|[Aa]pi-[Kk]ey|[Xx]-[Gg]oog-[Aa]pi-[Kk]ey)$)[A-Za-z0-9-]+$',
    }),
    {
      default: ['anthropic-version', 'anthropic-beta', 'x-trace-id', 'traceparent'],
      maxItems: 32,
      description:
        'Headers of a submission that each of its requests bears too, and which are kept until then: none that may hold a key. Without an `x-trace-id` it is the id of the batch',
    },
  ),
  max_requests: count('Requests of one batch', 50_000, 1_000_000),
  max_size: Size({ default: '64mb', description: 'Largest file, and largest body of a submission' }),
  max_open: count('Batches of one key or account that are not over at a time', 100, 100_000),
  max_stored: Size({ default: '1gb', description: 'Bytes of files, requests and results that are kept for one key or account' }),
})

export type BatchConfig = Static<typeof config>
