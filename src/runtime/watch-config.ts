/**
 * Watches gateway.yaml and the files of its external plugins, and reloads when one has changed.
 *
 * Polls modification times: editors replace files in ways that file events miss, and one `stat` a second per file costs nothing.
 */

import { statSync } from 'node:fs'
import type { BuildResult, Gateway } from './gateway.ts'
import { dropModules, versionOf } from './load-plugin.ts'

export interface ConfigWatch {
  stop(): void
}

/** Starts watching. `report` hears of every reload that was tried. */
export function watchConfig(
  gateway: Gateway,
  reload: () => Promise<BuildResult>,
  configPath: string,
  every: number,
  report: (result: BuildResult) => void,
): ConfigWatch {
  const configVersion = () => {
    try {
      const { mtimeMs, size, ino } = statSync(configPath)
      return `${mtimeMs} ${size} ${ino}`
    } catch {
      return 'gone'
    }
  }
  const files = () => gateway.snapshot.live.flatMap((l) => (l.file === undefined ? [] : [l.file]))
  let config = configVersion()
  let plugins = new Map(files().map((f) => [f, versionOf(f)]))
  let busy = false
  const timer = setInterval(async () => {
    if (busy || gateway.draining) return
    const now = configVersion()
    const changed = files().filter((f) => versionOf(f) !== plugins.get(f))
    if (now === config && changed.length === 0) return
    busy = true
    try {
      config = now
      for (const file of changed) dropModules(file)
      report(await reload())
      plugins = new Map([...changed, ...files()].map((f) => [f, versionOf(f)]))
    } catch (error) {
      gateway.log.error('reloading failed', { error: error instanceof Error ? error.message : String(error) })
    } finally {
      busy = false
    }
  }, every)
  timer.unref()
  return { stop: () => clearInterval(timer) }
}
