/** `holdsEnd`: a client has the end of its answer when all has settled, and not before; nobody waits for a hook that hangs. */

import { afterEach, expect, test } from 'bun:test'
import { definePlugin } from '../plugin/index.ts'
import { type Call, type PluginKit, testPlugin } from '../testkit/index.ts'

let kit: PluginKit
afterEach(async () => {
  await kit.close()
})

const holding = (settle: () => Promise<void> | undefined, holdsEnd = true) =>
  definePlugin({
    api: 1,
    name: 'holding',
    summary: 'Settles when the test says so',
    failure: 'open',
    holdsEnd,
    setup: (host) => {
      host.route({ method: 'GET', path: '/extra', summary: 'An extra endpoint', handler: () => new Response('ok') })
      return { settle }
    },
  })

/** Whether a promise is over after others had their turns. */
async function isOver(promise: Promise<unknown>): Promise<boolean> {
  let over = false
  void promise.then(() => {
    over = true
  })
  await Bun.sleep(20)
  return over
}

test.each([true, false])('the end of an answer waits (stream: %p)', async (stream) => {
  const gate = Promise.withResolvers<void>()
  kit = await testPlugin(holding(() => gate.promise))
  const result = kit.chat({ stream })
  expect(await isOver(result)).toBe(false)
  gate.resolve()
  expect((await result).text).toBe('Hello from upstream')
})

/** A call of which all but the end has come. */
async function allButEnd(body: object): Promise<Call> {
  const call = kit.start({ body: { ...body } })
  for (let text = ''; !text.includes('[DONE]'); ) text += await call.read()
  return call
}

test('what streams comes at once, but for its end', async () => {
  const gate = Promise.withResolvers<void>()
  kit = await testPlugin(holding(() => gate.promise))
  const end = (await allButEnd({ stream: true })).read()
  expect(await isOver(end)).toBe(false)
  gate.resolve()
  expect(await end).toBeUndefined()
})

test('refusals, answers to other dialects and routes wait too', async () => {
  let gate = Promise.withResolvers<void>()
  kit = await testPlugin(holding(() => gate.promise))
  kit.upstream({ status: 500 })
  for (const ask of [() => kit.chat(), () => kit.messages({ stream: true }), () => kit.fetch('/extra')]) {
    gate = Promise.withResolvers()
    const asked = ask()
    expect(await isOver(asked)).toBe(false)
    gate.resolve()
    await asked
  }
})

test('a client that leaves meanwhile harms nobody', async () => {
  const gate = Promise.withResolvers<void>()
  kit = await testPlugin(holding(() => gate.promise))
  const call = await allButEnd({ stream: true })
  call.abort()
  await Bun.sleep(5)
  gate.resolve()
  expect((await call.outcome()).end).toBe('finished')
})

test('a hook that hangs or fails lets go', async () => {
  kit = await testPlugin(
    holding(() => new Promise(() => {})),
    { timeout: 30 },
  )
  expect((await kit.chat({ stream: true })).text).toBe('Hello from upstream')
  await kit.close()
  kit = await testPlugin(holding(() => Promise.reject(new Error('no'))))
  expect((await kit.chat()).text).toBe('Hello from upstream')
})

test('without it nobody waits', async () => {
  const gate = Promise.withResolvers<void>()
  kit = await testPlugin(holding(() => gate.promise, false))
  expect(await (await allButEnd({ stream: true })).read()).toBeUndefined()
  const whole = kit.start()
  expect((await whole.head()).status).toBe(200)
  gate.resolve()
})
