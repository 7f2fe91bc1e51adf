/**
 * Holds the house to its plan (src/README.md): who may import whom, which package lives where, how files look.
 *
 * A rule that gets in the way is changed here and in the plan, in the same commit as the code that needs it.
 */

import { describe, expect, test } from 'bun:test'
import { basename, dirname, join, normalize } from 'node:path'
import { errorCatalogue } from '../src/errors.ts'
import { refusalCodes } from '../src/plugin/refusal.ts'
import { importsOf, projectFiles, read, type SourceFile } from './source-files.ts'

const files = projectFiles()
const sources: readonly SourceFile[] = files.filter((path) => /\.tsx?$/.test(path)).map((path) => ({ path, text: read(path) }))
const inSrc = sources.filter((f) => f.path.startsWith('src/'))
const inPlugins = sources.filter((f) => f.path.startsWith('plugins/'))
/** Tests and what only tests use. */
const isTest = (path: string) => path.startsWith('test/') || /\.(test|suite|arbitrary|fixture)\.ts$/.test(path)

/** Which rooms of `src` each room may import. A room may always import itself. */
const rooms: Readonly<Record<string, readonly string[]>> = {
  plugin: [],
  json: [],
  demo: [],
  'errors.ts': ['plugin'],
  dialect: ['plugin', 'json', 'errors.ts'],
  config: ['plugin', 'json', 'errors.ts'],
  pipeline: ['plugin', 'json', 'errors.ts'],
  upstream: ['plugin', 'json', 'errors.ts', 'dialect', 'pipeline'],
  catalog: ['plugin', 'json', 'config'],
  store: ['plugin', 'json', 'config'],
  telemetry: ['plugin', 'json', 'config'],
  runtime: ['plugin', 'json', 'errors.ts', 'dialect', 'config', 'pipeline', 'upstream', 'catalog', 'store', 'telemetry'],
  edge: ['plugin', 'json', 'errors.ts', 'dialect', 'config', 'pipeline', 'upstream', 'catalog', 'store', 'telemetry', 'runtime'],
  testkit: ['plugin', 'json', 'errors.ts', 'dialect', 'config', 'pipeline', 'upstream', 'catalog', 'store', 'telemetry', 'runtime', 'demo'],
  cli: [
    'plugin',
    'json',
    'errors.ts',
    'dialect',
    'config',
    'pipeline',
    'upstream',
    'catalog',
    'store',
    'telemetry',
    'runtime',
    'edge',
    'testkit',
  ],
}

/** What `upstream` may know of the pipeline: the interfaces that stand between both. */
const pipelineInterfaces = ['src/pipeline/core.ts', 'src/pipeline/events.ts', 'src/pipeline/reply-core.ts']

/** Where a package may be imported, outside tests. */
const packages: Readonly<Record<string, readonly string[]>> = {
  elysia: ['src/edge/'],
  '@elysiajs/swagger': ['src/edge/'],
  'swagger-ui-dist': ['src/edge/'],
  yaml: ['src/config/'],
  ioredis: ['src/store/'],
  postgres: ['src/store/'],
  jose: ['plugins/auth/'],
  typebox: ['src/plugin/', 'src/config/'],
}

/** The room that a path under `src` belongs to. */
const roomOf = (path: string) => path.split('/')[1]!

/** The project path that a relative import leads to. */
const target = (from: string, specifier: string) => normalize(join(dirname(from), specifier))

describe('imports', () => {
  test('every room of src has rules', () => {
    const known = [...Object.keys(rooms), 'main.ts', 'README.md']
    expect([...new Set(files.filter((p) => p.startsWith('src/')).map(roomOf))].filter((room) => !known.includes(room))).toEqual([])
  })

  test('src: each room imports only what stands below it', () => {
    const wrong: string[] = []
    for (const { path, text } of inSrc) {
      if (isTest(path) || path === 'src/main.ts') continue
      const room = roomOf(path)
      for (const specifier of importsOf(text)) {
        if (!specifier.startsWith('.') || specifier.includes('${')) continue // `${` = the text of a template
        const to = target(path, specifier)
        if (to === 'package.json' && room === 'cli') continue // the version
        const toRoom = to.startsWith('src/') ? roomOf(to) : undefined
        const fine = toRoom !== undefined && (toRoom === room || rooms[room]?.includes(toRoom))
        const narrow = room === 'upstream' && toRoom === 'pipeline' && !pipelineInterfaces.includes(to)
        if (!fine || narrow) wrong.push(`${path} imports ${to}`)
      }
    }
    expect(wrong).toEqual([])
  })

  test('plugins import headgate/plugin and headgate/dialect, their own folder and packages of their own, their tests headgate/testkit too', () => {
    const wrong: string[] = []
    for (const { path, text } of inPlugins) {
      // an example in a folder of its own is one of those, too
      const steps = path.split('/')
      const own = steps.slice(0, steps[1] === 'examples' && steps.length > 3 ? 3 : 2).join('/')
      for (const specifier of importsOf(text)) {
        if (specifier === 'headgate/plugin' || specifier === 'headgate/dialect' || specifier.startsWith('node:')) continue
        if (packages[specifier]?.some((folder) => path.startsWith(folder))) continue // a package that is this folder only
        if (isTest(path) && ['headgate/testkit', 'bun:test', 'fast-check'].includes(specifier)) continue
        if (specifier.startsWith('.') && target(path, specifier).startsWith(`${own}/`)) continue
        wrong.push(`${path} imports ${specifier}`)
      }
    }
    expect(wrong).toEqual([])
  })

  test('each package is imported in one place only, and only packages that package.json names', () => {
    const manifest = JSON.parse(read('package.json')) as Record<'dependencies' | 'devDependencies', Record<string, string>>
    const wrong: string[] = []
    for (const { path, text } of sources) {
      for (const specifier of importsOf(text)) {
        if (/^(\.|node:|bun(:|$)|headgate\/)/.test(specifier) || specifier.includes('$')) continue
        const name = specifier
          .split('/')
          .slice(0, specifier.startsWith('@') ? 2 : 1)
          .join('/')
        const where = packages[name]
        const declared = name in manifest.dependencies || (isTest(path) && name in manifest.devDependencies)
        if (!declared || (!isTest(path) && !where?.some((folder) => path.startsWith(folder)))) wrong.push(`${path} imports ${specifier}`)
      }
    }
    expect(wrong).toEqual([])
  })

  test('imports of own files name the file, and the file exists', () => {
    const known = new Set(files)
    const wrong: string[] = []
    for (const { path, text } of sources) {
      if (isTest(path)) continue // texts of plugins inside tests point elsewhere
      for (const specifier of importsOf(text)) {
        if (specifier.startsWith('.') && !specifier.includes('${') && !known.has(target(path, specifier)))
          wrong.push(`${path} imports ${specifier}`)
      }
    }
    expect(wrong).toEqual([])
  })

  test('the scan sees every form of import', () => {
    const text = [
      "import a from './a.ts'",
      "import {\n  b,\n  type B,\n} from './b.ts'",
      "import type { C } from './c.ts'",
      "export * from './d.ts'",
      "export { e } from './e.ts'",
      "import './f.ts'",
      "const g = await import('./g.ts')",
      "let h: import('./h.ts').H",
      "require('./i.ts')",
    ].join('\n')
    expect([...importsOf(text)].sort()).toEqual([...'abcdefghi'].map((name) => `./${name}.ts`))
  })
})

describe('files', () => {
  test('at most 400 lines', () => {
    expect(sources.map((f) => `${f.path}: ${f.text.split('\n').length - 1}`).filter((line) => Number(line.split(': ')[1]) > 400)).toEqual(
      [],
    )
  })

  test('each opens with a comment that says what it is; a test may let its names speak', () => {
    const opening = /^(#!.*\n)?(\/\/ biome-ignore-all .*\n)*\n?\/\*\*/
    expect(sources.filter((f) => !f.path.endsWith('.test.ts') && !opening.test(f.text)).map((f) => f.path)).toEqual([])
  })

  test('names are kebab-case and say what the file holds', () => {
    const segment = /^(\.?[a-z0-9]+([.-][a-z0-9]+)*|README\.md|LICENSE)$/
    const dump = /^(utils?|helpers?|types|misc|common)(\.|$)/
    const wrong = files.filter(
      (path) => path.split('/').some((s) => !segment.test(s)) || (basename(path).endsWith('.ts') && dump.test(basename(path))),
    )
    expect(wrong).toEqual([])
  })

  test('nothing is left to do, switched off, or waved through', () => {
    // put together here, so that this file does not find itself
    const marks = ['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX', 'as ' + 'any', '@ts-' + 'ignore', '@ts-' + 'nocheck', '@ts-' + 'expect-error']
    const off = /(^|\W)(test|it|describe)\.(skip|only|todo|failing)\(/m // skipIf is fine: it says when
    const wrong: string[] = []
    for (const { path, text } of sources) {
      for (const mark of marks) {
        const allowed = mark.endsWith('expect-error') && path.startsWith('test/types/') // type tests hold that something does not compile
        if (!allowed && new RegExp(`(^|\\W)${mark}(\\W|$)`, 'm').test(text)) wrong.push(`${path}: ${mark}`)
      }
      if (off.test(text)) wrong.push(`${path}: a test that is switched off, or that switches off others`)
    }
    expect(wrong).toEqual([])
  })

  test('nothing of the place where it was written', () => {
    const words = ['/wo' + 'rk/', '/ro' + 'ot/', '/ho' + 'me/', 'regis' + 'try.npm', '/tmp/bash' + '_jobs']
    const wrong: string[] = []
    for (const path of files) {
      if (/\.(png|ico|wasm|gz)$/.test(path)) continue
      const text = read(path)
      for (const word of words) if (text.includes(word)) wrong.push(`${path}: ${word}`)
      if (path === 'bun.lock' && /https?:/.test(text)) wrong.push(`${path}: names a host`)
    }
    expect(wrong).toEqual([])
  })
})

describe('plugins', () => {
  const inFolders = inPlugins.map((f) => f.path.split('/')).filter((path) => path.length > 2)
  const folders = [...new Set(inFolders.map((path) => path[1]!))].filter((name) => name !== 'examples')

  test('each folder has its definition, README and test, and is a built-in', () => {
    const main = read('src/main.ts')
    const wrong: string[] = []
    for (const name of folders) {
      const has = (file: string) => files.includes(`plugins/${name}/${file}`)
      const index = has('index.ts') ? read(`plugins/${name}/index.ts`) : ''
      for (const file of ['index.ts', 'README.md', 'index.test.ts']) if (!has(file)) wrong.push(`plugins/${name} has no ${file}`)
      if (/^\s*config\b/m.test(index) && !has('config.ts')) wrong.push(`plugins/${name} has a config but no config.ts`)
      if (!index.includes(`name: '${name}'`)) wrong.push(`plugins/${name}: the plugin bears another name than its folder`)
      if (!main.includes(`'../plugins/${name}/index.ts'`)) wrong.push(`plugins/${name} is not in src/main.ts`)
    }
    expect(wrong).toEqual([])
  })

  test('each example has a test', () => {
    const examples = files.filter((p) => /^plugins\/examples\/[a-z0-9-]+\.ts$/.test(p))
    expect(examples.filter((p) => !files.includes(p.replace(/\.ts$/, '.test.ts')))).toEqual([])
    const inFolder = files.flatMap((p) => /^plugins\/examples\/[a-z0-9-]+\//.exec(p)?.[0] ?? [])
    const wanted = [...new Set(inFolder)].flatMap((folder) => ['index.ts', 'index.test.ts', 'README.md'].map((file) => folder + file))
    expect(wanted.filter((file) => !files.includes(file))).toEqual([])
  })
})

describe('refusals', () => {
  test('the catalogue holds every code of the public API, and no other', () => {
    expect(Object.keys(errorCatalogue).sort()).toEqual([...refusalCodes].sort())
  })

  test('the README lists every code with its status', () => {
    const rows = [...read('README.md').matchAll(/^\| `([a-z_]+)` +\| (\d{3})(?: \((\d{3})\))? /gm)].map(([, code, status, anthropic]) => [
      code!,
      `${status}${anthropic ? `/${anthropic}` : ''}`,
    ])
    const wanted = refusalCodes.map((code) => {
      const { status, anthropicStatus } = errorCatalogue[code]
      return [code, `${status}${anthropicStatus ? `/${anthropicStatus}` : ''}`]
    })
    expect(Object.fromEntries(rows)).toEqual(Object.fromEntries(wanted))
    expect(rows.length).toBe(wanted.length)
  })
})
