/**
 * Finds and imports plugin modules: a built-in name, an installed package, or the path of a `.ts` file. Never a URL.
 *
 * External plugins get this process's `headgate/plugin` and `headgate/dialect`, wherever their file lies. A changed file is imported afresh by dropping it and
 * the files it imports from the module cache: query strings would leak one module graph per reload. Nothing else is ever dropped: two
 * copies of one of the gateway's own modules in one process would be two truths.
 */

import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { dirname, isAbsolute, join, resolve, sep } from 'node:path'
import { nearest } from '../config/suggest.ts'
import * as dialectApi from '../dialect/index.ts'
import { HookTimeout, withTimeout } from '../pipeline/fence.ts'
import type { Plugin } from '../plugin/define.ts'
import * as api from '../plugin/index.ts'

/** Built-in plugins by name, imported when used. Given by the composition root. */
export type Builtins = Readonly<Record<string, () => Promise<{ default: Plugin }>>>

export type LoadedPlugin =
  | { readonly plugin: Plugin; readonly file?: string; readonly version: string }
  | { readonly problem: string; readonly fix: string }

let exposed = false

/** Makes `headgate/plugin` and `headgate/dialect` resolvable from files outside this project. */
function exposeApi(): void {
  if (exposed) return
  exposed = true
  Bun.plugin({
    name: 'headgate-api',
    setup(build) {
      build.module('headgate/plugin', () => ({ exports: { ...api }, loader: 'object' }))
      build.module('headgate/dialect', () => ({ exports: { ...dialectApi }, loader: 'object' }))
    },
  })
}

/** What each external plugin file was when it was imported. */
const imported = new Map<string, { readonly version: string; readonly files: readonly string[] }>()

/** Files that never finished loading, and how often. A module that is still loading cannot be dropped: the next try goes under another name. */
const stuck = new Map<string, number>()

/** Loads what a `use` names. `limit` is how long the module may take, in milliseconds. Never throws. */
export async function loadPlugin(use: string, configPath: string, builtins: Builtins, limit = 30_000): Promise<LoadedPlugin> {
  const builtin = Object.hasOwn(builtins, use) ? builtins[use] : undefined
  if (builtin) return { plugin: (await builtin()).default, version: 'builtin' }
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(use))
    return { problem: 'a plugin is never loaded from a URL', fix: 'save it as a file and write ./its-name.ts' }
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
      if (!isInstalled(use, folder)) throw new Error('not installed')
      file = Bun.resolveSync(use, folder)
      if (!isAbsolute(file)) throw new Error('a module of the runtime')
    } catch {
      const names = Object.keys(builtins)
      const guess = nearest(use, names)
      return {
        problem: `there is no built-in plugin and no installed package ${JSON.stringify(use)}`,
        fix: `${guess === undefined ? '' : `did you mean ${guess}? `}Built in are: ${names.join(', ')}; a path starts with ./`,
      }
    }
  }
  exposeApi()
  file = realpathSync(file)
  const name = stuck.has(file) ? `${file}?${stuck.get(file)}` : file
  const before = imported.get(file)
  if (before && before.version !== versionOf(file)) dropModules(file)
  const files = moduleFiles(file)
  const version = stamp(files)
  try {
    const module = (await withTimeout(import(name), limit)) as { default?: unknown }
    const plugin = module.default
    if (!isPlugin(plugin)) {
      drop(file, files)
      return { problem: 'its default export is not a plugin', fix: 'write: export default definePlugin({ api: 1, … })' }
    }
    imported.set(file, { version, files })
    return { plugin, file, version }
  } catch (error) {
    drop(file, files)
    if (error instanceof HookTimeout) stuck.set(file, (stuck.get(file) ?? 0) + 1)
    return {
      problem: `loading it failed: ${reason(error)}`,
      fix: 'mend the plugin file',
    }
  }
}

/**
 * Whether a package lies in a `node_modules` that the folder sees. Asked before anything is resolved: where there is none, Bun downloads
 * a package of that name from the registry, and a slip of the pen would run the code of a stranger.
 */
function isInstalled(use: string, folder: string): boolean {
  const name = /^(@[\w~-][\w.~-]*\/)?[\w~-][\w.~-]*/.exec(use)?.[0]
  if (name === undefined) return false
  for (let at = folder; ; at = dirname(at)) {
    if (existsSync(join(at, 'node_modules', name))) return true
    if (at === dirname(at)) return false
  }
}

/** The first thing that is wrong, in one line; of what does not parse, with its place in the file. */
function reason(error: unknown): string {
  const first: unknown = error instanceof AggregateError ? (error.errors[0] ?? error) : error
  const position = (first as { position?: { file?: string; line?: number; column?: number } | null } | null)?.position
  const text = String((first as { message?: unknown } | null)?.message ?? first).split('\n')[0]
  return position?.file ? `${position.file}:${position.line}:${position.column} ${text}` : `${text}`
}

/** Forgets a plugin file and what it imports by relative path, so that the next import reads them again. */
export function dropModules(file: string): void {
  drop(file, imported.get(file)?.files ?? moduleFiles(file))
}

function drop(file: string, files: readonly string[]): void {
  for (const key of files) delete require.cache[key]
  if (stuck.has(file)) delete require.cache[`${file}?${stuck.get(file)}`]
  imported.delete(file)
}

/** Changes whenever the plugin's file, or a file that it imports by relative path, changes. */
export function versionOf(file: string): string {
  return stamp(imported.get(file)?.files ?? moduleFiles(file))
}

function stamp(files: readonly string[]): string {
  return files
    .map((key) => {
      try {
        const { mtimeMs, size, ino } = statSync(key)
        return `${key} ${mtimeMs} ${size} ${ino}`
      } catch {
        return `${key} gone`
      }
    })
    .join('\n')
}

/** Files of one plugin; more are not followed. */
const maxFiles = 1000

/** The file and what it imports by relative path, directly or not, except installed packages. */
function moduleFiles(entry: string): readonly string[] {
  const files = new Set([entry])
  for (const file of files) {
    if (files.size >= maxFiles) break
    for (const path of importsOf(file)) {
      if (!path.startsWith('./') && !path.startsWith('../')) continue
      try {
        const found = realpathSync(Bun.resolveSync(path, dirname(file)))
        if (!found.includes(`${sep}node_modules${sep}`) || entry.includes(`${sep}node_modules${sep}`)) files.add(found)
      } catch {
        // the import itself will say that there is no such file
      }
    }
  }
  return [...files]
}

const scanner = new Bun.Transpiler({ loader: 'tsx' })

function importsOf(file: string): string[] {
  if (!/\.[cm]?[jt]sx?$/.test(file)) return []
  try {
    return scanner.scanImports(readFileSync(file, 'utf8')).map((found) => found.path)
  } catch {
    return [] // not TypeScript that can be read: the import itself will say so
  }
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
