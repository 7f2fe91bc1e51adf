/**
 * Finds and imports plugin modules: a built-in name, an installed package, or the path of a `.ts` file. Never a URL.
 *
 * External plugins get this process's `headgate/plugin`, wherever their file lies. A changed file is imported afresh by dropping it and
 * the files it imports from the module cache: query strings would leak one module graph per reload.
 */

import { realpathSync, statSync } from 'node:fs'
import { dirname, isAbsolute, resolve, sep } from 'node:path'
import type { Plugin } from '../plugin/define.ts'
import * as api from '../plugin/index.ts'

/** Built-in plugins by name, imported when used. Given by the composition root. */
export type Builtins = Readonly<Record<string, () => Promise<{ default: Plugin }>>>

export type LoadedPlugin =
  | { readonly plugin: Plugin; readonly file?: string; readonly version: string }
  | { readonly problem: string; readonly fix: string }

let exposed = false

/** Makes `headgate/plugin` and `typebox` resolvable from files outside this project. */
function exposeApi(): void {
  if (exposed) return
  exposed = true
  Bun.plugin({
    name: 'headgate-api',
    setup(build) {
      build.module('headgate/plugin', () => ({ exports: { ...api }, loader: 'object' }))
    },
  })
}

/** Loads what a `use` names. Never throws. */
export async function loadPlugin(use: string, configPath: string, builtins: Builtins): Promise<LoadedPlugin> {
  const builtin = Object.hasOwn(builtins, use) ? builtins[use] : undefined
  if (builtin) return { plugin: (await builtin()).default, version: 'builtin' }
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(use)) return { problem: 'a plugin is never loaded from a URL', fix: 'download it and name its path' }
  const folder = dirname(resolve(configPath))
  let file: string
  if (use.startsWith('./') || use.startsWith('../') || isAbsolute(use)) {
    file = resolve(folder, use)
    try {
      if (!statSync(file).isFile()) return { problem: `${file} is not a file`, fix: 'name the .ts file itself' }
    } catch {
      return { problem: `there is no file ${file}`, fix: 'paths are relative to the folder of this config file' }
    }
  } else {
    try {
      file = Bun.resolveSync(use, folder)
    } catch {
      const names = Object.keys(builtins).join(', ')
      return {
        problem: `there is no built-in plugin and no installed package ${JSON.stringify(use)}`,
        fix: `built in are: ${names}; a path starts with ./`,
      }
    }
  }
  exposeApi()
  file = realpathSync(file)
  try {
    const module = (await import(file)) as { default?: unknown }
    const plugin = module.default
    if (!isPlugin(plugin))
      return { problem: 'its default export is not a plugin', fix: 'write: export default definePlugin({ api: 1, … })' }
    return { plugin, file, version: versionOf(file) }
  } catch (error) {
    dropModules(file)
    return {
      problem: `loading it failed: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`,
      fix: 'mend the plugin file',
    }
  }
}

/** Forgets a plugin file and what it imports from its own folder, so that the next import reads them again. */
export function dropModules(file: string): void {
  const folder = dirname(file) + sep
  for (const key of Object.keys(require.cache)) {
    if (key === file || (key.startsWith(folder) && !key.includes(`${sep}node_modules${sep}`))) delete require.cache[key]
  }
}

/** Changes whenever the plugin's file, or another file of its folder that is loaded, changes. */
export function versionOf(file: string): string {
  const folder = dirname(file) + sep
  const parts: string[] = []
  for (const key of [file, ...Object.keys(require.cache)]) {
    if (key !== file && (!key.startsWith(folder) || key.includes(`${sep}node_modules${sep}`))) continue
    try {
      const { mtimeMs, size } = statSync(key)
      parts.push(`${key} ${mtimeMs} ${size}`)
    } catch {
      parts.push(`${key} gone`)
    }
  }
  return [...new Set(parts)].sort().join('\n')
}

function isPlugin(value: unknown): value is Plugin {
  const p = value as Partial<Plugin> | undefined
  return (
    typeof p === 'object' &&
    p !== null &&
    p.api === 1 &&
    typeof p.name === 'string' &&
    typeof p.setup === 'function' &&
    Array.isArray(p.needs)
  )
}
