// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${…} is the notation of the config file
/** Every kind of mistake, alone in a file: its exact place, what is wrong, what to do. */

import { describe, expect, test } from 'bun:test'
import { operations } from '../plugin/operations.ts'
import { formatDiagnostics } from './diagnostics.ts'
import { loadConfig } from './load.ts'
import { load, places, router } from './load-text.fixture.ts'

/** One mistake below a valid file: its place, and words of what is wrong and what to do. */
function oneMistake(body: string, place: string, message: string, fix: string): void {
  const result = load(`version: 1\n${router}${body}`)
  expect(result.diagnostics.map((d) => `${d.line}:${d.column} ${d.path}`)).toEqual([place])
  expect(result.diagnostics[0]!.message).toContain(message)
  expect(result.diagnostics[0]!.fix).toContain(fix)
  expect(result.config).toBeUndefined()
}

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
  test.each(['0.0.0.0/0', '::/0'])('proxies that are everybody: %s', (all) =>
    oneMistake(
      `server: { trusted_proxies: ["${all}"] }\n`,
      '3:29 server.trusted_proxies[0]',
      'every address there is',
      'the networks of your proxies',
    ),
  )
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
  test('state', () => {
    const fix = 'write memory, redis://host:6379 or rediss://host:6379'
    oneMistake('state: redis\n', '3:8 state', '"redis" is no place for shared state', fix)
    oneMistake('state: http://h:6379\n', '3:8 state', 'http is not a scheme for shared state', fix)
    oneMistake('state: redis://\n', '3:8 state', 'is not the URL of a Redis', fix)
    oneMistake('state: redis://h/app\n', '3:8 state', 'no number of a database', 'redis://host:6379/2')
    oneMistake('state: redis://h?db=2\n', '3:8 state', 'has a query', 'number of the database')
    oneMistake('state: redis://:100%@h\n', '3:8 state', 'not percent-encoded', '%25')
    oneMistake('state: 6379\n', '3:8 state', '6379', fix)
  })
  test('records', () => {
    const fix = 'write sqlite:./data/headgate.db'
    oneMistake('records: postgres\n', '3:10 records', '"postgres" is no place for records', fix)
    oneMistake('records: mysql://u:pw@h/db\n', '3:10 records', 'mysql is not a scheme for records', fix)
    oneMistake('records: postgres:///db\n', '3:10 records', 'is not the URL of a PostgreSQL', 'postgres://user@host')
    oneMistake('records: postgres://u@a:1,:2/db\n', '3:10 records', 'is not the URL of a PostgreSQL', 'postgres://user@host')
    oneMistake('records: postgresql://h\n', '3:10 records', 'names no database', 'postgresql://user@host:5432/headgate')
    oneMistake('records: postgres://h/db?password=x\n', '3:10 records', 'password in its query', 'before the @')
    oneMistake('records: postgres://u:100%@h/db\n', '3:10 records', 'not percent-encoded', '%25')
    oneMistake('records: sqlite://data/x.db\n', '3:10 records', 'has no host', 'sqlite:./data/headgate.db')
    oneMistake('records: "sqlite:"\n', '3:10 records', 'names no file', fix)
    oneMistake('records: "sqlite::memory:"\n', '3:10 records', 'names no file', 'write memory')
  })
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
      'mounted at `/v1/` already',
      'remove',
    ))
  test('auth without a key', () =>
    oneMistake(
      'upstreams:\n  a: { dialect: openai, base_url: builtin:demo, auth: bearer }\n',
      '4:55 upstreams.a.auth',
      'there is no key',
      'key',
    ))
  test.each(['Host', 'content-length', 'Transfer-Encoding', 'accept-encoding'])('header of the connection: %s', (name) =>
    expect(places(`version: 1\nupstreams:\n  a: { dialect: openai, base_url: builtin:demo, headers: { ${name}: 1x } }\n${router}`)).toEqual(
      [`3:60 upstreams.a.headers.${name}`],
    ),
  )
  test.each([
    ['dialect: openai', 'Authorization', ['3:68 upstreams.a.headers.Authorization']],
    ['dialect: anthropic', 'x-api-key', ['3:71 upstreams.a.headers.x-api-key']],
    ['dialect: anthropic', 'authorization', []],
    ['dialect: anthropic, auth: bearer', 'authorization', ['3:85 upstreams.a.headers.authorization']],
  ])('the key a second time, as a header: %s, %s', (how, name, wanted) =>
    expect(places(`version: 1\nupstreams:\n  a: { ${how}, base_url: builtin:demo, key: k, headers: { ${name}: 1x } }\n${router}`)).toEqual(
      wanted,
    ),
  )
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
  test('an operation that nothing can have, also as a pattern', () =>
    expect(places(list('    when: { operation: ["chatt*", "*", chat] }\n'))).toEqual(['4:25 plugins[0].when.operation[0]']))
  test.each([...operations])('the operation %s is known', (name) => expect(places(list(`    when: { operation: ${name} }\n`))).toEqual([]))
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

describe('errors', () => {
  const wrong = (errors: string) =>
    load(`version: 1\nerrors:\n${errors}\nplugins: [{ use: router }]\n`)
      .diagnostics.filter((d) => d.severity === 'error')
      .map((d) => [d.line, d.column, d.path, d.message, d.fix])
  test('all mistakes at once, each at its place', () => {
    expect(
      wrong(
        '  style: opnai\n  body: { error: { code: <cod>, note: "see <code>" } }\n  codes:\n    rate_limit: x\n    not_found: { status: 200 }\n    conflict: [1]',
      ),
    ).toEqual([
      [3, 10, 'errors.style', expect.stringContaining('opnai'), expect.stringContaining('openai')],
      [4, 9, 'errors.body', 'the body never says <message>', expect.stringContaining('message: <message>')],
      [4, 26, 'errors.body.error.code', '<cod> stands for nothing', expect.stringContaining('<code>')],
      [6, 5, 'errors.codes.rate_limit', 'unknown key `rate_limit`', 'did you mean `rate_limited`?'],
      [7, 26, 'errors.codes.not_found.status', expect.stringContaining('200'), expect.any(String)],
      [8, 15, 'errors.codes.conflict', expect.any(String), expect.any(String)],
    ])
  })
  test('what is right', () => {
    expect(
      wrong(
        '  style: openai\n  codes: { rate_limited: slow_down, conflict: { code: a, type: b, status: 409, message: c, extra: { kind: usage } } }',
      ),
    ).toEqual([])
  })
})
