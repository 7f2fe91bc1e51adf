import { describe, expect, test } from 'bun:test'
import { type Attempt, type Catalog, type Operation, type Outcome, type Part, type Usage, unknownUsage } from 'headgate/plugin'
import { reserveOf, usedTokens } from './tokens.ts'

const catalog = { find: (id: string) => (id === 'known' ? { id, targets: [], maxOutput: 1000 } : undefined) } as unknown as Catalog

/** What a body reserves, and whether it had to be parsed for that. */
function reserve(
  operation: Operation,
  body: object,
  more: { model?: string; unsaid?: number; edited?: object; parts?: Partial<Part>[] } = {},
) {
  const bytes = new Uint8Array(Buffer.from(JSON.stringify(body)))
  let parsed = false
  const request = {
    borrowed: bytes,
    model: more.model ?? 'other',
    firstEdit: more.edited ? 1 : -1,
    get json() {
      parsed = true
      return more.edited ?? body
    },
    parts: () => {
      parsed = true
      return more.parts ?? []
    },
  }
  const made = reserveOf({ operation, request } as unknown as Parameters<typeof reserveOf>[0], catalog, more.unsaid)
  return { ...made, parsed, bytes: bytes.length }
}

describe('the reserve', () => {
  test.each<[Operation, object, number]>([
    ['chat', { max_tokens: 50 }, 50],
    ['chat', { max_tokens: 50, max_completion_tokens: 70 }, 70],
    ['chat', { max_tokens: 50, n: 3 }, 150],
    ['chat', { max_tokens: 50_000, max_completion_tokens: 1 }, 50_000],
    ['completions', { max_tokens: 16 }, 16],
    ['completions', { max_tokens: 16, n: 2, best_of: 5 }, 80],
    ['responses', { max_output_tokens: 90, max_tokens: 5 }, 90],
    ['messages', { max_tokens: 64 }, 64],
    ['generate', { generationConfig: { maxOutputTokens: 80, candidateCount: 2 } }, 160],
    ['converse', { inferenceConfig: { maxTokens: 33 } }, 33],
    ['chat', { max_tokens: 0 }, 0],
    ['chat', { max_tokens: 7.5 }, 8],
    ['embeddings', { input: 'text', max_tokens: 9 }, 0],
  ])('%s %j: %i tokens of output', (operation, body, output) => {
    const made = reserve(operation, body)
    expect(made).toMatchObject({ output, input: Math.ceil(made.bytes / 4) })
  })

  test.each<[object]>([
    [{}],
    [{ max_tokens: null }],
    [{ max_tokens: -1 }],
    [{ max_tokens: '5' }],
    [{ max_tokens: 1e300 }],
    [{ tools: [{ max_tokens: 1 }] }],
  ])('nothing usable said in %j: what the operator says, else the catalogue, else 4096', (body) => {
    expect(reserve('chat', body).output).toBe(4096)
    expect(reserve('chat', body, { unsaid: 300, model: 'known' }).output).toBe(300)
    expect(reserve('chat', body, { unsaid: 3000, model: 'known' }).output).toBe(1000)
    expect(reserve('chat', body, { model: 'known' }).output).toBe(1000)
  })

  test('no model gives more than the catalogue says', () => {
    expect(reserve('chat', { max_tokens: 5000 }, { model: 'known' }).output).toBe(1000)
    expect(reserve('chat', { max_tokens: 5000, n: 2 }, { model: 'known' }).output).toBe(2000)
  })

  test('a body that says nothing of it is not parsed', () => {
    expect(reserve('chat', { messages: [{ content: 'what does "max_tokens" mean? and "n"?' }] }).parsed).toBe(false)
    expect(reserve('chat', { max_tokens: 1 }).parsed).toBe(true)
  })

  test('an escape in a name hides nothing', () => {
    const text = '{"max\\u005ftokens":50000}'
    const bytes = new Uint8Array(Buffer.from(text))
    const x = { operation: 'chat', request: { borrowed: bytes, model: 'other', firstEdit: -1, json: JSON.parse(text) } }
    expect(reserveOf(x as unknown as Parameters<typeof reserveOf>[0], catalog, undefined)?.output).toBe(50_000)
    expect(reserve('chat', { messages: [{ content: '\u001b[0m' }] }).parsed).toBe(false)
  })

  test('what a plugin above has changed counts', () => {
    expect(reserve('chat', {}, { edited: { max_tokens: 5 } }).output).toBe(5)
  })

  test('what uses no tokens reserves none', () => {
    for (const operation of ['models', 'route', 'count_tokens'] as const) expect(reserve(operation, {})).not.toHaveProperty('output')
  })

  test('pictures are not text', () => {
    const picture = { messages: [{ content: [{ image_url: { url: `data:image/png;base64,${'A'.repeat(400_000)}` } }] }] }
    const { input } = reserve('chat', picture, { parts: [{ text: 'x'.repeat(400) }] })
    expect(input).toBeGreaterThan(1000)
    expect(input).toBeLessThan(2000)
    const text = reserve('chat', { messages: [{ content: 'A'.repeat(400_000) }] })
    expect(text.input).toBeGreaterThan(100_000)
    expect(text.parsed).toBe(false)
  })
})

const usage = (source: Usage['source'], inputUncached: number, outputVisible: number): Usage => ({
  ...unknownUsage,
  source,
  inputUncached,
  outputVisible,
})
const attempt = (used?: Usage): Attempt => ({ upstream: 'u', model: 'm', url: '', startedAt: 0, ...(used && { usage: used }) })
const outcome = (attempts: Attempt[], served?: Attempt, bytesOut = 0) => ({ attempts, served, bytesOut }) as unknown as Outcome

describe('what was used', () => {
  const reserved = { input: 100, output: 50 }
  const used = (o: Outcome) => usedTokens(o, reserved)

  test('is what the upstream reports, in all classes', () => {
    const served = attempt({ ...usage('reported', 7, 5), cacheRead: 100, cacheWrite5m: 10, reasoning: 20 })
    expect(used(outcome([served], served, 9999))).toBe(142)
  })

  test('holds the work that is billed beside the reply (E04)', () => {
    const extra = [{ kind: 'compaction', usage: usage('reported', 300, 20) }]
    const served = attempt({ ...usage('reported', 7, 5), extra })
    expect(used(outcome([served], served, 9999))).toBe(332)
    expect(used(outcome([attempt({ ...usage('partial', 7, 1), extra })]))).toBe(328)
    const left = attempt({ ...usage('partial', 30, 1), extra })
    expect(used(outcome([left], left, 40))).toBe(30 + 10 + 320)
  })

  test('is nothing where no upstream was asked, or none answered', () => {
    expect(used(outcome([]))).toBe(0)
    expect(used(outcome([attempt(), attempt(unknownUsage)]))).toBe(0)
  })

  test('holds calls that were wasted', () => {
    const served = attempt(usage('reported', 7, 5))
    expect(used(outcome([attempt(usage('partial', 7, 1)), attempt(), served], served))).toBe(20)
    expect(used(outcome([attempt(usage('partial', 7, 1))]))).toBe(8)
  })

  test('of a reply without usage: the input as reserved, and what was sent', () => {
    for (const served of [attempt(), attempt(unknownUsage)]) {
      expect(used(outcome([served], served, 40))).toBe(110)
      expect(used(outcome([served], served, 100_000))).toBe(150) // never more than was reserved
    }
  })

  test('of a reply that several calls gave: each with what it said, none twice', () => {
    const first: Attempt = { ...attempt(), delivered: 4 }
    const reported = attempt(usage('reported', 7, 5))
    const both = (last: Attempt) => ({ ...outcome([first, last], first, 40), continued: [last] }) as Outcome
    expect(used(both(reported))).toBe(100 + 4 + 12)
    expect(used(both(attempt()))).toBe(100 + 4 + 100 + 6)
  })

  test('of a stream most is no text', () => {
    const served = attempt()
    const left = { ...outcome([served], served, 400), stream: true } as Outcome
    expect(used(left)).toBe(125)
  })

  test('of a reply that was left: the input that is known, and what was sent or told, whichever is more', () => {
    const served = attempt(usage('partial', 30, 1))
    expect(used(outcome([served], served, 40))).toBe(40)
    const more = attempt(usage('partial', 30, 60))
    expect(used(outcome([more], more, 40))).toBe(90)
  })
})
