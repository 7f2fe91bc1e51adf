// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${…} is the notation of the config file
/** Nothing that is printed shows a secret. */

import { describe, expect, test } from 'bun:test'
import { formatDiagnostics } from './diagnostics.ts'
import { load, router } from './load-text.fixture.ts'
import { redact } from './secrets.ts'

describe('secrets', () => {
  const secret = 'sk-live-0123456789abcdef'
  const show = (text: string, env: Record<string, string> = {}): string => {
    const result = load(text, env)
    expect(result.diagnostics.length).toBeGreaterThan(0)
    return formatDiagnostics(result.diagnostics, { text: result.texts, secrets: result.secrets })
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
    [
      'a variable with a harmless name',
      `version: 1\nmodels: { m: { targets: [{ upstream: "\${env:X}", model: "\${env:X}**" }] } }\nlog: { level: "\${env:X}" }\n`,
    ],
    ['a password of shared state under a wrong scheme', `version: 1\nstate: http://u:${secret}@h\n`],
    ['a password of shared state without a user', `version: 1\nstate: rediss//:${secret}@h\nlog: { level: "${secret}" }\n`],
    ['a password of records under a wrong scheme', `version: 1\nrecords: http://u:${secret}@h/db\n`],
    ['a password of records without a database', `version: 1\nrecords: postgres://u:${secret}@h\nlog: { level: "${secret}" }\n`],
    ['a URL of shared state from outside', `version: 1\nstate: "x://:\${env:KEY}@h"\nlog: { level: "\${env:KEY}" }\n`],
    ['a variable as an operation', `version: 1\nplugins: [{ use: "\${env:X}", when: { operation: "\${env:X}" } }, { use: "\${env:X}" }]\n`],
  ])('never appear in diagnostics: %s', (_, text) => {
    expect(show(text, { KEY: secret, X: secret })).not.toContain(secret)
  })
  test.each([
    'dialect: openai, base_url: "https://h/v1?key=opensesame"',
    'dialect: opnai, base_url: builtin:demo, key: "${env:NOT_SET:-opensesame}"',
  ])('what stands where a secret would, and looks like none, is hidden too: %s', (fields) => {
    expect(show(`version: 1\nupstreams: { a: { ${fields} } }\n`)).not.toContain('opensesame')
  })
  test('a reference to a secret is none', () => {
    const text = 'version: 1\nupstreams: { a: { dialect: opnai, base_url: builtin:demo, key: "${env:NOT_SET}" } }\n'
    expect(show(text, {})).toContain('key: "${env:NOT_SET}"')
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
  test('redact hides the password of records, and a user alone is no secret', () => {
    const { config, secrets } = load('version: 1\nrecords: postgres://gate:p%61ssword@h:1/db\nplugins: [{ use: x }]\n')
    expect(redact(config!, secrets)).toMatchObject({ records: 'postgres://***@h:1/db' })
    expect([...secrets].sort()).toEqual(['p%61ssword', 'password'])
    expect([...load('version: 1\nrecords: postgres://gate@h/db\nplugins: [{ use: x }]\n').secrets]).toEqual([])
  })

  test('the password of records on several hosts', () => {
    const url = 'postgres://gate:sesame%40@one:1,two:2/db?target_session_attrs=read-write'
    const { config, secrets } = load(`version: 1\nrecords: ${url}\nplugins: [{ use: x }]\n`)
    expect(redact(config!, secrets)).toMatchObject({ records: 'postgres://***@one:1,two:2/db?target_session_attrs=read-write' })
    expect([...secrets].toSorted()).toEqual(['sesame%40', 'sesame@'])
  })
  test('redact hides the password of shared state, however short, and shows the rest', () => {
    const shown = (state: string, env: Record<string, string> = {}) => {
      const { config, secrets } = load(`version: 1\nstate: "${state}"\nplugins: [{ use: x, with: { where: "see p%61ssword" } }]\n`, env)
      return redact(config!, secrets) as { state: string; plugins: [{ with: { where: string } }] }
    }
    expect(shown('redis://:abc@h:1/2').state).toBe('redis://***@h:1/2')
    expect(shown('rediss://me:p%61ssword@h').plugins[0].with.where).toBe('see ***')
    expect(shown('${env:URL}', { URL: 'redis://token@h' }).state).toBe('redis://***@h')
    expect(shown('memory').state).toBe('memory')
  })
})

test('the config as printed is JSON, its prices as they are written', () => {
  const text = `version: 1
upstreams: { a: { dialect: openai, base_url: builtin:demo } }
models:
  m:
    targets: [{ upstream: a, price: { input: 0.075 } }]
    price: [{ from: 2026-01-31, input: 3, long_context: { above: 200000, input: 6 } }]
plugins: [{ use: router }]
`
  const { config } = load(text)
  const printed = JSON.parse(
    JSON.stringify(redact({ ...config!, priceList: { file: '/x', models: [{ id: 'l', price: [{ output: 1n }] }] } }, new Set())),
  )
  expect(printed.models).toEqual([
    {
      id: 'm',
      targets: [{ upstream: 'a', model: 'm', price: [{ input: '0.075' }] }],
      price: [{ from: '2026-01-31T00:00:00.000Z', input: '3', long_context: { above: 200_000, input: '6' } }],
    },
  ])
  expect(printed.priceList).toEqual({ file: '/x', models: [{ id: 'l', price: [{ output: '0.000001' }] }] })
})
