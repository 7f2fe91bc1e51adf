// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${…} is the notation of the config file
/** Loading: the default file, defaults, conversion, interpolation, and all mistakes at once. */

import { describe, expect, test } from 'bun:test'
import { formatDiagnostics } from './diagnostics.ts'
import { loadConfig } from './load.ts'
import { defaultFile, load, places, router } from './load-text.fixture.ts'

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
        price: [{ input: 0n, output: 0n }],
      },
    ])
    expect(result.config!.plugins.map((p) => p.id)).toEqual(['audit', 'auth', 'rate-limit', 'router'])
    expect(result.notes).toHaveLength(10)
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
        trusted_proxies: [],
        proxy_header: 'x-forwarded-for',
        live_paths: ['/health'],
        ready_paths: ['/ready'],
        body_limit: 32 * 1024 * 1024,
        drain: 30_000,
        heartbeat: 20_000,
        max_depth: 200,
      },
      state: 'memory',
      records: 'sqlite:./data/headgate.db',
      errors: { style: 'client', codes: {} },
      spool_limit: 256 * 1024 ** 2,
      log: { level: 'info' },
      mounts: [
        { path: '/v1', api: 'openai' },
        { path: '/anthropic', api: 'anthropic' },
        { path: '/', api: 'anthropic' },
        { path: '/', api: 'gemini' },
      ],
      upstreams: [],
      models: [],
      left_out: { upstreams: [], models: [] },
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
      timeouts: { connect: 250, first_byte: 600_000, first_token: 0, idle: 600_000, total: 3_600_000 },
      on_disconnect: 'cancel',
      on_drop: 'warn',
      prompt_cache: 'as_sent',
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
  m: { targets: [{ upstream: a }], price: { input: 3, output: 0.30, cache_read: "0.10", cache_write: 123456789.000001 } }
${router}`)
    // picodollars per token
    expect(config!.models[0]!.price).toEqual([
      { input: 3_000_000n, output: 300_000n, cache_read: 100_000n, cache_write: 123_456_789_000_001n },
    ])
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

test('twelve mistakes are reported all at once, in order, and what is sound of the plugins stays known', () => {
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
  expect(result.plugins).toEqual([
    { use: 'audit', id: 'audit', index: 0, with: { anything: [1] } },
    { use: 'audit', id: 'audit', index: 1 },
  ])
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
    expect(config!.left_out).toEqual({ upstreams: ['a'], models: [{ id: 'm', targets: [{ upstream: 'a', model: 'm' }] }] })
    expect(notes).toEqual(['upstream a is off: the variable NOPE is not set'])
  })
})

test('locate finds values, list entries and the nearest thing that exists', () => {
  const result = load('version: 1\nplugins:\n  - use: audit\n    with: { file: x }\n')
  expect(result.locate(['plugins', 0])).toEqual({ line: 3, column: 5 })
  expect(result.locate(['plugins', 0, 'with', 'file'])).toEqual({ line: 4, column: 19 })
  expect(result.locate(['plugins', 0, 'with', 'nope'])).toEqual({ line: 4, column: 11 })
  expect(result.locate(['plugins', 9])).toEqual({ line: 3, column: 3 })
})
