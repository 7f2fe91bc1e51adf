/** Files made from the sources are up to date: the editor's schema and the config tables of the READMEs. */

import { afterEach, beforeEach, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { composition } from '../main.ts'
import { cli, config, type Folder, folder } from './cli.fixture.ts'
import { pluginReadmes } from './docs.ts'
import { schemaText, shippedSchema } from './schema.ts'

let dir: Folder
beforeEach(() => {
  dir = folder()
})
afterEach(() => dir.remove())

test('config/gateway.schema.json is up to date (headgate schema --out config/gateway.schema.json)', async () => {
  expect(readFileSync(shippedSchema, 'utf8') === (await schemaText(composition.builtins))).toBe(true)
  expect((await cli(['schema', '--check'])).code).toBe(0)
})

test('the config tables of the plugin READMEs are up to date (headgate docs plugins)', async () => {
  const stale = (await pluginReadmes(composition.builtins)).filter(
    ({ file, text }) => text === undefined || readFileSync(file, 'utf8') !== text,
  )
  expect(stale.map((r) => r.file)).toEqual([])
})

test('--out writes, --check tells fresh from stale', async () => {
  const file = dir.file('deep/schema.json')
  expect((await cli(['schema', '--out', file, '--check'])).code).toBe(1)
  expect(await cli(['schema', '--out', file])).toMatchObject({ code: 0, out: '' })
  expect((await cli(['schema', '--out', file, '--check'])).code).toBe(0)
  expect((await cli(['schema'])).out).toBe(readFileSync(file, 'utf8'))
  await dir.write('deep/schema.json', '{}\n')
  const { code, err } = await cli(['schema', '--out', file, '--check'])
  expect(code).toBe(1)
  expect(err).toContain('is not up to date')
})

test('with --config the schema knows that file’s own plugins', async () => {
  await dir.write(
    'tags.ts',
    `import { definePlugin, Type } from 'headgate/plugin'
     export default definePlugin({ api: 1, name: 'tags', summary: 'Tags things', failure: 'open', config: Type.Object({ label: Type.String() }), setup: () => ({}) })`,
  )
  const path = await dir.write('gateway.yaml', config('  - use: ./tags.ts\n    with: { label: x }\n  - use: router'))
  const { out } = await cli(['schema', '--config', path])
  expect(out).toContain('"const": "./tags.ts"')
  expect(out).toContain('"label"')
})

test('docs takes one word', async () => {
  expect((await cli(['docs'])).code).toBe(2)
  expect((await cli(['docs', 'plugin'])).code).toBe(2)
})
