// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${…} is the notation of the config file
/** What the file says of targets, and several keys of one upstream. */

import { describe, expect, test } from 'bun:test'
import { load } from './load-text.fixture.ts'
import { redact } from './secrets.ts'

const router = 'plugins: [{ use: router }]\n'

describe('several keys of one upstream', () => {
  const text = (keys: string) => `version: 1
upstreams:
  a: { dialect: openai, base_url: "http://h/v1", keys: ${keys} }
  b: { dialect: openai, base_url: builtin:demo }
models:
  m: { targets: [{ upstream: a, model: n, weight: 2 }, { upstream: b }] }
${router}`

  test('are an upstream each, and a target each', () => {
    const { config, diagnostics, secrets } = load(text('[first-key, "${env:SECOND}"]'), { SECOND: 'second-key' })
    expect(diagnostics).toEqual([])
    expect(config!.upstreams.map((u) => [u.name, u.key, u.auth])).toEqual([
      ['a#1', 'first-key', 'bearer'],
      ['a#2', 'second-key', 'bearer'],
      ['b', undefined, 'none'],
    ])
    expect(config!.models[0]!.targets).toEqual([
      { upstream: 'a#1', model: 'n', weight: 2 },
      { upstream: 'a#2', model: 'n', weight: 2 },
      { upstream: 'b', model: 'm' },
    ])
    const shown = JSON.stringify(redact(config!, secrets))
    expect(shown).not.toMatch(/first-key|second-key/)
    expect(shown.match(/"key":"\*\*\*"/g)).toHaveLength(2)
  })

  test.each([
    ['[]', 'upstreams.a.keys'],
    ['[one, one]', 'upstreams.a.keys[1]'],
    ['["a\\nb"]', 'upstreams.a.keys[0]'],
    ['[one], key: two', 'upstreams.a.keys'],
  ])('%s is a mistake', (keys, path) => {
    expect(load(text(keys)).diagnostics.map((d) => d.path)).toEqual([path])
  })
})

test("limits of one call: the target's win over the model's", () => {
  const { config } = load(`version: 1
upstreams: { a: { dialect: openai, base_url: builtin:demo } }
models:
  m:
    timeouts: { first_token: 5s, idle: 1m }
    targets: [{ upstream: a, priority: 1, timeouts: { idle: 2m, first_byte: 0 } }, { upstream: a, model: n }]
${router}`)
  expect(config!.models[0]!.targets).toEqual([
    { upstream: 'a', model: 'm', priority: 1, timeouts: { firstToken: 5000, idle: 120_000, firstByte: 0 } },
    { upstream: 'a', model: 'n', timeouts: { firstToken: 5000, idle: 60_000 } },
  ])
})
