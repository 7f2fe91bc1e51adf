import { afterEach, beforeEach, describe, expect, spyOn, test } from 'bun:test'
import { join } from 'node:path'
import { type Folder, gatewayIn, marker, tempFolder } from '../../test/support/gateway-in.ts'
import { plug } from '../../test/support/plug.ts'
import { type LoadedPlugin, loadPlugin, versionOf } from './load-plugin.ts'

let folder: Folder
beforeEach(() => {
  folder = tempFolder()
})
afterEach(() => folder.remove())

const builtins = { shipped: () => Promise.resolve({ default: plug('shipped', {}) }) }
const load = (use: string, limit?: number) => loadPlugin(use, join(folder.path, 'gateway.yaml'), builtins, limit)
const problem = (loaded: LoadedPlugin) => ('problem' in loaded ? `${loaded.problem}; ${loaded.fix}` : `loaded ${loaded.plugin.name}`)

describe('a use names', () => {
  test('a built-in plugin, which wins over packages', async () => {
    folder.write('node_modules/shipped/index.ts', 'export default 1')
    expect(await load('shipped')).toMatchObject({ plugin: { name: 'shipped' }, version: 'builtin' })
  })

  test('a path relative to the config file, or an absolute one', async () => {
    const file = folder.write('plugins/mine.ts', marker("'1'"))
    expect(await load('./plugins/mine.ts')).toMatchObject({ plugin: { name: 'marker' }, file })
    expect(await load(file)).toMatchObject({ file })
    expect(problem(await load('../nothing.ts'))).toContain('there is no file')
    expect(problem(await load('./plugins'))).toContain('is not a file')
  })

  test('an installed package beside the config file', async () => {
    folder.write('node_modules/headgate-plugin-x/package.json', '{"name":"headgate-plugin-x","main":"lib/main.ts","type":"module"}')
    folder.write('node_modules/headgate-plugin-x/lib/main.ts', marker('mark', "import { mark } from './mark.ts'"))
    const dependency = folder.write('node_modules/headgate-plugin-x/lib/mark.ts', "export const mark = 'p'")
    const loaded = await load('headgate-plugin-x')
    expect(loaded).toMatchObject({ plugin: { name: 'marker' } })
    expect((loaded as { version: string }).version).toContain(dependency)
  })

  test.each(['https://example.com/plugin.ts', 'http://x/y.ts', 'file:///etc/passwd', 'HTTPS://x/y.ts', 'data://text,x'])(
    'never a URL: %s',
    async (use) => {
      expect(problem(await load(use))).toBe('a plugin is never loaded from a URL; save it as a file and write ./its-name.ts')
    },
  )

  test.each(['nothing', '@scope/nothing', 'toString', '__proto__', 'data:text/javascript,export default 1', 'node:fs', 'bun'])(
    'nothing: %s',
    async (use) => {
      expect(problem(await load(use))).toContain('Built in are: shipped')
    },
  )

  test('a built-in that it comes near', async () => {
    expect(problem(await load('shiped'))).toContain('did you mean shipped?')
  })

  test('never what is only in the package registry: Bun would download and run it', async () => {
    const resolve = spyOn(Bun, 'resolveSync')
    try {
      for (const use of ['left-pad', '@scope/pad', 'left-pad/lib/x.js']) expect(problem(await load(use))).toContain('no installed package')
      expect(resolve).not.toHaveBeenCalled()
    } finally {
      resolve.mockRestore()
    }
  })
})

describe('a plugin file that', () => {
  test.each<[string, string, string | RegExp]>([
    ['throws at load', "throw new Error('no luck today\\nsecret second line')", 'loading it failed: no luck today; mend'],
    ['does not parse', 'export default {{{', /loading it failed: \/.*\/p\.ts:1:\d+ Expected identifier/],
    ['imports what is not there', "import './nothing.ts'; export default 1", 'loading it failed'],
    ['exports nothing', 'export const a = 1', 'its default export is not a plugin'],
    ['exports a function', 'export default () => ({})', 'its default export is not a plugin'],
    ['exports something alike', "export default { api: 2, name: 'x', setup() {}, needs: [] }", 'its default export is not a plugin'],
    [
      'has a bad name',
      "import { definePlugin } from 'headgate/plugin'\nexport default definePlugin({ api: 1, name: 'Bad Name' })",
      'kebab-case',
    ],
    ['never finishes loading', 'await new Promise(() => {}); export default 1', 'loading it failed: did not finish within 200 ms'],
  ])('%s is a mistake, and can be mended', async (_what, source, said) => {
    folder.write('p.ts', source)
    for (let i = 0; i < 2; i++) {
      const answer = problem(await load('./p.ts', 200))
      if (said instanceof RegExp) expect(answer).toMatch(said)
      else expect(answer).toContain(said)
    }
    folder.write('p.ts', marker("'mended'"))
    expect(problem(await load('./p.ts'))).toBe('loaded marker')
  })
})

describe('versions', () => {
  test('change with the file and with what it imports by relative path, and with nothing else', async () => {
    const file = folder.write('a/p.ts', marker('mark', "import { mark } from '../lib/mark.ts'"))
    folder.write('lib/mark.ts', "export * from './deep.js'")
    folder.write('lib/deep.js', "export const mark = 'deep'")
    folder.write('a/neighbour.ts', marker("'neighbour'"))
    const first = await load('./a/p.ts')
    await load('./a/neighbour.ts')
    folder.write('a/neighbour.ts', marker("'neighbour 2'"))
    expect(await load('./a/p.ts')).toEqual(first)
    const version = versionOf(file)
    folder.write('lib/deep.js', "export const mark = 'deeper'")
    expect(versionOf(file)).not.toBe(version)
  })

  test('imports that go round in a circle end', async () => {
    folder.write('p.ts', marker('mark', "import { mark } from './a.ts'"))
    folder.write('a.ts', "import './b.ts'; export const mark = 'round'")
    folder.write('b.ts', "import './a.ts'; import './p.ts'")
    expect(problem(await load('./p.ts'))).toBe('loaded marker')
  })

  test('a changed file is imported afresh, and nothing but its own modules is dropped', async () => {
    const running = await gatewayIn(
      folder.path,
      [{ use: folder.write('p.ts', marker('mark', "import { mark } from './mark.ts'")) && './p.ts' }],
      {},
    ).catch((e) => e)
    expect(String(running)).toContain('mark.ts')
    folder.write('mark.ts', "export const mark = '1'")
    const { reload, send, gateway } = await gatewayIn(folder.path, [{ use: './p.ts' }])
    const others = Object.keys(require.cache).filter((key) => !key.startsWith(folder.path))
    for (let i = 1; i <= 3; i++) {
      folder.write('mark.ts', `export const mark = '${i}'`)
      expect(await reload()).toEqual([])
      expect((await send()).headers.get('x-mark')).toBe(`${i}`)
    }
    expect(Object.keys(require.cache)).toEqual(expect.arrayContaining(others))
    await gateway.close(100)
  })

  test('200 reloads of a changing file leave no modules behind', async () => {
    folder.write('p.ts', marker("'0'"))
    const { reload, send, gateway } = await gatewayIn(folder.path, [{ use: './p.ts' }])
    const round = async (i: number) => {
      folder.write('p.ts', marker(`'${i}' + ballast.length`, `const ballast = '${'x'.repeat(50_000)}'`))
      expect(await reload()).toEqual([])
      expect((await send()).headers.get('x-mark')).toBe(`${i}50000`)
    }
    for (let i = 0; i < 50; i++) await round(i)
    Bun.gc(true)
    const [modules, memory] = [Object.keys(require.cache).length, process.memoryUsage().heapUsed]
    for (let i = 50; i < 200; i++) await round(i)
    Bun.gc(true)
    expect(Object.keys(require.cache).length).toBe(modules)
    expect(process.memoryUsage().heapUsed - memory).toBeLessThan(2 * 1024 * 1024) // 150 sources of 50 KB are 7.5 MB
    await gateway.close(100)
  })
})
