import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { type Folder, gatewayIn, tempFolder } from '../../test/support/gateway-in.ts'
import { definePlugin } from '../plugin/index.ts'
import type { StateStore } from '../store/state.ts'
import { MemoryState } from '../store/state-memory.ts'
import { textEvents } from '../testkit/index.ts'
import { keptStores } from './kept-stores.ts'

let folder: Folder
beforeEach(() => {
  folder = tempFolder()
})
afterEach(() => folder.remove())

/** Stores that tell what happens to them. */
function told() {
  const seen: string[] = []
  const open = async (where: string): Promise<StateStore> => {
    seen.push(`open ${where}`)
    const store = new MemoryState({ now: Date.now })
    return {
      scoped: (scope) => store.scoped(scope),
      problem: where.includes('broken') ? `${where} can't be reached` : undefined,
      async close() {
        seen.push(`close ${where}`)
        await store.close()
      },
    }
  }
  return { seen, open }
}

/** Counts in shared state; the count is in a header. */
const counter = definePlugin({
  api: 1,
  name: 'counter',
  summary: 'Counts',
  failure: 'closed',
  setup: (host) => ({
    async reply(_x, reply) {
      reply.headers.set('x-count', `${await host.state.add('n', 1)}`)
    },
  }),
})

describe('shared state of a running gateway', () => {
  test('is one for all, stays over a reload, and goes with the last config that names it', async () => {
    const { seen, open } = told()
    let state = 'redis://a'
    const start = (entries: readonly object[]) => {
      const configText = () =>
        JSON.stringify({
          version: 1,
          state,
          upstreams: { openai: { dialect: 'openai', base_url: 'http://upstream.test/v1' } },
          plugins: [...entries, { use: 'router' }],
        })
      return gatewayIn(folder.path, [], { counter }, { configText, openState: open })
    }
    const running = await start([{ use: 'counter' }, { use: 'counter', id: 'second' }])
    const count = async () => (await running.send()).headers.get('x-count')
    expect(seen).toEqual(['open redis://a'])
    expect(await count()).toBe('1')
    expect(await running.reload()).toEqual([])
    expect(await count()).toBe('2')
    expect(seen).toHaveLength(1)

    // an exchange in flight holds the old config, and so the old store
    const go = Promise.withResolvers<void>()
    running.script((sent) => ({
      body: (async function* () {
        const frames = sent.encode(textEvents('one', 'two'))
        yield frames.slice(0, 2).join('')
        await go.promise
        yield* frames.slice(2)
      })(),
    }))
    const streaming = await running.send({ stream: true })
    state = 'redis://b'
    expect(await running.reload()).toEqual([])
    expect(seen).toEqual(['open redis://a', 'open redis://b'])
    go.resolve()
    expect(await streaming.text()).toContain('two')
    running.script({})
    expect(await count()).toBe('1')
    await running.reload() // comes after the closing of what has retired
    expect(seen).toEqual(['open redis://a', 'open redis://b', 'close redis://a'])

    state = 'memory'
    await running.reload()
    await running.gateway.close(1000)
    expect(seen.slice(3).sort()).toEqual(['close memory', 'close redis://b', 'open memory'])
  })

  test('a build that fails closes what it opened and keeps what runs', async () => {
    const { seen, open } = told()
    let state = 'redis://a'
    let use = 'counter'
    const configText = () =>
      JSON.stringify({
        version: 1,
        state,
        upstreams: { openai: { dialect: 'openai', base_url: 'http://upstream.test/v1' } },
        plugins: [{ use }, { use: 'router' }],
      })
    const running = await gatewayIn(folder.path, [], { counter }, { configText, openState: open })
    state = 'redis://broken'
    use = 'nobody'
    expect(await running.reload()).toHaveLength(1)
    expect(running.gateway.storeProblems).toEqual({})
    expect((await running.send()).headers.get('x-count')).toBe('1')
    use = 'counter'
    expect(await running.reload()).toEqual([])
    expect(running.gateway.storeProblems).toEqual({ state: "redis://broken can't be reached" })
    await running.gateway.close(1000)
    expect(seen.filter((s) => s === 'close redis://broken')).toHaveLength(2)
    expect(seen.filter((s) => s === 'close redis://a')).toHaveLength(1)
  })

  test('a store that closes badly is told of and stops nothing', async () => {
    const failures: unknown[] = []
    const kept = keptStores(
      async (where) => ({ where, close: () => Promise.reject(new Error(where)) }),
      (error) => failures.push(error),
    )
    expect(await kept.use('a')).toBe(await kept.use('a'))
    await kept.use('b')
    await kept.keepOnly(new Set(['b']))
    await kept.keepOnly(new Set())
    expect(failures.map(String)).toEqual(['Error: a', 'Error: b'])
  })
})
