/**
 * Builds the plugin instances of a config: loads each plugin, checks its `with`, sets it up, or carries it over from the running config.
 *
 * An instance is carried over, with its state, when nothing that made it has changed: plugin file, `use`, `with`, stores. Its place in the list,
 * `when`, `on_error` and `timeout` may change freely. All mistakes are collected; when there is one, everything set up here is closed.
 */

import type { Diagnostic } from '../config/diagnostics.ts'
import { lintOrder } from '../config/lint.ts'
import type { LoadResult } from '../config/load.ts'
import type { PluginEntry } from '../config/model.ts'
import { checkPluginConfig } from '../config/plugin-config.ts'
import { HookTimeout, withTimeout } from '../pipeline/fence.ts'
import { compileCondition, type When } from '../pipeline/match.ts'
import { eraseHooks, type Instance } from '../pipeline/plan.ts'
import type { Plugin } from '../plugin/define.ts'
import { allHooks, exchangeHooks, type Hooks } from '../plugin/hooks.ts'
import { StoreUnavailable } from '../plugin/host.ts'
import { createHost, type HostHandle, type HostOptions, type SharedServices } from './host.ts'
import { type Builtins, loadPlugin } from './load-plugin.ts'
import { checkDialects } from './plugin-dialects.ts'
import { clashesOf, routeClashes } from './route-clash.ts'
import { withinSetup } from './setup-time.ts'

/** One set-up plugin; outlives a reload when nothing that made it changed. */
export interface LiveInstance {
  readonly id: string
  readonly plugin: Plugin
  readonly hooks: Hooks
  readonly host: HostHandle
  /** With this config it needs to know what every reply used. */
  readonly usage: boolean
  readonly holdsEnd: boolean
  readonly hookTimes: boolean
  /** Equal keys mean: the same plugin with the same config. */
  readonly key: string
  /** File of an external plugin. */
  readonly file?: string
  /** How many snapshots use it. */
  users: number
  closed: boolean
}

export interface BuiltInstances {
  readonly live: readonly LiveInstance[]
  readonly instances: readonly Instance[]
  readonly diagnostics: readonly Diagnostic[]
  readonly secrets: ReadonlySet<string>
}

export interface BuildOptions {
  readonly load: LoadResult
  readonly builtins: Builtins
  readonly services: SharedServices
  readonly world: HostOptions['world']
  readonly configPath: string
  /** Instances of the running config that may be carried over. */
  readonly previous: readonly LiveInstance[]
  /** False: load and check only, set nothing up (`headgate check`). */
  readonly setup: boolean
  /** Milliseconds that loading and setting up may take, each; 30 s when absent. */
  readonly setupTimeout?: number
}

/** Milliseconds that an asynchronous hook may take when the operator does not say. */
const defaultTimeout = 5000
/** An outage of a store fails every exchange alike: it is logged once in so many milliseconds, for each hook. */
const outagePause = 10_000
/** Milliseconds for loading, `setup`, `ready` and `close` of one plugin, each. */
export const setupTimeout = 30_000

/** Builds all instances. `instances` is meaningful only when no diagnostic is an error. */
export async function buildInstances(o: BuildOptions): Promise<BuiltInstances> {
  const diagnostics: Diagnostic[] = []
  const secrets = new Set<string>()
  const live: LiveInstance[] = []
  const instances: Instance[] = []
  const plugins: { entry: PluginEntry; plugin: Plugin }[] = []
  const at = (entry: PluginEntry, key: string, message: string, fix: string, severity: Diagnostic['severity'] = 'error') => {
    const path = key === '' ? ['plugins', entry.index] : ['plugins', entry.index, key]
    diagnostics.push({
      severity,
      file: o.load.place(path).file,
      ...o.load.locate(path),
      path: `plugins[${entry.index}]${key && `.${key}`}`,
      message,
      fix,
    })
  }

  const dialects = new Map<string, string>()
  for (const entry of o.load.plugins) {
    const loaded = await loadPlugin(entry.use, o.configPath, o.builtins, o.setupTimeout)
    if ('problem' in loaded) {
      at(entry, 'use', loaded.problem, loaded.fix)
      continue
    }
    const { plugin } = loaded
    plugins.push({ entry, plugin })
    const mistaken = checkDialects(plugin, entry.id, dialects)
    if (mistaken !== undefined) at(entry, 'use', mistaken, 'mend the plugin, or leave one of the two out')
    const checked = checkPluginConfig(plugin.config, entry.with, o.load.place(['plugins', entry.index, 'with']))
    for (const s of checked.secrets) secrets.add(s)
    diagnostics.push(...checked.diagnostics)
    if (checked.value === undefined || !o.setup) continue
    const key = JSON.stringify([entry.use, loaded.version, checked.value, o.load.config?.state, o.load.config?.records])
    const kept = o.previous.find((p) => p.id === entry.id && p.key === key)
    const made = kept ?? (await setUp(o, entry, plugin, checked.value, key, loaded.file))
    if ('problem' in made) {
      at(entry, 'use', made.problem, made.fix)
      continue
    }
    live.push(made)
    instances.push(toInstance(o, entry, made, instances.length))
  }
  checkSlots(plugins, at, (entry) => o.load.locate(['plugins', entry.index]).line)
  const routes = live.flatMap(({ id, host }) => host.routes.map((route) => ({ owner: id, route })))
  for (const { owner, route, before } of routeClashes(routes)) {
    const entry = o.load.plugins.find(({ id }) => id === owner)
    const what = owner === before ? 'twice' : `and so does ${before}, which stands above and answers`
    if (entry) at(entry, '', `it serves ${route.method} ${route.path}, ${what}`, 'give one of them another path, or none', 'warning')
  }
  if (o.load.config) diagnostics.push(...clashesOf(o.load, o.load.config, routes))
  if (o.setup) {
    const advice = lintOrder(lintEntries(o, live), o.load.place([]).file)
    // what is said of the whole list is only true when all of it is there
    const partial = diagnostics.some((d) => d.severity === 'error')
    diagnostics.push(...(partial ? advice.filter((d) => d.path !== 'plugins') : advice))
  }
  if (diagnostics.some((d) => d.severity === 'error')) await closeUnused(live.filter((l) => l.users === 0))
  return { live, instances, diagnostics, secrets }
}

async function setUp(
  o: BuildOptions,
  entry: PluginEntry,
  plugin: Plugin,
  config: Record<string, unknown>,
  key: string,
  file: string | undefined,
): Promise<LiveInstance | { problem: string; fix: string }> {
  const host = createHost({ id: entry.id, plugin: plugin.name, services: o.services, world: o.world, configPath: o.configPath })
  let running: Promise<Hooks> | undefined
  try {
    running = Promise.resolve(plugin.setup(host.host, config) as Hooks | Promise<Hooks>)
    const hooks = await withinSetup(running, o.setupTimeout ?? setupTimeout, o.services.records, host.host.log)
    checkHooks(hooks)
    const says = (what: Plugin['usage']) => (typeof what === 'function' ? what(config) === true : what === true)
    const [usage, holdsEnd, hookTimes] = [says(plugin.usage), says(plugin.holdsEnd), says(plugin.hookTimes)]
    return {
      id: entry.id,
      plugin,
      hooks,
      host,
      usage,
      holdsEnd,
      hookTimes,
      key,
      ...(file !== undefined && { file }),
      users: 0,
      closed: false,
    }
  } catch (error) {
    // one that comes back late has opened things that only it can close
    if (error instanceof HookTimeout) running?.then((hooks) => hooks?.close?.()).then(undefined, () => {})
    await host.close()
    return {
      problem: `setting it up failed: ${error instanceof Error ? error.message : String(error)}`,
      fix: 'see the README of the plugin',
    }
  }
}

/** @throws TypeError for what is no hook: it would never run, or fail at the first request. */
function checkHooks(hooks: unknown): asserts hooks is Hooks {
  if (typeof hooks !== 'object' || hooks === null) throw new TypeError('setup must return an object of hooks')
  for (const [name, hook] of Object.entries(hooks)) {
    if (!(allHooks as readonly string[]).includes(name))
      throw new TypeError(`${JSON.stringify(name)} is not a hook; there are: ${allHooks.join(', ')}`)
    if (name !== 'inspect' && hook !== undefined && typeof hook !== 'function') throw new TypeError(`the hook ${name} must be a function`)
  }
  const { inspect } = hooks as Hooks
  if (inspect !== undefined && (typeof inspect?.window !== 'function' || !(inspect.hold >= 0)))
    throw new TypeError('the hook inspect must have `hold` (a number of characters) and `window` (a function)')
}

function toInstance(o: BuildOptions, entry: PluginEntry, made: LiveInstance, index: number): Instance {
  const log = o.services.logger(entry.id)
  const outages = new Map<string, { until: number; more: number }>()
  return {
    index,
    id: entry.id,
    plugin: made.plugin,
    hooks: eraseHooks(made.hooks),
    usage: made.usage,
    holdsEnd: made.holdsEnd,
    hookTimes: made.hookTimes,
    failure: entry.on_error === 'skip' ? 'open' : entry.on_error === 'refuse' ? 'closed' : made.plugin.failure,
    timeout: entry.timeout ?? defaultTimeout,
    ...(entry.when && { condition: compileCondition(entry.when as When) }),
    failed(hook, error, exchange) {
      let more = 0
      if (error instanceof StoreUnavailable) {
        const now = o.services.now()
        const said = outages.get(hook)
        if (said && now < said.until) return void said.more++
        more = said?.more ?? 0
        outages.set(hook, { until: now + outagePause, more: 0 })
      }
      const where = placeIn(made.file, error)
      log.error(`hook ${hook} failed`, {
        id: exchange,
        error: error instanceof Error ? error.message : String(error),
        ...(where !== undefined && { where }),
        ...(more > 0 && { since_last: more }),
      })
    },
  }
}

/** `file:line:column` of an error in the plugin's own file, as far as its stack tells. */
function placeIn(file: string | undefined, error: unknown): string | undefined {
  if (file === undefined || !(error instanceof Error) || typeof error.stack !== 'string') return undefined
  const start = error.stack.indexOf(`${file}:`)
  const position = start < 0 ? null : /^(:\d+)+/.exec(error.stack.slice(start + file.length))
  return position ? file + position[0] : undefined
}

/** A need without an unconditional provider above it is a mistake that names both lines. */
function checkSlots(
  plugins: readonly { entry: PluginEntry; plugin: Plugin }[],
  at: (entry: PluginEntry, key: string, message: string, fix: string) => void,
  line: (entry: PluginEntry) => number,
): void {
  for (const [i, { entry, plugin }] of plugins.entries()) {
    for (const slot of plugin.needs) {
      const provides = (p: { plugin: Plugin }) => p.plugin.provides.some((s) => s.name === slot.name)
      const above = plugins.slice(0, i).filter(provides)
      if (above.some((p) => !p.entry.when)) continue
      const below = plugins.slice(i + 1).find(provides)
      const name = (p: { entry: PluginEntry }) => `${p.entry.id} (line ${line(p.entry)})`
      if (above.length > 0)
        at(
          entry,
          'use',
          `${entry.id} needs ${slot.name}, and ${name(above[0]!)} provides it only under its \`when\``,
          'drop that condition, or give this plugin the same',
        )
      else if (below)
        at(
          entry,
          'use',
          `${entry.id} needs ${slot.name}, which ${name(below)} provides further down`,
          `move ${below.entry.id} above ${entry.id}`,
        )
      else at(entry, 'use', `${entry.id} needs ${slot.name}, and no plugin provides it`, `add a plugin that provides ${slot.name} above`)
    }
  }
}

function lintEntries(o: BuildOptions, live: readonly LiveInstance[]): Parameters<typeof lintOrder>[0] {
  return live.map((l) => {
    const entry = o.load.plugins.find((p) => p.id === l.id)!
    return {
      id: l.id,
      plugin: l.plugin.name,
      index: entry.index,
      ...o.load.locate(['plugins', entry.index]),
      hooks: exchangeHooks.filter((name) => l.hooks[name] !== undefined),
      needs: l.plugin.needs.map((s) => s.name),
      wants: l.plugin.wants.map((s) => s.name),
      provides: l.plugin.provides.map((s) => s.name),
      ...(l.hooks.inspect && { holds: l.hooks.inspect.hold }),
      conditional: entry.when !== undefined,
      asksCaller: (['tier', 'tag'] as const).filter((field) => entry.when?.[field] !== undefined),
      asksBody: entry.when?.model !== undefined || entry.when?.stream !== undefined,
      open: l.plugin.failure === 'open',
      counts: l.usage,
    }
  })
}

/** Closes instances that no snapshot uses. */
export async function closeUnused(live: readonly LiveInstance[]): Promise<void> {
  await closeInstances(live.filter((instance) => instance.users <= 0))
}

/** Closes instances, each once and within its time. Never rejects. */
export async function closeInstances(live: readonly LiveInstance[]): Promise<void> {
  for (const instance of live) {
    if (instance.closed) continue
    instance.closed = true
    const { host, hooks } = instance
    try {
      await withTimeout(host.close(), setupTimeout)
      await withTimeout(Promise.resolve(hooks.close?.()), setupTimeout)
    } catch (error) {
      host.host.log.error('close failed', { error: error instanceof Error ? error.message : String(error) })
    }
  }
}
