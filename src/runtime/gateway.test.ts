import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { type Folder, gatewayIn, marker, type Running, tempFolder } from '../../test/support/gateway-in.ts'
import { type AnyHooks, forever, plug } from '../../test/support/plug.ts'
import { type Plugin, slot } from '../plugin/index.ts'
import { textEvents, type UpstreamScript } from '../testkit/index.ts'

const global = globalThis as { __seen?: string[] }
let folder: Folder
beforeEach(() => {
  folder = tempFolder()
  global.__seen = []
})
afterEach(() => folder.remove())

/** Counts what happens to the instances of a plugin. */
function lifecycle(own: AnyHooks = {}) {
  const seen: string[] = []
  let made = 0
  const plugin = plug('lived', () => {
    const n = ++made
    seen.push(`setup ${n}`)
    return {
      reply: (_x, reply) => reply.headers.set('x-instance', `${n}`),
      settle: () => void seen.push(`settle ${n}`),
      ready: () => void seen.push(`ready ${n}`),
      close: () => void seen.push(`close ${n}`),
      ...own,
    }
  })
  return { plugin, seen }
}

/** A stream that waits after its first content until `go`. */
function gated() {
  const go = Promise.withResolvers<void>()
  const script: UpstreamScript = (sent) => ({
    body: (async function* () {
      const frames = sent.encode(textEvents('one', 'two'))
      yield frames.slice(0, 2).join('')
      await go.promise
      yield* frames.slice(2)
    })(),
  })
  return { script, go: () => go.resolve() }
}
const instance = async (running: Running) => (await running.send()).headers.get('x-instance')

describe('a build that fails says why, and leaves nothing behind', () => {
  const set = async (plugin: Plugin, entry: object = {}, limit = 50) =>
    await gatewayIn(folder.path, [{ use: 'tried', ...entry }], { tried: plugin }, { setupTimeout: limit }).then(
      () => 'started',
      (error: Error) => error.message,
    )
  const boom = () => {
    throw new Error('boom')
  }

  test.each<[string, () => unknown, string]>([
    ['throws', boom, 'setting it up failed: boom'],
    ['rejects', () => Promise.reject(new Error('boom')), 'setting it up failed: boom'],
    ['never returns', forever, 'setting it up failed: did not finish within 50 ms'],
    ['returns nothing', () => undefined, 'setup must return an object of hooks'],
    ['has an unknown hook', () => ({ onRequest() {} }), '"onRequest" is not a hook; there are: admit, request'],
    ['has a hook that is no function', () => ({ event: 'no' }), 'the hook event must be a function'],
    ['inspects without hold', () => ({ inspect: { window() {} } }), 'the hook inspect must have `hold`'],
    ['inspects with a function', () => ({ inspect() {} }), 'the hook inspect must have `hold`'],
    ['is not ready', () => ({ ready: boom }), 'its ready hook failed: boom'],
    ['is never ready', () => ({ ready: forever }), 'its ready hook failed: did not finish within 50 ms'],
  ])('a setup that %s', async (_what, setup, said) => {
    expect(await set({ ...plug('tried', {}), setup: setup as Plugin['setup'] })).toContain(said)
  })

  test('plugins that were set up before the one that failed are closed', async () => {
    const { plugin, seen } = lifecycle()
    const list = [{ use: 'lived' }, { use: 'broken' }]
    await expect(gatewayIn(folder.path, list, { lived: plugin, broken: plug('broken', boom) })).rejects.toThrow('boom')
    expect(seen).toEqual(['setup 1', 'close 1'])
  })

  test('plugins are closed when the demo model does not start', async () => {
    const { plugin, seen } = lifecycle()
    const running = await gatewayIn(folder.path, [], { lived: plugin })
    running.list([{ use: 'lived' }])
    running.upstream({ dialect: 'openai', base_url: 'builtin:demo' })
    await expect(running.reload()).rejects.toThrow('no demo here')
    expect(seen).toEqual(['setup 1', 'close 1'])
  })

  test('a setup that comes back too late is closed, and its tasks do not run', async () => {
    const late = Promise.withResolvers<void>()
    const seen: string[] = []
    const slow: Plugin = {
      ...plug('tried', {}),
      async setup(host) {
        await late.promise
        host.task('late', 1, () => void seen.push('task'))
        return { close: () => void seen.push('close') }
      },
    }
    expect(await set(slow)).toContain('did not finish')
    late.resolve()
    await Bun.sleep(20)
    expect(seen).toEqual(['close'])
  })

  test('a need without a provider above it, with one below, or one under a condition', async () => {
    const Token = slot('gateway-test-token', 'example')
    const plugins = { giver: plug('giver', {}, { provides: [Token] }), taker: plug('taker', {}, { needs: [Token] }) }
    const start = (list: readonly object[]) =>
      gatewayIn(folder.path, list, plugins).then(
        () => 'started',
        (e: Error) => e.message,
      )
    expect(await start([{ use: 'giver' }, { use: 'taker' }])).toBe('started')
    expect(await start([{ use: 'taker' }])).toContain('taker needs gateway-test-token, and no plugin provides it')
    expect(await start([{ use: 'taker' }, { use: 'giver' }])).toMatch(/which giver \(line \d+\) provides further down/)
    expect(await start([{ use: 'giver', when: { path: ['/x'] } }, { use: 'taker' }])).toContain('provides it only under its `when`')
    const both = [{ use: 'giver', when: { path: ['/x'] } }, { use: 'giver', id: 'giver-2' }, { use: 'taker' }]
    expect(await start(both)).toBe('started')
  })
})

describe('reload', () => {
  test('carries over an instance that nothing has changed for, whatever else does', async () => {
    const { plugin, seen } = lifecycle()
    const other = plug('other', {})
    const running = await gatewayIn(folder.path, [{ use: 'lived' }], { lived: plugin, other })
    for (const list of [
      [{ use: 'lived' }],
      [{ use: 'other' }, { use: 'lived', timeout: '1s', on_error: 'skip', when: { path: ['/v1/*'] } }],
      [{ use: 'lived' }, { use: 'other' }],
    ]) {
      running.list(list)
      expect(await running.reload()).toEqual([])
      expect(await instance(running)).toBe('1')
    }
    expect(seen.filter((s) => !s.startsWith('settle'))).toEqual(['setup 1', 'ready 1'])
    running.list([{ use: 'lived', id: 'renamed' }])
    expect(await running.reload()).toEqual([])
    expect(await instance(running)).toBe('2')
    await running.gateway.close(100)
    expect(seen.filter((s) => !s.startsWith('settle'))).toEqual(['setup 1', 'ready 1', 'setup 2', 'ready 2', 'close 1', 'close 2'])
  })

  test('state of the host outlives a new instance', async () => {
    const counting: Plugin = {
      ...plug('counting', {}),
      setup: (host) => ({
        async reply(_x, reply) {
          const n = ((await host.state.get<number>('n')) ?? 0) + 1
          await host.state.set('n', n)
          reply.headers.set('x-n', `${n}`)
        },
      }),
    }
    folder.write('p.ts', marker("'1'"))
    const running = await gatewayIn(folder.path, [{ use: 'counting' }], { counting, again: counting })
    expect((await running.send()).headers.get('x-n')).toBe('1')
    running.list([{ use: 'again', id: 'counting' }])
    expect(await running.reload()).toEqual([])
    expect((await running.send()).headers.get('x-n')).toBe('2')
    await running.gateway.close(100)
  })

  test('takes a changed plugin file; a broken one changes nothing, and can be mended', async () => {
    folder.write('p.ts', marker("'1'"))
    const running = await gatewayIn(folder.path, [{ use: './p.ts' }])
    const mark = async () => (await running.send()).headers.get('x-mark')
    expect(await mark()).toBe('1')
    for (const broken of ["throw new Error('mid-edit')", 'export default {{{', 'export default 5', "import './gone.ts'"]) {
      folder.write('p.ts', broken)
      expect(await running.reload()).toHaveLength(1)
      expect(await mark()).toBe('1')
    }
    folder.write('p.ts', marker("'2'"))
    expect(await running.reload()).toEqual([])
    expect(await mark()).toBe('2')
    expect(global.__seen!.filter((s) => s.startsWith('close'))).toEqual(['close 1'])
    await running.gateway.close(100)
    expect(global.__seen!.filter((s) => s.startsWith('close'))).toEqual(['close 1', 'close 2'])
  })

  test('an exchange in flight keeps the hooks it started with; they are closed after it has settled', async () => {
    folder.write('p.ts', marker("'1'"))
    const running = await gatewayIn(folder.path, [{ use: './p.ts' }])
    const { script, go } = gated()
    running.script(script)
    const old = await running.send({ stream: true })
    running.script({})
    folder.write('p.ts', marker("'2'"))
    expect(await running.reload()).toEqual([])
    const fresh = await running.send()
    expect([old.headers.get('x-mark'), fresh.headers.get('x-mark')]).toEqual(['1', '2'])
    expect(global.__seen).toEqual(['settle 2'])
    go()
    expect(await old.text()).toContain('[DONE]')
    await Bun.sleep(0)
    expect(global.__seen).toEqual(['settle 2', 'settle 1', 'close 1'])
    await running.gateway.close(100)
  })

  test('a file that changes while the config is asked for twice at once is built one after the other', async () => {
    const { plugin, seen } = lifecycle()
    const running = await gatewayIn(folder.path, [{ use: 'lived' }], { lived: plugin })
    expect(await Promise.all([running.reload(), running.reload(), running.reload()])).toEqual([[], [], []])
    expect(seen).toEqual(['setup 1', 'ready 1'])
    await running.gateway.close(100)
  })

  test('keeps nothing of the configs before', async () => {
    const running = await gatewayIn(folder.path, [])
    const old: WeakRef<object>[] = []
    for (let i = 0; i < 50; i++) {
      old.push(new WeakRef(running.gateway.snapshot))
      await running.reload()
    }
    await Bun.sleep(1)
    Bun.gc(true)
    expect(old.filter((ref) => ref.deref()).length).toBeLessThan(10)
    await running.gateway.close(100)
  })
})

describe('close', () => {
  test('waits for exchanges in flight, then closes', async () => {
    const { plugin, seen } = lifecycle()
    const running = await gatewayIn(folder.path, [{ use: 'lived' }], { lived: plugin })
    const { script, go } = gated()
    running.script(script)
    const response = await running.send({ stream: true })
    const closed = running.gateway.close(5000)
    await Bun.sleep(5)
    expect(seen).not.toContain('close 1')
    go()
    expect(await response.text()).toContain('[DONE]')
    expect(await closed).toBe(true)
    expect(seen.slice(-2)).toEqual(['settle 1', 'close 1'])
  })

  test('cuts what is not over in time, and still closes each instance once, old ones too', async () => {
    const { plugin, seen } = lifecycle()
    const running = await gatewayIn(folder.path, [{ use: 'lived' }], { lived: plugin, again: plugin })
    const { script, go } = gated()
    running.script(script)
    const first = await running.send({ stream: true })
    running.list([{ use: 'again', id: 'lived' }])
    expect(await running.reload()).toEqual([])
    const second = await running.send({ stream: true })
    expect(await running.gateway.close(20)).toBe(false)
    expect(seen.filter((s) => s.startsWith('close'))).toEqual(['close 1', 'close 2'])
    go()
    await Promise.all([first.text(), second.text()])
    await Bun.sleep(5)
    expect(seen.filter((s) => s.startsWith('close'))).toEqual(['close 1', 'close 2'])
  })

  test('is not held up by a close or a task that fails', async () => {
    const failing: Plugin = {
      ...plug('failing', {}),
      setup(host) {
        host.task('t', 1, () => {
          throw new Error('task')
        })
        return {
          close() {
            throw new Error('close')
          },
        }
      },
    }
    const running = await gatewayIn(folder.path, [{ use: 'failing' }], { failing })
    await Bun.sleep(10)
    expect(await running.gateway.close(1000)).toBe(true)
  })

  test('waits for a setup that is still running', async () => {
    const { plugin, seen } = lifecycle()
    const slow: Plugin = { ...plugin, setup: (...args) => Bun.sleep(20).then(() => plugin.setup(...args)) }
    const running = await gatewayIn(folder.path, [], { slow })
    running.list([{ use: 'slow' }])
    const reloading = running.reload()
    expect(await running.gateway.close(1000)).toBe(true)
    expect(await reloading).toEqual([])
    expect(seen).toEqual(['setup 1', 'ready 1', 'close 1'])
  })
})
