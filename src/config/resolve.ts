/**
 * From the checked file to the config that the gateway runs on: derived defaults filled in, optional upstreams without a key left out.
 *
 * Only called for files without mistakes. Finds no mistakes itself.
 */

import type { Model, TargetTimeouts } from '../plugin/host.ts'
import { normalMount, usualAuth } from './cross-check.ts'
import { resolveErrors } from './error-spelling.ts'
import { hostApis, hostUrl } from './host-config.ts'
import type { FileConfig, GatewayConfig, PluginEntry, UpstreamConfig, WhenConfig } from './model.ts'
import { resolveFacts } from './model-facts.ts'
import { pluginId } from './plugin-id.ts'
import type { PriceListConfig } from './price-list.ts'
import { resolvePrices } from './price-schema.ts'

type FileUpstream = FileConfig['upstreams'][string]
type FileModel = FileConfig['models'][string]
export type FilePlugin = FileConfig['plugins'][number]

/** Makes the config. `left` holds the upstreams to leave out and why; one note per left-out upstream is added to `notes`. */
export function resolve(
  file: FileConfig,
  left: ReadonlyMap<string, string>,
  notes: string[],
  priceList: PriceListConfig | undefined,
): GatewayConfig {
  const models: Model[] = []
  const lost = new Map<string, string[]>()
  const leftModels: Model[] = []
  for (const [id, model] of Object.entries(file.models)) {
    const targets = model.targets.filter((target) => !left.has(target.upstream))
    const gone = model.targets.filter((target) => left.has(target.upstream))
    if (gone.length > 0) leftModels.push(resolveModel(id, model, gone, file.upstreams))
    if (targets.length > 0) models.push(resolveModel(id, model, targets, file.upstreams))
    else for (const target of model.targets) lost.set(target.upstream, [...(lost.get(target.upstream) ?? []), id])
  }
  for (const [name, why] of left) {
    const with_ = [...new Set(lost.get(name) ?? [])]
    notes.push(`upstream ${name} is off: ${why}${with_.length === 0 ? '' : ` (so are the models ${with_.join(', ')})`}`)
  }
  return {
    version: file.version,
    server: file.server,
    state: file.state,
    records: file.records,
    spool_limit: file.spool_limit,
    log: file.log,
    mounts: file.mounts.map((mount) => ({ ...mount, path: normalMount(mount.path) })),
    errors: resolveErrors(file.errors),
    upstreams: Object.entries(file.upstreams)
      .filter(([name]) => !left.has(name))
      .flatMap(([name, upstream]) => resolveKeys(name, upstream)),
    models,
    left_out: { upstreams: [...left.keys()], models: leftModels },
    ...(priceList && { priceList }),
    plugins: file.plugins.map(resolvePlugin),
  }
}

/** One upstream; one for each of several keys. */
function resolveKeys(name: string, from: FileUpstream): UpstreamConfig[] {
  const { keys, ...rest } = from
  if (!keys) return [resolveUpstream(name, rest)]
  return keys.map((key, i) => resolveUpstream(keyed(name, i), { ...rest, key }))
}

/** The name of an upstream with its `i`th key, from 0. No name that a file gives can hold `#`. */
function keyed(name: string, i: number): string {
  return `${name}#${i + 1}`
}

function resolveUpstream(name: string, from: Omit<FileUpstream, 'keys'>): UpstreamConfig {
  const { optional: _, auth, key, ...rest } = from
  const apis = from.apis ?? hostApis(from)
  return {
    name,
    ...rest,
    base_url: from.base_url ?? hostUrl(from) ?? '', // one of the two is there: the cross checks have seen to it
    ...(apis && { apis: [...apis] }),
    ...(key === undefined ? {} : { key }),
    auth: key === undefined ? 'none' : (auth ?? usualAuth(from)),
  }
}

function resolveModel(id: string, from: FileModel, targets: FileModel['targets'], upstreams: FileConfig['upstreams']): Model {
  return {
    id,
    targets: targets.flatMap((target) => {
      const timeouts = resolveTimeouts({ ...from.timeouts, ...target.timeouts })
      const made = {
        upstream: target.upstream,
        model: target.model ?? id,
        ...(target.price === undefined ? {} : { price: resolvePrices(target.price) }),
        ...(target.weight === undefined ? {} : { weight: target.weight }),
        ...(target.priority === undefined ? {} : { priority: target.priority }),
        ...(timeouts === undefined ? {} : { timeouts }),
      }
      const keys = upstreams[target.upstream]?.keys
      return keys ? keys.map((_, i) => ({ ...made, upstream: keyed(target.upstream, i) })) : [made]
    }),
    ...(from.context === undefined ? {} : { context: from.context }),
    ...(from.max_output === undefined ? {} : { maxOutput: from.max_output }),
    ...(from.price === undefined ? {} : { price: resolvePrices(from.price) }),
    ...resolveFacts(from),
  }
}

/** The file's names are snake_case, those of the code camelCase. */
function resolveTimeouts(from: NonNullable<FileModel['timeouts']>): TargetTimeouts | undefined {
  const made: Record<string, number> = {}
  for (const [name, value] of Object.entries(from)) made[name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase())] = value
  return Object.keys(made).length === 0 ? undefined : made
}

/** One entry of the plugin list; also used for lists with mistakes elsewhere in the file. */
export function resolvePlugin(entry: FilePlugin, index: number): PluginEntry {
  const { id, when, ...rest } = entry
  return { ...rest, id: id ?? pluginId(entry.use), index, ...(when === undefined ? {} : { when: resolveWhen(when) }) }
}

function resolveWhen(when: WhenConfig): WhenConfig {
  return {
    ...when,
    ...(when.method === undefined ? {} : { method: when.method.map((method) => method.toUpperCase()) }),
    ...(when.header === undefined
      ? {}
      : { header: Object.fromEntries(Object.entries(when.header).map(([name, globs]) => [name.toLowerCase(), globs])) }),
  }
}
