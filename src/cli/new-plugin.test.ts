/** `headgate new-plugin`: what it writes loads, runs, passes its own test, and is never written over anything. */

import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { cli, config, type Folder, folder, main } from './cli.fixture.ts'

let dir: Folder
let path: string
beforeEach(async () => {
  dir = folder()
  path = await dir.write('gateway.yaml', config('  - use: router'))
})
afterEach(() => dir.remove())

test('the plugin that it writes works with the lines that it prints', async () => {
  const made = await cli(['new-plugin', 'word-filter', '--config', path])
  expect(made.code).toBe(0)
  const lines = /\n( {2}- use: .*\n {4}with: .*\n)/.exec(made.out)?.[1] ?? ''
  expect(lines).toContain('- use: ./plugins/word-filter.ts')
  writeFileSync(path, config(`${lines}  - use: router`))
  const body = await dir.write('body.json', '{"model":"demo","messages":[{"role":"user","content":"Say Swordfish"}]}')
  const { code, out } = await cli(['explain', '--config', path, '--request', body])
  expect(code).toBe(3)
  expect(out).toMatch(/word-filter +request +refused: content_filter/)
})

test('the test that it writes passes, in a folder where headgate resolves', async () => {
  const root = dirname(dirname(main))
  const inside = mkdtempSync(join(root, 'node_modules', '.new-plugin-'))
  try {
    expect((await cli(['new-plugin', 'word-filter', '--dir', inside, '--config', path])).code).toBe(0)
    const child = Bun.spawn([process.execPath, 'test', join(inside, 'word-filter.test.ts')], { cwd: root, stdout: 'pipe', stderr: 'pipe' })
    const [err, code] = await Promise.all([child.stderr.text(), child.exited])
    expect(err).toContain(' 0 fail')
    expect(code).toBe(0)
  } finally {
    rmSync(inside, { recursive: true, force: true })
  }
})

test('outside the project it says how its test finds headgate, and that works', async () => {
  const made = await cli(['new-plugin', 'word-filter', '--config', path])
  const link = /\n {2}(bun add .*)\n/.exec(made.out)?.[1] ?? ''
  const command = /Test it with: +(.*)\n/.exec(made.out)?.[1] ?? ''
  await dir.write('package.json', '{"private":true}')
  const child = Bun.spawn(['sh', '-c', `${link} && ${command}`], { cwd: dir.path, stdout: 'pipe', stderr: 'pipe' })
  const [err, code] = await Promise.all([child.stderr.text(), child.exited])
  expect(err).toContain(' 0 fail')
  expect(code).toBe(0)
  expect((await cli(['new-plugin', 'other', '--config', path])).out).not.toContain('bun add')
}, 30_000)

test('nothing is overwritten, not even the test alone', async () => {
  await dir.write('plugins/mine.test.ts', 'mine')
  const { code, err } = await cli(['new-plugin', 'mine', '--config', path])
  expect(code).toBe(1)
  expect(err).toContain('exists; nothing was written')
  expect(readFileSync(dir.file('plugins/mine.test.ts'), 'utf8')).toBe('mine')
  expect(await Bun.file(dir.file('plugins/mine.ts')).exists()).toBe(false)
})

test.each([[[]], [['Mine']], [['../evil']], [['auth']], [['a-']]])('name %j is a usage error', async (words) => {
  expect((await cli(['new-plugin', ...words, '--config', path])).code).toBe(2)
})
