/** Bodies that are given back at settlement, where somebody is late: copies, settle hooks, `around` hooks for which nobody waits any more. */

import { expect, test } from 'bun:test'
import { definePlugin, type Exchange, type Hooks, type Outcome } from '../plugin/index.ts'
import { testPlugin, textEvents } from '../testkit/index.ts'

type X = Exchange
const plugin = (name: string, hooks: Hooks) => definePlugin({ api: 1, name, summary: 'Looks late', failure: 'open', setup: () => hooks })
/** A promise, and what resolves it. */
const gate = () => Promise.withResolvers<void>()

test('a copy of a request whose edits undo each other is whole, however late it is sent', async () => {
  for (const edit of [
    (x: X) => x.request.set('/model', 'test-model'),
    (x: X) => {
      x.request.set('/metadata', 'a')
      x.request.remove('/metadata')
    },
    (x: X) => x.request.remove('/nothing'),
  ]) {
    const later = gate()
    let copy: Promise<Outcome> | undefined
    const asked: unknown[] = []
    const kit = await testPlugin(
      plugin('copier', {
        request(x) {
          edit(x)
          copy = x.shadow({ upstream: 'openai', model: 'copied' }, { after: later.promise })
        },
      }),
      { upstream: ({ json }) => asked.push(json) && {} },
    )
    await kit.chat()
    later.resolve()
    expect((await copy!).end).toBe('finished')
    expect(asked[1]).toEqual({ ...(asked[0] as object), model: 'copied' })
    await kit.close()
  }
})

test('a settle hook that outlives its time has the body for good', async () => {
  const later = gate()
  const seen = gate()
  let json: unknown
  const kit = await testPlugin(
    plugin('late', {
      async settle(x) {
        const { request } = x
        await later.promise
        json = request.json
        seen.resolve()
      },
    }),
    { timeout: 20 },
  )
  const { outcome } = await kit.chat()
  expect(outcome.end).toBe('finished')
  // the next one settles behind it
  await kit.close()
  later.resolve()
  await seen.promise
  expect(json).toMatchObject({ messages: [{}] })
})

test('an `around` hook for which nobody waits any more looks at the request as before, and its call is not made', async () => {
  const later = gate()
  const done = gate()
  let seen = ''
  let late: unknown
  const inner = plugin('inner', {
    async around(x, next) {
      await later.promise
      seen = Buffer.from(x.request.borrowed).toString()
      const reply = await next()
      late = [reply.ok, reply.status]
      done.resolve()
      return reply
    },
  })
  const kit = await testPlugin(
    plugin('outer', {
      around(x, next) {
        next().catch(() => {})
        return Promise.resolve(x.reply([{ type: 'text', text: 'mine', choice: 0 }]))
      },
    }),
    { below: [inner] },
  )
  const made = await kit.chat()
  expect(made.text).toBe('mine')
  later.resolve()
  await done.promise
  expect([made.sent.length, late]).toEqual([0, [false, 499]])
  expect(JSON.parse(seen)).toMatchObject({ messages: [{}] })
  expect(made.outcome.verdicts.filter(({ did }) => did.startsWith('failed'))).toEqual([])
  await kit.close()
})

test('a resume hook that still thinks when its client has gone looks at the request as before', async () => {
  const asked = gate()
  const later = gate()
  const done = gate()
  let seen = ''
  const kit = await testPlugin(
    plugin('resumes', {
      async resume(x) {
        asked.resolve()
        await later.promise
        try {
          seen = Buffer.from(x.request.borrowed).toString()
        } finally {
          done.resolve()
        }
        return undefined
      },
    }),
    { upstream: () => ({ events: textEvents('One'), breakAfter: 2 }) },
  )
  const call = kit.start({ body: { stream: true } })
  await call.read()
  await asked.promise
  call.abort()
  await call.outcome()
  later.resolve()
  await done.promise
  expect(JSON.parse(seen)).toMatchObject({ messages: [{}] })
  await kit.close()
})
