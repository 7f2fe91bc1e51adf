/** What the tests of sessions share: a gateway with the plugin in it, callers, and what plugins below it were told. */

import { afterEach, expect } from 'bun:test'
import { definePlugin, Principal, type PrincipalValue, Session, type SessionValue } from 'headgate/plugin'
import { type PluginKit, type Result, type SendOptions, type TestPluginOptions, testPlugin } from 'headgate/testkit'
import session from './index.ts'

const kits: PluginKit[] = []
afterEach(async () => {
  for (const kit of kits.splice(0)) expect(await kit.close()).toBe(true)
})

export const alice: PrincipalValue = { id: 'key_a', kind: 'key', account: 'acct_1', tags: [] }
export const aliceToo: PrincipalValue = { ...alice, id: 'key_b' }
export const bob: PrincipalValue = { ...alice, account: 'acct_2' }

export interface Told extends Result {
  /** The slot, as plugins below saw it. */
  readonly session: SessionValue | undefined
  readonly tokens: number | undefined
}

export interface Talk {
  readonly kit: PluginKit
  /** A Chat request with these messages. */
  chat(messages: readonly object[], more?: Omit<SendOptions, 'body'> & { body?: object; who?: PrincipalValue }): Promise<Told>
  /** A request of any dialect, with this body. */
  say(dialect: string, body: object, more?: SendOptions & { who?: PrincipalValue }): Promise<Told>
  /** What was told of a request that is on its way. */
  told(id: string): SessionValue | undefined
}

export async function talk(options: TestPluginOptions = {}): Promise<Talk> {
  const seen = new Map<string, SessionValue | undefined>()
  const tokens = new Map<string, number | undefined>()
  const watcher = definePlugin({
    api: 1,
    name: 'watcher',
    summary: 'Notes which session a request has',
    wants: [Session],
    failure: 'open',
    setup: () => ({
      request(x) {
        const value = x.peek(Session)
        seen.set(x.id, value)
        tokens.set(x.id, value?.inputTokens?.())
      },
    }),
  })
  const kit = await testPlugin(session, {
    with: { secret: 'a secret of these tests' },
    slots: [[Principal, alice]],
    ...options,
    below: [watcher, ...(options.below ?? [])],
  })
  kits.push(kit)
  const told = (result: Result): Told => ({ ...result, session: seen.get(result.id), tokens: tokens.get(result.id) })
  const slotsOf = (who: PrincipalValue | undefined) => (who ? { slots: [[Principal, who]] as const } : {})
  return {
    kit,
    told: (id) => seen.get(id),
    chat: async (messages, { body, who, ...more } = {}) =>
      told(await kit.send({ ...more, ...slotsOf(who), dialect: 'openai-chat', body: { messages, ...body } })),
    say: async (dialect, body, { who, ...more } = {}) =>
      told(await kit.send({ ...more, ...slotsOf(who), dialect, body: JSON.stringify({ model: 'test-model', ...body }) })),
  }
}

export const user = (text: string) => ({ role: 'user', content: text })
export const system = (text: string) => ({ role: 'system', content: text })
export const assistant = (text: string) => ({ role: 'assistant', content: text })
