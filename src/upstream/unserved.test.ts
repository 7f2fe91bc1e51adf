/** A good answer that a plugin refuses before anything of it has left: its client was given the refusal alone, and the outcome says so. */

import { expect, test } from 'bun:test'
import { plug } from '../../test/support/plug.ts'
import type { Hooks } from '../plugin/index.ts'
import { testPlugin } from '../testkit/index.ts'

const refusing: Readonly<Record<string, Hooks>> = {
  event: { event: (_x, event) => (event.type === 'text' ? { type: 'error', kind: 'content_filter', message: 'No.' } : undefined) },
  inspect: { inspect: { hold: 5, window: (x) => x.refuse('content_filter', 'No.') } },
}

test.each(Object.keys(refusing))('a whole reply, by %s', async (hook) => {
  const kit = await testPlugin(plug(hook, refusing[hook]!))
  const { status, outcome } = await kit.chat()
  expect(status).toBe(400)
  expect(outcome).toMatchObject({ end: 'refused', code: 'content_filter', streamState: 'none' })
  expect([outcome.served, outcome.modelServed]).toEqual([undefined, undefined])
  // the provider is paid all the same
  expect(outcome.attempts).toMatchObject([{ usage: { source: 'reported' } }])
  expect(await kit.close()).toBe(true)
})
