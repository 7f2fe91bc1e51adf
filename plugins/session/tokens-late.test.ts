import { expect, test } from 'bun:test'
import { definePlugin, Principal, Session, type SessionValue } from 'headgate/plugin'
import { testPlugin } from 'headgate/testkit'
import session from './index.ts'
import { alice, user } from './talk.fixture.ts'

test('how many tokens a request will have can be asked for when its body is gone', async () => {
  const slots: SessionValue[] = []
  const keeper = definePlugin({
    api: 1,
    name: 'keeper',
    summary: 'Asks late',
    wants: [Session],
    failure: 'open',
    setup: () => ({
      request(x) {
        slots.push(x.peek(Session)!)
      },
    }),
  })
  const kit = await testPlugin(session, {
    with: { secret: 'a secret of these tests' },
    slots: [[Principal, alice]],
    below: [keeper],
    upstream: { status: 400 },
  })
  const text = 'some words of a long prompt '.repeat(200)
  await kit.chat({ messages: [user(text)] })
  await kit.close()
  expect(slots[0]!.inputTokens!()).toBeGreaterThan(500)
})
