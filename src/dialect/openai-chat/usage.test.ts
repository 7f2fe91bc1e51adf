import { describe, expect, test } from 'bun:test'
import { inputTokens, outputTokens, type Usage } from '../../plugin/outcome.ts'
import type { Json } from '../../plugin/request.ts'
import { chatUsage, chatUsageObject } from './usage.ts'

const of = (value: Json): Usage => chatUsage(value)!

describe('usage of Chat Completions', () => {
  test('E01 E02: prompt_tokens includes cache reads and writes', () => {
    const usage = of({
      prompt_tokens: 100,
      completion_tokens: 20,
      total_tokens: 120,
      prompt_tokens_details: { cached_tokens: 60, cache_write_tokens: 30, audio_tokens: 5 },
      completion_tokens_details: { reasoning_tokens: 15, audio_tokens: 2 },
    })
    expect(usage).toMatchObject({
      source: 'reported',
      inputUncached: 10,
      cacheRead: 60,
      cacheWriteOther: 30,
      outputVisible: 5,
      reasoning: 15,
      inputAudio: 5,
      outputAudio: 2,
    })
    expect([inputTokens(usage), outputTokens(usage)]).toEqual([100, 20])
  })
  test('DeepSeek and Moonshot name cache hits in their own way', () => {
    expect(of({ prompt_tokens: 10, completion_tokens: 1, prompt_cache_hit_tokens: 4, prompt_cache_miss_tokens: 6 }).cacheRead).toBe(4)
    expect(of({ prompt_tokens: 10, completion_tokens: 1, cached_tokens: 7 }).cacheRead).toBe(7)
  })
  test('E06 E07: xAI counts reasoning outside completion_tokens', () => {
    const usage = of({ prompt_tokens: 10, completion_tokens: 5, total_tokens: 115, completion_tokens_details: { reasoning_tokens: 100 } })
    expect(usage).toMatchObject({ outputVisible: 5, reasoning: 100 })
  })
  test("E07: Gemini's compatible endpoint tells thinking only in the total", () => {
    expect(of({ prompt_tokens: 10, completion_tokens: 5, total_tokens: 45 })).toMatchObject({ outputVisible: 5, reasoning: 30 })
  })
  test('figures that no reply can have are not taken for usage: neither free nor a bill of millions', () => {
    expect(chatUsage({ prompt_tokens: -1000, completion_tokens: -5 })).toBeUndefined()
    expect(chatUsage({ prompt_tokens: 1e300, completion_tokens: 2e9 })).toBeUndefined()
    expect(of({ prompt_tokens: -1, completion_tokens: 5 })).toMatchObject({ source: 'partial', inputUncached: 0, outputVisible: 5 })
  })
  test('no class is negative, whatever the figures', () => {
    const usage = of({
      prompt_tokens: 5,
      completion_tokens: 3,
      total_tokens: 1,
      prompt_tokens_details: { cached_tokens: 9, cache_write_tokens: 9 },
      completion_tokens_details: { reasoning_tokens: 11 },
    })
    expect(usage).toMatchObject({ inputUncached: 0, cacheRead: 5, cacheWriteOther: 0, outputVisible: 0, reasoning: 3 })
    expect(of({ prompt_tokens: 4, completion_tokens: Number.NaN })).toMatchObject({ inputUncached: 4, outputVisible: 0, source: 'partial' })
  })
  test('partial figures, and none', () => {
    expect(of({ prompt_tokens: 5 })).toMatchObject({ source: 'partial', inputUncached: 5 })
    expect(of({ completion_tokens: 5, total_tokens: 12 })).toMatchObject({ source: 'partial', inputUncached: 7, outputVisible: 5 })
    for (const none of [null, undefined, {}, [], 'x', { prompt_tokens: '5' }]) expect(chatUsage(none)).toBeUndefined()
  })
  test('written and read back it is the same', () => {
    const usage = of({
      prompt_tokens: 100,
      completion_tokens: 20,
      total_tokens: 120,
      prompt_tokens_details: { cached_tokens: 60, cache_write_tokens: 30 },
      completion_tokens_details: { reasoning_tokens: 15 },
    })
    expect({ ...of(chatUsageObject(usage)), raw: '' }).toEqual({ ...usage, raw: '' })
  })
})
