/** What the tests of limits share: gateways with the plugin in them, closed after each test, and callers. */

import { afterEach, expect } from 'bun:test'
import { definePlugin, Principal, type PrincipalValue, type Refusal, Session } from 'headgate/plugin'
import { type PluginKit, type SendOptions, type TestPluginOptions, testPlugin } from 'headgate/testkit'
import rateLimit from './index.ts'

const kits: PluginKit[] = []
afterEach(async () => {
  for (const kit of kits.splice(0)) expect(await kit.close()).toBe(true)
})

/** A gateway with the plugin under this config; callers are nobody unless a call says so. */
export async function kitOf(config: object, options: TestPluginOptions = {}): Promise<PluginKit> {
  const slots = [Principal, Session].map((slot) => [slot, undefined] as const)
  const kit = await testPlugin(rateLimit, { with: config as Record<string, unknown>, slots, ...options })
  kits.push(kit)
  return kit
}

export const alice: PrincipalValue = { id: 'key_a', kind: 'key', account: 'acct_1', tier: 'paid', tags: ['eu'] }
export const bob: PrincipalValue = { ...alice, id: 'key_b' }
export const guest: PrincipalValue = { id: 'anonymous', kind: 'anonymous', account: 'anonymous', tier: 'anonymous', tags: [] }

/** A call by somebody. */
export const by = (principal: PrincipalValue | undefined, more: SendOptions = {}): SendOptions => ({
  slots: [[Principal, principal]],
  ...more,
})

/** The statuses of calls, one after another. */
export async function statuses(kit: PluginKit, ...calls: SendOptions[]): Promise<number[]> {
  const found: number[] = []
  for (const call of calls) found.push((await kit.send(call)).status)
  return found
}

/** What a reply says of limits. */
export const figures = (r: { headers: Headers }): Record<string, string> =>
  Object.fromEntries([...r.headers].filter(([name]) => name.includes('ratelimit') || name === 'retry-after'))

/** A plugin with an endpoint of its own. */
export const route = definePlugin({
  api: 1,
  name: 'with-route',
  summary: 'Has an endpoint',
  failure: 'closed',
  setup(host) {
    host.route({ method: 'GET', path: '/hello', summary: 'Says hello', handler: () => new Response('hello') })
    return {}
  },
})

/** A plugin that refuses everything, before or after the body is read. */
export function refusing(hook: 'admit' | 'request') {
  const refuse = (x: { refuse(code: 'conflict'): Refusal }): Refusal => x.refuse('conflict')
  const setup = () => (hook === 'admit' ? { admit: refuse } : { request: refuse })
  return definePlugin({ api: 1, name: `refuse-in-${hook}`, summary: 'Refuses', failure: 'closed', setup })
}
