/** `headgate init`: every preset becomes a config that is good, wherever it is written; nothing is overwritten unasked. */

import { afterAll, describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { cli, folder } from './cli.fixture.ts'
import { presets } from './init.ts'
import { shippedSchema } from './schema.ts'

const dir = folder()
afterAll(() => dir.remove())

describe('each preset', () => {
  for (const { name, summary } of presets()) {
    test(name, async () => {
      expect(summary).toMatch(/^[A-Z].{30,}/)
      const path = dir.file(`${name}/deep/gateway.yaml`)
      expect(await cli(['init', '--preset', name, '--config', path])).toMatchObject({
        code: 0,
        out: expect.stringContaining(`  bun run headgate check --config ${path}\n  bun run headgate serve --config ${path}\n`),
      })
      const [first] = readFileSync(path, 'utf8').split('\n')
      expect(join(dirname(path), first!.replace(/^.*\$schema=/, ''))).toBe(shippedSchema)
      const key = 'x'.repeat(20)
      for (const env of [{}, { OPENAI_API_KEY: key, ANTHROPIC_API_KEY: key, GEMINI_API_KEY: key }]) {
        const checked = await cli(['check', '--config', path], { env })
        expect([checked.code, checked.err]).toEqual([0, expect.not.stringMatching(/error|advice|warning/)])
        expect(checked.out).not.toMatch(/advice|warning/)
      }
    })
  }
})

test('a file that is there stays, unless --force', async () => {
  const path = await dir.write('mine.yaml', 'mine')
  const { name } = presets()[0]!
  const refused = await cli(['init', '--preset', name, '--config', path])
  expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('--force')])
  expect(readFileSync(path, 'utf8')).toBe('mine')
  expect((await cli(['init', '--preset', name, '--force'], { env: { HEADGATE_CONFIG: path } })).code).toBe(0)
  expect(readFileSync(path, 'utf8')).toContain('version: 1')
})

test('without a preset, with one that there is not, and --help: which there are', async () => {
  const names = presets().map(({ name }) => name)
  const none = await cli(['init'])
  expect([none.code, names.every((name) => none.err.includes(name))]).toEqual([2, true])
  const near = await cli(['init', '--preset', `${names[0]}s`])
  expect([near.code, near.err]).toEqual([2, expect.stringContaining(`did you mean ${names[0]}?`)])
  const help = await cli(['init', '--help'])
  for (const { name, summary } of presets())
    expect(help.out).toContain(`${name.padEnd(Math.max(...names.map((n) => n.length)))}  ${summary}`)
})
