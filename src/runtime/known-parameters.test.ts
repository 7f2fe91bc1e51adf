import { expect, test } from 'bun:test'
import type { UpstreamConfig } from '../config/model.ts'
import { knownParameters } from './known-parameters.ts'

const upstream = (name: string, dialect: string, base_url: string, more: object = {}) =>
  ({ name, dialect, base_url, ...more }) as unknown as UpstreamConfig
const known = knownParameters([
  upstream('openai', 'openai', 'https://api.openai.com/v1'),
  upstream('anthropic', 'anthropic', 'https://api.anthropic.com'),
  upstream('told', 'openai', 'https://api.openai.com/v1', { capabilities: { tools: false, seed: false } }),
  upstream('mine', 'my-dialect', 'https://mine.example'),
])
const of = (name: string, model: string) => known({ upstream: name, model })

test('what requests may say is known by model, dialect and place; the config wins', () => {
  expect(of('openai', 'gpt-4o-mini')).toEqual(expect.arrayContaining(['temperature', 'seed', 'tools', 'structured_outputs']))
  expect(of('openai', 'gpt-4o-mini')).not.toContain('reasoning')
  expect(of('anthropic', 'claude-sonnet-4-6')).toEqual(expect.arrayContaining(['top_k', 'tools', 'reasoning']))
  expect(of('anthropic', 'claude-sonnet-4-6')).not.toContain('seed')
  expect(of('told', 'gpt-4o-mini')).not.toContain('tools')
  expect(of('told', 'gpt-4o-mini')).not.toContain('seed')
})
test('of embeddings, dialects of plugins and upstreams that are not there nothing is known', () => {
  expect([of('openai', 'text-embedding-3-small'), of('mine', 'x'), of('gone', 'x')]).toEqual([undefined, undefined, undefined])
})
