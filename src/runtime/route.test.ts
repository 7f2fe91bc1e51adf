import { describe, expect, test } from 'bun:test'
import { capabilities as configured } from '../config/capabilities.ts'
import { capabilitiesOf } from '../dialect/capabilities.ts'
import type { Family } from '../dialect/codec.ts'
import { families } from '../dialect/family.ts'
import type { Operation } from '../plugin/exchange.ts'
import type { UpstreamDefinition } from '../upstream/definition.ts'
import { parseUrl } from '../upstream/http/origin.ts'
import { routeOf } from './route.ts'

const upstream = (family: Family, apis: readonly Operation[], more: { host?: string; url?: string } = {}): UpstreamDefinition =>
  ({
    operations: families[family].operations,
    apis: new Set(apis),
    origin: parseUrl(more.url ?? 'https://api.openai.com/v1').origin,
    ...(more.host && { host: { name: more.host } }),
    can: {},
  }) as unknown as UpstreamDefinition
const spec = (family: Family, dialect: string) => families[family].operations.find((o) => o.dialect.name === dialect)!
const messages = spec('anthropic', 'anthropic-messages')
const route = (from: ReturnType<typeof spec>, to: UpstreamDefinition, model = 'm') => routeOf(from, to, model)?.dialect.name

describe('the operation that answers', () => {
  test('is the same one where the upstream has it', () => {
    expect(routeOf(messages, upstream('anthropic', ['messages']), 'm')).toBe(messages)
    expect(route(spec('openai', 'openai-chat'), upstream('openai', ['chat', 'responses']), 'gpt-5.6')).toBe('openai-chat')
  })
  test('is else Chat, and Responses for models that reason beside tools there only', () => {
    const both = upstream('openai', ['chat', 'responses'])
    expect([route(messages, both, 'gpt-5.4'), route(messages, both, 'gpt-5.6-sol')]).toEqual(['openai-chat', 'openai-responses'])
    expect(route(messages, upstream('openai', ['chat']), 'gpt-5.6-sol')).toBe('openai-chat')
    expect(route(messages, upstream('openai', ['embeddings']))).toBeUndefined()
  })
  test('of embeddings is one of embeddings, and on Vertex the one for one input', () => {
    const embeddings = spec('openai', 'openai-embeddings')
    const batch = spec('gemini', 'gemini-batch-embed')
    const gemini = upstream('gemini', ['generate', 'embeddings'])
    const vertex = upstream('gemini', ['generate', 'embeddings'], { host: 'vertex' })
    expect([gemini, vertex].map((to) => route(embeddings, to))).toEqual(['gemini-batch-embed', 'gemini-embed-content'])
    expect([gemini, vertex].map((to) => route(batch, to))).toEqual(['gemini-batch-embed', 'gemini-embed-content'])
    expect(route(embeddings, upstream('openai', ['embed']))).toBe('cohere-embed')
    expect(route(embeddings, upstream('anthropic', ['converse', 'embeddings']))).toBe('bedrock-embeddings')
    expect(route(embeddings, upstream('openai', ['chat']))).toBeUndefined()
    expect(route(messages, upstream('gemini', ['embeddings']))).toBeUndefined()
  })
})

test('every capability can be configured', () => {
  const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  expect(Object.keys(configured.properties).sort()).toEqual(
    Object.keys(capabilitiesOf('openai-chat', 'x', 'm'))
      .map(snake)
      .sort(),
  )
})
