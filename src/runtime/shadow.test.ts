/** Shadows for any plugin: who hears of them, with what, and that neither the request nor its client is touched. */

import { expect, test } from 'bun:test'
import { definePlugin, type Outcome, Principal, type Target } from '../plugin/index.ts'
import { testPlugin } from '../testkit/index.ts'

const target: Target = { upstream: 'anthropic', model: 'copy-model' }

/** Sends a copy of each request, and keeps its outcome. */
function copier(outcomes: Promise<Outcome>[], options: { after?: () => Promise<unknown>; signal?: AbortSignal; edit?: boolean } = {}) {
  const { after, edit, ...how } = options
  return definePlugin({
    api: 1,
    name: 'copier',
    summary: 'Copies',
    failure: 'open',
    setup: () => ({
      request(x) {
        if (edit) x.request.set('/top_p', 0.5)
        outcomes.push(x.shadow(target, { model: 'copied', ...how, ...(after && { after: after() }) }))
        if (edit) x.request.set('/top_p', 1)
      },
    }),
  })
}

interface Heard {
  readonly hook: string
  readonly id: string
  readonly of: string | undefined
  readonly principal: string | undefined
}
function listener(heard: Heard[], shadows: boolean) {
  const note = (hook: string, x: { id: string; shadowOf: string | undefined }, principal: { id: string } | undefined) =>
    void heard.push({ hook, id: x.id, of: x.shadowOf, principal: principal?.id })
  return definePlugin({
    api: 1,
    name: shadows ? 'hears' : 'deaf',
    summary: 'Listens',
    failure: 'closed',
    wants: [Principal],
    ...(shadows && { shadows }),
    setup: () => ({
      admit: (x) => note('admit', x, x.peek(Principal)),
      request: (x) => note('request', x, x.peek(Principal)),
      attempt: (x) => note('attempt', x, x.peek(Principal)),
      reply: (x) => note('reply', x, x.peek(Principal)),
      settle: (x) => note('settle', x, x.peek(Principal)),
    }),
  })
}

for (const stream of [true, false]) {
  test(`a copy is settled for who asked for it, with empty slots; ${stream ? 'streamed' : 'whole'}`, async () => {
    const outcomes: Promise<Outcome>[] = []
    const heard: Heard[] = []
    const deaf: Heard[] = []
    const kit = await testPlugin(copier(outcomes), {
      above: [listener(heard, true), listener(deaf, false)],
      slots: [[Principal, Principal.example]],
      upstream: (sent) => ({ text: (sent.json as { model: string }).model }),
    })
    const r = await kit.chat({ stream })
    const outcome = await outcomes[0]!
    expect(r.text).toBe('test-model')
    expect(r.outcome.attempts).toHaveLength(1)
    expect(outcome).toMatchObject({
      end: 'finished',
      modelAsked: 'copied',
      upstream: 'anthropic',
      stream,
      attempts: [{ model: 'copy-model' }],
    })
    expect(outcome.usage.source).toBe('reported')
    const ofShadow = heard.filter(({ of }) => of !== undefined)
    expect(ofShadow).toEqual(
      ['attempt', 'settle'].map((hook) => ({ hook, id: `${heard[0]!.id}-s1`, of: heard[0]!.id, principal: undefined })),
    )
    expect(deaf.every(({ of }) => of === undefined)).toBe(true)
    expect(await kit.close()).toBe(true)
  })
}

test('what is sent is the body as it stood then', async () => {
  const outcomes: Promise<Outcome>[] = []
  const sent = new Map<string, unknown>()
  const kit = await testPlugin(copier(outcomes, { edit: true }), {
    upstream: ({ json }) => {
      const { model, top_p } = json as { model: string; top_p: number }
      sent.set(model, top_p)
      return {}
    },
  })
  await kit.chat()
  await outcomes[0]
  expect([sent.get('copy-model'), sent.get('test-model')]).toEqual([0.5, 1])
  await kit.close()
})

test('several of one request have ids of their own; it may be called off before and while it runs', async () => {
  const outcomes: Promise<Outcome>[] = []
  const leaving = new AbortController()
  const kit = await testPlugin(copier(outcomes, { after: () => Promise.reject(new Error('not now')) }), {
    above: [copier(outcomes, { signal: leaving.signal })].map((plugin) => ({ plugin: { ...plugin, name: 'second' } })),
    upstream: (sent) => ((sent.json as { model: string }).model === 'copy-model' ? { body: hanging() } : {}),
  })
  await kit.chat()
  leaving.abort()
  // in the order of the list: the one above first
  const [running, waiting] = await Promise.all(outcomes)
  expect(waiting).toMatchObject({ attempts: [] })
  expect(running!.end).not.toBe('finished')
  expect(await kit.close()).toBe(true)
})

test('nothing listens to a signal any more when it is over', async () => {
  const outcomes: Promise<Outcome>[] = []
  const { signal } = new AbortController()
  let listening = 0
  const add = signal.addEventListener.bind(signal)
  const remove = signal.removeEventListener.bind(signal)
  signal.addEventListener = (...given: Parameters<typeof add>) => {
    listening++
    add(...given)
  }
  signal.removeEventListener = (...given: Parameters<typeof remove>) => {
    listening--
    remove(...given)
  }
  const kit = await testPlugin(copier(outcomes, { signal }))
  await kit.chat()
  expect(listening).toBe(1)
  await outcomes[0]
  expect(listening).toBe(0)
  await kit.close()
})

test('closing the gateway ends those under way', async () => {
  const outcomes: Promise<Outcome>[] = []
  const kit = await testPlugin(copier(outcomes), {
    upstream: (sent) => ((sent.json as { model: string }).model === 'copy-model' ? { body: hanging() } : {}),
  })
  await kit.chat()
  expect(await kit.close()).toBe(true)
  expect(await outcomes[0]).toMatchObject({ end: 'abandoned' })
})

async function* hanging(): AsyncGenerator<string> {
  yield ' '
  await new Promise(() => {})
}
