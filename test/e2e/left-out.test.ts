/** Upstreams that are `optional` and miss their key: whoever names them or their models starts all the same. */

import { afterEach, expect, test } from 'bun:test'
import router from '../../plugins/router/index.ts'
import { gatewayIn, type Running, tempFolder } from '../support/gateway-in.ts'

const folder = tempFolder()
let running: Running | undefined
afterEach(async () => {
  await running?.gateway.close(1000)
  running = undefined
  folder.remove()
})

const configOf = (more: object) =>
  JSON.stringify({
    version: 1,
    upstreams: {
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the notation of the config file
      off: { dialect: 'openai', base_url: 'http://off.test/v1', key: '${env:ABSENT}', optional: true },
      on: { dialect: 'openai', base_url: 'http://on.test/v1' },
    },
    models: { m: { targets: [{ upstream: 'off' }, { upstream: 'on' }] }, only: { targets: [{ upstream: 'off' }] } },
    plugins: [{ use: 'router', with: more }],
  })

test('a router that names them', async () => {
  const config = configOf({
    default_model: 'only',
    aliases: { fast: 'm', best: 'only' },
    fallback_models: { m: ['only'] },
    shadow: { to: 'only', share: 1 },
    checks: { off: { path: '/' } },
    concurrency: { upstreams: { off: 1 } },
  })
  running = await gatewayIn(folder.path, [], { router }, { configText: () => config })
  expect((await running.send({ model: 'fast' })).status).toBe(200)
  expect((await running.send({ model: 'best' })).status).toBe(404)
  const unnamed = await running.send({ model: '' })
  expect([unnamed.status, await unnamed.text()]).toEqual([400, expect.stringContaining('names no model')])
})

test('names that nobody wrote stay mistakes, all of them in one', async () => {
  const config = configOf({ default_model: 'onyl', aliases: { fast: 'mm' }, checks: { of: { path: '/' } } })
  const started = gatewayIn(folder.path, [], { router }, { configText: () => config })
  await expect(started).rejects.toThrow(/default_model: .*"onyl".* aliases\.fast: .*"mm".* checks: .*"of"/)
})
