import { describe, expect, test } from 'bun:test'
import { type Json, type Price, parseUsd, usd } from 'headgate/plugin'
import { affordable, type Bound, costOfBound, dearest, pricesFor, unknownRates } from './bound.ts'
import { Delivered } from './delivered.ts'
import { endOf, periodOf } from './period.ts'
import { picoOf, plansOf } from './plan.ts'
import { callerOf, takesOf } from './takes.ts'
import { worstInput } from './worst-input.ts'
import { askedOutput } from './worst-output.ts'

const bytesOf = (body: Json) => Buffer.from(JSON.stringify(body))
const worst = (body: Json, context = 100_000, model = 'gpt-x') => worstInput(bytesOf(body), () => body, model, context)
const picture = { type: 'image_url', image_url: { url: `data:image/png;base64,${'A'.repeat(50_000)}` } }

describe('the worst input', () => {
  test('text: a token per byte, and the words around', () => {
    const body = { messages: [{ role: 'user', content: 'é'.repeat(100) }] }
    expect(worst(body)).toBe(bytesOf(body).length + 2000)
  })
  test('is never more than the model can read', () => {
    expect(worst({ messages: [{ role: 'user', content: 'x'.repeat(500_000) }] })).toBe(100_000)
  })
  test.each([
    ['Chat', { messages: [{ role: 'user', content: [{ type: 'text', text: 'hi' }, picture] }] }],
    ['Responses', { input: [{ role: 'user', content: [{ type: 'input_image', file_id: 'f' }] }] }],
    [
      'Messages',
      {
        messages: [
          { role: 'user', content: [{ type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'A'.repeat(9000) } }] },
        ],
      },
    ],
    ['Gemini', { contents: [{ parts: [{ inlineData: { mimeType: 'image/png', data: 'A'.repeat(9000) } }] }] }],
    ['Converse', { messages: [{ role: 'user', content: [{ image: { format: 'png', source: { bytes: 'A'.repeat(9000) } } }] }] }],
  ] as [string, Json][])('%s: a picture counts as one, whatever its bytes', (_, body) => {
    expect(worst(body)).toBeWithin(14_000, 14_500)
    expect(worst(body, 200_000, 'openai/gpt-4o-mini')).toBeWithin(52_000, 52_500)
  })
  test.each([
    { messages: [{ role: 'user', content: [{ type: 'file', file: { file_id: 'f' } }] }] },
    { messages: [{ role: 'user', content: [{ type: 'input_audio', input_audio: { data: 'AA', format: 'wav' } }] }] },
    { messages: [{ role: 'user', content: [{ type: 'document', source: { type: 'url', url: 'https://x' } }] }] },
    { previous_response_id: 'r', input: 'hi' },
    { prompt: { id: 'p' } },
    { input: 'hi', tools: [{ type: 'web_search' }] },
    { messages: [], tools: [{ type: 'web_search_20250305', name: 'web_search' }] },
    { messages: [], web_search_options: {} },
    { contents: [], tools: [{ googleSearch: {} }] },
    { contents: [{ parts: [{ fileData: { fileUri: 'u' } }] }] },
    { contents: [], cachedContent: 'c' },
    { messages: [], mcp_servers: [{ type: 'url', url: 'https://x' }] },
    { messages: [{ role: 'user', content: [{ document: { format: 'pdf', source: { bytes: 'AA' } } }] }] },
  ] as Json[])('%j reads what is not here: the whole context', (body) => {
    expect(worst(body)).toBe(100_000)
  })
  test.each([
    {
      messages: [],
      tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'object', properties: { document: { type: 'string' } } } } }],
    },
    { messages: [{ role: 'assistant', content: [{ type: 'tool_use', id: 't', name: 'n', input: { file_id: 'x', document: 'y' } }] }] },
    { messages: [], tools: [{ type: 'bash_20250124', name: 'bash' }] },
    { prompt: 'tell me of a "document" and a "file"' },
    { messages: [{ role: 'user', content: 'previous_response_id' }] },
    { messages: [{ role: 'user', type: 'image_url', content: 'x'.repeat(50_000) }] },
  ] as Json[])('%j holds only text', (body) => {
    expect(worst(body)).toBe(bytesOf(body).length + 2000)
  })
})

describe('the worst output', () => {
  const asked = (operation: Parameters<typeof askedOutput>[0], body: Json) => {
    const at = (pointer: string) =>
      pointer
        .split('/')
        .slice(1)
        .reduce<Json | undefined>((v, key) => (v as Record<string, Json> | undefined)?.[key], body)
    return askedOutput(operation, { borrowed: bytesOf(body), firstEdit: -1, at })
  }
  test.each([
    ['chat', { max_tokens: 5 }, 5, 1],
    ['chat', { max_tokens: 5, max_completion_tokens: 9, n: 3 }, 9, 3],
    ['chat', { n: 2 }, undefined, 2],
    ['chat', { n: '4', max_tokens: '700' }, 700, 4],
    ['chat', { max_tokens: -1 }, undefined, 1],
    ['chat', { max_tokens: 12.5 }, 13, 1],
    ['completions', { max_tokens: 5, best_of: 4 }, 5, 4],
    ['completions', { max_tokens: 5, n: 2, prompt: ['a', 'b', 'c'] }, 5, 6],
    ['completions', { max_tokens: 5, prompt: [[1, 2], [3]] }, 5, 2],
    ['completions', { max_tokens: 5, prompt: [1, 2, 3] }, 5, 1],
    ['responses', { max_output_tokens: 7 }, 7, 1],
    ['messages', { max_tokens: 8 }, 8, 1],
    ['generate', { generationConfig: { maxOutputTokens: 6, candidateCount: 2 } }, 6, 2],
    ['generate', { generationConfig: { max_output_tokens: 6, candidate_count: 2 } }, 6, 2],
    ['generate', { generation_config: { maxOutputTokens: 6, candidateCount: 2 } }, 6, 2],
    ['converse', { inferenceConfig: { maxTokens: 4 } }, 4, 1],
    ['embeddings', { input: 'x' }, undefined, 1],
  ] as const)('%s %j', (operation, body, output, choices) => {
    expect(asked(operation, body)).toMatchObject({ output, choices })
  })
})

test('words whose letters are written as escapes count as if they were not', () => {
  const text = '{"\\u006e":9,"m\\u0061x_tokens":7,"messages":[{"content":[{"type":"fil\\u0065","fil\\u0065":{}}]}]}'
  const bytes = Buffer.from(text)
  const json = JSON.parse(text) as Record<string, Json>
  expect(askedOutput('chat', { borrowed: bytes, firstEdit: -1, at: (pointer) => json[pointer.slice(1)] })).toMatchObject({
    output: 7,
    choices: 9,
  })
  expect(worstInput(bytes, () => json, 'm', 100_000)).toBe(100_000)
})

describe('the dearest price', () => {
  const price: Price = { input: 3n, output: 15n, cache_read: 1n, cache_write: 4n, cache_write_1h: 6n, reasoning: 20n, request: 100n }
  test('of each side, of all targets', () => {
    expect(dearest([price, { input: 5n, output: 16n }], 10, undefined, true)).toEqual({
      input: 6n,
      output: 20n,
      request: 100n,
      guessed: false,
    })
  })
  test('of a long context only when the input can be so long', () => {
    const long: Price = { ...price, longContext: { above: 1000, input: 50n, output: 70n } }
    expect(dearest([long], 1000, undefined, true)).toMatchObject({ input: 6n, output: 20n })
    expect(dearest([long], 1001, undefined, true)).toMatchObject({ input: 50n, output: 70n })
  })
  test('that is not known is not 0', () => {
    const unknown = unknownRates({ input: 40, output: 200 })!
    expect(unknown).toEqual({ input: 40_000_000n, output: 200_000_000n, request: 0n })
    expect(dearest([price, undefined], 10, undefined, true)).toBeUndefined()
    expect(dearest([], 10, undefined, true)).toBeUndefined()
    expect(dearest([{ input: 1n }], 10, undefined, true)).toBeUndefined()
    expect(dearest([{ input: 1n }], 10, undefined, false)).toMatchObject({ input: 1n, output: 0n })
    expect(dearest([price, undefined], 10, unknown, true)).toMatchObject({ input: 40_000_000n, guessed: true })
  })
  test('is that of now', () => {
    const list = [{ input: 1n }, { input: 2n, from: 100 }]
    const model = {
      id: 'm',
      targets: [
        { upstream: 'a', model: 'x', price: list },
        { upstream: 'b', model: 'y' },
      ],
      price: [{ input: 9n }],
    }
    expect(pricesFor(model, undefined, 50)).toEqual([{ input: 1n }, { input: 9n }])
    expect(pricesFor(model, { upstream: 'c', model: 'z', price: [] }, 150)).toEqual([undefined, { input: 2n, from: 100 }, { input: 9n }])
  })
  test('what money pays for costs no more than it', () => {
    for (const markup of ['0', '12.5', '-40', '300']) {
      for (let i = 0; i < 300; i++) {
        const pick = (below: number) => Math.floor(Math.random() * below)
        const bound: Bound = {
          input: BigInt(pick(9_000_000)),
          output: BigInt(1 + pick(90_000_000)),
          request: BigInt(pick(1000)),
          inputTokens: pick(100_000),
          outputTokens: 1,
          limited: true,
          guessed: false,
        }
        const money = BigInt(pick(2 ** 45))
        const output = affordable(money, bound, markup)
        if (output > 0) expect(costOfBound({ ...bound, outputTokens: output }, markup)).toBeLessThanOrEqual(money)
        const more = costOfBound({ ...bound, outputTokens: output + 2 }, markup)
        expect(more).toBeGreaterThan(money)
      }
    }
  })
})

test('what passes is counted once, however it comes', () => {
  const text = 'The quick brown fox jumps over the lazy dog. '.repeat(60)
  const counts = [1, 3, 7, 50, 5000].map((size) => {
    const counter = new Delivered()
    for (let i = 0; i < text.length; i += size) counter.see({ type: 'text', text: text.slice(i, i + size), choice: 0 })
    return counter.total()
  })
  for (const count of counts) expect(count).toBeWithin(560, 680) // ten tokens a sentence
})

describe('plans', () => {
  const plans = plansOf({ plans: { paid: { billed: true, included: 0.3, overage: 1e-7, caps: [] } }, no_plan: 'subscription_required' })
  test('amounts are those that were written', () => {
    expect(plans.of(undefined, 'paid', 0)).toMatchObject({ included: parseUsd('0.30'), overage: 100_000n })
    expect(picoOf(9_000_000)).toBe(9_000_000n * usd)
  })
  test('one that was set wins, one that ended is none, even where the tier has one', () => {
    expect(plans.of({ plan: 'paid' }, 'other', 0)).toMatchObject({ name: 'paid' })
    expect(plans.of({ plan: 'paid', until: 5 }, 'paid', 5)).toMatchObject({ refusal: expect.stringContaining('1970-01-01') })
    expect(plans.of({ plan: 'gone' }, 'paid', 5)).toHaveProperty('refusal')
    expect(plans.of({}, undefined, 5)).toHaveProperty('refusal')
  })
})

describe('what a caller is counted as', () => {
  const plan = { name: 'p', billed: true, included: 0n, overage: 0n, caps: [{ of: 'user', per: 'day', messages: 1 }] } as const
  const counter = (account: string, user: string) =>
    takesOf(plan, callerOf({ id: 'k', kind: 'key', account, tags: [] }, undefined, user), 0)[0]!.counter
  test('nobody can name himself into the count of another', () => {
    expect(counter('a', 'b/c')).not.toBe(counter('a/b', 'c'))
    expect(counter('a"/"b', 'c')).not.toBe(counter('a', 'b"/c'))
    expect(counter('a', 'x'.repeat(10_000)).length).toBeLessThan(150)
  })
  test('two caps on the same thing: the smaller', () => {
    const caps = [
      { of: 'account', per: 'day', messages: 5 },
      { of: 'account', per: 'day', messages: 3 },
    ] as const
    expect(takesOf({ ...plan, caps }, callerOf(undefined, undefined, undefined), 0).map((t) => t.limit)).toEqual([3n])
  })
})

test('periods begin at 00:00 UTC', () => {
  const at = Date.UTC(2026, 11, 31, 23, 59, 59, 999)
  expect([periodOf('day', at), periodOf('month', at), periodOf('total', at)]).toEqual(['2026-12-31', '2026-12', ''])
  expect([endOf('day', at), endOf('month', at), endOf('total', at)]).toEqual([at + 1, at + 1, undefined])
  expect(endOf('month', Date.UTC(2028, 1, 10))).toBe(Date.UTC(2028, 2, 1))
})
