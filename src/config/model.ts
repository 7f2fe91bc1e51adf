// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${…} is the notation of the config file
/**
 * What gateway.yaml may say: the schema of the whole file and the types of the loaded config.
 *
 * The schema is strict and is the documentation: descriptions here become the editor's help. A field with a default need not be
 * written and is always there after loading. Names are those of the file. This file validates nothing; `load.ts` does.
 */

import { type Static, Type } from 'typebox'
import type { Model } from '../plugin/host.ts'
import { Duration, Secret, Size } from '../plugin/units.ts'
import { type PromptCacheFactsConfig, promptCacheFacts } from './cache-facts.ts'
import { type CapabilitiesConfig, capabilities } from './capabilities.ts'
import { type ErrorSpelling, errorSpelling } from './error-spelling.ts'
import { type HostName, hostFields } from './host-config.ts'
import { BaseUrl, Listen, NetworkText, RecordsUrl, StateUrl } from './kinds.ts'
import { modelFacts } from './model-facts.ts'
import type { PriceListConfig } from './price-list.ts'
import { priceSchema } from './price-schema.ts'
import { type WhenConfig, when } from './when-schema.ts'

export type { WhenConfig } from './when-schema.ts'

const strict = { additionalProperties: false } as const

const server = Type.Object(
  {
    listen: Listen({ default: '127.0.0.1:8787', description: 'Where clients connect: host:port. Port 0 picks a free one.' }),
    admin: Listen({
      off: true,
      default: '127.0.0.1:8788',
      description: 'Where the operator connects (health, metrics, plugin admin pages): host:port, or `off`. Keep it private.',
    }),
    trusted_proxies: Type.Array(NetworkText(), {
      default: [],
      maxItems: 256,
      description:
        "Addresses and networks of your own proxies, such as 10.0.0.0/8. Only a request that comes from one of them may say in `proxy_header` whose it is: its right-most address that is not one of these is the client's.",
    }),
    proxy_header: Type.Enum(['x-forwarded-for', 'forwarded'], {
      default: 'x-forwarded-for',
      description: 'The header in which your proxies write whose request it is. The other one is not read: clients can write it.',
    }),
    live_paths: Type.Array(Type.String({ pattern: '^/[A-Za-z0-9/_.-]+$' }), {
      default: ['/health'],
      maxItems: 8,
      description: 'Paths that answer 200 as long as the process lives, without a key.',
    }),
    ready_paths: Type.Array(Type.String({ pattern: '^/[A-Za-z0-9/_.-]+$' }), {
      default: ['/ready'],
      maxItems: 8,
      description: 'Paths that answer 200 when traffic may come, else 503, without a key.',
    }),
    body_limit: Size({ default: '32mb', description: 'Largest request body. Larger ones are refused with 413.' }),
    drain: Duration({ default: '30s', description: 'How long open exchanges may go on after a stop signal.' }),
    heartbeat: Duration({
      default: '20s',
      description:
        'After so much silence in a stream its client gets an SSE comment, between two events, so that no proxy takes the connection for dead. Not for Gemini. 0 = never.',
    }),
    max_depth: Type.Integer({
      default: 200,
      minimum: 8,
      maximum: 10_000,
      description: 'Deepest nesting of a JSON body. Deeper ones are refused with 400.',
    }),
  },
  { ...strict, default: {}, description: 'The two listeners and their limits.' },
)

/** The APIs that can be mounted and spoken to upstreams. Plugins bring more. */
export const apis = ['openai', 'anthropic', 'gemini'] as const
type Api = string

const mounts = (known: readonly Api[]) =>
  Type.Array(
    Type.Object(
      {
        path: Type.String({ pattern: '^/', description: 'Path prefix, for example /v1.' }),
        api: Type.Enum(known, {
          description:
            'openai: chat/completions, models … below the prefix. anthropic: v1/messages, v1/messages/count_tokens … below the prefix. Or the dialect of a plugin of the list.',
        }),
      },
      strict,
    ),
    {
      default: [
        { path: '/v1', api: 'openai' },
        { path: '/anthropic', api: 'anthropic' },
        { path: '/', api: 'anthropic' },
        { path: '/', api: 'gemini' },
      ],
      minItems: 1,
      description: 'Which API is served below which path.',
    },
  )

const timeouts = Type.Object(
  {
    connect: Duration({ default: '10s', description: 'To open the connection. 0 = no limit.' }),
    first_byte: Duration({ default: '10m', description: 'From sending the request to the head of the reply. 0 = no limit.' }),
    first_token: Duration({
      default: '0',
      description: 'Of a stream: from sending the request to its first content, however often it says that it is alive. 0 = no limit.',
    }),
    idle: Duration({ default: '10m', description: 'Longest silence inside a reply. 0 = no limit.' }),
    total: Duration({ default: '1h', description: 'One whole upstream call. 0 = no limit.' }),
  },
  { ...strict, default: {}, description: 'Limits of one upstream call.' },
)

const ownTimeouts = Type.Object(
  {
    connect: Type.Optional(Duration({ description: 'To open the connection. 0 = no limit.' })),
    first_byte: Type.Optional(Duration({ description: 'From sending the request to the head of the reply. 0 = no limit.' })),
    first_token: Type.Optional(Duration({ description: 'Of a stream: from sending the request to its first content. 0 = no limit.' })),
    idle: Type.Optional(Duration({ description: 'Longest silence inside a reply. 0 = no limit.' })),
    total: Type.Optional(Duration({ description: 'One whole upstream call. 0 = no limit.' })),
  },
  { ...strict, description: "Limits of one upstream call. What is not named here is the target's, the model's or the upstream's." },
)

/** The endpoints that an upstream may have. */
export const upstreamApis = [
  'chat',
  'responses',
  'completions',
  'embeddings',
  'embed',
  'messages',
  'generate',
  'converse',
  'count_tokens',
] as const

/** How a key can be sent. */
export const authWays = ['bearer', 'x-api-key', 'api-key', 'x-goog-api-key', 'none'] as const

const upstream = (known: readonly Api[]) =>
  Type.Object(
    {
      dialect: Type.Enum(known, { description: 'Which API the provider speaks: one of ours, or the dialect of a plugin of the list.' }),
      ...hostFields,
      base_url: Type.Optional(
        BaseUrl({
          description:
            'openai: up to and including the version, https://api.openai.com/v1. anthropic: https://api.anthropic.com. builtin:demo is a model inside the gateway. With `host` only for another address of it, without a path of the API.',
        }),
      ),
      key: Type.Optional(Secret({ description: "The gateway's own key at this provider: ${env:NAME} or ${file:/run/secrets/name}." })),
      keys: Type.Optional(
        Type.Array(Secret(), {
          minItems: 1,
          maxItems: 100,
          description:
            'Several keys instead of `key`. The upstream becomes one per key, <name>#1, <name>#2 …, and every target at it one per key: the router spreads calls over them and rests a key that is limited or refused.',
        }),
      ),
      auth: Type.Optional(
        Type.Enum(authWays, {
          description:
            'How the key is sent: as a bearer token, or in the header of that name. By default bearer for openai, vertex, bedrock and dialects of plugins, x-api-key for anthropic, x-goog-api-key for gemini, api-key for azure, none without a key.',
        }),
      ),
      headers: Type.Record(Type.String(), Type.String(), { default: {}, description: 'Headers added to every call.' }),
      timeouts,
      on_disconnect: Type.Enum(['cancel', 'drain'], {
        default: 'cancel',
        description: 'When the client leaves in mid-reply: cancel the upstream call, or read it to its end so that usage is known.',
      }),
      on_drop: Type.Enum(['warn', 'refuse'], {
        default: 'warn',
        description:
          'When a request must be translated and something in it can only be left out: warn names it in x-gateway-dropped and in the record, refuse answers 400.',
      }),
      prompt_cache: Type.Enum(['as_sent', 'auto'], {
        default: 'as_sent',
        description:
          "Where Claude's providers cache a translated request: at the marks that its client put there, or, when it put none, at the end of tools, system and last user turn. Writing to the cache costs more than plain input. The plugin session-cache does it better, for untranslated requests too.",
      }),
      prompt_cache_facts: Type.Optional(promptCacheFacts),
      apis: Type.Optional(
        Type.Array(Type.Enum(upstreamApis), {
          minItems: 1,
          description:
            'Which endpoints the provider has. By default those of its dialect; responses only for api.openai.com and Azure. embed is that of Cohere, below https://api.cohere.com/v2.',
        }),
      ),
      capabilities: Type.Optional(capabilities),
      optional: Type.Boolean({
        default: false,
        description:
          'true: when a variable or file named in this upstream is absent, leave the upstream out, and with it the targets and models that only it serves, instead of refusing to start.',
      }),
    },
    strict,
  )

const target = Type.Object(
  {
    upstream: Type.String({ minLength: 1, description: 'Name of an upstream.' }),
    model: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'What that upstream calls the model. The id itself by default. In an id with *, one * here stands for what matched.',
      }),
    ),
    price: Type.Optional(priceSchema),
    weight: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        maximum: 1_000_000,
        description: 'Its share of the calls where the router spreads them. 1 by default.',
      }),
    ),
    priority: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 1000,
        description: 'Targets of the lowest number are used first, the others when those fail. 0 by default.',
      }),
    ),
    timeouts: Type.Optional(ownTimeouts),
  },
  strict,
)

const model = Type.Object(
  {
    targets: Type.Array(target, { minItems: 1, description: 'Where the model is served, best first.' }),
    context: Type.Optional(Type.Integer({ minimum: 1, description: 'Context window in tokens.' })),
    max_output: Type.Optional(Type.Integer({ minimum: 1, description: 'Largest output in tokens.' })),
    price: Type.Optional(priceSchema),
    timeouts: Type.Optional(ownTimeouts),
    ...modelFacts,
  },
  strict,
)

const plugin = Type.Object(
  {
    use: Type.String({
      minLength: 1,
      description: 'A built-in name, an installed package, or the path of a .ts file that starts with ./ or /.',
    }),
    id: Type.Optional(
      Type.String({ pattern: '^[a-z][a-z0-9-]*$', description: 'Tells two instances of one plugin apart. The plugin name by default.' }),
    ),
    with: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { description: 'The config of the plugin.' })),
    when: Type.Optional(when),
    on_error: Type.Optional(
      Type.Enum(['skip', 'refuse'], {
        description:
          "When a hook throws or times out: skip goes on without the plugin, refuse ends the exchange. The author's choice by default.",
      }),
    ),
    timeout: Type.Optional(Duration({ description: 'Limit of one hook call.' })),
  },
  strict,
)

export const logLevels = ['debug', 'info', 'warn', 'error'] as const

/** Schema of the whole file; `known` = the dialects that may be named. */
export const fileSchemaOf = (known: readonly Api[]) =>
  Type.Object(
    {
      version: Type.Literal(1, { description: 'Version of this file format: 1.' }),
      server,
      state: StateUrl({
        default: 'memory',
        description:
          'Where limits, locks and other shared state live: memory (this process), or redis://… or rediss://… (TLS), which several instances share.',
      }),
      records: RecordsUrl({
        default: 'sqlite:./data/headgate.db',
        description:
          'Where what may not be lost lives (keys, money, usage): a file of SQLite, made when a plugin first needs it, or postgres://…, which several instances share; memory keeps nothing.',
      }),
      spool_limit: Size({
        default: '256mb',
        description:
          'Disk space for records that wait while their store is down. In the folder `spool` beside the SQLite file, or in ./data.',
      }),
      log: Type.Object(
        { level: Type.Enum(logLevels, { default: 'info', description: 'Least level that is printed.' }) },
        { ...strict, default: {}, description: 'What the gateway prints.' },
      ),
      mounts: mounts(known),
      errors: errorSpelling,
      upstreams: Type.Record(Type.String(), upstream(known), { default: {}, description: 'Providers by name.' }),
      price_list: Type.Optional(
        Type.String({
          minLength: 1,
          description:
            'A file with prices, relative to this one. It says what models cost that state no price here, found by the name that their upstream gives them.',
        }),
      ),
      models: Type.Record(Type.String(), model, {
        default: {},
        description: 'The catalogue by model id. An id may hold *: exact ids win, then patterns from top to bottom.',
      }),
      plugins: Type.Array(plugin, { default: [], description: 'The program of the gateway: top = nearest the client.' }),
    },
    { ...strict, title: 'gateway.yaml', description: 'Config of a Headgate gateway.' },
  )

/** Without dialects of plugins. */
export const fileSchema = fileSchemaOf(apis)

/** The file as checked and converted: durations in ms, sizes in bytes, defaults filled in. */
export type FileConfig = Static<typeof fileSchema>

export type ServerConfig = FileConfig['server']
/** `path` without trailing slash; `/` stays. */
export type MountConfig = Readonly<FileConfig['mounts'][number]>

type FileUpstream = FileConfig['upstreams'][string]

export interface UpstreamConfig {
  readonly name: string
  /** One of `apis`, or the dialect of a plugin. */
  readonly dialect: string
  /** Without trailing slash; or `builtin:demo`. */
  readonly base_url: string
  readonly key?: string
  /** How `key` is sent; `none` when there is no key. */
  readonly auth: (typeof authWays)[number]
  /** The service that wraps the dialect, with the section of its name. */
  readonly host?: HostName
  readonly azure?: FileUpstream['azure']
  readonly vertex?: FileUpstream['vertex']
  readonly bedrock?: FileUpstream['bedrock']
  readonly headers: Readonly<Record<string, string>>
  /** Milliseconds; 0 = no limit. */
  readonly timeouts: Readonly<Static<typeof timeouts>>
  readonly on_disconnect: 'cancel' | 'drain'
  readonly on_drop: 'warn' | 'refuse'
  readonly prompt_cache: 'as_sent' | 'auto'
  readonly prompt_cache_facts?: PromptCacheFactsConfig
  readonly apis?: readonly (typeof upstreamApis)[number][]
  readonly capabilities?: CapabilitiesConfig
}

export interface PluginEntry {
  readonly use: string
  /** Unique in the list. */
  readonly id: string
  /** As written, interpolated, not yet checked: see `checkPluginConfig`. */
  readonly with?: Readonly<Record<string, unknown>>
  readonly when?: WhenConfig
  readonly on_error?: 'skip' | 'refuse'
  /** Milliseconds. */
  readonly timeout?: number
  /** Position in the file's list, from 0: the path of this entry is `['plugins', index]`. */
  readonly index: number
}

/** The loaded config. Lists are in the operator's order. Nothing in it may be written to. */
export interface GatewayConfig {
  readonly version: 1
  readonly server: Readonly<ServerConfig>
  /** `memory`, or the URL of a Redis, which may hold a password. */
  readonly state: string
  /** `memory`, `sqlite:` and a path relative to the file, or the URL of a PostgreSQL, which may hold a password. */
  readonly records: string
  /** Bytes. */
  readonly spool_limit: number
  readonly log: { readonly level: (typeof logLevels)[number] }
  readonly mounts: readonly MountConfig[]
  /** How errors are spelled. */
  readonly errors: ErrorSpelling
  readonly upstreams: readonly UpstreamConfig[]
  /** Ids may hold `*`; then a target's model may hold one `*` for what matched. */
  readonly models: readonly Model[]
  /** Optional upstreams that miss something, and models with the targets that they lost by that. */
  readonly left_out: { readonly upstreams: readonly string[]; readonly models: readonly Model[] }
  /** Prices of models that state none. */
  readonly priceList?: PriceListConfig
  readonly plugins: readonly PluginEntry[]
}
