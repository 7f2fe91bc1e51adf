import { describe, expect, test } from 'bun:test'
import type { StreamEvent } from 'headgate/plugin'
import { Said } from './said.ts'
import { saysNothing } from './stream-shape.ts'

const text = (value: string): StreamEvent => ({ type: 'text', text: value, choice: 0 })

describe('frames that say nothing', () => {
  const silent: readonly (readonly [string, object])[] = [
    ['openai-chat', { choices: [], prompt_filter_results: [{}] }],
    ['openai-chat', { choices: [{ index: 0, delta: { role: 'assistant', content: '', refusal: null, tool_calls: null } }] }],
    ['openai-chat', { choices: [{ index: 0, text: '', logprobs: null, finish_reason: null }] }],
    ['openai-chat', { choices: [{ index: 0, delta: { reasoning_details: [{ type: 'reasoning.text', text: 'hm', signature: '' }] } }] }],
    ['anthropic-messages', { type: 'ping' }],
    ['anthropic-messages', { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '', citations: null } }],
    ['anthropic-messages', { type: 'content_block_start', index: 0, content_block: { type: 'thinking', thinking: '', signature: '' } }],
    ['openai-responses', { type: 'response.in_progress', response: {} }],
    ['openai-responses', { type: 'response.output_item.done', item: { id: 'm', content: [{ text: '4', logprobs: [] }], type: 'message' } }],
    [
      'openai-responses',
      { type: 'response.output_item.added', item: { id: 'r', type: 'reasoning', encrypted_content: null, summary: [] } },
    ],
  ]
  test.each(silent)('%s %j', (dialect, frame) => expect(saysNothing(dialect, JSON.stringify(frame))).toBe(true))

  const telling: readonly (readonly [string, unknown])[] = [
    ['openai-chat', { choices: [{ index: 0, delta: { annotations: [{ type: 'url_citation' }] } }] }],
    ['openai-chat', { choices: [{ index: 0, delta: { reasoning_details: [{ type: 'reasoning.encrypted', data: 'x' }] } }] }],
    ['openai-chat', { choices: [{ index: 0, delta: { reasoning_details: [{ type: 'reasoning.text', text: 'x', signature: 's' }] } }] }],
    ['openai-chat', { choices: [{ index: 0, delta: { images: [{}] } }] }],
    ['anthropic-messages', { type: 'content_block_start', content_block: { type: 'server_tool_use', id: 's', name: 'web_search' } }],
    ['anthropic-messages', { type: 'content_block_start', content_block: { type: 'redacted_thinking', data: 'x' } }],
    ['anthropic-messages', { type: 'content_block_delta', delta: { type: 'citations_delta' } }],
    ['openai-responses', { type: 'response.output_item.added', item: { type: 'web_search_call' } }],
    ['openai-responses', { type: 'response.output_item.done', item: { type: 'reasoning', encrypted_content: 'gAAA' } }],
    ['openai-responses', { type: 'response.output_text.annotation.added' }],
    ['openai-responses', { type: 'response.something_new' }],
    ['gemini-generate', { candidates: [] }],
    ['openai-chat', 7],
  ]
  test.each(telling)('but not %s %j', (dialect, frame) => expect(saysNothing(dialect, JSON.stringify(frame))).toBe(false))
  test('nor what is no JSON', () => expect(saysNothing('openai-chat', '{"choices":')).toBe(false))
})

describe('what was said', () => {
  const after = (...events: readonly StreamEvent[]) => {
    const said = new Said('openai-chat')
    for (const event of events) said.take(event)
    return [said.text, said.barred]
  }
  test.each<[string, StreamEvent, string]>([
    ['a second answer', { type: 'text', text: 'x', choice: 1 }, 'several answers'],
    ['a refusal', { type: 'text', text: 'x', choice: 0, refusal: true }, 'a refusal'],
    ['a proof of the text', { type: 'text', text: '', choice: 0, signature: 's' }, 'a proof'],
    ['a signed thought', { type: 'reasoning', text: '', choice: 0, signature: 's' }, 'a proof'],
    ['a tool call', { type: 'tool_call', index: 0, choice: 0, arguments: '' }, 'a tool call'],
    ['a stop', { type: 'stop', reason: 'end', raw: 'stop', choice: 0 }, 'it had stopped'],
    ['a picture', { type: 'media', choice: 0, mime: 'image/png', data: '' }, 'a media'],
    ['a source', { type: 'citation', choice: 0, url: 'https://x.test' }, 'a citation'],
    ['too much', { type: 'text', text: 'x'.repeat(1024 * 1024), choice: 0 }, 'too long'],
  ])('%s bars going on', (_name, event, why) => expect(after(text('One'), event)[1]).toBe(why))

  test('text and unsigned thoughts do not', () => {
    expect(after({ type: 'reasoning', text: 'hm', choice: 0 }, text('One'), text(' two'))).toEqual(['One two', undefined])
  })

  test('white space at a seam is told once, and all of it', () => {
    const said = new Said('openai-chat')
    said.take(text('One \n'))
    said.goesOn(' \n')
    const told = [' ', '\n', '\n', '  two', ' three'].flatMap((one) => {
      const event = said.take(text(one))
      return event === null ? [] : [((event ?? text(one)) as { text: string }).text]
    })
    expect(told.join('')).toBe('\n  two three')
    expect(said.text).toBe('One \n\n  two three')
  })
})
