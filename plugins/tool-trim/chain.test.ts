import { describe, expect, test } from 'bun:test'
import type { PromptUnit } from 'headgate/plugin'
import { keyText, promptChain, rootKey } from './chain.ts'

/** Keys of messages that are written one behind the other. */
function keysOf(texts: readonly string[], dialect = 'anthropic-messages', scope = 'a'): string[] {
  const units: PromptUnit[] = []
  let body = '['
  for (const [message, text] of texts.entries()) {
    if (message > 0) body += ', '
    const start = Buffer.byteLength(body)
    body += text
    const role = /"role": ?"(\w+)"/.exec(text)?.[1] ?? ''
    units.push({ kind: 'message', message, role, start, end: Buffer.byteLength(body) })
  }
  return promptChain(Buffer.from(`${body}]`), units, dialect, rootKey(scope)).keys.map(keyText)
}
const user = (content: unknown) => JSON.stringify({ role: 'user', content })
const mark = { cache_control: { type: 'ephemeral', ttl: '1h' } }

describe('a key', () => {
  test('is of the message and of all before it, and of whose they are', () => {
    const [a, b, c] = [user('a'), user('b'), user('c')]
    expect(keysOf([a, b, c]).slice(0, 2)).toEqual(keysOf([a, b]))
    expect(keysOf([b, b, c])[2]).not.toBe(keysOf([a, b, c])[2])
    expect(keysOf([a])).not.toEqual(keysOf([a], 'anthropic-messages', 'b'))
    expect(keysOf([user('é')])).not.toEqual(keysOf([user('e')]))
  })

  test.each([
    ['at the end of a block', user([{ type: 'tool_result', content: 'x', ...mark }]), user([{ type: 'tool_result', content: 'x' }])],
    ['at its beginning', user([{ ...mark, type: 'tool_result', content: 'x' }]), user([{ type: 'tool_result', content: 'x' }])],
    ['that is null', user([{ type: 'image', cache_control: null }]), user([{ type: 'image' }])],
    ['on a text that is else a string', user([{ type: 'text', text: 'a "quoted" \\ text', ...mark }]), user('a "quoted" \\ text')],
    [
      'with spaces',
      '{"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]}',
      '{"role": "user", "content": "a"}',
    ],
  ])('leaves out a mark %s', (_, marked, plain) => {
    expect(keysOf([user('first'), marked, user('last')])).toEqual(keysOf([user('first'), plain, user('last')]))
  })

  test('leaves out cache points of Converse and breakpoints of OpenAI', () => {
    const points = user([{ text: 'a' }, { cachePoint: { type: 'default' } }])
    expect(keysOf([points], 'bedrock-converse')).toEqual(keysOf([user([{ text: 'a' }])], 'bedrock-converse'))
    const broken = user([{ type: 'input_text', text: 'a', prompt_cache_breakpoint: true }])
    expect(keysOf([broken], 'openai-responses')).toEqual(keysOf([user([{ type: 'input_text', text: 'a' }])], 'openai-responses'))
  })

  test('counts what only looks like a mark', () => {
    const text = (value: string) => user([{ type: 'tool_result', content: value }])
    expect(keysOf([text('"cache_control":{"a":1}')])).not.toEqual(keysOf([text('"cache_control":{"a":2}')]))
    expect(
      keysOf([
        user([
          { type: 'text', text: 'a' },
          { type: 'text', text: 'b' },
        ]),
      ]),
    ).not.toEqual(keysOf([user('a"},{"type":"text","text":"b')]))
  })

  test('is found in bytes that are no JSON', () => {
    expect(() => keysOf(['{"role":"user","content":[{"cache_control"', '"cache_control":{', '{"cache_control":']).length).not.toThrow()
  })
})
