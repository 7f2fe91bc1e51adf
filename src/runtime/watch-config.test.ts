import { expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BuildResult, Gateway } from './gateway.ts'
import { fileVersion, watchConfig } from './watch-config.ts'

test('a plugin file that changes while a reload runs is loaded again', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-watch-'))
  const config = join(folder, 'gateway.yaml')
  const plugin = join(folder, 'mine.ts')
  writeFileSync(config, 'version: 1\n')
  writeFileSync(plugin, '1')
  const gateway = { snapshot: { live: [{ file: plugin }] }, draining: false } as unknown as Gateway
  const seen: string[] = []
  const twice = Promise.withResolvers<void>()
  const reload = async () => {
    seen.push(fileVersion(plugin))
    // read already, and now it changes
    if (seen.length === 1) writeFileSync(plugin, 'another text')
    else twice.resolve()
    return { ok: true } as BuildResult
  }
  const watch = watchConfig(gateway, reload, config, 5, () => {}, fileVersion(config))
  try {
    writeFileSync(config, 'version: 1 # changed\n')
    await twice.promise
    await Bun.sleep(30) // settled: no further reload follows
    expect(seen.length).toBe(2)
    expect(seen[1]).toBe(fileVersion(plugin))
  } finally {
    watch.stop()
    rmSync(folder, { recursive: true })
  }
})
