/**
 * Plugins that are not there, do not load, throw in each hook or never return: the start says so by line, or the answer follows the
 * failure mode, and the gateway lives on.
 */

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { type BadUpstream, startBadUpstream } from '../support/bad-upstream.ts'
import { bodyOf, call, envelope, families, verdictOf } from '../support/client.ts'
import { runGateway, startGateway } from '../support/gateway.ts'
import { authPlugin, gatewayConfig } from '../support/gateway-config.ts'
import { startLocalGateway } from '../support/local-gateway.ts'
import { until, within } from '../support/within.ts'

setDefaultTimeout(30_000)

const hooks = ['admit', 'request', 'around', 'attempt', 'reply', 'event', 'inspect', 'settle'] as const
type Hook = (typeof hooks)[number]
type Fault = 'throws' | 'rejects' | 'never returns' | 'returns nonsense'
const faults: readonly Fault[] = ['throws', 'rejects', 'never returns', 'returns nonsense']
const sync: readonly Hook[] = ['event', 'inspect']
/** Results of these are not looked at. */
const ignored: readonly Hook[] = ['reply', 'settle']

const bodies: Readonly<Record<Fault, string>> = {
  throws: `throw new Error('a secret reason')`,
  rejects: `return Promise.reject(new Error('a secret reason'))`,
  'never returns': 'return new Promise(() => {})',
  'returns nonsense': `return { nonsense: 'a secret reason' }`,
}

function source(hook: Hook, fault: Fault): string {
  const member = hook === 'inspect' ? `inspect: { hold: 4, window() { ${bodies[fault]} } }` : `${hook}() { ${bodies[fault]} }`
  return pluginSource(`setup: () => ({ ${member} })`)
}

function pluginSource(rest: string): string {
  return `import { definePlugin } from 'headgate/plugin'\nexport default definePlugin({ api: 1, name: 'faulty', summary: 'Fails', failure: 'closed', ${rest} })\n`
}

let bad: BadUpstream
beforeAll(async () => {
  bad = await startBadUpstream()
})
afterAll(() => bad.stop())

const configOf = (plugin: object) =>
  gatewayConfig({ upstream: bad.url, plugins: [{ use: 'probe' }, authPlugin, plugin, { use: 'router' }] })

describe.concurrent('a plugin whose hook', () => {
  const cases = hooks.flatMap((hook) =>
    faults
      .filter((fault) => !(ignored.includes(hook) && fault === 'returns nonsense'))
      .flatMap((fault) => [true, false].map((open) => ({ hook, fault, open, mode: open ? 'open' : 'closed' }))),
  )
  test.each(cases)('$hook $fault, failing $mode', async ({ hook, fault, open }) => {
    const gateway = await startLocalGateway(configOf({ use: './faulty.ts', on_error: open ? 'skip' : 'refuse', timeout: '50ms' }), {
      'faulty.ts': source(hook, fault),
    })
    const well = open || hook === 'settle'
    const failed: string[] = []
    for (const family of families) {
      for (const stream of [true, false]) {
        const answer = await within(3000, 'an answer', call(family, gateway.url, bodyOf('cat/known', stream)))
        const outcome = await gateway.outcome(answer.id)
        expect(answer.text).not.toContain('secret')
        failed.push(answer.id)
        if (well) {
          expect([answer.status, outcome.end]).toEqual([200, 'finished'])
          if (stream) expect(verdictOf(family, answer.text)).toBe('success')
          expect(answer.text.length).toBeGreaterThan(100)
          continue
        }
        expect(['refused', 'failed']).toContain(outcome.end)
        expect(outcome.code).toBe('plugin_failed')
        if (answer.status === 200) expect(verdictOf(family, answer.text)).toBe('error-frame')
        else {
          expect(answer.status).toBe(500)
          expect(envelope(family, answer.text).message).toContain('faulty')
        }
        expect(answer.text).not.toContain('message_stop')
        expect(answer.text).not.toContain('[DONE]')
      }
    }
    await until(2000, 'nothing is in flight', () => gateway.gateway.snapshot.inflight === 0)
    // the operator is told why; what a promise of a synchronous hook would have said comes too late
    expect(gateway.log()).toContain(`faulty: hook ${hook} failed`)
    for (const id of failed) expect(gateway.log()).toContain(id)
    if (fault === 'throws') expect(gateway.log()).toMatch(/faulty\.ts:\d+:\d+/)
    if (fault === 'throws' || (fault === 'rejects' && !sync.includes(hook))) expect(gateway.log()).toContain('a secret reason')
    await gateway.stop()
  })
})

test('a plugin that fails behind the back of its hooks takes nobody with it', async () => {
  const late = "setTimeout(() => { throw new Error('late throw') }, 5); void Promise.reject(new Error('late rejection'))"
  const gateway = await startGateway({
    config: gatewayConfig({ upstream: bad.url, plugins: [authPlugin, { use: './faulty.ts' }, { use: 'router' }] }),
    files: { 'faulty.ts': pluginSource(`setup: () => ({ request() { ${late} } })`) },
  })
  for (const family of families) expect((await call(family, gateway.url, bodyOf('cat/known', true))).status).toBe(200)
  await until(2000, 'the operator is told', () => gateway.err().includes('late throw') && gateway.err().includes('late rejection'))
  for (const family of families) expect((await call(family, gateway.url, bodyOf('cat/known', true))).status).toBe(200)
  expect(await gateway.stop()).toBe(0)
})

describe.concurrent('a plugin that', () => {
  const cases: readonly [string, string, string | undefined, RegExp][] = [
    ['is not there', './nowhere.ts', undefined, /there is no file .*nowhere\.ts/],
    ['is a folder', './', undefined, /is not a file/],
    ['is an unknown name', 'rate-limits', undefined, /rate-limit/],
    ['is a URL', 'https://example.com/plugin.ts', undefined, /never loaded from a URL/],
    ['throws at load', './faulty.ts', `throw new Error('thrown at load')`, /loading it failed: thrown at load/],
    ['is not TypeScript', './faulty.ts', 'export default { this is not TypeScript', /loading it failed/],
    ['exports no plugin', './faulty.ts', 'export default { name: 1 }', /not a plugin/],
    [
      'throws in setup',
      './faulty.ts',
      pluginSource(`setup() { throw new Error('thrown in setup') }`),
      /setting it up failed: thrown in setup/,
    ],
    [
      'rejects in setup',
      './faulty.ts',
      pluginSource(`async setup() { throw new Error('thrown in setup') }`),
      /setting it up failed: thrown in setup/,
    ],
    ['has an unknown hook', './faulty.ts', pluginSource('setup: () => ({ reqest() {} })'), /"reqest" is not a hook/],
    [
      'throws in ready',
      './faulty.ts',
      pluginSource(`setup: () => ({ ready() { throw new Error('not ready') } })`),
      /ready hook failed: not ready/,
    ],
  ]
  test.each(cases)('%s: the start is refused with its line', async (_, use, text, says) => {
    const config = gatewayConfig({ upstream: 'http://127.0.0.1:9', plugins: [authPlugin, { use }, { use: 'router' }] })
    const line = config.split('\n').findIndex((l) => l.includes(`"use": "${use}"`)) + 1
    const { code, err, out } = await runGateway({ config, ...(text !== undefined && { files: { 'faulty.ts': text } }) })
    expect(err).toMatch(says)
    expect(err).toMatch(new RegExp(`gateway\\.yaml:(${line}|${line - 1}):\\d+`))
    expect(err).toContain('plugins[1]')
    expect(out).not.toContain('Headgate is up')
    expect(code).toBe(1)
  })
})
