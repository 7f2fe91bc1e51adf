/**
 * What an operator may set for `audit`. Static type, defaults, checks, editor schema and the README table come from here.
 */

import { Duration, Secret, Size, type Static, Type } from 'headgate/plugin'
import { fieldNames } from './record.ts'
import { redactions } from './redact.ts'

const literals = <const T extends string>(names: readonly T[]) => Type.Union(names.map((name) => Type.Literal(name)))

export const config = Type.Object({
  sink: Type.Union([Type.Literal('lines'), Type.Literal('records'), Type.Literal('webhook')], {
    default: 'lines',
    description:
      'Where records go: lines of JSON in a file or on standard output, the records of the gateway, where they can be asked for, or a URL that they are posted to',
  }),
  thread: Type.Optional(
    Type.String({ minLength: 1, maxLength: 100, description: 'Name that each record bears, so that several kinds can be told apart' }),
  ),
  trace_headers: Type.Array(Type.String({ minLength: 1 }), {
    default: ['x-trace-id', 'traceparent'],
    description: "Headers in which clients name a call themselves; the first that is there counts. Of traceparent its trace's id",
  }),
  receipt_header: Type.Optional(
    Type.String({
      pattern: '^[A-Za-z][A-Za-z0-9-]*$',
      description: 'Header of each reply that bears the id of its record, besides x-request-id, which always does',
    }),
  ),
  file: Type.Optional(
    Type.String({
      minLength: 1,
      description:
        'lines: file that lines are appended to, relative to gateway.yaml; standard output when absent. May be renamed while in use',
    }),
  ),
  fields: Type.Optional(
    Type.Array(literals(fieldNames), { minItems: 1, description: 'lines: only these fields, in this order; all when absent' }),
  ),
  rotate: Type.Optional(
    Type.Object(
      {
        size: Type.Optional(Size({ description: 'Before the file grows larger' })),
        every: Type.Optional(Duration({ description: 'At multiples of this time, UTC: 1h, 1d' })),
        keep: Type.Integer({ minimum: 1, maximum: 10_000, default: 14, description: 'Old files that stay' }),
      },
      { description: 'lines: rename the file now and then, to <file>.<time>; absent = somebody else does' },
    ),
  ),
  spool: Type.String({
    default: './data/audit-lines',
    minLength: 1,
    description: 'lines: beginning of the names of the files in which lines wait on the disk while their destination takes none',
  }),
  spool_limit: Size({
    default: '256mb',
    description: 'lines: disk space for them; then 16 MB wait in memory, and `when_full` says what happens',
  }),
  webhook: Type.Optional(
    Type.Object(
      {
        url: Type.String({ pattern: '^https?://[^\\s]+$', description: 'Gets a POST per batch, again until it answers 2xx' }),
        secret: Type.Optional(Secret({ description: 'Signs each request: HMAC-SHA-256 as Standard Webhooks have it' })),
        batch: Type.Integer({ minimum: 1, maximum: 1000, default: 100, description: 'Most records of one request' }),
        limit: Type.Integer({
          minimum: 100,
          maximum: 10_000_000,
          default: 100_000,
          description: 'Records that may wait on the disk; then `when_full` says what happens',
        }),
      },
      { description: 'webhook: where records are posted to' },
    ),
  ),
  markup: Type.Number({
    default: 0,
    minimum: -100,
    maximum: 1_000_000,
    description:
      'Percent added to the costs and savings of records, so that they say what callers pay: that of `budget`. Single attempts keep what providers charge',
  }),
  in_flight: Type.String({
    default: './data/audit-in-flight',
    minLength: 1,
    description:
      'records: beginning of the names of small files which know the exchanges under way, so that they can be listed after a crash',
  }),
  wait: Type.Boolean({
    default: true,
    description: 'records: a reply ends when its record is on the disk: with false, some milliseconds before',
  }),
  when_full: Type.Optional(
    Type.Union([Type.Literal('refuse'), Type.Literal('go_on')], {
      description:
        'When no more records can be kept (records: neither store nor spool takes them; webhook: `limit` of them wait; lines: neither destination nor spool takes any, and 16 MB wait): refuse exchanges, or go on and count what is lost. By default refuse, with lines go_on',
    }),
  ),
  plugin_times: Type.Boolean({
    default: false,
    description: 'Keep how long each hook of each plugin took, also of those that did nothing, for the waterfall of `headgate audit show`',
  }),
  keep: Type.Optional(Duration({ description: 'records: how long they are kept; for ever when absent. Sums per day stay' })),
  chain_key: Type.Optional(
    Secret({ description: 'records: key of the hash chain; without it, who may write to the database can make a chain that fits' }),
  ),
  generation_path: Type.Optional(
    Type.String({
      pattern: '^/[A-Za-z0-9/_.-]+$',
      description: 'records: path of a public endpoint that tells a key of its own exchanges: <path>/:id, <path>?id=',
    }),
  ),
  key_info: Type.Object(
    {
      paths: Type.Array(Type.String({ pattern: '^/[A-Za-z0-9/_.-]+$' }), {
        default: [],
        maxItems: 8,
        description: 'records: paths of a public endpoint that tells a key what it may do and what it has used',
      }),
      style: Type.Union([Type.Literal('openrouter'), Type.Literal('litellm')], {
        default: 'openrouter',
        description: 'records: shape of its answer: that of OpenRouter (/key), or of LiteLLM (/key/info)',
      }),
    },
    {
      default: {},
      additionalProperties: false,
      description: 'records: what a key may know of itself; `info_paths` of `auth` tells the same without usage',
    },
  ),
  bodies: Type.Optional(
    Type.Object(
      {
        sample: Type.Number({ minimum: 0, maximum: 1, default: 1, description: 'Share of exchanges whose bodies are kept' }),
        replies: Type.Boolean({ default: true, description: 'Keep the text of replies too' }),
        max_size: Type.Integer({ minimum: 256, maximum: 16_777_216, default: 65_536, description: 'Characters kept of each' }),
        keep: Duration({ default: '30d', description: 'How long they are kept' }),
        redact: Type.Array(literals(redactions), { default: [...redactions], description: 'What is taken out before they are kept' }),
        patterns: Type.Array(Type.String({ minLength: 1 }), {
          default: [],
          description: 'Regular expressions of what else is taken out',
        }),
      },
      { description: 'records: keep bodies of requests and replies; absent = none' },
    ),
  ),
})

export type AuditConfig = Static<typeof config>

/** What is to be done when no more records can be kept. */
export function whenFull({ when_full, sink }: Pick<AuditConfig, 'when_full' | 'sink'>): 'refuse' | 'go_on' {
  return when_full ?? (sink === 'lines' ? 'go_on' : 'refuse')
}
