/** The real SDK reads what the encoder writes: streams, their final response, and whole replies. */

import { afterAll, describe, expect, test } from 'bun:test'
import OpenAI from 'openai'
import type { StreamEvent } from '../../plugin/events.ts'
import type { Json } from '../../plugin/request.ts'
import { unsigned } from '../proof.ts'
import { openaiResponses } from './index.ts'

const usage = {
  source: 'reported',
  inputUncached: 5,
  cacheRead: 3,
  cacheWrite5m: 1,
  cacheWrite1h: 1,
  cacheWriteOther: 0,
  outputVisible: 7,
  reasoning: 2,
  inputAudio: 0,
  outputAudio: 0,
} as const

const thoughts: StreamEvent[] = [
  { type: 'start', id: 'chatcmpl-1', model: 'served' },
  { type: 'reasoning', text: 'Let me ', choice: 0 },
  { type: 'reasoning', text: 'think.', choice: 0 },
  { type: 'reasoning', text: '', choice: 0, signature: 'hg1.anthropic-messages.up.c2ln' },
]
const calls: StreamEvent[] = [
  { type: 'tool_call', index: 0, choice: 0, id: 'call_a', name: 'weather', arguments: '' },
  { type: 'tool_call', index: 1, choice: 0, id: 'call_b', name: 'apply_patch', kind: 'custom', arguments: '*** Begin' },
  { type: 'tool_call', index: 0, choice: 0, arguments: '{"city":' },
  { type: 'tool_call', index: 1, choice: 0, arguments: ' Patch' },
  { type: 'tool_call', index: 0, choice: 0, arguments: '"Rome"}' },
  { type: 'tool_call', index: 2, choice: 0, id: 'call_c', name: 'look', namespace: 'eyes', arguments: '' },
]
const replies: Record<string, StreamEvent[]> = {
  all: [
    ...thoughts,
    { type: 'text', text: 'It is ', choice: 0 },
    { type: 'text', text: 'warm', choice: 0 },
    { type: 'citation', choice: 0, url: 'https://example.org/w', title: 'Weather', cited: 'warm' },
    { type: 'text', text: '.', choice: 0 },
    ...calls,
    { type: 'usage', usage },
    { type: 'stop', reason: 'tool_calls', raw: 'tool_use', choice: 0 },
    { type: 'end' },
  ],
  plain: [
    { type: 'start', id: 'x' },
    { type: 'reasoning', text: 'Nobody ', choice: 0 },
    { type: 'reasoning', text: 'vouches.', choice: 0 },
    { type: 'text', text: 'Hi', choice: 0 },
    { type: 'stop', reason: 'end', raw: 'stop', choice: 0 },
    { type: 'end' },
  ],
  cut: [
    { type: 'start', id: 'x' },
    { type: 'text', text: 'Half a', choice: 0 },
    { type: 'stop', reason: 'length', raw: 'max_tokens', choice: 0 },
    { type: 'usage', usage },
    { type: 'end' },
  ],
  refused: [
    { type: 'start', id: 'x' },
    { type: 'text', text: 'I will not.', choice: 0, refusal: true },
    { type: 'stop', reason: 'filter', raw: 'refusal', choice: 0 },
    { type: 'end' },
  ],
  fault: [
    { type: 'start', id: 'x' },
    { type: 'text', text: 'Well', choice: 0 },
    { type: 'stop', reason: 'fault', raw: 'MALFORMED_FUNCTION_CALL', choice: 0 },
    { type: 'end' },
  ],
}
const sent: { sse: string } = { sse: '' }

const server = Bun.serve({
  port: 0,
  async fetch(request) {
    const body = (await request.json()) as { model: string; stream?: boolean }
    const events = replies[body.model] ?? []
    const head = { id: 'req-1', model: 'm', created: 1_700_000_000, request: body }
    if (!body.stream) return Response.json(JSON.parse(openaiResponses.encodeWhole(events, head)))
    const encoder = openaiResponses.encoder(head)
    sent.sse = body.model === 'broken' ? '' : events.map((event) => encoder.encode([event])).join('')
    if (body.model === 'broken') {
      sent.sse = encoder.encode(thoughts)
      sent.sse += encoder.failure!({ code: 'upstream_error', message: 'The provider broke off.', requestId: 'req-1' })
    }
    return new Response(sent.sse, { headers: { 'content-type': 'text/event-stream' } })
  },
})
afterAll(() => server.stop(true))
const client = new OpenAI({ apiKey: 'k', baseURL: `http://127.0.0.1:${server.port}`, maxRetries: 0 })
const asked = { input: 'hi', tools: [{ type: 'function' as const, name: 'weather', parameters: {}, strict: false }] }

describe('the SDK', () => {
  test('B14 B15 C21: a stream adds up to the whole reply, item for item', async () => {
    const stream = client.responses.stream({ model: 'all', ...asked })
    const types: string[] = []
    const numbers: number[] = []
    for await (const event of stream) {
      types.push(event.type)
      numbers.push((event as { sequence_number: number }).sequence_number)
    }
    expect(numbers).toEqual([...numbers.keys()])
    const final = await stream.finalResponse()
    const whole = await client.responses.create({ model: 'all', ...asked })
    expect(final.output.map(({ type }) => type)).toEqual(['reasoning', 'message', 'function_call', 'custom_tool_call', 'function_call'])
    expect(JSON.parse(JSON.stringify(final.output))).toMatchObject(JSON.parse(JSON.stringify(whole.output)))
    expect([final.output_text, whole.output_text, final.status, final.id]).toEqual([
      'It is warm.',
      'It is warm.',
      'completed',
      'resp_chatcmpl-1',
    ])
    expect(final.output[0]).toMatchObject({
      summary: [{ type: 'summary_text', text: 'Let me think.' }],
      encrypted_content: 'hg1.anthropic-messages.up.c2ln',
    })
    expect(final.output[1]).toMatchObject({
      content: [{ annotations: [{ type: 'url_citation', url: 'https://example.org/w', start_index: 6, end_index: 10 }] }],
    })
    expect(final.output[2]).toMatchObject({ call_id: 'call_a', name: 'weather', arguments: '{"city":"Rome"}', status: 'completed' })
    expect(final.output[3]).toMatchObject({ call_id: 'call_b', name: 'apply_patch', input: '*** Begin Patch' })
    expect(final.output[4]).toMatchObject({ call_id: 'call_c', name: 'look', namespace: 'eyes', arguments: '{}' }) // C06
    expect(final.usage).toEqual({
      input_tokens: 10,
      input_tokens_details: { cached_tokens: 3, cache_write_tokens: 2 },
      output_tokens: 9,
      output_tokens_details: { reasoning_tokens: 2 },
      total_tokens: 19,
    })
    expect(final.tools).toMatchObject(asked.tools)
    expect(types.slice(0, 6)).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.reasoning_summary_part.added',
      'response.reasoning_summary_text.delta',
      'response.reasoning_summary_text.delta',
    ])
    const text = types.slice(types.indexOf('response.content_part.added'))
    expect(text.slice(0, 8)).toEqual([
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.delta',
      'response.output_text.annotation.added',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
    ])
    expect(types.filter((type) => /^response\.(completed|incomplete|failed)$/.test(type))).toEqual(['response.completed'])
  })

  test('D03: a thought that nobody vouches for carries a mark, by which it is taken out before OpenAI looks for it', async () => {
    const final = await client.responses.stream({ model: 'plain', input: 'hi' }).finalResponse()
    const whole = await client.responses.create({ model: 'plain', input: 'hi' })
    for (const { output } of [final, whole]) {
      expect(output[0]).toMatchObject({
        type: 'reasoning',
        summary: [{ type: 'summary_text', text: 'Nobody vouches.' }],
        encrypted_content: unsigned,
      })
      const input = JSON.parse(JSON.stringify(output)) as Json
      expect(openaiResponses.request!.foreign({ input })).toEqual(['/input/0'])
    }
    const done = sent.sse.split('\n').filter((line) => line.startsWith('data: ') && line.includes('"response.output_item.done"'))
    expect(JSON.parse(done[0]!.slice(6))).toMatchObject({ item: { type: 'reasoning', encrypted_content: unsigned } })
  })

  test('a reply that was cut off, and one that was refused, are incomplete', async () => {
    const cut = await client.responses.stream({ model: 'cut', input: 'hi' }).finalResponse()
    expect([cut.status, cut.incomplete_details?.reason, cut.output_text]).toEqual(['incomplete', 'max_output_tokens', 'Half a'])
    const refused = await client.responses.stream({ model: 'refused', input: 'hi' }).finalResponse()
    expect([refused.status, refused.incomplete_details?.reason]).toEqual(['incomplete', 'content_filter'])
    expect(refused.output).toMatchObject([{ content: [{ type: 'refusal', refusal: 'I will not.' }] }])
  })

  test('C20: a fault of the model is thrown, not taken for an answer', async () => {
    const stream = client.responses.stream({ model: 'fault', input: 'hi' })
    await expect(stream.finalResponse()).rejects.toThrow('MALFORMED_FUNCTION_CALL')
    expect(sent.sse).toContain('event: response.failed\n')
  })

  test('B08 B15: a failure in mid-stream is thrown with its words, and told again by response.failed with the next number', async () => {
    const stream = await client.responses.create({ model: 'broken', input: 'hi', stream: true })
    const seen: number[] = []
    const reading = (async () => {
      for await (const event of stream) seen.push(event.sequence_number)
    })()
    await expect(reading).rejects.toThrow('The provider broke off.')
    const frames = sent.sse
      .split('\n')
      .filter((line) => line.startsWith('data: '))
      .map((line) => JSON.parse(line.slice(6)) as { type: string; sequence_number: number; response?: { error: object } })
    expect(frames.map((frame) => frame.sequence_number)).toEqual([...frames.keys()])
    expect(frames.at(-1)).toMatchObject({
      type: 'response.failed',
      response: { id: 'resp_chatcmpl-1', status: 'failed', error: { code: 'upstream_error', message: 'The provider broke off.' } },
    })
    expect(seen.length).toBe(frames.length - 2)
  })
})
