import { expect, test } from 'bun:test'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const plugins = join(import.meta.dir, '../../plugins')
const folders = readdirSync(plugins, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))

test.each(folders)('plugins/%s runs the conformance matrix', async (name) => {
  const file = join(plugins, name, 'conformance.test.ts')
  expect(existsSync(file)).toBe(true)
  expect(await Bun.file(file).text()).toContain("import { conformance } from 'headgate/testkit'")
})
