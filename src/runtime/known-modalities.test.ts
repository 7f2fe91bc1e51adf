import { expect, test } from 'bun:test'
import type { UpstreamConfig } from '../config/model.ts'
import { knownModalities } from './known-modalities.ts'

const upstream = (name: string, dialect: string, base_url: string, more: object = {}) =>
  ({ name, dialect, base_url, ...more }) as unknown as UpstreamConfig
const known = knownModalities([
  upstream('openai', 'openai', 'https://api.openai.com/v1'),
  upstream('compatible', 'openai', 'https://api.groq.com/openai/v1'),
  upstream('anthropic', 'anthropic', 'https://api.anthropic.com'),
  upstream('told', 'openai', 'https://api.openai.com/v1', { capabilities: { images: false, documents: false } }),
  upstream('mine', 'my-dialect', 'https://mine.example'),
])
const input = (name: string, model: string) => known({ upstream: name, model })?.input

test('what a model takes is known by its name, its dialect and where it is; the config wins', () => {
  expect(input('openai', 'gpt-4o-mini')).toEqual(['text', 'image', 'file'])
  expect(input('openai', 'gpt-3.5-turbo')).not.toContain('image')
  expect(input('anthropic', 'claude-sonnet-4-20250514')).toEqual(['text', 'image', 'file'])
  expect(input('told', 'gpt-4o-mini')).toEqual(['text'])
  expect(known({ upstream: 'openai', model: 'text-embedding-3-small' })).toEqual({ input: ['text'], output: ['embeddings'] })
})

test('of dialects of plugins, and of upstreams that are not there, nothing is known', () => {
  expect([known({ upstream: 'mine', model: 'gpt-4o' }), known({ upstream: 'gone', model: 'gpt-4o' })]).toEqual([undefined, undefined])
})
