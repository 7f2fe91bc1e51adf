/**
 * Watches gateway.yaml, its price list and the files of its external plugins, and reloads when one has changed.
 *
 * Polls modification times: editors replace files in ways that file events miss, and one `stat` a second per file costs nothing.
 */

import { existsSync, realpathSync, statSync } from 'node:fs'
import { dirname, isAbsolute, resolve } from 'node:path'
import type { BuildResult, Gateway } from './gateway.ts'
import { dropModules, versionOf } from './load-plugin.ts'

export interface ConfigWatch {
  stop(): void
}

/** Changes whenever the file does. */
export function fileVersion(path: string): string {
  try {
    const { mtimeMs, size, ino } = statSync(path)
    return `${mtimeMs} ${size} ${ino}`
  } catch {
    return 'gone'
  }
}

/**
 * Starts watching. `report` hears of every reload that was tried. `loaded` is the version of the config file from before it was loaded,
 * so that a change in between is seen.
 */
export function watchConfig(
  gateway: Gateway,
  reload: () => Promise<BuildResult>,
  configPath: string,
  every: number,
  report: (result: BuildResult) => void,
  loaded: string,
): ConfigWatch {
  /** Plugin files of a config that was refused: mending one of them is worth another try. */
  let refused: readonly string[] = []
  const { priceList } = gateway.snapshot.config
  /** The other files that the config is made of, and their versions. */
  let parts = versions(priceList ? [priceList.file] : [])
  const files = () => [...gateway.snapshot.live.flatMap((l) => (l.file === undefined ? [] : [l.file])), ...refused]
  let config = loaded
  let plugins = new Map(files().map((f) => [f, versionOf(f)]))
  let busy = false
  const timer = setInterval(async () => {
    if (busy || gateway.draining) return
    const now = fileVersion(configPath)
    const changed = files().filter((f) => versionOf(f) !== plugins.get(f))
    if (now === config && changed.length === 0 && [...parts].every(([file, version]) => fileVersion(file) === version)) return
    busy = true
    const before = new Map(files().map((f) => [f, fileVersion(f)]))
    try {
      config = now
      const known = versions(parts.keys())
      parts = known
      for (const file of changed) dropModules(file)
      const result = await reload()
      parts = new Map(result.load.files.map((file) => [file, known.get(file) ?? fileVersion(file)]))
      refused = result.ok ? [] : pluginPaths(result, configPath)
      // noted before anybody hears of it: who mends a file now is seen at the next look, and so is who did during the reload
      const during = (f: string) => before.has(f) && before.get(f) !== fileVersion(f)
      plugins = new Map([...changed, ...files()].map((f) => [f, during(f) ? 'changed during the reload' : versionOf(f)]))
      report(result)
    } catch (error) {
      gateway.log.error('reloading failed', { error: error instanceof Error ? error.message : String(error) })
    } finally {
      busy = false
    }
  }, every)
  timer.unref()
  return { stop: () => clearInterval(timer) }
}

function versions(files: Iterable<string>): ReadonlyMap<string, string> {
  return new Map([...files].map((file) => [file, fileVersion(file)]))
}

function pluginPaths({ load }: BuildResult, configPath: string): string[] {
  const paths = load.plugins.map((p) => p.use).filter((use) => /^\.{1,2}\//.test(use) || isAbsolute(use))
  return paths.map((use) => resolve(dirname(configPath), use)).map((file) => (existsSync(file) ? realpathSync(file) : file))
}
