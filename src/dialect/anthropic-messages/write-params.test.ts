import { describe, expect, test } from 'bun:test'
import type { Capabilities } from '../capability.ts'
import type { Content, Params } from '../conversation.ts'
import { type Asked, call, model, result, text, tool, turn, user, write } from './write-request.fixture.ts'
import { defaultMaxTokens } from './write-thinking.ts'

describe('D04: thinking', () => {
  const think = (params: Params, can: Partial<Capabilities> = {}, more: Asked = {}, maxOutput?: number) => {
    const { body, dropped } = write({ params, names: { reasoning: 'reasoning_effort' }, ...more }, can, maxOutput)
    return [body.thinking, body.output_config?.effort, body.max_tokens, dropped]
  }
  const old: Partial<Capabilities> = { adaptiveThinking: false, efforts: [] }
  test('in words where the model knows them', () => {
    expect(think({ reasoning: { effort: 'high' } })).toEqual([{ type: 'adaptive' }, 'high', defaultMaxTokens, []])
    expect(think({ reasoning: { effort: 'minimal', visible: 'auto' } })).toEqual([
      { type: 'adaptive', display: 'summarized' },
      'low',
      defaultMaxTokens,
      ['reasoning_effort'],
    ])
    expect(think({ reasoning: { budget: 10_000 }, maxOutput: 500 })).toEqual([{ type: 'adaptive' }, 'high', 500, []])
    expect(think({ reasoning: { effort: 'none' } })).toEqual([{ type: 'disabled' }, undefined, defaultMaxTokens, []])
    expect(think({ reasoning: { visible: 'auto' } })).toEqual([undefined, undefined, defaultMaxTokens, []])
  })
  test('else as a budget below the cap, which grows only if the client gave none', () => {
    expect(think({ reasoning: { effort: 'high' } }, old)).toEqual([{ type: 'enabled', budget_tokens: 16_384 }, undefined, 24_576, []])
    expect(think({ reasoning: { effort: 'max' } }, old, {}, 16_000)).toEqual([
      { type: 'enabled', budget_tokens: 15_999 },
      undefined,
      16_000,
      [],
    ])
    expect(think({ reasoning: { effort: 'low' }, maxOutput: 2000 }, old)).toEqual([
      { type: 'enabled', budget_tokens: 1999 },
      undefined,
      2000,
      [],
    ])
    expect(think({ reasoning: { effort: 'low' }, maxOutput: 1000 }, old)).toEqual([undefined, undefined, 1000, ['reasoning_effort']])
  })
  test('not beside a forced call or in a loop without thoughts, nor where there is none: disclosed', () => {
    const forced: Asked = { tools: [tool('a')], toolChoice: { type: 'required' } }
    expect(think({ reasoning: { effort: 'low' } }, old, forced)[3]).toEqual(['reasoning_effort'])
    expect(think({ reasoning: { effort: 'low' } }, {}, forced)[3]).toEqual([])
    const loop: Asked = { turns: [user(text('q')), model(call('a')), user(result('a'))] }
    expect(think({ reasoning: { effort: 'low' } }, old, loop)[3]).toEqual(['reasoning_effort'])
    expect(think({ reasoning: { effort: 'low' } }, { ...old, thinkingBudget: false })[3]).toEqual(['reasoning_effort'])
  })
  test('D05: what thinking forbids of sampling', () => {
    const { body, dropped } = write({
      params: { reasoning: { effort: 'low' }, temperature: 0.2, topP: 0.96, topK: 5 },
      names: { temperature: 'temperature' },
    })
    expect([body.temperature, body.top_p, body.top_k, dropped]).toEqual([undefined, 0.96, undefined, ['temperature', 'topK']])
  })
})

describe('parameters', () => {
  test('the cap: the client, the catalogue, a default', () => {
    expect([write({ params: { maxOutput: 5 } }, {}, 99), write({}, {}, 99), write({})].map((w) => w.body.max_tokens)).toEqual([
      5,
      99,
      defaultMaxTokens,
    ])
  })
  test('D05 I08: sampling clamped, or left out where the model rejects it', () => {
    const params: Params = { temperature: 1.3, topP: 0.5, topK: 3 }
    const both = write({ params }, { temperatureWithTopP: true })
    expect(both.body).toMatchObject({ temperature: 1, top_p: 0.5, top_k: 3 })
    expect(both.dropped).toEqual(['temperature'])
    expect(write({ params }).body.top_p).toBeUndefined() // Claude 4.1 to 4.6 take one of the two
    const none = write({ params }, { sampling: false })
    expect(none.body).not.toContainAnyKeys(['temperature', 'top_p', 'top_k'])
    expect(none.dropped).toEqual(['temperature', 'topP', 'topK'])
  })
  test('stop strings: blank ones go, disclosed', () => {
    const { body, dropped } = write({ params: { stop: ['\n', 'END'] }, names: { stop: 'stop' } })
    expect([body.stop_sequences, dropped]).toEqual([['END'], ['stop']])
    expect(write({ params: { stop: [' '] } }).body.stop_sequences).toBeUndefined()
  })
  test('the user: as said, or as a hash when too long', () => {
    expect(write({ params: { user: 'u1' } }).body.metadata).toEqual({ user_id: 'u1' })
    expect(write({ params: { user: 'u'.repeat(300) } }).body.metadata.user_id).toMatch(/^[0-9a-f]{64}$/)
  })
  test('hints are dropped by the names that the client gave them; what changes the answer is refused', () => {
    const { dropped } = write({
      params: { seed: 1, frequencyPenalty: 0.5, presencePenalty: 0, cacheKey: 'k', serviceTier: 'flex', store: true, verbosity: 'low' },
      names: { seed: 'seed', frequencyPenalty: 'frequency_penalty', cacheKey: 'prompt_cache_key' },
    })
    expect([...dropped].sort()).toEqual(['frequency_penalty', 'prompt_cache_key', 'seed', 'serviceTier', 'store', 'verbosity'])
    expect([{ n: 2 }, { logprobs: 0 }, { logitBias: { a: 1 } }].map((params) => write({ params }).refusal?.field)).toEqual([
      'n',
      'logprobs',
      'logitBias',
    ])
    expect([{ n: 1 }, { logitBias: {} }].map((params) => write({ params }).refusal)).toEqual([undefined, undefined])
  })
  test('I05 F04: marks with their lifetime where they were, four at most, the last ones stay', () => {
    const marked = (value: string): Content => text(value, { cache: { ttl: '1h' } })
    const { body, dropped } = write({
      tools: [tool('a', { cache: {} })],
      turns: [turn('system', marked('s')), user(marked('1'), marked('2')), model(marked('3')), user(text('end'))],
    })
    expect(body.tools[0].cache_control).toBeUndefined()
    expect(body.system[0].cache_control).toEqual({ type: 'ephemeral', ttl: '1h' })
    expect(JSON.stringify(body).match(/cache_control/g)).toHaveLength(4)
    expect(dropped).toEqual(['cache_control'])
    expect(JSON.stringify(write({ turns: [user(marked('1'))] }, { cacheMarks: false }).body)).not.toContain('cache_control')
  })
})

test('D04: a model that always thinks is told to think little, not none', () => {
  const off = { params: { reasoning: { off: true } }, names: { reasoning: 'reasoning_effort' } } as const
  expect(write(off).body.thinking).toEqual({ type: 'disabled' })
  const always = write(off, { thinkingOff: false })
  expect(always.body.thinking).toBeUndefined()
  expect(always.body.output_config).toEqual({ effort: 'low' })
  expect(always.dropped).toEqual(['reasoning_effort'])
})
