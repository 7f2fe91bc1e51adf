/**
 * The running gateway: the snapshot in force, the shared services, build and swap.
 *
 * A new config is built aside and swapped in whole; exchanges in flight keep the snapshot they started with; a config with a mistake
 * changes nothing. One build runs at a time.
 */

import { dirname } from 'node:path'
import { createCatalog } from '../catalog/catalog.ts'
import type { Diagnostic } from '../config/diagnostics.ts'
import type { LoadResult } from '../config/load.ts'
import { withTimeout } from '../pipeline/fence.ts'
import type { HookTime } from '../pipeline/plan.ts'
import type { Catalog, LeftOut, Logger } from '../plugin/host.ts'
import { memoryRecords, openRecords } from '../store/open-records.ts'
import { openState } from '../store/open-state.ts'
import type { RecordsStore } from '../store/records.ts'
import type { StateStore } from '../store/state.ts'
import { MemoryState } from '../store/state-memory.ts'
import { createLogger, type LogOptions } from '../telemetry/log.ts'
import { Metrics } from '../telemetry/metrics.ts'
import type { Ending } from '../upstream/call-options.ts'
import type { UpstreamDefinition } from '../upstream/definition.ts'
import { createTransport } from '../upstream/http/select.ts'
import type { Transport } from '../upstream/http/transport.ts'
import { defineUpstreams, demoBase } from './define-upstream.ts'
import { type Rehearsal, realLater, type SharedServices } from './host.ts'
import { buildInstances, closeInstances, closeUnused, type LiveInstance, setupTimeout } from './instances.ts'
import { type KeptStores, keptStores } from './kept-stores.ts'
import { knownCaches } from './known-caches.ts'
import { knownModalities } from './known-modalities.ts'
import { knownParameters } from './known-parameters.ts'
import type { Builtins } from './load-plugin.ts'
import { ownMetrics } from './own-metrics.ts'
import { apisOf, loadWithDialects } from './plugin-dialects.ts'
import { createSnapshot, type Snapshot } from './snapshot.ts'

export interface GatewayOptions {
  readonly configPath: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly builtins: Builtins
  /** Starts the model inside this process; called when a config names it. */
  readonly startDemo: () => Promise<{ readonly url: string; stop(): Promise<void> }>
  readonly log?: Partial<LogOptions>
  /** Milliseconds since the epoch. */
  readonly now?: () => number
  readonly transport?: Transport
  /** Milliseconds for loading, `setup` and `ready` of one plugin, each; 30 s when absent. */
  readonly setupTimeout?: number
  /** Text of the config, asked at every build; read from `configPath` when absent. */
  readonly configText?: () => string
  /** The clock of background tasks; real timers when absent. */
  readonly later?: SharedServices['later']
  /** Set plugins up without consequences (`check`, `explain`): shared state and records are in memory then. */
  readonly rehearsal?: Rehearsal
  /** Opens shared state; what the config names when absent. */
  readonly openState?: (where: string) => Promise<StateStore>
  /** Opens durable records; what the config names when absent. */
  readonly openRecords?: (where: string) => RecordsStore
}

export interface BuildResult {
  readonly ok: boolean
  readonly load: LoadResult
  readonly diagnostics: readonly Diagnostic[]
}

/** How long exchanges that were cut may take to be told so, settled and recorded. */
const cutMs = 2000

export class Gateway implements Ending {
  readonly services: SharedServices
  readonly transport: Transport
  readonly log: Logger
  /** Set while shutting down: new requests are refused. */
  draining = false
  cut = false
  private readonly ending = new AbortController()
  /** Aborted when it begins to shut down. */
  readonly stopping: AbortSignal = this.ending.signal
  /** What was left out of the config in force, for people. */
  notes: readonly string[] = []
  private current: Snapshot | undefined = undefined
  private readonly logOptions: LogOptions
  private readonly hookTime: HookTime
  private readonly world: { catalog: Catalog; upstreams: readonly string[]; leftOut: LeftOut; definitions?: Snapshot['upstreams'] } = {
    catalog: createCatalog([], () => undefined),
    upstreams: [],
    leftOut: leftOutOf(undefined),
  }
  private demo: { readonly url: string; stop(): Promise<void> } | undefined = undefined
  private readonly states: KeptStores<StateStore>
  private readonly archives: KeptStores<RecordsStore>
  private spoolLimit = 0
  private building: Promise<unknown> = Promise.resolve()
  /** Snapshots that exchanges in flight still use. */
  private readonly retiring = new Map<Snapshot, Promise<void>>()

  constructor(private readonly options: GatewayOptions) {
    const now = options.now ?? Date.now
    this.logOptions = { level: 'info', json: false, secrets: new Set(), write: (line) => process.stderr.write(line), now, ...options.log }
    this.services = {
      logger: (component) => createLogger(component, this.logOptions),
      now,
      state: new MemoryState({ now }),
      records: memoryRecords(createLogger('records', this.logOptions)),
      metrics: new Metrics(),
      later: options.later ?? realLater,
      ...(options.rehearsal && { rehearsal: options.rehearsal }),
    }
    const open = (where: string) => openState(options.rehearsal ? 'memory' : where, { now, log: createLogger('state', this.logOptions) })
    this.states = keptStores(options.openState ?? open, (error) => this.log.error('closing shared state failed', { error: String(error) }))
    const failed = (error: unknown) => this.log.error('closing records failed', { error: String(error) })
    this.archives = keptStores(async (where) => options.openRecords?.(where) ?? this.openRecords(where), failed)
    this.transport = options.transport ?? createTransport()
    this.log = createLogger('headgate', this.logOptions)
    this.hookTime = ownMetrics(
      this.services,
      () => (this.current?.inflight ?? 0) + [...this.retiring.keys()].reduce((n, s) => n + s.inflight, 0),
    )
  }

  /** The snapshot in force. @throws before the first successful build. */
  get snapshot(): Snapshot {
    if (!this.current) throw new Error('the gateway has no config yet')
    return this.current
  }

  /** Strings that must never be printed. */
  get secrets(): ReadonlySet<string> {
    return this.logOptions.secrets
  }

  /** Builds the config file and puts it in force, or changes nothing and says why. */
  reload(): Promise<BuildResult> {
    const next = this.building.then(() => this.build())
    this.building = next.catch(() => {}).then(() => this.closeStores())
    return next
  }

  private async build(): Promise<BuildResult> {
    const { configPath, env, builtins, configText } = this.options
    const source = { path: configPath, env, ...(configText && { text: configText() }) }
    const load = await loadWithDialects(source, builtins, this.options.setupTimeout)
    const catalog = catalogOf(load)
    const before = { ...this.world, secrets: this.logOptions.secrets, state: this.services.state, records: this.services.records }
    if (load.config) {
      // set before the plugins are set up: they may look at the catalogue
      this.world.catalog = catalog
      this.world.upstreams = load.config.upstreams.map((u) => u.name)
      this.world.leftOut = leftOutOf(load.config)
      this.logOptions.secrets = new Set([...before.secrets, ...load.secrets])
      this.services.state = await this.states.use(load.config.state)
      this.spoolLimit = load.config.spool_limit
      this.services.records = await this.archives.use(load.config.records)
    }
    const built = await buildInstances({
      load,
      builtins,
      services: this.services,
      world: this.world,
      configPath,
      previous: this.current?.live ?? [],
      setup: load.config !== undefined,
      ...(this.options.setupTimeout !== undefined && { setupTimeout: this.options.setupTimeout }),
    })
    const diagnostics = [...load.diagnostics, ...built.diagnostics].sort((a, b) => a.line - b.line || a.column - b.column)
    const undo = () => {
      this.world.catalog = before.catalog
      this.world.upstreams = before.upstreams
      this.world.leftOut = before.leftOut
      this.services.state = before.state
      this.services.records = before.records
      return { ok: false, load, diagnostics }
    }
    if (!load.config || diagnostics.some((d) => d.severity === 'error')) return undo()
    const apis = apisOf(built.live.map((l) => l.plugin))
    let upstreams: readonly UpstreamDefinition[]
    try {
      if (load.config.upstreams.some((u) => u.base_url === demoBase)) this.demo ??= await this.options.startDemo()
      const rehearsal = this.options.rehearsal !== undefined
      const { now } = this.services
      upstreams = await defineUpstreams(load.config.upstreams, { apis, demoUrl: this.demo?.url, env, now, rehearsal })
    } catch (error) {
      undo()
      await closeUnused(built.live)
      throw error
    }
    for (const s of built.secrets) this.logOptions.secrets = new Set([...this.logOptions.secrets, s])
    const snapshot = createSnapshot(load.config, apis, catalog, built.instances, built.live, upstreams, this.hookTime)
    const fresh = built.live.filter((l) => l.users === 1)
    const failed = await ready(fresh, this.options.setupTimeout ?? setupTimeout)
    if (failed) {
      await snapshot.retire()
      this.log.error(`plugin ${failed.id} is not ready`, { error: failed.error })
      undo()
      const at = load.plugins.find((p) => p.id === failed.id)
      const path = ['plugins', at?.index ?? 0]
      const diagnostic: Diagnostic = {
        severity: 'error',
        file: configPath,
        ...load.locate(path),
        path: `plugins[${at?.index ?? 0}]`,
        message: `its ready hook failed: ${failed.error}`,
        fix: 'see the README of the plugin',
      }
      return { ok: false, load, diagnostics: [...diagnostics, diagnostic] }
    }
    this.logOptions.level = this.options.log?.level ?? load.config.log.level
    this.notes = load.notes
    const old = this.current
    this.current = snapshot
    this.world.definitions = snapshot.upstreams
    this.services.records.start()
    if (old) this.retire(old)
    return { ok: true, load, diagnostics }
  }

  private retire(snapshot: Snapshot): void {
    const done = snapshot.retire().catch((error: unknown) => this.log.error('retiring a config failed', { error: String(error) }))
    this.retiring.set(snapshot, done)
    void done.then(() => {
      this.retiring.delete(snapshot)
      this.building = this.building.then(() => this.closeStores())
    })
  }

  /** Closes stores that no config in force, or on its way out, names. Only between builds: one that runs has opened its own. */
  private async closeStores(): Promise<void> {
    const configs = [...this.retiring.keys(), ...(this.current ? [this.current] : [])].map((snapshot) => snapshot.config)
    await this.states.keepOnly(new Set(configs.map((config) => config.state)))
    await this.archives.keepOnly(new Set(configs.map((config) => config.records)))
  }

  private openRecords(where: string): RecordsStore {
    const log = createLogger('records', this.logOptions)
    if (this.options.rehearsal) return memoryRecords(log)
    return openRecords(where, { folder: dirname(this.options.configPath), spoolLimit: this.spoolLimit, log })
  }

  /** Stores that can't be reached now, and why. */
  get storeProblems(): Readonly<Record<string, string>> {
    const { state, records } = this.services
    return {
      ...(state.problem !== undefined && { state: state.problem }),
      ...(records.problem !== undefined && { records: records.problem }),
    }
  }

  /**
   * Waits for exchanges in flight, at most `limit` milliseconds; then cuts them: their clients get an error, they are settled and recorded like any other.
   * Closes everything. True when nothing was cut.
   */
  async close(limit: number): Promise<boolean> {
    this.draining = true
    this.ending.abort()
    await this.building
    const { current } = this
    const all = Promise.all([current?.retire(), ...this.retiring.values()])
    const clean = await within(limit, all)
    this.cut = true
    if (!clean && !(await within(cutMs, all)))
      for (const snapshot of [...this.retiring.keys(), ...(current ? [current] : [])]) await closeInstances(snapshot.live)
    this.current = undefined
    await this.states.keepOnly(new Set())
    await this.archives.keepOnly(new Set())
    this.transport.close()
    await this.demo?.stop()
    return clean
  }
}

/** Whether a promise is kept within so many milliseconds. */
async function within(ms: number, promise: Promise<unknown>): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms)
  })
  const kept = await Promise.race([promise.then(() => true as const), late])
  clearTimeout(timer)
  return kept
}

/** Made apart from the build: the catalogue outlives it, and a closure in there would keep every config before this one. */
function catalogOf({ config }: LoadResult): Catalog {
  const families = new Map(config?.upstreams.map((u) => [u.name, u.dialect]))
  const known = knownModalities(config?.upstreams ?? [])
  const caches = knownCaches(config?.upstreams ?? [])
  return createCatalog(
    config?.models ?? [],
    (name) => families.get(name),
    config?.priceList?.models,
    known,
    caches,
    knownParameters(config?.upstreams ?? []),
  )
}

/** What the config names and the gateway runs without. */
function leftOutOf(config: LoadResult['config']): LeftOut {
  const { upstreams = [], models = [] } = config?.left_out ?? {}
  const { find, list } = createCatalog(models, () => undefined)
  return { upstreams, find, list }
}

/** Calls `ready` of new instances; the first failure, if any. */
async function ready(fresh: readonly LiveInstance[], limit: number): Promise<{ id: string; error: string } | undefined> {
  for (const instance of fresh) {
    try {
      await withTimeout(Promise.resolve(instance.hooks.ready?.()), limit)
    } catch (error) {
      return { id: instance.id, error: error instanceof Error ? error.message : String(error) }
    }
  }
  return undefined
}
