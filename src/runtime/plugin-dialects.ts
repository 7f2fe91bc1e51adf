/**
 * The APIs that a config may name: the gateway's own, and the dialects that the plugins of its list bring.
 *
 * A config that names only our own is read once, and no plugin is loaded for it here. One that names another is read again when its plugins
 * have said which they know, so that an unknown name is a mistake at its place like any other.
 */

import { type LoadOptions, type LoadResult, loadConfig, namesOtherDialect } from '../config/load.ts'
import type { DefinedDialect } from '../dialect/define-dialect.ts'
import { type FamilyApi, families } from '../dialect/family.ts'
import type { Plugin } from '../plugin/define.ts'
import { type Builtins, loadPlugin } from './load-plugin.ts'

/** APIs by the name that upstreams and mounts give them. */
export type Apis = ReadonlyMap<string, FamilyApi>

const own: Apis = new Map(Object.values(families).map((api) => [api.name, api]))

/** Loads a config that may name dialects of its own plugins. Never rejects. `limit` as for `loadPlugin`. */
export async function loadWithDialects(options: LoadOptions, builtins: Builtins, limit?: number): Promise<LoadResult> {
  const load = loadConfig(options)
  if (!namesOtherDialect(load)) return load
  const dialects: string[] = []
  for (const { use } of load.plugins) {
    const loaded = await loadPlugin(use, options.path, builtins, limit)
    if ('plugin' in loaded) for (const { name } of dialectsOf(loaded.plugin)) if (!own.has(name)) dialects.push(name)
  }
  return dialects.length === 0 ? load : loadConfig({ ...options, dialects: [...new Set(dialects)] })
}

/** Our own APIs and those of plugins. */
export function apisOf(plugins: readonly Plugin[]): Apis {
  const more = plugins.flatMap(dialectsOf)
  return more.length === 0 ? own : new Map([...own, ...more.map((api) => [api.name, api] as const)])
}

/** What is wrong with the dialects of a plugin, where `taken` names those of plugins above and their ids; adds its own to `taken`. */
export function checkDialects(plugin: Plugin, id: string, taken: Map<string, string>): string | undefined {
  for (const { name } of plugin.dialects ?? []) {
    if (own.has(name)) return `its dialect ${name} has the name of one of the gateway's own`
    const other = taken.get(name)
    // two instances of one plugin bring one dialect
    if (other !== undefined && other !== plugin.name) return `its dialect ${name} is that of the plugin ${other} too`
    taken.set(name, plugin.name)
  }
  return (plugin.dialects ?? []).every(isDefined) ? undefined : `a dialect of ${id} was not made with defineDialect`
}

function dialectsOf(plugin: Plugin): readonly DefinedDialect[] {
  return (plugin.dialects ?? []).filter(isDefined)
}

function isDefined(dialect: { readonly kind?: unknown }): dialect is DefinedDialect {
  return dialect.kind === 'dialect' && Array.isArray((dialect as Partial<DefinedDialect>).operations)
}
