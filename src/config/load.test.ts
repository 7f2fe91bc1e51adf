// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${…} is the notation of the config file
/** Loading: defaults, resolution, every kind of mistake at its exact place, secrets, and that nothing ever throws. */

import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { formatDiagnostics } from './diagnostics.ts'
import { type LoadResult, loadConfig } from './load.ts'
import { redact } from './secrets.ts'

const defaultFile = new URL('../../config/gateway.yaml', import.meta.url).pathname
const defaultText = readFileSync(defaultFile, 'utf8')

function load(text: string, env: Record<string, string> = {}, files: Record<string, string> = {}): LoadResult {
  const readFile = (path: string): string => {
    const found = files[path]
    if (found === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' })
    return found
  }
  return loadConfig({ path: '/etc/headgate/gateway.yaml', text, env, readFile })
}

/** `line:column path` of each mistake. */
function places(text: string, env?: Record<string, string>): string[] {
  return load(text, env).diagnostics.map((d) => `${d.line}:${d.column} ${d.path}`)
}

const router = 'plugins: [{ use: router }]\n'

/** One mistake below a valid file: its place, and words of what is wrong and what to do. */
function oneMistake(body: string, place: string, message: string, fix: string): void {
  const result = load(`version: 1\n${router}${body}`)
  expect(result.diagnostics.map((d) => `${d.line}:${d.column} ${d.path}`)).toEqual([place])
  expect(result.diagnostics[0]!.message).toContain(message)
  expect(result.diagnostics[0]!.fix).toContain(fix)
  expect(result.config).toBeUndefined()
}

describe('the default file', () => {
  test('loads without keys: the demo alone, one note for each provider that is off', () => {
    const result = loadConfig({ path: defaultFile, env: {} })
    expect(result.diagnostics).toEqual([])
    expect(result.config!.models).toEqual([
      {
        id: 'demo',
        targets: [
          { upstream: 'demo', model: 'demo' },
          { upstream: 'demo-anthropic', model: 'demo' },
        ],
      },
    ])
    expect(result.config!.plugins.map((p) => p.id)).toEqual(['audit', 'auth', 'rate-limit', 'router'])
    expect(result.notes).toHaveLength(9)
    expect(result.notes[0]).toBe(
      'upstream openai is off: the variable OPENAI_API_KEY is not set (so are the models openai/*, gpt-*, o1*, o3*, o4*)',
    )
  })

  test('a key in the environment turns its provider on', () => {
    const result = loadConfig({ path: defaultFile, env: { ANTHROPIC_API_KEY: 'sk-ant-secret-1' } })
    expect(result.config!.upstreams.map((u) => u.name)).toEqual(['demo', 'demo-anthropic', 'anthropic'])
    expect(result.config!.upstreams[2]).toMatchObject({ key: 'sk-ant-secret-1', auth: 'x-api-key', on_disconnect: 'cancel' })
    expect(result.config!.models.map((m) => m.id)).toEqual(['demo', 'anthropic/*', 'claude-*'])
    expect(result.config!.models[1]!.targets).toEqual([{ upstream: 'anthropic', model: '*' }])
    expect(result.config!.models[2]!.targets).toEqual([{ upstream: 'anthropic', model: 'claude-*' }])
  })
})

describe('defaults and conversion', () => {
  test('the smallest file', () => {
    const { config, diagnostics } = load(`version: 1\n${router}`)
    expect(diagnostics).toEqual([])
    expect(config).toEqual({
      version: 1,
      server: {
        listen: { host: '127.0.0.1', port: 8787 },
        admin: { host: '127.0.0.1', port: 8788 },
        body_limit: 32 * 1024 * 1024,
        drain: 30_000,
        max_depth: 200,
      },
      state: 'memory',
      log: { level: 'info' },
      mounts: [
        { path: '/v1', api: 'openai' },
        { path: '/anthropic', api: 'anthropic' },
        { path: '/', api: 'anthropic' },
      ],
      upstreams: [],
      models: [],
      plugins: [{ use: 'router', id: 'router', index: 0 }],
    })
  })

  test('units, one-or-many, and derived values', () => {
    const { config, diagnostics } = load(`version: 1
server: { listen: "[::1]:0", admin: off, drain: 0, body_limit: 1024 }
mounts: [{ path: /v1/, api: openai }]
upstreams:
  a: { dialect: openai, base_url: "http://localhost:1/v1/", key: secret-a, timeouts: { connect: 250ms } }
  b: { dialect: openai, base_url: http://localhost:1/v1 }
plugins:
  - use: ./plugins/My_Own.ts
    when: { model: "x/*", tier: [paid, free], header: { X-Team: red }, method: post, stream: true }
    timeout: 1.5s
  - { use: "@acme/headgate-tags", with: { a: [1, two] }, on_error: skip }
  - { use: ./x/index.ts, id: other }
`)
    expect(diagnostics).toEqual([])
    expect(config!.server).toMatchObject({ listen: { host: '::1', port: 0 }, admin: 'off', drain: 0, body_limit: 1024 })
    expect(config!.mounts).toEqual([{ path: '/v1', api: 'openai' }])
    expect(config!.upstreams[0]).toEqual({
      name: 'a',
      dialect: 'openai',
      base_url: 'http://localhost:1/v1',
      key: 'secret-a',
      auth: 'bearer',
      headers: {},
      timeouts: { connect: 250, first_byte: 600_000, idle: 600_000, total: 3_600_000 },
      on_disconnect: 'cancel',
    })
    expect(config!.upstreams[1]!.auth).toBe('none')
    expect(config!.plugins).toEqual([
      {
        use: './plugins/My_Own.ts',
        id: 'my-own',
        index: 0,
        when: { model: ['x/*'], tier: ['paid', 'free'], header: { 'x-team': ['red'] }, method: ['POST'], stream: true },
        timeout: 1500,
      },
      { use: '@acme/headgate-tags', id: 'headgate-tags', index: 1, with: { a: [1, 'two'] }, on_error: 'skip' },
      { use: './x/index.ts', id: 'other', index: 2 },
    ])
  })

  test('prices keep the digits of the file: money is never a float', () => {
    const { config } = load(`version: 1
upstreams: { a: { dialect: openai, base_url: builtin:demo } }
models:
  m: { targets: [{ upstream: a }], price: { input: 3, output: 0.30, cache_read: "0.10", cache_write: 12345678901234567890.123456789 } }
${router}`)
    expect(config!.models[0]!.price).toEqual({
      input: '3',
      output: '0.30',
      cache_read: '0.10',
      cache_write: '12345678901234567890.123456789',
    })
  })

  test('anchors and merge keys', () => {
    const { config, diagnostics } = load(`version: 1
upstreams:
  a: &a { dialect: openai, base_url: builtin:demo, headers: { x: y } }
  b: { <<: *a, dialect: anthropic }
  c: *a
${router}`)
    expect(diagnostics).toEqual([])
    expect(config!.upstreams.map((u) => `${u.name} ${u.dialect} ${u.headers.x}`)).toEqual(['a openai y', 'b anthropic y', 'c openai y'])
  })
})

describe('mistakes, each at its place', () => {
  test('unknown key', () => oneMistake('server:\n  lisen: x\n', '4:3 server.lisen', 'unknown key `lisen`', 'did you mean `listen`?'))
  test('unknown key with nothing near', () => oneMistake('zzzzzz: 1\n', '3:1 zzzzzz', 'unknown key', 'known here: version, server'))
  test('unknown key that doubles a known one', () =>
    oneMistake('plugin: []\n', '3:1 plugin', 'unknown key', 'did you mean `plugins`? It stands here already.'))
  test('missing key', () =>
    oneMistake('upstreams:\n  a:\n    dialect: openai\n', '4:3 upstreams.a', '`base_url` is missing', 'add `base_url`'))
  test('wrong kind', () => oneMistake('server: [1]\n', '3:9 server', 'a list is not a map', 'write a map'))
  test('text for a number', () =>
    oneMistake('server: { max_depth: deep }\n', '3:22 server.max_depth', '"deep" is not a whole number', 'write a whole number'))
  test('number for a text', () =>
    oneMistake(
      'upstreams:\n  a: { dialect: openai, base_url: builtin:demo, headers: { x: 007 } }\n',
      '4:63 upstreams.a.headers.x',
      '007 is not a text',
      '"007"',
    ))
  test('fraction for a whole number', () =>
    oneMistake('server: { max_depth: 20.5 }\n', '3:22 server.max_depth', '20.5 is not a whole number', 'whole'))
  test('minimum', () => oneMistake('server: { max_depth: 1 }\n', '3:22 server.max_depth', '1 is too small', 'at least 8 and at most 10000'))
  test('maximum', () => oneMistake('server: { max_depth: 1000000 }\n', '3:22 server.max_depth', 'too large', 'at most 10000'))
  test('not a finite number', () => oneMistake('server: { max_depth: .inf }\n', '3:22 server.max_depth', 'finite', 'digits'))
  test('choice', () => oneMistake('log: { level: wran }\n', '3:15 log.level', '"wran" is not allowed here', 'did you mean warn?'))
  test('version', () => {
    const { diagnostics } = load(`version: 2\n${router}`)
    expect(diagnostics[0]).toMatchObject({ line: 1, column: 10, path: 'version', fix: 'write 1' })
  })
  test('version missing', () => expect(places(router)).toEqual(['1:1 ']))
  test('no value', () => oneMistake('log:\n  level:\n', '4:9 log.level', 'has no value', 'or remove the key'))
  test('duration', () => oneMistake('server: { drain: soon }\n', '3:18 server.drain', '"soon" is not a duration', '30s'))
  test('duration without unit', () => oneMistake('server: { drain: 30 }\n', '3:18 server.drain', 'without a unit', '30s for seconds'))
  test('size', () => oneMistake('server: { body_limit: big }\n', '3:23 server.body_limit', '"big" is not a size', '32mb'))
  test('listen', () => oneMistake('server: { listen: nowhere }\n', '3:19 server.listen', 'not a listen address', '127.0.0.1:8787'))
  test('port', () => oneMistake('server: { listen: "h:70000" }\n', '3:19 server.listen', 'port 70000 does not exist', '65535'))
  test('off is for admin only', () => oneMistake('server: { listen: off }\n', '3:19 server.listen', 'not a listen address', 'host:port'))
  test('both listeners in one place', () =>
    oneMistake('server: { listen: 127.0.0.1:8788, admin: 127.0.0.1:8788 }\n', '3:42 server.admin', 'same address', 'off'))
  test('URL', () =>
    oneMistake('upstreams:\n  a: { dialect: openai, base_url: nope }\n', '4:35 upstreams.a.base_url', 'not a URL', 'https://'))
  test('URL scheme', () =>
    oneMistake(
      'upstreams:\n  a: { dialect: openai, base_url: "ftp://x" }\n',
      '4:35 upstreams.a.base_url',
      'ftp is not a scheme',
      'https://',
    ))
  test('built-in upstream', () =>
    oneMistake('upstreams:\n  a: { dialect: openai, base_url: "builtin:dmo" }\n', '4:35 upstreams.a.base_url', 'no such', 'builtin:demo'))
  test('decimal', () =>
    oneMistake(
      'upstreams: { a: { dialect: openai, base_url: builtin:demo } }\nmodels:\n  m: { targets: [{ upstream: a }], price: { input: 1e-3 } }\n',
      '5:52 models.m.price.input',
      '1e-3 is not a plain decimal number',
      '0.30',
    ))
  test('empty list', () => oneMistake('models:\n  m: { targets: [] }\n', '4:17 models.m.targets', 'the list is empty', 'at least 1'))
  test('state', () => oneMistake('state: redis://h\n', '3:8 state', 'not allowed', 'write memory'))
  test('secret that is empty', () =>
    oneMistake('upstreams:\n  a: { dialect: openai, base_url: builtin:demo, key: "" }\n', '4:54 upstreams.a.key', 'is empty', 'value'))
  test('upstream of a target', () =>
    oneMistake(
      'upstreams: { openai: { dialect: openai, base_url: builtin:demo } }\nmodels:\n  m: { targets: [{ upstream: opnai }] }\n',
      '5:30 models.m.targets[0].upstream',
      'no upstream is called `opnai`',
      'did you mean `openai`?',
    ))
  test('several stars', () =>
    oneMistake(
      'upstreams: { a: { dialect: openai, base_url: builtin:demo } }\nmodels:\n  x/*/*: { targets: [{ upstream: a }] }\n',
      '5:3 models["x/*/*"]',
      'holds 2 stars',
      'use one *',
    ))
  test('star without a star', () =>
    oneMistake(
      'upstreams: { a: { dialect: openai, base_url: builtin:demo } }\nmodels:\n  x: { targets: [{ upstream: a, model: "*" }] }\n',
      '5:40 models.x.targets[0].model',
      'nothing to stand for',
      'own model name',
    ))
  test('mount path', () => oneMistake('mounts: [{ path: v1, api: openai }]\n', '3:18 mounts[0].path', 'right form', 'start it with /'))
  test('mount twice', () =>
    oneMistake(
      'mounts: [{ path: /v1, api: openai }, { path: /v1/, api: openai }]\n',
      '3:38 mounts[1]',
      'mounted at /v1/ already',
      'remove',
    ))
  test('auth without a key', () =>
    oneMistake(
      'upstreams:\n  a: { dialect: openai, base_url: builtin:demo, auth: bearer }\n',
      '4:55 upstreams.a.auth',
      'no key to send',
      'key',
    ))
  test('header name', () =>
    oneMistake(
      'upstreams:\n  a: { dialect: openai, base_url: builtin:demo, headers: { "a b": c } }\n',
      '4:60 upstreams.a.headers["a b"]',
      'name of a header',
      'letters',
    ))
  test('upstream name', () =>
    oneMistake(
      'upstreams:\n  "a b": { dialect: openai, base_url: builtin:demo }\n',
      '4:3 upstreams["a b"]',
      'name of an upstream',
      'letters',
    ))
  test('variable', () => oneMistake('log: { level: "${env:NOPE}" }\n', '3:15 log.level', 'the variable NOPE is not set', '${env:NOPE:-…}'))
  test('file', () => oneMistake('log: { level: "${file:nope}" }\n', '3:15 log.level', 'the file nope does not exist', 'create it'))
  test('interpolation', () => oneMistake('log: { level: "${NOPE}" }\n', '3:15 log.level', '${NOPE} is not understood', 'write ${env:NOPE}'))

  const list = (rest: string): string => `version: 1\nplugins:\n  - use: audit\n${rest}`
  test('two plugins with one id', () => {
    const { diagnostics } = load(list('  - use: ./my/audit.ts\n'))
    expect(diagnostics).toMatchObject([
      {
        line: 4,
        column: 5,
        path: 'plugins[1]',
        message: 'a plugin with the id `audit` stands in line 3 already',
        fix: 'add an `id`, for example id: audit-2',
      },
    ])
  })
  test('a plugin from a URL', () => expect(places(list('  - use: https://x/y.ts\n'))).toEqual(['4:10 plugins[1].use']))
  test('a plugin without use', () => expect(places(list('  - id: x\n'))).toEqual(['4:5 plugins[1]']))
  test('when', () =>
    expect(places(list('    when: { modle: x, operation: [chat, chatt] }\n'))).toEqual([
      '4:13 plugins[0].when.modle',
      '4:41 plugins[0].when.operation[1]',
    ]))
  test('on_error', () => expect(places(list('    on_error: open\n'))).toEqual(['4:15 plugins[0].on_error']))
  test('no plugins: a warning only', () => {
    const result = load('version: 1\nplugins: []\n')
    expect(result.diagnostics).toMatchObject([{ severity: 'warning', line: 2, column: 1, path: 'plugins' }])
    expect(result.config).toBeDefined()
  })
})

describe('mistakes of the YAML itself', () => {
  test('a key twice', () => {
    const { diagnostics } = load(`version: 1\nlog: {}\nlog: {}\n${router}`)
    expect(diagnostics).toMatchObject([{ line: 3, column: 1, message: 'this key stands here twice' }])
  })
  test('a tab', () => expect(places('version: 1\nserver:\n\tdrain: 1s\n')[0]).toStartWith('3:1'))
  test('an open quote: only that, not what follows from it', () => {
    const { diagnostics } = load('a: "1\n')
    expect(diagnostics.map((d) => `${d.line}:${d.column} ${d.message}`)).toEqual(['2:1 missing closing "'])
  })
  test('a tag', () => {
    const { diagnostics } = load(`version: 1\nlog: { level: !shout info }\n${router}`)
    expect(diagnostics).toMatchObject([{ line: 2, column: 15, fix: 'write it without a tag' }])
  })
  test('several documents', () => expect(load(`version: 1\n${router}---\na: 1\n`).config).toBeUndefined())
  test('an empty file', () => expect(load('# nothing\n').diagnostics).toMatchObject([{ line: 1, column: 1, message: 'the file is empty' }]))
  test('no map', () => {
    const { diagnostics } = load('- 1\n')
    expect(diagnostics.map((d) => `${d.line}:${d.column} ${d.message}`)).toEqual(['1:1 a list is not a map (key: value)'])
  })
  test('a key that is no text', () => expect(load('version: 1\n{a: b}: 1\n').config).toBeUndefined())
  test('an alias without an anchor', () => {
    const { diagnostics } = load(`version: 1\nmodels: *nope\n${router}`)
    expect(diagnostics.map((d) => `${d.line}:${d.column} ${d.path}`)).toEqual(['2:9 models'])
  })
  test('a file that does not exist', () => {
    const { diagnostics } = loadConfig({ path: '/nowhere/gateway.yaml', env: {} })
    expect(formatDiagnostics(diagnostics)).toBe(
      '/nowhere/gateway.yaml:1:1  the file does not exist  create it, or name another with --config or HEADGATE_CONFIG',
    )
  })
  test('an alias bomb ends soon', () => {
    const levels = Array.from({ length: 12 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(10).fill(`*a${i}`).join(', ')}]`)
    const started = performance.now()
    const result = load(`a0: &a0 [x]\n${levels.join('\n')}\n`)
    expect(result.diagnostics.some((d) => d.message.includes('too large'))).toBe(true)
    expect(performance.now() - started).toBeLessThan(3000)
  })
  test('an anchor inside itself', () => expect(load('a: &a [*a]\n').config).toBeUndefined())
  test('absurd nesting', () => expect(load('['.repeat(20_000)).config).toBeUndefined())
  test('__proto__ is a key like others', () => {
    expect(places(`version: 1\n__proto__: { polluted: true }\n${router}`)).toEqual(['2:1 __proto__'])
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })
})

test('twelve mistakes are reported all at once, in order, and the sound plugins stay known', () => {
  const text = `version: 1
servr: {}
server:
  listen: foo
  drain: 30
  max_depth: 3
upstreams:
  a: { dialect: opnai, base_url: ftp://x, key: \${env:NOPE} }
  b: { base_url: builtin:demo }
models:
  y: { targets: [{ upstream: c }], price: { input: -1 } }
plugins:
  - use: audit
    with: { anything: [1] }
  - use: audit
    on_error: skp
`
  const result = load(text)
  expect(result.diagnostics.map((d) => `${d.line}:${d.column} ${d.path}`)).toEqual([
    '2:1 servr',
    '4:11 server.listen',
    '5:10 server.drain',
    '6:14 server.max_depth',
    '8:17 upstreams.a.dialect',
    '8:34 upstreams.a.base_url',
    '8:48 upstreams.a.key',
    '9:3 upstreams.b',
    '11:30 models.y.targets[0].upstream',
    '11:52 models.y.price.input',
    '15:5 plugins[1]',
    '16:15 plugins[1].on_error',
  ])
  expect(result.plugins.map((p) => p.use)).toEqual(['audit'])
  expect(formatDiagnostics(result.diagnostics).split('\n')).toHaveLength(12)
})

describe('interpolation', () => {
  test('text from outside may spell a number or a switch; text in the file may not', () => {
    const text = `version: 1\nserver: { max_depth: \${env:DEPTH}, drain: \${env:DRAIN:-5s} }\nplugins: [{ use: router, when: { stream: \${env:S} } }]\n`
    const { config } = load(text, { DEPTH: '50', S: 'true' })
    expect(config!.server).toMatchObject({ max_depth: 50, drain: 5000 })
    expect(config!.plugins[0]!.when).toEqual({ stream: true })
    expect(places(`version: 1\nserver: { max_depth: "50" }\n${router}`)).toEqual(['2:22 server.max_depth'])
  })
  test('files are relative to the config and lose one line break at the end', () => {
    const text = `version: 1\nupstreams: { a: { dialect: openai, base_url: builtin:demo, key: "\${file:keys/a}" } }\n${router}`
    const result = load(text, {}, { '/etc/headgate/keys/a': 'from-file\n' })
    expect(result.config!.upstreams[0]!.key).toBe('from-file')
    expect(result.secrets.has('from-file')).toBe(true)
  })
  test('an optional upstream without its file is left out; its other mistakes are not forgiven', () => {
    const text = (more: string): string =>
      `version: 1\nupstreams:\n  a: { dialect: openai, base_url: builtin:demo, optional: true, key: \${file:nope}${more} }\n${router}`
    expect(load(text('')).config!.upstreams).toEqual([])
    expect(load(text('')).notes).toEqual(['upstream a is off: the file nope does not exist'])
    expect(places(text(', autth: bearer'))).toEqual(['3:84 upstreams.a.autth'])
  })
  test('an upstream that is not optional says so', () => {
    const { diagnostics } = load(`version: 1\nupstreams: { a: { dialect: openai, base_url: builtin:demo, key: \${env:K} } }\n${router}`, {
      K: '',
    })
    expect(diagnostics).toMatchObject([{ line: 2, column: 65, message: 'the variable K is empty' }])
    expect(diagnostics[0]!.fix).toContain('optional: true')
  })
  test('a model keeps the targets that are left', () => {
    const { config, notes } = load(`version: 1
upstreams:
  a: { dialect: openai, base_url: builtin:demo, key: "\${env:NOPE}", optional: true }
  b: { dialect: openai, base_url: builtin:demo }
models: { m: { targets: [{ upstream: a }, { upstream: b, model: n }] } }
${router}`)
    expect(config!.models).toEqual([{ id: 'm', targets: [{ upstream: 'b', model: 'n' }] }])
    expect(notes).toEqual(['upstream a is off: the variable NOPE is not set'])
  })
})

describe('secrets', () => {
  const secret = 'sk-live-0123456789abcdef'
  const show = (text: string, env: Record<string, string> = {}): string => {
    const result = load(text, env)
    expect(result.diagnostics.length).toBeGreaterThan(0)
    return formatDiagnostics(result.diagnostics, { text: result.text, secrets: result.secrets })
  }
  test.each([
    ['a variable where it does not belong', `version: \${env:KEY}\nlog: { level: "\${env:KEY}" }\n`],
    ['a literal key beside a mistake', `version: 1\nupstreams: { a: { dialect: opnai, base_url: builtin:demo, key: ${secret} } }\n`],
    [
      'a literal key under a misspelled name',
      `version: 1\nupstreams: { a: { dialect: openai, base_url: builtin:demo, kye: ${secret} } }\n`,
    ],
    ['a key in place of a URL', `version: 1\nupstreams: { a: { dialect: openai, base_url: "\${env:KEY}" } }\n`],
    ['a key as a model target', `version: 1\nmodels: { m: { targets: [{ upstream: "\${env:KEY}" }] } }\n`],
    ['a key as an id', `version: 1\nplugins: [{ use: a, id: "\${env:KEY}" }, { use: b, id: "\${env:KEY}" }]\n`],
    [
      'a header',
      `version: 1\nupstreams: { a: { dialect: opnai, base_url: builtin:demo, headers: { authorization: Bearer-${secret} } } }\n`,
    ],
    ['a URL with credentials', `version: 1\nupstreams: { a: { dialect: openai, base_url: "https://u:${secret}@h/v1" } }\n`],
  ])('never appear in diagnostics: %s', (_, text) => {
    expect(show(text, { KEY: secret })).not.toContain(secret)
  })
  test('a key with a line break is refused without being shown', () => {
    const text = `version: 1\nupstreams: { a: { dialect: openai, base_url: builtin:demo, key: "\${env:KEY}" } }\n${router}`
    expect(show(text, { KEY: `${secret}\nx` })).toMatch(/2:65 .*line break/)
  })
  test('redact prints *** for keys, key headers and every known secret', () => {
    const result = load(
      `version: 1
upstreams: { a: { dialect: openai, base_url: builtin:demo, key: k1, headers: { x-api-key: abc, x-team: "\${env:TEAM}", x-plain: plain } } }
plugins: [{ use: x, with: { where: "see \${env:MY_TOKEN}!" } }]\n`,
      { TEAM: 'team-red', MY_TOKEN: secret },
    )
    const shown = JSON.stringify(redact(result.config!, result.secrets))
    expect(shown).toContain('"key":"***"')
    expect(shown).toContain('"headers":{"x-api-key":"***","x-team":"***","x-plain":"plain"}')
    expect(shown).toContain('"where":"see ***!"')
    expect(result.config!.plugins[0]!.with).toEqual({ where: `see ${secret}!` })
  })
})

test('locate finds values, list entries and the nearest thing that exists', () => {
  const result = load('version: 1\nplugins:\n  - use: audit\n    with: { file: x }\n')
  expect(result.locate(['plugins', 0])).toEqual({ line: 3, column: 5 })
  expect(result.locate(['plugins', 0, 'with', 'file'])).toEqual({ line: 4, column: 19 })
  expect(result.locate(['plugins', 0, 'with', 'nope'])).toEqual({ line: 4, column: 11 })
  expect(result.locate(['plugins', 9])).toEqual({ line: 3, column: 3 })
})

describe('whatever the text, loading gives diagnostics or a config, and never throws', () => {
  const usable = (result: LoadResult): void => {
    expect(result.config !== undefined || result.diagnostics.length > 0).toBe(true)
    for (const d of result.diagnostics) {
      expect(d.line).toBeGreaterThan(0)
      expect(d.column).toBeGreaterThan(0)
    }
    formatDiagnostics(result.diagnostics, { text: result.text, color: true, secrets: result.secrets })
  }
  test('mutations of the default file', () => {
    const scraps = [
      '{',
      '}',
      '[',
      ']',
      ': ',
      '- ',
      '\n',
      '\t',
      '  ',
      '"',
      "'",
      '*',
      '&a ',
      '*a',
      '<<: ',
      '${env:',
      '${',
      '!x ',
      '| ',
      '> ',
      '#',
      '---\n',
      '\u0000',
      '\ue000',
      '\ud800',
      '0x1',
      '.nan',
      'null',
      '? ',
      '__proto__: ',
    ]
    const mutation = fc.tuple(fc.nat(defaultText.length), fc.nat(20), fc.oneof(fc.constantFrom(...scraps), fc.string({ maxLength: 5 })))
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 6 }), (mutations) => {
        let text = defaultText
        for (const [at, cut, put] of mutations) text = text.slice(0, at) + put + text.slice(at + cut)
        usable(load(text, { OPENAI_API_KEY: 'k', GEMINI_API_KEY: 'x'.repeat(30) }))
      }),
      { numRuns: 150 },
    )
  })
  test('any value in any place', () => {
    const keys = fc.constantFrom(
      'version',
      'server',
      'listen',
      'mounts',
      'upstreams',
      'models',
      'targets',
      'upstream',
      'model',
      'price',
      'input',
      'plugins',
      'use',
      'with',
      'when',
      'header',
      'headers',
      'timeouts',
      'operation',
      'a',
    )
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 5 },
        fc.jsonValue({ maxDepth: 1 }),
        fc.dictionary(keys, tie('tree'), { maxKeys: 6 }),
        fc.array(tie('tree'), { maxLength: 3 }),
      ),
    }))
    fc.assert(
      fc.property(fc.dictionary(keys, tree, { maxKeys: 8 }), (value) => usable(load(JSON.stringify(value)))),
      { numRuns: 200 },
    )
  })
})
