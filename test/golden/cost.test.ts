/**
 * Golden vectors: from a provider's own usage JSON to its exact cost, to the last digit. Costs were worked out by hand and are written as decimals.
 *
 * Then, over all recorded traffic: what the classes of a usage add up to is what the provider says in total.
 */

import { describe, expect, test } from 'bun:test'
import { costOf, formatUsd, type Usage } from 'headgate/plugin'
import { type FilePrices, resolvePrices } from '../../src/config/price-schema.ts'
import { anthropicMessages } from '../../src/dialect/anthropic-messages/index.ts'
import type { Dialect } from '../../src/dialect/codec.ts'
import { geminiGenerate } from '../../src/dialect/gemini/index.ts'
import { openaiChat } from '../../src/dialect/openai-chat/index.ts'
import { openaiResponses } from '../../src/dialect/openai-responses/index.ts'
import { SseReader } from '../../src/dialect/sse.ts'
import { hasRecordings, type Recording, recordings } from './recordings.ts'

const message = { role: 'assistant', content: 'x' }
const bodies: Readonly<Record<string, (usage: object) => object>> = {
  'openai-chat': (usage) => ({ id: 'c', choices: [{ index: 0, message, finish_reason: 'stop' }], usage }),
  'anthropic-messages': (usage) => ({ id: 'm', type: 'message', content: [], stop_reason: 'end_turn', usage }),
  'openai-responses': (usage) => ({ id: 'r', object: 'response', status: 'completed', output: [], usage }),
  'gemini-generate': (usage) => ({
    candidates: [{ content: { role: 'model', parts: [{ text: 'x' }] }, finishReason: 'STOP' }],
    usageMetadata: usage,
  }),
}

/** Usage of a whole reply with this usage JSON. */
function whole(dialect: Dialect, usage: object): Usage {
  return dialect.summary(Buffer.from(JSON.stringify(bodies[dialect.name]!(usage)))).usage!
}
const usd = (usage: Usage, prices: FilePrices, others: Readonly<Record<string, FilePrices>> = {}) => {
  const cost = costOf(usage, resolvePrices(prices)[0], (model) => others[model] && resolvePrices(others[model])[0])
  return cost.known ? formatUsd(cost.pico) : `unknown: ${cost.missing}`
}

const gpt4o = { input: '2.50', output: '10', cache_read: '1.25' }
const gpt5 = { input: '1.25', output: '10', cache_read: '0.125' }
const sol = {
  input: '2',
  output: '10',
  cache_read: '0.10',
  cache_write: '2.50',
  long_context: { above: 272_000, input: '4', output: '15', cache_read: '0.20', cache_write: '5' },
}
const sonnet = { input: '3', output: '15', cache_read: '0.30', cache_write: '3.75', cache_write_1h: '6' }
const flash = { input: '0.30', output: '2.50', cache_read: '0.03' }

describe('from usage JSON to the last digit', () => {
  test.each<[string, Dialect, object, FilePrices, string]>([
    [
      'OpenAI: 86 fresh, 1920 cached, 300 out',
      openaiChat,
      { prompt_tokens: 2006, completion_tokens: 300, total_tokens: 2306, prompt_tokens_details: { cached_tokens: 1920 } },
      gpt4o,
      '0.005615',
    ],
    [
      'E06, OpenAI: reasoning is a part of 1200 out, and counted once',
      openaiChat,
      { prompt_tokens: 1117, completion_tokens: 1200, total_tokens: 2317, completion_tokens_details: { reasoning_tokens: 1024 } },
      gpt5,
      '0.01339625',
    ],
    [
      'OpenAI: 976 fresh, 1024 cached, 3000 written',
      openaiChat,
      {
        prompt_tokens: 5000,
        completion_tokens: 7,
        total_tokens: 5007,
        prompt_tokens_details: { cached_tokens: 1024, cache_write_tokens: 3000 },
      },
      sol,
      '0.0096244',
    ],
    [
      'OpenAI: a long context, all of it at the higher rates',
      openaiChat,
      { prompt_tokens: 300_000, completion_tokens: 10, total_tokens: 300_010, prompt_tokens_details: { cached_tokens: 200_000 } },
      sol,
      '0.44015',
    ],
    [
      'OpenAI: 60 of 100 in and 30 of 50 out are audio',
      openaiChat,
      {
        prompt_tokens: 100,
        completion_tokens: 50,
        total_tokens: 150,
        prompt_tokens_details: { audio_tokens: 60 },
        completion_tokens_details: { audio_tokens: 30 },
      },
      { ...gpt4o, audio_input: '40', audio_output: '80' },
      '0.0051',
    ],
    [
      'OpenAI: audio that nobody priced',
      openaiChat,
      { prompt_tokens: 100, completion_tokens: 50, total_tokens: 150, prompt_tokens_details: { audio_tokens: 60 } },
      gpt4o,
      'unknown: audio_input',
    ],
    [
      'E07, xAI: 95 of reasoning are not in completion_tokens; 6 of 32 cached',
      openaiChat,
      {
        prompt_tokens: 32,
        completion_tokens: 9,
        total_tokens: 136,
        prompt_tokens_details: { cached_tokens: 6 },
        completion_tokens_details: { reasoning_tokens: 95 },
      },
      { input: '0.30', output: '0.50', cache_read: '0.075' },
      '0.00006025',
    ],
    [
      "E07, Gemini's compatible endpoint: 30 of thinking stand only in the total",
      openaiChat,
      { prompt_tokens: 10, completion_tokens: 5, total_tokens: 45 },
      flash,
      '0.0000905',
    ],
    [
      'DeepSeek: 640 hits, 360 misses',
      openaiChat,
      { prompt_tokens: 1000, completion_tokens: 100, total_tokens: 1100, prompt_cache_hit_tokens: 640, prompt_cache_miss_tokens: 360 },
      { input: '0.28', output: '0.42', cache_read: '0.028' },
      '0.00016072',
    ],
    [
      'a provider without a price for cached input charges the input price',
      openaiChat,
      { prompt_tokens: 1000, completion_tokens: 0, total_tokens: 1000, prompt_tokens_details: { cached_tokens: 999 } },
      { input: '0.59', output: '0.79' },
      '0.00059',
    ],
    [
      'E05, Anthropic: 2000 written for 5 minutes, 300 for an hour',
      anthropicMessages,
      {
        input_tokens: 12,
        cache_read_input_tokens: 10_000,
        cache_creation_input_tokens: 2300,
        cache_creation: { ephemeral_5m_input_tokens: 2000, ephemeral_1h_input_tokens: 300 },
        output_tokens: 503,
      },
      sonnet,
      '0.019881',
    ],
    [
      'Anthropic: written for no stated time',
      anthropicMessages,
      { input_tokens: 12, cache_read_input_tokens: 10_000, cache_creation_input_tokens: 2300, output_tokens: 503 },
      sonnet,
      '0.019206',
    ],
    [
      'E05, Anthropic: an hour that nobody priced',
      anthropicMessages,
      { input_tokens: 1, output_tokens: 1, cache_creation: { ephemeral_1h_input_tokens: 1 } },
      { input: '3', output: '15', cache_write: '3.75' },
      'unknown: cache_write_1h',
    ],
    [
      'Responses: 17 fresh, 64 cached, 1035 out of which 832 reasoning',
      openaiResponses,
      {
        input_tokens: 81,
        input_tokens_details: { cached_tokens: 64 },
        output_tokens: 1035,
        output_tokens_details: { reasoning_tokens: 832 },
        total_tokens: 1116,
      },
      gpt5,
      '0.01037925',
    ],
    [
      'E08, Gemini: thoughts are output, and beside the candidates',
      geminiGenerate,
      { promptTokenCount: 1000, cachedContentTokenCount: 600, candidatesTokenCount: 20, thoughtsTokenCount: 80, totalTokenCount: 1100 },
      flash,
      '0.000388',
    ],
    ['free', openaiChat, { prompt_tokens: 1000, completion_tokens: 1000, total_tokens: 2000 }, { input: '0', output: '0' }, '0'],
    [
      'the smallest price',
      openaiChat,
      { prompt_tokens: 1, completion_tokens: 0, total_tokens: 1 },
      { input: '0.000001', output: '0' },
      '0.000000000001',
    ],
    [
      'a fee per request',
      openaiChat,
      { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
      { input: '1', output: '1', request: '5000' },
      '0.005002',
    ],
  ])('%s', (_, dialect, usage, prices, cost) => {
    expect(usd(whole(dialect, usage), prices)).toBe(cost)
  })

  test('E04, Anthropic: an adviser on another model, at that model’s price', () => {
    const usage = {
      input_tokens: 2400,
      output_tokens: 130,
      iterations: [
        { type: 'message', input_tokens: 1100, output_tokens: 120 },
        { type: 'advisor_message', model: 'claude-adviser', input_tokens: 2500, output_tokens: 40 },
        { type: 'message', input_tokens: 1300, output_tokens: 10 },
      ],
    }
    const own = { input: '2', output: '10' }
    expect(usd(whole(anthropicMessages, usage), own, { 'claude-adviser': { input: '5', output: '25' } })).toBe('0.0196')
    expect(usd(whole(anthropicMessages, usage), own)).toBe('unknown: claude-adviser: price')
  })

  test('E03, Anthropic stream: what message_delta restates is what is billed, and nothing before it is known', () => {
    const frames = [
      {
        type: 'message_start',
        message: { id: 'm', type: 'message', model: 'x', content: [], usage: { input_tokens: 2479, output_tokens: 1 } },
      },
      { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { input_tokens: 404_500, output_tokens: 900 } },
    ]
    const decoder = anthropicMessages.decoder()
    const usages = new SseReader()
      .push(Buffer.from(frames.map((data) => `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`).join('')))
      .flatMap((frame) => decoder.decode(frame))
      .flatMap((event) => (event.type === 'usage' ? [event.usage] : []))
    expect(usages.map((usage) => usd(usage, { input: '5', output: '25' }))).toEqual(['unknown: usage', '2.045'])
  })
})

describe.skipIf(!hasRecordings)('over recorded traffic', () => {
  /** Every class at one picodollar per token: the cost is the number of tokens. */
  const one = {
    input: 1n,
    output: 1n,
    cache_read: 1n,
    cache_write: 1n,
    cache_write_1h: 1n,
    reasoning: 1n,
    audio_input: 1n,
    audio_output: 1n,
  }

  function usageIn(dialect: Dialect, { body, stream }: Recording): Usage | undefined {
    if (!stream) return dialect.summary(Buffer.from(body)).usage
    const decoder = dialect.decoder()
    const reader = new SseReader()
    const frames = [...reader.push(Buffer.from(body)), ...reader.end()]
    const last = frames.flatMap((frame) => decoder.decode(frame)).findLast((event) => event.type === 'usage')
    return last?.type === 'usage' ? last.usage : undefined
  }

  /** What the provider says it used, from its own JSON. */
  function total(dialect: string, raw: Record<string, never>): number {
    const n = (value: unknown) => (typeof value === 'number' ? value : 0)
    if (dialect === 'openai-chat') return Math.max(n(raw.total_tokens), n(raw.prompt_tokens) + n(raw.completion_tokens))
    const own = n(raw.input_tokens) + n(raw.cache_read_input_tokens) + n(raw.cache_creation_input_tokens) + n(raw.output_tokens)
    const others = ((raw.iterations ?? []) as Record<string, never>[]).filter(({ type }) => type !== 'message')
    return others.reduce((sum, iteration) => sum + total(dialect, iteration), own)
  }

  test.each([openaiChat, anthropicMessages])('$name: the classes add up to the total of the provider, and none is negative', (dialect) => {
    let seen = 0
    for (const recording of recordings(dialect.name)) {
      if (recording.status !== 200) continue
      const usage = usageIn(dialect, recording)
      if (!usage) continue
      seen++
      const cost = costOf({ ...usage, source: 'reported' }, one, () => one)
      expect(cost.known).toBe(true)
      expect(Object.values(cost.byClass).every((part) => part >= 0n)).toBe(true)
      expect([recording.id, cost.known && cost.pico]).toEqual([recording.id, BigInt(total(dialect.name, JSON.parse(usage.raw!)))])
    }
    expect(seen).toBeGreaterThan(30)
  })
})
