/**
 * What an operator may set for `router`. Static type, defaults, checks, editor schema and the README table come from here.
 */

import { Duration, type Static, Type } from 'headgate/plugin'
import { strategies } from './order.ts'

const strict = { additionalProperties: false } as const
const names = (description: string) => Type.Record(Type.String(), Type.String({ minLength: 1 }), { default: {}, description })

const breaker = Type.Object(
  {
    enabled: Type.Boolean({ default: true, description: 'false: failures never keep a target from being called' }),
    consecutive: Type.Integer({ default: 5, minimum: 1, description: 'Failures in a row that open the circuit of a target' }),
    error_rate: Type.Number({ default: 0.3, minimum: 0.01, maximum: 1, description: 'Share of failures that opens it' }),
    minimum: Type.Integer({ default: 20, minimum: 1, description: 'Calls in a window before the share counts' }),
    window: Duration({ default: '30s', description: 'For how long calls are counted' }),
    cooldown: Duration({ default: '5s', description: 'How long it stays open before one call probes it; doubled each time that fails' }),
    max_cooldown: Duration({ default: '2m', description: 'Longest time that it stays open, and that a rejected key rests' }),
  },
  {
    ...strict,
    default: {},
    description:
      'Circuit breaker per upstream, key and model: targets that fail are left out until they are well, unless there is no other. Bad requests and clients that leave do not count',
  },
)

const affinity = Type.Object(
  {
    enabled: Type.Boolean({ default: true, description: 'false: each request is routed on its own' }),
    ttl: Duration({ default: '1h', description: 'How long after its last turn a conversation keeps its place' }),
    warm: Duration({
      default: '5m',
      description:
        "How long a place is taken for warm that a conversation had to leave: until then it goes back as soon as that is well. The lifetime of the providers' caches",
    }),
    patience: Duration({
      default: '10s',
      description:
        'How long a conversation waits for its place when that asks for it (429 with Retry-After); for more it is served elsewhere. 0 = it does not wait',
    }),
    shared: Type.Boolean({
      default: false,
      description: 'Instances tell each other where conversations are, through `state`; without it each finds the same place by hashing',
    }),
  },
  {
    ...strict,
    default: {},
    description:
      "Conversations stay with their upstream and key while those are well, so that the provider's prompt cache stays warm; not across the order that `ordered` says",
  },
)

const concurrency = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, description: 'Calls at the same time per upstream and key' })),
    upstreams: Type.Record(Type.String(), Type.Integer({ minimum: 1 }), {
      default: {},
      description: 'The same for single upstreams, by name',
    }),
    queue: Type.Integer({
      default: 100,
      minimum: 0,
      maximum: 100_000,
      description: 'Requests that may wait per upstream; further ones get 503',
    }),
    wait: Duration({ default: '10s', description: 'How long a request may wait' }),
  },
  { ...strict, default: {}, description: 'Bounds on calls at the same time; who waits is served in turn, account by account' },
)

const client = Type.Object(
  {
    models: Type.Boolean({
      default: false,
      description: 'Clients may send `models: [...]` (with `route: fallback`): models to try in turn',
    }),
    provider: Type.Boolean({
      default: false,
      description: 'Clients may send `provider: {order, only, ignore, allow_fallbacks, sort}` with names of upstreams',
    }),
    header: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9-]+$',
        description:
          'Header in which a client may name the one upstream that is to serve, for example x-gateway-upstream; then there is no fallback',
      }),
    ),
  },
  {
    ...strict,
    default: {},
    description: 'What clients may say about routing. These members and the header are taken out before the request leaves',
  },
)

const check = Type.Object(
  {
    path: Type.String({
      pattern: '^/',
      description: 'Absolute path on the host of the upstream, asked with its own credential: /v1/models',
    }),
    interval: Duration({ default: '10s', description: 'Between two looks; up to a fifth more by chance' }),
    timeout: Duration({ default: '2s', description: 'How long one may take' }),
    status: Type.Array(Type.Integer({ minimum: 100, maximum: 599 }), {
      default: [],
      description: 'Statuses that say it is well; any of 2xx when empty',
    }),
    fails: Type.Integer({ default: 3, minimum: 1, description: 'Bad answers in a row after which it is down' }),
    passes: Type.Integer({ default: 1, minimum: 1, description: 'Good answers in a row after which it is up again' }),
  },
  strict,
)
export type CheckConfig = Static<typeof check>

const outliers = Type.Object(
  {
    enabled: Type.Boolean({ default: false, description: 'true: the targets of a model are compared with each other' }),
    interval: Duration({ default: '5s', description: 'How often' }),
    minimum: Type.Integer({ default: 10, minimum: 1, description: 'Calls of a target in `breaker.window` before it is compared' }),
    errors: Type.Number({
      default: 0.25,
      minimum: 0.01,
      maximum: 1,
      description: 'So much larger than that of its peers (their median) the share of failures must be',
    }),
    latency: Type.Number({ default: 4, minimum: 1.1, description: 'So many times longer the time to the first content must be' }),
    time: Duration({ default: '30s', description: 'How long it is left out the first time; doubled each time' }),
    max_time: Duration({ default: '5m', description: 'How long at most' }),
    max_share: Type.Number({
      default: 0.5,
      minimum: 0,
      maximum: 1,
      description: 'Share of the targets of a model that may be left out at the same time, rounded down',
    }),
  },
  {
    ...strict,
    default: {},
    description: 'Leaves out the target of a model that fails or lags far beyond its peers, for a while',
  },
)
export type OutlierConfig = Static<typeof outliers>

const shadow = Type.Object(
  {
    to: Type.String({ minLength: 1, description: 'Model of the catalogue that gets the copies' }),
    upstream: Type.Optional(
      Type.String({ minLength: 1, description: 'The one of its upstreams that gets them; its first one when absent' }),
    ),
    share: Type.Number({ minimum: 0, maximum: 1, description: 'Share of the requests that are copied: 0.05 = one in twenty' }),
    models: Type.Array(Type.String({ minLength: 1 }), {
      default: ['*'],
      minItems: 1,
      description: 'Requests for which models are copied, by glob',
    }),
    concurrency: Type.Integer({ default: 4, minimum: 1, maximum: 1000, description: 'Copies at the same time' }),
    queue: Type.Integer({
      default: 16,
      minimum: 0,
      maximum: 10_000,
      description: 'Copies that may wait, each with its body in memory; further ones are dropped, and counted',
    }),
    timeout: Duration({ default: '2m', description: 'Until a copy is given up, waiting included' }),
  },
  {
    ...strict,
    description: 'Sends copies of requests to another model, too. No client gets or waits for their replies, nor is charged for them',
  },
)
export type ShadowConfig = Static<typeof shadow>

export const config = Type.Object({
  default_model: Type.Optional(
    Type.String({ minLength: 1, description: 'Model of the catalogue for requests that name none; without it they are refused' }),
  ),
  aliases: names('Other names of models, or of other aliases: `fast: openai/gpt-4.1-mini`'),
  loose_names: Type.Boolean({
    default: true,
    description:
      'Ids may also be written without their first part, or behind the name of an upstream. `when: { model }` of other plugins sees what the client wrote: with such conditions rather false',
  }),
  strategy: Type.Enum(strategies, {
    default: 'ordered',
    description:
      'How targets of the same priority are ordered: as listed, by weight, or by price, time to the first content, or calls under way',
  }),
  prefer_native: Type.Boolean({
    default: true,
    description: "Targets that speak the client's API come before those that the request must be translated for",
  }),
  fallback: Type.Boolean({
    default: true,
    description: 'When a target fails before its first content the next one is called, unseen by the client',
  }),
  fallback_models: Type.Record(Type.String(), Type.Array(Type.String({ minLength: 1 }), { maxItems: 16 }), {
    default: {},
    description: 'Models to try when all targets of a model fail, by glob of the model; the first glob that matches counts',
  }),
  max_attempts: Type.Integer({ default: 4, minimum: 1, maximum: 20, description: 'Upstream calls for one request, all together' }),
  retries: Type.Integer({
    default: 0,
    minimum: 0,
    maximum: 10,
    description: 'How often a target may be called again, after the others have failed too. 0 leaves that to the clients',
  }),
  backoff: Duration({
    default: '250ms',
    description: 'Wait before the first retry; doubled for each further one, less up to a half by chance',
  }),
  max_wait: Duration({
    default: '5s',
    description: 'Longest wait before a retry. A target that asks for more with Retry-After is not called again for this request',
  }),
  max_time: Duration({
    default: '0',
    description:
      'Until the first content of a request, all tries and waits together. 0 = the limits of the upstreams, and no further try after 10 minutes',
  }),
  hedge: Duration({
    default: '0',
    description:
      'When a request has no content after so long, the next target is called beside the first; whoever gives content first is served and the other call ended. It may be charged all the same. 0 = never',
  }),
  stitch: Type.Boolean({
    default: false,
    description:
      'A stream that breaks off after its first content goes on with another target, as one stream: that is asked to go on with the text so far. Not within or after a tool call, after a signed thought, or where a format, several answers or log probabilities were asked for',
  }),
  shadow: Type.Optional(shadow),
  breaker,
  checks: Type.Record(Type.String(), check, {
    default: {},
    description:
      'Upstreams that are asked now and then how they are, by name. One that does not answer well is left out like one with an open circuit',
  }),
  outliers,
  affinity,
  concurrency,
  client,
  health: Type.Boolean({
    default: true,
    description: '`/health`, which everybody may read, names the upstreams with a word of how each is',
  }),
  providers_path: Type.Optional(
    Type.String({
      pattern: '^/[A-Za-z0-9/._-]+$',
      description: 'Public path that lists upstreams and how they are, for example /providers',
    }),
  ),
})

export type RouterConfig = Static<typeof config>
