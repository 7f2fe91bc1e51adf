/**
 * What the host gives one plugin instance: the implementation of `Host`.
 *
 * Everything an instance starts here (tasks, routes) is remembered, so that closing the instance ends it.
 */

import { dirname, isAbsolute, resolve } from 'node:path'
import type { InnerCall } from '../plugin/exchange.ts'
import { type AdminSpec, type Catalog, type Host, type LeftOut, type Logger, type RouteSpec, ShuttingDown } from '../plugin/host.ts'
import type { RecordsStore } from '../store/records.ts'
import type { StateStore } from '../store/state.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { UpstreamDefinition } from '../upstream/definition.ts'
import { reachOf } from './reach.ts'

/** Services that all instances share and that outlive a reload. */
export interface SharedServices {
  readonly logger: (component: string) => Logger
  readonly now: () => number
  /** Of the config in force: an instance keeps the one it was set up with. */
  state: StateStore
  /** Of the config in force: an instance keeps the one it was set up with. */
  records: RecordsStore
  readonly metrics: Metrics
  /** Calls back once after so many milliseconds; the result cancels. Does not keep the process alive. */
  readonly later: (run: () => void | Promise<void>, ms: number) => () => void
  /** Carries out calls that plugins make to this gateway itself. Set by who serves; absent before, and where nobody does. */
  dispatch?: (request: Request, inner: InnerCall, signal: AbortSignal) => Promise<Response>
  /** Present when plugins are set up only to look at them. */
  readonly rehearsal?: Rehearsal
}

/** What keeps a set-up without consequences: plugins get other files than those they name, and no background tasks. */
export interface Rehearsal {
  /** The file that stands for `path` (absolute). */
  file(path: string): string
}

export interface HostOptions {
  readonly id: string
  /** Name of the plugin: instances of one plugin share tables. */
  readonly plugin: string
  readonly services: SharedServices
  /** The catalogue and upstream names of the config that is in force; a carried-over instance sees the new ones. */
  readonly world: {
    readonly catalog: Catalog
    readonly upstreams: readonly string[]
    readonly leftOut: LeftOut
    /** Of the config in force. */
    readonly definitions?: ReadonlyMap<string, UpstreamDefinition>
  }
  readonly configPath: string
}

export interface HostHandle {
  readonly host: Host
  readonly routes: readonly RouteSpec[]
  readonly adminRoutes: readonly AdminSpec[]
  /** What it tells in `/health`. */
  readonly told: ReadonlyMap<string, () => unknown>
  /** Ends tasks; resolves when those that run have come back. */
  close(): Promise<void>
}

const fetchTimeout = 30_000

export const realLater: SharedServices['later'] = (run, ms) => {
  const timer = setTimeout(run, ms)
  timer.unref()
  return () => clearTimeout(timer)
}

export function createHost(options: HostOptions): HostHandle {
  const { id, services, world } = options
  const log = services.logger(id)
  const routes: RouteSpec[] = []
  const adminRoutes: AdminSpec[] = []
  const gauges: (() => void)[] = []
  const told = new Map<string, () => unknown>()
  const ending = new AbortController()
  const running = new Set<Promise<void>>()
  const pending = new Set<() => void>()

  const task: Host['task'] = (name, every, run) => {
    if (services.rehearsal) return
    const again = () => {
      if (ending.signal.aborted) return // a setup that went on after its time may not start anything
      const cancel = services.later(() => {
        pending.delete(cancel)
        const round = (async () => {
          try {
            await run(ending.signal)
          } catch (error) {
            log.error(`task ${name} failed`, { error: error instanceof Error ? error.message : String(error) })
          }
        })()
        running.add(round)
        return round.then(() => {
          running.delete(round)
          again()
        })
      }, every)
      pending.add(cancel)
    }
    again()
  }

  const host: Host = {
    id,
    log,
    now: services.now,
    state: services.state.scoped(id),
    records: services.records.scoped(options.plugin),
    get catalog() {
      return world.catalog
    },
    get upstreams() {
      return world.upstreams
    },
    get leftOut() {
      return world.leftOut
    },
    fetch: (url, init = {}) => {
      const limit = AbortSignal.timeout(fetchTimeout)
      return fetch(url, { ...init, signal: init.signal ? AbortSignal.any([init.signal, limit]) : limit })
    },
    file: (path) => {
      const absolute = isAbsolute(path) ? path : resolve(dirname(options.configPath), path)
      return services.rehearsal ? services.rehearsal.file(absolute) : absolute
    },
    counter: (name, help) => services.metrics.counter(`headgate_${name}`, help),
    histogram: (name, help) => services.metrics.histogram(`headgate_${name}`, help),
    gauge: (name, help, read) => void gauges.push(services.metrics.gauge(`headgate_${name}`, help, read)),
    task,
    async call(request, { principal, once, signal = request.signal } = {}) {
      signal.throwIfAborted()
      if (!services.dispatch) throw new ShuttingDown('nobody serves')
      return await services.dispatch(request, { plugin: id, principal, once: once === undefined ? undefined : `${id}/${once}` }, signal)
    },
    upstream(name) {
      const definition = world.definitions?.get(name)
      return definition && reachOf(definition, services.now)
    },
    health: (name, read) => void told.set(name, read),
    route: (spec) => void routes.push(spec),
    admin: (spec) => void adminRoutes.push(spec),
  }
  return {
    host,
    routes,
    adminRoutes,
    told,
    async close() {
      ending.abort()
      for (const remove of gauges) remove()
      for (const cancel of pending) cancel()
      pending.clear()
      await Promise.all(running)
    },
  }
}
