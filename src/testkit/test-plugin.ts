/**
 * `testPlugin`: one plugin in a real gateway, without sockets and files, in front of a scripted upstream.
 *
 * Everything between the client's request and the upstream's bytes is the code that serves production: config checks, pipeline,
 * dialects, upstream calls, delivery, settlement, reload. Stand-ins: the listener, the transport, the clock.
 */

import { families, type OperationSpec } from '../dialect/family.ts'
import type { Plugin } from '../plugin/define.ts'
import type { AnySlot } from '../plugin/exchange.ts'
import { type AdminSpec, type RouteCall, type RouteSpec, ShuttingDown } from '../plugin/host.ts'
import type { Outcome } from '../plugin/outcome.ts'
import { runEndpoint } from '../runtime/endpoint.ts'
import { Gateway } from '../runtime/gateway.ts'
import { InferenceExchange } from '../runtime/handle.ts'
import type { HostHandle } from '../runtime/host.ts'
import { runInner } from '../runtime/inner-call.ts'
import { responseOrigins } from '../runtime/response-origins.ts'
import { MemoryState } from '../store/state-memory.ts'
import { createLogger } from '../telemetry/log.ts'
import { createTransport } from '../upstream/http/select.ts'
import { type Call, makeCall, type Result } from './call.ts'
import { type Clock, fakeClock } from './clock.ts'
import { type Entry, listOf } from './list.ts'
import { scriptedTransport } from './scripted-transport.ts'
import { lastRouter, observer, provider } from './stand-ins.ts'
import { type Stores, storeSwitch, switchedRecords, switchedState } from './stores.ts'
import { dialectNamed, type UpstreamScript } from './upstream-script.ts'

/** Slots and the values they have. */
export type SlotValues = readonly (readonly [slot: AnySlot, value: unknown])[]

export interface TestPluginOptions extends Omit<Entry, 'plugin'> {
  /** Values of slots, put by a stand-in above all. Slots that the plugin needs have their examples unless named here; `undefined` leaves one empty. */
  slots?: SlotValues
  /** Plugins above and below the one under test. */
  above?: readonly (Plugin | Entry)[]
  below?: readonly (Plugin | Entry)[]
  /** `models` of the config; by default `test-model`, served by the upstreams `openai` and `anthropic` as `upstream-model`. */
  models?: Readonly<Record<string, unknown>>
  /** What the upstream answers; "Hello from upstream" by default. `{ url }` calls a real server there instead. */
  upstream?: UpstreamScript | { readonly url: string }
  /** What happens upstream when a client leaves; `cancel` by default. */
  on_disconnect?: 'cancel' | 'drain'
  /** What the fake clock shows at first, in milliseconds since the epoch; by default 2026-01-01, UTC. */
  startsAt?: number
  /** Folder that `host.file` is relative to. By default one that does not exist, so that nothing is written by accident. */
  folder?: string
  /** `down`: shared state can't be reached until `kit.stores.up()`. */
  state?: 'down'
  /** `down`: durable records can't be reached until `kit.stores.records.up()`. */
  records?: 'down'
  /** Environment for `${env:NAME}` in `with`. */
  env?: Readonly<Record<string, string | undefined>>
}

export interface SendOptions {
  /** `openai-chat` (default) or `anthropic-messages`. */
  dialect?: string
  /** Members of the body besides model and messages, which have values; or the body's text or bytes. */
  body?: Readonly<Record<string, unknown>> | string | Uint8Array
  headers?: Readonly<Record<string, string>>
  query?: string
  /** Address of the client; 192.0.2.1 by default. */
  ip?: string
  /** Slot values for this call alone. */
  slots?: SlotValues
}

export interface PluginKit {
  readonly clock: Clock
  /** Takes shared state and records away and gives them back. */
  readonly stores: Stores
  /** One line per remark of gateway and plugins. */
  readonly logs: readonly LogLine[]
  /** A Chat Completions call: `kit.chat({ stream: true })`. */
  chat(body?: SendOptions['body'], options?: SendOptions): Promise<Result>
  /** An Anthropic Messages call. */
  messages(body?: SendOptions['body'], options?: SendOptions): Promise<Result>
  /** A call of any dialect, to its end. */
  send(options?: SendOptions): Promise<Result>
  /** The same, to be read step by step, or left. */
  start(options?: SendOptions): Call
  /** Calls a public route of a plugin (`host.route`); it passes the `admit` hooks. */
  fetch(path: string, init?: RequestInit): Promise<Response>
  /** Calls an admin route of a plugin (`host.admin`). */
  admin(path: string, init?: RequestInit): Promise<Response>
  /** What the plugin's `health` says. */
  health(): Promise<string | undefined>
  /** Metrics in Prometheus text format. */
  metrics(): string
  /** Gives the upstream another script. */
  upstream(script: UpstreamScript): void
  /**
   * Reloads the config, with another entry for the plugin where given. The instance is carried over unless `with` changed or `fresh` is
   * true. Gives the mistakes; with any, nothing has changed.
   */
  reload(change?: Omit<Entry, 'plugin'> & { fresh?: boolean }): Promise<readonly string[]>
  /** Drains and closes. True when no exchange was cut. */
  close(): Promise<boolean>
}

export interface LogLine {
  readonly level: string
  /** `headgate` or the id of the plugin instance. */
  readonly component: string
  readonly message: string
  readonly [field: string]: unknown
}

/** How long anything may take before a test is told that it hangs, in milliseconds of real time. */
const patience = 10_000

/**
 * Sets a plugin up in a gateway of its own.
 * @throws Error with all diagnostics when its config is wrong or its setup fails.
 */
export async function testPlugin(plugin: Plugin, options: TestPluginOptions = {}): Promise<PluginKit> {
  const clock = fakeClock(options.startsAt)
  const logs: LogLine[] = []
  const stores = storeSwitch(options.state !== 'down')
  const write = (line: string) => void logs.push(JSON.parse(line) as LogLine)
  const recordsLog = createLogger('records', { level: 'debug', json: true, secrets: new Set(), write, now: () => clock.now })
  const records = switchedRecords(recordsLog, options.records !== 'down')
  const real = isUrl(options.upstream) ? options.upstream.url.replace(/\/$/, '') : undefined
  const upstream = scriptedTransport(isUrl(options.upstream) || !options.upstream ? {} : options.upstream)
  const outcomes = new Map<string, PromiseWithResolvers<Outcome>>()
  const values = new Map<string, ReadonlyMap<AnySlot, unknown>>()
  const fixed = new Map<AnySlot, unknown>(options.slots ?? [])
  const outcomeOf = (id: string) => {
    const known = outcomes.get(id) ?? Promise.withResolvers<Outcome>()
    outcomes.set(id, known)
    return known
  }

  const list = listOf(plugin, options, {
    observer: observer((id, outcome) => outcomeOf(id).resolve(outcome)),
    provider: (slots) =>
      provider(slots, (id, slot) => {
        const own = values.get(id)
        return own?.has(slot) ? own.get(slot) : fixed.has(slot) ? fixed.get(slot) : slot.example
      }),
    router: lastRouter((dialect) => dialectNamed(dialect).family),
  })
  const base = real ?? 'http://upstream.test'
  const shared = { key: 'upstream-key', on_disconnect: options.on_disconnect ?? 'cancel' }
  const target = (name: string) => ({ upstream: name, model: 'upstream-model' })
  const gateway = new Gateway({
    configPath: `${options.folder ?? '/nonexistent/headgate-testkit'}/gateway.yaml`,
    configText: () =>
      JSON.stringify({
        version: 1,
        upstreams: {
          openai: { dialect: 'openai', base_url: `${base}/v1`, ...shared },
          anthropic: { dialect: 'anthropic', base_url: base, ...shared },
        },
        models: options.models ?? { 'test-model': { targets: [target('openai'), target('anthropic')] } },
        plugins: list.entries(),
      }),
    env: options.env ?? {},
    builtins: list.builtins,
    startDemo: () => Promise.reject(new Error('there is no demo model in the test kit')),
    log: { json: true, level: 'debug', write },
    now: () => clock.now,
    later: clock.later,
    openRecords: () => records.store,
    openState: async () => switchedState(new MemoryState({ now: () => clock.now }), stores),
    transport: real === undefined ? upstream : createTransport(),
  })
  const build = async (): Promise<readonly string[]> => {
    const { ok, diagnostics } = await gateway.reload()
    return ok ? [] : diagnostics.filter((d) => d.severity === 'error').map((d) => `${d.path}: ${d.message}; ${d.fix}`)
  }
  const mistakes = await build()
  if (mistakes.length > 0) {
    await gateway.close(0).catch(() => {})
    throw new Error(`the plugin does not start:\n  ${mistakes.join('\n  ')}`)
  }

  let count = 0
  const services = {
    transport: gateway.transport,
    log: gateway.log,
    now: gateway.services.now,
    origins: responseOrigins(gateway.services.state, gateway.log),
    stopping: gateway.stopping,
  }
  const arrivalOf = (request: Request, operation: 'chat' | 'messages' | 'count_tokens' | 'route', dialect: string, signal: AbortSignal) => {
    const url = new URL(request.url)
    return {
      operation,
      dialect,
      method: request.method,
      path: url.pathname,
      query: url.search.slice(1),
      headers: request.headers,
      signal,
    }
  }

  const start = (send: SendOptions = {}): Call => {
    const id = `req_test_${++count}`
    const name = send.dialect ?? 'openai-chat'
    const spec = Object.values(families)
      .flatMap((f) => f.operations)
      .find((o) => o.dialect.name === name)
    if (!spec) throw new Error(`there is no dialect ${JSON.stringify(name)}`)
    const openai = spec.dialect.family === 'openai'
    const client = new AbortController()
    const body = typeof send.body === 'string' || send.body instanceof Uint8Array ? send.body : JSON.stringify(bodyOf(openai, send.body))
    const request = new Request(`http://gateway.test${openai ? '/v1' : ''}${spec.suffix}${send.query ? `?${send.query}` : ''}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(openai ? {} : { 'anthropic-version': '2023-06-01' }), ...send.headers },
      body: body as string,
    })
    values.set(id, new Map(send.slots ?? []))
    const arrival = {
      ...arrivalOf(request, spec.operation as 'chat' | 'messages', name, client.signal),
      id,
      peer: () => send.ip ?? '192.0.2.1',
    }
    const settled = outcomeOf(id)
    void settled.promise.then(() => values.delete(id))
    return makeCall({
      id,
      dialect: spec.dialect,
      sent: upstream.sentBy(id),
      leave: () => client.abort(),
      outcome: () => within(settled.promise, 'the exchange did not settle'),
      response: within(
        upstream.within(id, () => {
          const exchange = new InferenceExchange(gateway.snapshot, services, spec, arrival, request, () => {})
          // whatever its size: who keeps what was only borrowed finds out here
          if (!(body instanceof Uint8Array)) exchange.givesBackFrom = 0
          return exchange.run()
        }),
        'the gateway did not answer',
      ),
    })
  }

  const find = <Spec extends AdminSpec | RouteSpec>(specs: (host: HostHandle) => readonly Spec[], request: Request) => {
    const { pathname } = new URL(request.url)
    for (const live of gateway.snapshot.live) {
      for (const spec of specs(live.host)) {
        const params = spec.method === request.method ? matchPath(spec.path, pathname) : undefined
        if (params) return { spec, params }
      }
    }
    throw new Error(`no plugin serves ${request.method} ${pathname}`)
  }
  gateway.services.dispatch = async (request, inner, signal) => {
    if (gateway.draining) throw new ShuttingDown('the gateway is ending')
    const { pathname } = new URL(request.url)
    const spec = inferenceAt(pathname)
    const id = `req_test_${++count}`
    if (!spec) return Response.json({ error: { message: `There is nothing at ${pathname}.` } }, { status: 404 })
    return await upstream.within(id, () => runInner(gateway.snapshot, services, { spec }, request, { id, inner, signal }))
  }
  const send = (options?: SendOptions) => start(options).result()

  return {
    clock,
    stores: { down: stores.down, up: stores.up, records: records.kit },
    logs,
    start,
    send,
    chat: (body, more) => send({ dialect: 'openai-chat', ...more, ...(body !== undefined && { body }) }),
    messages: (body, more) => send({ dialect: 'anthropic-messages', ...more, ...(body !== undefined && { body }) }),
    async fetch(path, init) {
      const request = new Request(`http://gateway.test${path}`, init)
      const { spec, params } = find((host) => host.routes, request)
      const id = `req_test_${++count}`
      const arrival = { ...arrivalOf(request, 'route', 'openai-chat', request.signal), id, open: spec.open === true }
      return await runEndpoint(
        gateway.snapshot,
        services,
        dialectNamed('openai-chat'),
        { ...arrival, peer: () => '192.0.2.1' },
        (call: RouteCall) => spec.handler(request, params, call),
      )
    },
    async admin(path, init) {
      const request = new Request(`http://gateway.test${path}`, init)
      const { spec, params } = find((host) => host.adminRoutes, request)
      return await spec.handler(request, params, { id: `req_test_${++count}` })
    },
    async health() {
      return await gateway.snapshot.live.find((l) => l.id === list.id)?.hooks.health?.()
    },
    metrics: () => gateway.services.metrics.text(),
    upstream: (script) => upstream.script(script),
    async reload(change = {}) {
      const undo = list.change(change)
      const mistakes = await build()
      if (mistakes.length > 0) undo()
      return mistakes
    },
    close: () => gateway.close(1000),
  }
}

function isUrl(upstream: TestPluginOptions['upstream']): upstream is { readonly url: string } {
  return typeof upstream === 'object' && 'url' in upstream
}

function bodyOf(openai: boolean, more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  const messages = [{ role: 'user', content: 'Hello' }]
  return openai ? { model: 'test-model', messages, ...more } : { model: 'test-model', max_tokens: 64, messages, ...more }
}

/** The operation of our own dialects at a path below any mount. */
function inferenceAt(path: string): OperationSpec | undefined {
  return Object.values(families)
    .flatMap((f) => f.operations)
    .find((o) => !o.upstreamOnly && path.endsWith(o.suffix))
}

/** The parameters of a route's path; undefined when another path is meant. */
function matchPath(spec: string, path: string): Record<string, string> | undefined {
  const wanted = spec.split('/')
  const found = path.split('/')
  if (wanted.at(-1) !== '*' && wanted.length !== found.length) return undefined
  const params: Record<string, string> = {}
  for (const [i, part] of wanted.entries()) {
    if (part === '*') return { ...params, '*': decodeURIComponent(found.slice(i).join('/')) }
    if (part.startsWith(':')) params[part.slice(1)] = decodeURIComponent(found[i]!)
    else if (part !== found[i]) return undefined
  }
  return params
}

/** The promise, or an error that says what hangs. */
async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} within ${patience / 1000} s`)), patience)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
