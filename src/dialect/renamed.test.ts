/** A changed start event renames the model of a reply that is passed on, everywhere and nowhere else. */

import { describe, expect, test } from 'bun:test'
import type { StreamEvent } from '../plugin/events.ts'
import { families } from './family.ts'
import { SseReader } from './sse.ts'

const dialectOf = (family: 'openai' | 'anthropic', operation: string) =>
  families[family].operations.find((o) => o.operation === operation)!.dialect
const rename = (event: StreamEvent): StreamEvent => (event.type === 'start' ? { ...event, model: 'ours/x' } : event)
const text = (frames: readonly (readonly [string | undefined, object])[]) =>
  frames.map(([event, data]) => `${event ? `event: ${event}\n` : ''}data: ${JSON.stringify(data)}\n\n`).join('')

const chunk = (delta: object, finish: string | null = null) => ({
  id: 'c1',
  object: 'chat.completion.chunk',
  created: 1,
  model: 'theirs',
  odd: 1.0,
  choices: [{ index: 0, delta, finish_reason: finish }],
})
const streams: readonly [family: 'openai' | 'anthropic', operation: string, sse: string, times: number][] = [
  [
    'openai',
    'chat',
    text([
      [undefined, chunk({ role: 'assistant', content: '{"model":"theirs"}' })],
      [undefined, chunk({ content: 'b' })],
      [undefined, chunk({}, 'stop')],
    ]),
    3,
  ],
  [
    'openai',
    'completions',
    text([
      [
        undefined,
        { id: 'c', object: 'text_completion', created: 1, model: 'theirs', choices: [{ index: 0, text: 'a', finish_reason: null }] },
      ],
      [
        undefined,
        { id: 'c', object: 'text_completion', created: 1, model: 'theirs', choices: [{ index: 0, text: '', finish_reason: 'stop' }] },
      ],
    ]),
    2,
  ],
  [
    'anthropic',
    'messages',
    text([
      [
        'message_start',
        {
          type: 'message_start',
          message: {
            id: 'm',
            type: 'message',
            role: 'assistant',
            model: 'theirs',
            content: [],
            usage: { input_tokens: 1, output_tokens: 1 },
          },
        },
      ],
      ['content_block_start', { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }],
    ]),
    1,
  ],
  [
    'openai',
    'responses',
    text([
      [
        'response.created',
        {
          type: 'response.created',
          sequence_number: 0,
          response: { id: 'r', object: 'response', created_at: 1, model: 'theirs', status: 'in_progress', output: [] },
        },
      ],
      [
        'response.completed',
        {
          type: 'response.completed',
          sequence_number: 1,
          response: { id: 'r', object: 'response', created_at: 1, model: 'theirs', status: 'completed', output: [] },
        },
      ],
    ]),
    2,
  ],
]

describe('streams', () => {
  for (const [family, operation, sse, times] of streams) {
    const dialect = dialectOf(family, operation)
    const pass = (change: (event: StreamEvent) => StreamEvent) => {
      const decoder = dialect.decoder()
      const encoder = dialect.encoder({ id: 'x', model: 'y', created: 1 })
      let out = ''
      for (const frame of new SseReader().push(Buffer.from(sse))) {
        const before = decoder.decode(frame)
        out += encoder.encode(before.map(change), { frame, before })
      }
      return out
    }
    test(`${operation}: every frame that names it`, () => {
      const out = pass(rename)
      expect(out.match(/"model":"ours\/x"/g)).toHaveLength(times)
      expect(out).not.toContain('"model":"theirs"')
      expect(out.replaceAll('ours/x', 'theirs').replaceAll('data:', '').replaceAll(/\s/g, '')).toBe(
        sse.replaceAll('data:', '').replaceAll(/\s/g, ''),
      )
    })
    test(`${operation}: byte for byte when nobody renames it`, () => expect(pass((event) => event)).toBe(sse))
  }
})

describe('whole replies', () => {
  const wholes: readonly [family: 'openai' | 'anthropic', operation: string, body: object][] = [
    [
      'openai',
      'chat',
      {
        id: 'c',
        object: 'chat.completion',
        created: 1,
        model: 'theirs',
        choices: [{ index: 0, message: { role: 'assistant', content: '{"model":"theirs"}' }, finish_reason: 'stop' }],
      },
    ],
    [
      'openai',
      'completions',
      { id: 'c', object: 'text_completion', created: 1, model: 'theirs', choices: [{ index: 0, text: 'a', finish_reason: 'stop' }] },
    ],
    [
      'anthropic',
      'messages',
      {
        id: 'm',
        type: 'message',
        role: 'assistant',
        model: 'theirs',
        content: [{ type: 'text', text: 'a' }],
        stop_reason: 'end_turn',
        usage: { input_tokens: 1, output_tokens: 1 },
      },
    ],
    ['openai', 'responses', { id: 'r', object: 'response', created_at: 1, model: 'theirs', status: 'completed', output: [] }],
  ]
  for (const [family, operation, body] of wholes) {
    test(operation, () => {
      const bytes = Buffer.from(JSON.stringify(body, null, 1))
      const whole = dialectOf(family, operation).decodeWhole(bytes)!
      expect(Buffer.from(whole.apply(whole.events.map((event) => [rename(event)]))).toString()).toBe(
        bytes.toString().replace('"model": "theirs"', '"model": "ours/x"'),
      )
      expect(whole.apply(whole.events.map((event) => [event]))).toBe(bytes)
    })
  }
})
