/**
 * The public application: Elysia's routes over the route table of one snapshot.
 *
 * Handlers hand the request on as it is: no body parsing here. Every error that Elysia makes leaves in the caller's dialect.
 */

import { Elysia } from 'elysia'
import { type FamilyApi, families } from '../dialect/family.ts'
import type { Arrival } from '../pipeline/core.ts'
import { makeRefusal } from '../pipeline/refuse.ts'
import type { InnerCall, Operation } from '../plugin/exchange.ts'
import { type RouteCall, type RouteSpec, ShuttingDown } from '../plugin/host.ts'
import { modelFilter } from '../plugin/model-access.ts'
import type { Refusal } from '../plugin/reply.ts'
import { runEndpoint } from '../runtime/endpoint.ts'
import type { Gateway } from '../runtime/gateway.ts'
import { InferenceExchange } from '../runtime/handle.ts'
import { runInner } from '../runtime/inner-call.ts'
import { responseOrigins } from '../runtime/response-origins.ts'
import { routeKey } from '../runtime/route-clash.ts'
import type { Snapshot } from '../runtime/snapshot.ts'
import { callStored } from '../runtime/stored-response.ts'
import { endOfTurn } from '../runtime/turn.ts'
import { type ClientAddress, clientAddress } from './client-address.ts'
import { apiOfRequest, edgeError, newRequestId } from './errors.ts'
import { asJsonArray } from './json-array.ts'
import { modelDetail, modelList } from './models.ts'
import { type FoundRoute, type RouteTable, routeTable } from './route-table.ts'

/** Bytes of a body from which on it costs less to give it back than to leave it to the collector. */
const worthGivingBack = 16_384

export type BunServer = Bun.Server<undefined>

export interface PublicApp {
  readonly table: RouteTable
  fetch(request: Request, server: BunServer): Response | Promise<Response>
  /** An inference call that a plugin makes. */
  call(request: Request, inner: InnerCall, signal: AbortSignal): Promise<Response>
}

/**
 * Builds the application for a snapshot.
 * @param idle seconds until a silent connection on which no model is thinking is cut
 */
export function publicApp(gateway: Gateway, snapshot: Snapshot, idle: number): PublicApp {
  const table = routeTable(snapshot)
  const addressOf = clientAddress(snapshot.config.server)
  const { log, services: shared, transport } = gateway
  const { errors } = snapshot
  const origins = responseOrigins(shared.state, log)
  const services = { transport, log, now: shared.now, origins, stopping: gateway.stopping, ending: gateway }
  let server: BunServer
  // set again after each exchange, or connections that clients forgot would stay for ever; the last of an answer may still be on its way
  const afterwards = Math.min(255, idle * 4)
  // strict: a path has one spelling, so that conditions on it can't be walked around by a slash at its end
  const app = new Elysia({ handler: { standardHostname: false }, normalize: false, strictPath: true })

  const infer = (request: Request, { spec, outside }: FoundRoute): Promise<Response> => {
    const exchange = new InferenceExchange(
      snapshot,
      services,
      spec,
      new RequestArrival(request, server, addressOf, spec.operation, spec.dialect.name),
      request,
      (thinking) => server.timeout(request, thinking ? 0 : afterwards),
      outside,
    )
    exchange.givesBackFrom = worthGivingBack
    if (outside?.stream && !/[?&]alt=sse(&|$)/.test(request.url)) return asJsonArray(exchange.run(endOfTurn()))
    exchange.direct = true
    return exchange.run(endOfTurn())
  }

  /** That nothing is here is an answer like any other: plugins are asked who calls and how often, and see it. */
  const nothing = (request: Request, api: FamilyApi, refusal: Refusal): Promise<Response> => {
    const { dialect } = api.operations[0]!
    const arrival = new RequestArrival(request, server, addressOf, 'route', dialect.name, true)
    return runEndpoint(snapshot, services, dialect, arrival, () => refusal)
  }

  /** The gateway's own list of models, or one of them. */
  const models = ({ family }: FamilyApi, request: Request, id: string | undefined, { principal, refuse }: RouteCall) => {
    const { catalog } = snapshot
    const allows = modelFilter(principal)
    if (id === undefined) return Response.json(modelList(catalog, family, new URL(request.url).searchParams, allows))
    const model = modelDetail(catalog, family, id, allows)
    if (model) return Response.json(model)
    const near = catalog.similar(id).find((other) => allows(catalog.find(other) ?? { id: other }))
    const hint = near === undefined ? '' : ` Did you mean ${JSON.stringify(near)}?`
    return refuse('model_not_found', `This gateway does not serve the model ${JSON.stringify(id.slice(0, 100))}.${hint}`)
  }
  for (const { path, api } of table.inference) {
    if (path.includes('{')) continue
    app.all(
      path,
      ({ request }) => {
        // Codex tries a WebSocket first, and goes on by HTTP when it is told so at once (H15)
        const socket = request.headers.get('upgrade')?.toLowerCase() === 'websocket'
        const refusal = socket
          ? { message: 'There are no WebSockets here: send the request by POST.', status: 426 }
          : { message: `${request.method} is not answered here; POST is.` }
        return nothing(request, api, makeRefusal('method_not_allowed', { ...refusal, headers: { allow: 'POST' } }))
      },
      { parse: 'none' },
    )
  }
  for (const [path, byPath] of table.models) {
    // an id may hold slashes, plain or encoded
    for (const tail of ['', '/*']) {
      const own = table.plugin.find(({ route }) => route.method === 'GET' && route.path === path + tail)?.route
      app.get(path + tail, ({ request }) => {
        const api = apiOfRequest(request, byPath)
        const { dialect } = api.operations[0]!
        const arrival = new RequestArrival(request, server, addressOf, 'models', dialect.name, own?.open)
        const id = tail === '' ? undefined : decodedPath(pathOf(request.url).slice(path.length + 1))
        const usual = (call: RouteCall) => models(api, request, id, call)
        return runEndpoint(snapshot, services, dialect, arrival, async (call) => {
          const answer = await own?.handler(request, id === undefined ? {} : { '*': id }, call)
          return answer ?? usual(call)
        })
      })
    }
  }
  for (const path of table.responses) {
    const { dialect } = families.openai.operations.find((o) => o.operation === 'responses')!
    const stored =
      (tail: string) =>
      ({ params, request }: { params: { id: string }; request: Request }) => {
        server.timeout(request, 255) // the most: the provider may stream what is still being made
        const arrival = new RequestArrival(request, server, addressOf, 'responses', dialect.name)
        const { headers, method, signal } = request
        const { query } = arrival
        return runEndpoint(snapshot, services, dialect, arrival, ({ principal: caller }) =>
          callStored(snapshot, services, dialect, { caller, id: params.id, method, tail, query, headers, signal }),
        )
      }
    const none = { parse: 'none' } as const
    app.get(`${path}/:id`, stored(''), none)
    app.delete(`${path}/:id`, stored(''), none)
    app.post(`${path}/:id/cancel`, stored('/cancel'), none)
    app.get(`${path}/:id/input_items`, stored('/input_items'), none)
  }
  const lists = new Set([...table.models.keys()].flatMap((path) => [path, `${path}/*`]))
  const taken = new Set<string>()
  for (const { route } of table.plugin) {
    if ((route.method === 'GET' && lists.has(route.path)) || taken.has(routeKey(route))) continue
    taken.add(routeKey(route))
    app.route(
      route.method,
      route.path,
      ({ request, params }) => {
        const { dialect } = apiOfRequest(request, table.apiOf(route.path)).operations[0]!
        const arrival = new RequestArrival(request, server, addressOf, 'route', dialect.name, route.open)
        const named = params as Record<string, string>
        return runEndpoint(snapshot, services, dialect, arrival, (call) => route.handler(request, restOf(request, route, named), call))
      },
      { parse: 'none' },
    )
  }
  const { live_paths, ready_paths } = snapshot.config.server
  for (const path of live_paths) app.get(path, () => liveness(snapshot))
  for (const path of ready_paths) app.get(path, () => readiness(gateway))
  for (const path of ['/docs', '/docs/*'])
    app.get(path, ({ request }) => {
      const { dialect } = apiOfRequest(request, table.apiOf(path)).operations[0]!
      const arrival = new RequestArrival(request, server, addressOf, 'route', dialect.name, true)
      return runEndpoint(snapshot, services, dialect, arrival, () => docs(table, request))
    })
  app.onError(({ code, request }) => {
    const path = new URL(request.url).pathname
    const api = apiOfRequest(request, table.apiOf(path))
    if (code === 'NOT_FOUND')
      return nothing(request, api, makeRefusal('not_found', `There is nothing at ${request.method} ${path.slice(0, 200)}.`))
    gateway.log.error('the edge failed', { code: String(code), path })
    return edgeError(errors, api, 'internal_error', newRequestId())
  })

  return {
    table,
    fetch(request, from) {
      server = from
      if (gateway.draining) {
        const api = apiOfRequest(request, table.apiOf(new URL(request.url).pathname))
        const headers = { connection: 'close', 'retry-after': '1' }
        // an answer like any other while the plugins live, which they do for as long as exchanges run
        if (snapshot.inflight > 0) return nothing(request, api, makeRefusal('shutting_down', { headers }))
        return edgeError(errors, api, 'shutting_down', newRequestId(), undefined, headers)
      }
      if (request.method === 'POST') {
        // An inference call is looked up by its path here and never goes through the router, which would cost it a tenth of its CPU time.
        const found = table.find(pathOf(request.url))
        if (found) return infer(request, found)
      }
      return app.fetch(request)
    },
    async call(request, inner, signal) {
      if (gateway.draining) throw new ShuttingDown('the gateway is ending')
      const id = newRequestId()
      const path = pathOf(request.url)
      const found = request.method === 'POST' ? table.find(path) : undefined
      if (!found)
        return edgeError(errors, table.apiOf(path), 'not_found', id, `There is nothing at ${request.method} ${path.slice(0, 200)}.`)
      return await runInner(snapshot, services, found, request, { id, inner, signal })
    },
  }
}

/** The parameters of a route, with what a `*` at its end stands for: Elysia leaves that encoded or not, as it came. */
function restOf(request: Request, { path }: RouteSpec, params: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  if (!path.endsWith('/*')) return params
  const segments = path.split('/').length - 1
  return { ...params, '*': decodedPath(pathOf(request.url).split('/').slice(segments).join('/')) }
}

/** That the process lives, always 200, and what plugins tell beside it. A plugin that fails at that says nothing. */
export function liveness(snapshot: Snapshot): Response {
  const all: Record<string, unknown> = { status: 'ok' }
  for (const { host, id } of snapshot.live) {
    for (const [name, read] of host.told) {
      if (name in all) continue
      try {
        all[name] = read()
      } catch (error) {
        host.host.log.error('what is told in /health failed', { plugin: id, error: error instanceof Error ? error.message : String(error) })
      }
    }
  }
  return Response.json(all)
}

/**
 * Health of all plugins: 200 when traffic may come. A store that can't be reached is told of, with 200: it is the same for all instances, so
 * taking them out of service would end what plugins that do without it still serve.
 */
export async function readiness(gateway: Gateway): Promise<Response> {
  if (gateway.draining) return Response.json({ status: 'draining' }, { status: 503 })
  const problems: Record<string, string> = {}
  for (const instance of gateway.snapshot.live) {
    try {
      const said = await instance.hooks.health?.()
      if (said !== undefined) problems[instance.id] = said
    } catch (error) {
      problems[instance.id] = error instanceof Error ? error.message : String(error)
    }
  }
  const ok = Object.keys(problems).length === 0
  const missing = gateway.storeProblems
  const status = !ok ? 'not ready' : Object.keys(missing).length > 0 ? 'degraded' : 'ready'
  return Response.json(status === 'ready' ? { status } : { status, problems: { ...missing, ...problems } }, { status: ok ? 200 : 503 })
}

/** The docs page is built when somebody first asks for it: it costs start-up time otherwise. Undefined when it has no such page. */
async function docs(table: RouteTable, request: Request): Promise<Response | undefined> {
  const { docsApp } = await import('./docs.ts')
  const page = await docsApp(table).fetch(request)
  return page.status === 404 ? undefined : page
}

/** Path of an absolute URL, as received. */
function pathOf(url: string): string {
  const start = url.indexOf('/', 8)
  const query = url.indexOf('?', start)
  return query < 0 ? url.slice(start) : url.slice(start, query)
}

function decodedPath(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** A request as an arrival. What few exchanges ask for (headers behind proxies, signal) is looked up only when they do. */
class RequestArrival implements Arrival {
  readonly id = newRequestId()
  readonly path: string
  readonly query: string
  /** Of the socket. Bun can't tell it any more when the client has gone or has all of its answer, and that is when a record is made. */
  private readonly address: string

  constructor(
    private readonly request: Request,
    server: BunServer,
    private readonly addressOf: ClientAddress,
    readonly operation: Operation,
    readonly dialect: string,
    readonly open = false,
  ) {
    const { url } = request
    this.path = pathOf(url)
    const query = url.indexOf('?')
    this.query = query < 0 ? '' : url.slice(query + 1)
    this.address = server.requestIP(request)?.address ?? ''
  }
  get method(): string {
    return this.request.method
  }
  get headers(): Headers {
    return this.request.headers
  }
  get signal(): AbortSignal {
    return this.request.signal
  }
  peer(): string {
    return this.addressOf(this.address, this.request.headers)
  }
}
