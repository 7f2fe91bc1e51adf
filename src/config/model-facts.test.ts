/** What a model's entry says of the model, and the mistakes that it can hold. */

import { describe, expect, test } from 'bun:test'
import { load, router } from './load-text.fixture.ts'

const text = (facts: string) => `version: 1
upstreams:
  a: { dialect: openai, base_url: builtin:demo }
models:
  m:
    targets: [{ upstream: a }]
${facts
  .split('\n')
  .map((line) => `    ${line}`)
  .join('\n')}
${router}`

test('facts come out as the catalogue has them, times in milliseconds', () => {
  const { config, diagnostics } = load(
    text(`name: The M
description: Does it all.
created: 2024-07-18
owned_by: acme
modalities: { input: [text, image], output: [text] }
tokenizer: GPT
canonical: m-2024-07-18
tiers: paid
deprecation: { since: 2026-01-01, sunset: 2027-01-01T12:00:00Z, link: https://acme.example/m }`),
  )
  expect(diagnostics).toEqual([])
  expect(config!.models[0]).toMatchObject({
    name: 'The M',
    description: 'Does it all.',
    created: Date.UTC(2024, 6, 18),
    ownedBy: 'acme',
    modalities: { input: ['text', 'image'], output: ['text'] },
    tokenizer: 'GPT',
    canonical: 'm-2024-07-18',
    tiers: ['paid'],
    deprecation: { since: Date.UTC(2026, 0, 1), sunset: Date.UTC(2027, 0, 1, 12), link: 'https://acme.example/m' },
  })
})

test('what is not said is not there', () => {
  const { config } = load(text('context: 5'))
  expect(Object.keys(config!.models[0]!)).toEqual(['id', 'targets', 'context'])
})

describe('mistakes', () => {
  test.each([
    ['modalities: { input: [texts], output: [text] }', 'models.m.modalities.input[0]', /texts/],
    ['modalities: { input: [text] }', 'models.m.modalities', /output/],
    ['created: 2024-02-30', 'models.m.created', /not a date/],
    ['deprecation: { sunset: 2027-01-01 }', 'models.m.deprecation', /since/],
    ['deprecation: { since: 2027-01-01, sunset: 2026-01-01 }', 'models.m.deprecation.sunset', /before `since`/],
    ['deprecation: { since: 2027-01-01, link: javascript:x }', 'models.m.deprecation.link', /./],
    ['tiers: []', 'models.m.tiers', /./],
    ['modality: text', 'models.m.modality', /did you mean|no setting|unknown/i],
  ])('%s', (facts, path, says) => {
    const { diagnostics } = load(text(facts))
    expect(diagnostics).toHaveLength(1)
    expect(diagnostics[0]).toMatchObject({ severity: 'error', path, line: 7 })
    expect(`${diagnostics[0]!.message} ${diagnostics[0]!.fix}`).toMatch(says)
  })
})
