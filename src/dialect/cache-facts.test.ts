import { describe, expect, test } from 'bun:test'
import { cacheFactsOf } from './cache-facts.ts'
import { capabilitiesOf } from './capabilities.ts'
import { cacheRules } from './capability-data/prompt-cache.ts'

const factsOf = (dialect: string, host: string, model: string) => cacheFactsOf(dialect, host, model, capabilitiesOf(dialect, host, model))

describe("what is known of providers' prompt caches", () => {
  test.each([
    ['claude-sonnet-4-5-20250929', 1024],
    ['claude-sonnet-4-6', 1024],
    ['claude-sonnet-5', 1024],
    ['claude-opus-4-1', 1024],
    ['claude-opus-4-5', 4096],
    ['claude-opus-4-6', 4096],
    ['claude-opus-4-7', 2048],
    ['claude-opus-4-8', 1024],
    ['claude-opus-5', 512],
    ['claude-fable-5', 512],
    ['claude-haiku-4-5', 4096],
    ['claude-3-5-haiku-20241022', 2048],
  ])('%s caches from %d tokens on, wherever it is served', (model, minimum) => {
    const at = [
      factsOf('anthropic-messages', 'api.anthropic.com', model),
      factsOf('anthropic-messages', 'vertex', model.replace(/-(20\d{6})$/, '@$1')),
      factsOf('bedrock-converse', 'bedrock', `us.anthropic.${model}-v1:0`),
      factsOf('openai-chat', 'openrouter.ai', `anthropic/${model}`),
    ]
    expect(at.map((facts) => facts.minimum)).toEqual([minimum, minimum, minimum, minimum])
    expect(at.map(({ caching, marks }) => [caching, marks])).toEqual([
      ['marks', 'cache_control'],
      ['marks', 'cache_control'],
      ['marks', 'cachePoint'],
      ['marks', 'cache_control'],
    ])
  })

  test('Claude: four marks, twenty blocks back, five minutes or an hour', () => {
    expect(factsOf('anthropic-messages', 'api.anthropic.com', 'claude-sonnet-4-6')).toMatchObject({
      maxMarks: 4,
      lookBack: 20,
      lifetime: 300_000,
      longLifetime: 3_600_000,
      longName: '1h',
      write: 1.25,
      writeLong: 2,
      read: 0.1,
      slowEntries: true,
      key: false,
    })
  })

  test.each([
    ['bedrock-converse', 'bedrock', 'anthropic.claude-3-7-sonnet-20250219-v1:0', undefined],
    ['bedrock-converse', 'bedrock', 'anthropic.claude-sonnet-4-5-20250929-v1:0', '1h'],
    ['bedrock-converse', 'bedrock', 'amazon.nova-pro-v1:0', undefined],
    ['anthropic-messages', 'bedrock', 'anthropic.claude-sonnet-4-20250514-v1:0', undefined],
  ])('%s at %s: %s has the longer lifetime %p', (dialect, host, model, name) => {
    expect(factsOf(dialect, host, model).longName).toBe(name)
  })

  test.each([
    ['gpt-4o', 0.5, 1, undefined],
    ['gpt-4.1-mini', 0.25, 1, undefined],
    ['gpt-5', 0.1, 1, undefined],
    ['gpt-5.3-codex', 0.1, 1, undefined],
    ['gpt-5.6', 0.1, 1.25, 'prompt_cache_breakpoint'],
    ['gpt-5.10-mini', 0.1, 1.25, 'prompt_cache_breakpoint'],
    ['gpt-6', 0.1, 1.25, 'prompt_cache_breakpoint'],
  ])('OpenAI: %s reads at %d, writes at %d, marks: %p', (model, read, write, marks) => {
    for (const dialect of ['openai-chat', 'openai-responses'])
      expect(factsOf(dialect, 'api.openai.com', model)).toEqual(
        expect.objectContaining({ caching: 'auto', read, write, key: true, ...(marks && { marks }) }),
      )
    expect(factsOf('openai-chat', 'api.openai.com', model).marks).toBe(marks as undefined)
  })

  test.each([
    ['anthropic-messages', 'api.anthropic.com', 'claude-fable-5', 0.1, 512],
    ['anthropic-messages', 'api.anthropic.com', 'claude-fable-5.1', 0.025, 512],
    ['anthropic-messages', 'api.anthropic.com', 'claude-opus-5-20260724', 0.1, 512],
    ['anthropic-messages', 'api.anthropic.com', 'claude-opus-5-5', 0.05, 512],
    ['anthropic-messages', 'api.anthropic.com', 'claude-sonnet-5-5', 0.05, 1024],
    ['bedrock-converse', 'bedrock', 'us.anthropic.claude-sonnet-5-5-20261001-v1:0', 0.05, 1024],
    ['anthropic-messages', 'api.anthropic.com', 'claude-haiku-4-5', 0.1, 4096],
    ['bedrock-converse', 'bedrock', 'amazon.nova-pro-v1:0', 0.25, 1000],
    ['gemini-generate', 'generativelanguage.googleapis.com', 'gemini-2.5-pro', 0.1, 2048],
    ['gemini-generate', 'generativelanguage.googleapis.com', 'gemini-3.8-flash', 0.1, 4096],
    ['openai-chat', 'api.openai.com', 'o3', 0.25, 1024],
    ['openai-chat', 'api.openai.com', 'o3-mini', 0.5, 1024],
    ['openai-chat', 'api.deepseek.com', 'deepseek-flash', 0.02, 64],
    ['anthropic-messages', 'api.deepseek.com', 'deepseek-v4-pro', 1 / 30, 64],
    ['openai-chat', 'api.groq.com', 'llama-4', 0.5, 1024],
  ])('%s at %s: %s reads at %d of the price, from %d tokens on', (dialect, host, model, read, minimum) => {
    expect(factsOf(dialect, host, model)).toMatchObject({ read, minimum })
  })

  test('others: what they cache by themselves, and the hints that they know', () => {
    expect(factsOf('openai-chat', 'api.x.ai', 'grok-4.3')).toMatchObject({ caching: 'auto', conversationHeader: 'x-grok-conv-id' })
    expect(factsOf('openai-chat', 'api.x.ai', 'grok-4.3').key).toBe(false)
    expect(factsOf('openai-responses', 'api.x.ai', 'grok-4.3').key).toBe(true)
    expect(factsOf('openai-chat', 'api.mistral.ai', 'mistral-large')).toMatchObject({ caching: 'auto', key: true })
    expect(factsOf('openai-chat', 'api.deepseek.com', 'deepseek-v4')).toMatchObject({ caching: 'auto', key: false })
    expect(factsOf('anthropic-messages', 'api.deepseek.com', 'deepseek-v4')).toEqual(
      expect.objectContaining({ caching: 'auto', marks: undefined }),
    )
    expect(factsOf('gemini-generate', 'generativelanguage.googleapis.com', 'gemini-2.5-flash')).toMatchObject({
      caching: 'auto',
      minimum: 2048,
    })
    expect(factsOf('openai-chat', 'localhost', 'llama')).toMatchObject({ caching: 'none', key: false })
  })

  test('the operator wins; a server that knows no marks gets none', () => {
    const can = { cacheKey: true, cacheMarks: false }
    const facts = cacheFactsOf('anthropic-messages', 'own.test', 'claude-x', can, { minimum: 7 }, { read: 0.2 })
    expect(facts).toMatchObject({ minimum: 7, read: 0.2, marks: undefined, caching: 'none' })
  })

  test('every rule has a date and a source', () => {
    for (const { is } of cacheRules) {
      expect(is.asOf).toMatch(/^20\d\d-\d\d-\d\d$/)
      expect(is.source.length).toBeGreaterThan(8)
    }
  })
})
