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
  const gateway = { snapshot: { config: {}, live: [{ file: plugin }] }, draining: false } as unknown as Gateway
  const seen: string[] = []
  const twice = Promise.withResolvers<void>()
  const reload = async () => {
    seen.push(fileVersion(plugin))
    // read already, and now it changes
    if (seen.length === 1) writeFileSync(plugin, 'another text')
    else twice.resolve()
    return { ok: true, load: { files: [] as readonly string[] } } as BuildResult
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

test('a price list that changes, or comes with the config, is loaded again', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-watch-'))
  const [config, first, second] = ['gateway.yaml', 'models.yaml', 'other.yaml'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ]
  for (const file of [config, first, second]) writeFileSync(file, 'version: 1\n')
  const gateway = { snapshot: { config: { priceList: { file: first } }, live: [] }, draining: false } as unknown as Gateway
  let files = [first]
  let reloads = 0
  let heard = Promise.withResolvers<void>()
  const reload = async () => {
    reloads++
    return { ok: true, load: { files: files as readonly string[] } } as BuildResult
  }
  const watch = watchConfig(gateway, reload, config, 5, () => heard.resolve(), fileVersion(config))
  const after = async (change: () => void) => {
    heard = Promise.withResolvers()
    change()
    await heard.promise
  }
  try {
    await after(() => writeFileSync(first, 'models: {}\n'))
    files = [second]
    await after(() => writeFileSync(config, 'version: 1 # another list\n'))
    await after(() => writeFileSync(second, 'models: { a: {} }\n'))
    expect(reloads).toBe(3)
  } finally {
    watch.stop()
  }
})
