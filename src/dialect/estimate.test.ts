import { describe, expect, test } from 'bun:test'
import { estimateText } from '../plugin/estimate-text.ts'
import type { Conversation, MediaContent, Tool } from './conversation.ts'
import { estimateTokens } from './estimate.ts'
import { imageSize } from './image-size.ts'

const asked = (more: Partial<Conversation> = {}): Conversation => ({
  source: 'x',
  stream: false,
  turns: [],
  tools: [],
  params: {},
  names: {},
  extras: [],
  ...more,
})
const image = (data: string): MediaContent => ({
  type: 'media',
  kind: 'image',
  source: { kind: 'base64', mime: 'image/png', data },
  field: '',
})
const says = (...content: Conversation['turns'][number]['content'][number][]): Conversation => asked({ turns: [{ role: 'user', content }] })

describe('texts', () => {
  test.each([
    // counted once with a public vocabulary of 200,000 tokens
    ['The quick brown fox jumps over the lazy dog.', 10],
    ['const answer = await fetchJson(url, { retries: 3 })\n', 14],
    ['{"name":"read_file","arguments":{"path":"src/index.ts","limit":200}}', 18],
    ['你好，世界。今天天气很好。', 9],
    ['привет, как дела сегодня', 6],
  ])('%p is about %p tokens', (text, tokens) => {
    expect(Math.abs(estimateText(text) - tokens)).toBeLessThanOrEqual(Math.max(3, tokens * 0.25))
  })
  test('linear, whatever the text', () => {
    for (const text of ['a', 'aB1 ', '字', '\n\t ', '}{', '"\\', '🎉']) {
      const begun = performance.now()
      const tokens = estimateText(text.repeat(Math.ceil(1_000_000 / text.length)))
      expect(performance.now() - begun).toBeLessThan(1000)
      expect(Number.isFinite(tokens)).toBe(true)
    }
    expect(estimateText('')).toBe(0)
  })
})

describe('H09: a conversation', () => {
  test('is never 0', () => {
    expect(estimateTokens(asked())).toBe(1)
    expect(estimateTokens(says({ type: 'text', text: 'foo' }))).toBeGreaterThan(0)
  })
  test('tools, results, documents and pictures count', () => {
    const plain = estimateTokens(says({ type: 'text', text: 'hi' }))
    const tool: Tool = { kind: 'function', name: 'read', description: 'Reads a file.', schema: '{"type":"object"}', field: 'tools[0]' }
    expect(estimateTokens({ ...says({ type: 'text', text: 'hi' }), tools: [tool] })).toBeGreaterThan(plain + 20)
    expect(estimateTokens({ ...says({ type: 'text', text: 'hi' }), tools: [tool] }, 'claude-x')).toBeGreaterThan(plain + 300)
    const result = { type: 'result', id: 'a', content: [{ type: 'text', text: 'word '.repeat(100) }, image('AAAA')] } as const
    expect(estimateTokens(says(result))).toBeGreaterThan(plain + 800)
    const text = { type: 'media', kind: 'document', source: { kind: 'text', text: 'word '.repeat(100) }, field: '' } as const
    expect(estimateTokens(says(text))).toBeGreaterThan(plain + 80)
  })
  test('thoughts count while they are sent: in the tool loop of the last question', () => {
    const thought = { type: 'reasoning', text: 'word '.repeat(200) } as const
    const question = { role: 'user', content: [{ type: 'text', text: 'hi' }] } as const
    const before = estimateTokens(asked({ turns: [{ role: 'assistant', content: [thought] }, question] }))
    const after = estimateTokens(asked({ turns: [question, { role: 'assistant', content: [thought] }] }))
    expect(after - before).toBeGreaterThan(150)
  })
  test('base64 is not counted as text', () => {
    expect(estimateTokens(says(image('A'.repeat(1_000_000))))).toBeLessThan(2000)
  })
})

describe('size of a picture', () => {
  const size = (...bytes: number[]) => imageSize(Buffer.concat([Buffer.from(bytes), Buffer.alloc(40)]).toString('base64'))
  test('of each kind, from its first bytes', () => {
    expect(size(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52, 0, 0, 4, 0, 0, 0, 3, 0)).toEqual({
      width: 1024,
      height: 768,
    })
    expect(size(0x47, 0x49, 0x46, 0x38, 0x39, 0x61, 0x40, 0x01, 0xf0, 0x00)).toEqual({ width: 320, height: 240 })
    const jpeg = [0xff, 0xd8, 0xff, 0xe0, 0, 4, 0, 0, 0xff, 0xc4, 0, 4, 0, 0, 0xff, 0xc2, 0, 17, 8, 1, 0, 2, 0]
    expect(size(...jpeg)).toEqual({ width: 512, height: 256 })
    const webp = [...Buffer.from('RIFF0000WEBPVP8X'), 10, 0, 0, 0, 0, 0, 0, 0, 0x7f, 2, 0, 0xdf, 1, 0]
    expect(size(...webp)).toEqual({ width: 640, height: 480 })
  })
  test('unknown where nothing tells', () => {
    expect(imageSize('')).toBeUndefined()
    expect(imageSize('AAAA'.repeat(50))).toBeUndefined()
    expect(imageSize(Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0xff, 0xff, ...Buffer.alloc(40)]).toString('base64'))).toBeUndefined()
  })
})
