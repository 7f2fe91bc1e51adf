/** Replies that are passed on, and what hooks may do to them; decoding for translation; proofs of other dialects. */

import { describe, expect, test } from 'bun:test'
import type { StreamEvent } from '../../plugin/events.ts'
import { SseReader } from '../sse.ts'
import { openaiResponses } from './index.ts'

// biome-ignore lint/suspicious/noExplicitAny: frames of many shapes
type Loose = any

const head = { id: 'h', model: 'm', created: 1 }
const message = (content: Loose[]) => ({ id: 'msg_1', type: 'message', status: 'completed', role: 'assistant', content })
const spot = { item_id: 'msg_1', output_index: 0, content_index: 0 }
const frames: Loose[] = [
  { type: 'response.created', response: { id: 'resp_1', model: 'served', status: 'in_progress', output: [] } },
  { type: 'response.in_progress', response: { id: 'resp_1', model: 'served', status: 'in_progress', output: [] } },
  { type: 'response.output_item.added', output_index: 0, item: message([]) },
  { type: 'response.content_part.added', ...spot, part: { type: 'output_text', text: '', annotations: [] } },
  { type: 'response.output_text.delta', ...spot, delta: 'My key is ', logprobs: [{ token: 'My' }] },
  { type: 'response.output_text.delta', ...spot, delta: 'secret', logprobs: [{ token: 'secret' }] },
  { type: 'response.output_text.done', ...spot, text: 'My key is secret', logprobs: [] },
  { type: 'response.content_part.done', ...spot, part: { type: 'output_text', text: 'My key is secret', annotations: [] } },
  {
    type: 'response.output_item.done',
    output_index: 0,
    item: message([{ type: 'output_text', text: 'My key is secret', annotations: [] }]),
  },
  {
    type: 'response.output_item.added',
    output_index: 1,
    item: { id: 'fc_1', type: 'function_call', call_id: 'call_1', name: 'f', arguments: '', status: 'in_progress' },
  },
  { type: 'response.function_call_arguments.delta', item_id: 'fc_1', output_index: 1, delta: '{"a":1}' },
  { type: 'response.function_call_arguments.done', item_id: 'fc_1', output_index: 1, arguments: '{"a":1}', name: 'f' },
  {
    type: 'response.output_item.done',
    output_index: 1,
    item: { id: 'fc_1', type: 'function_call', call_id: 'call_1', name: 'f', arguments: '{"a":1}', status: 'completed' },
  },
]
const output = [frames[8].item, frames[12].item]
const usage = {
  input_tokens: 3,
  input_tokens_details: { cached_tokens: 1 },
  output_tokens: 4,
  output_tokens_details: { reasoning_tokens: 1 },
  total_tokens: 7,
}
frames.push({ type: 'response.completed', response: { id: 'resp_1', model: 'served', status: 'completed', output, usage, extra: 1 } })

function sseOf(list: Loose[]): string {
  return list.map((frame, i) => `event: ${frame.type}\ndata: ${JSON.stringify({ ...frame, sequence_number: i })}\n\n`).join('')
}

/** What leaves when a hook does this to each event. */
function relayed(list: Loose[], hook: (event: StreamEvent) => StreamEvent[]): Loose[] {
  const decoder = openaiResponses.decoder()
  const encoder = openaiResponses.encoder(head)
  let out = ''
  for (const frame of new SseReader().push(Buffer.from(sseOf(list)))) {
    const before = decoder.decode(frame)
    const after = before.flatMap(hook)
    const same = after.length === before.length && after.every((event, i) => event === before[i])
    if (same && !encoder.rewriting) {
      encoder.observe(frame, before)
      out += Buffer.from(frame.raw).toString()
    } else out += encoder.encode(after, { frame, before })
  }
  return parsed(out)
}

function parsed(sse: string): Loose[] {
  return new SseReader().push(Buffer.from(sse)).map(({ event, data }) => {
    const frame = JSON.parse(data)
    expect(event).toBe(frame.type)
    return frame
  })
}

function decoded(list: Loose[], purpose: 'relay' | 'translate' = 'relay'): StreamEvent[] {
  const decoder = openaiResponses.decoder(purpose)
  return new SseReader().push(Buffer.from(sseOf(list))).flatMap((frame) => [...decoder.decode(frame)])
}

describe('a stream that is passed on', () => {
  test('an edited delta stands in the done frames and in the final response, too', () => {
    const out = relayed(frames, (event) => [event.type === 'text' ? { ...event, text: event.text.replace('secret', '***') } : event])
    expect(out[4]).toEqual({ ...frames[4], sequence_number: 4 })
    expect(out[5]).toMatchObject({ delta: '***', logprobs: [] })
    expect(out[6].text).toBe('My key is ***')
    expect(out[7].part.text).toBe('My key is ***')
    expect(out[8].item.content[0].text).toBe('My key is ***')
    expect(out[13].response.output[0].content[0].text).toBe('My key is ***')
    expect(out[13].response).toMatchObject({ extra: 1, usage })
    expect(out[13].response.output[1]).toEqual(output[1])
    expect(JSON.stringify(out)).not.toContain('secret')
    expect(out.map((frame) => frame.sequence_number)).toEqual([...out.keys()])
  })

  test('B15 C05: a dropped call leaves no hole; inserted text gets an item of its own, numbers stay in order', () => {
    const out = relayed(frames, (event) => {
      if (event.type === 'tool_call') return []
      return event.type === 'stop' ? [{ type: 'text', text: ' (filtered)', choice: 0 }, event] : [event]
    })
    const final = out.at(-1).response
    expect(final.output.map((item: Loose) => [item.type, item.content?.[0].text])).toEqual([
      ['message', 'My key is secret'],
      ['message', ' (filtered)'],
    ])
    expect(out.map((frame) => frame.sequence_number)).toEqual([...out.keys()])
    const added = out.filter((frame) => frame.type === 'response.output_item.added')
    expect(added.map((frame) => [frame.output_index, frame.item.type])).toEqual([
      [0, 'message'],
      [1, 'message'],
    ])
    expect(JSON.stringify(out)).not.toContain('fc_1')
  })

  test('a renamed call, other usage and another stop are told wherever the API tells them', () => {
    const out = relayed(frames, (event) => {
      if (event.type === 'tool_call' && event.name) return [{ ...event, name: 'g', id: 'call_9' }]
      if (event.type === 'usage') return [{ ...event, usage: { ...event.usage, outputVisible: 30 } }]
      return [event.type === 'stop' ? { ...event, reason: 'length' } : event]
    })
    expect(out[9].item).toMatchObject({ name: 'g', call_id: 'call_9' })
    expect(out[11].name).toBe('g')
    expect(out[12].item).toMatchObject({ name: 'g', call_id: 'call_9', arguments: '{"a":1}' })
    expect(out[13]).toMatchObject({
      type: 'response.incomplete',
      response: { status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' }, usage: { output_tokens: 31 } },
    })
    expect(out[13].response.output[1]).toMatchObject({ name: 'g', call_id: 'call_9' })
  })

  test('items that come whole, without deltas, are read, and edited where they stand', () => {
    const whole = [frames[0], frames[8], frames[12], frames[13]]
    expect(decoded(whole).filter((event) => event.type === 'text' || event.type === 'tool_call')).toMatchObject([
      { type: 'text', text: 'My key is secret' },
      { type: 'tool_call', id: 'call_1', name: 'f', arguments: '{"a":1}' },
    ])
    const out = relayed(whole, (event) => [event.type === 'text' ? { ...event, text: '***' } : event])
    expect(out[1].item.content[0].text).toBe('***')
    expect(out[3].response.output[0].content[0].text).toBe('***')
  })

  test('B08 B15: a failure continues the numbers and names the response', () => {
    const encoder = openaiResponses.encoder(head)
    const decoder = openaiResponses.decoder()
    for (const frame of new SseReader().push(Buffer.from(sseOf(frames.slice(0, 5))))) encoder.observe(frame, decoder.decode(frame))
    const out = parsed(encoder.failure!({ code: 'upstream_timeout', message: 'Too slow.', requestId: 'r' }))
    expect(out).toMatchObject([
      { type: 'error', sequence_number: 5, message: 'Too slow.', code: 'timeout' },
      { type: 'response.failed', sequence_number: 6, response: { id: 'resp_1', status: 'failed', error: { code: 'timeout' } } },
    ])
    expect(encoder.encode([{ type: 'end' }])).toBe('')
    const blind = parsed(openaiResponses.errorFrames({ code: 'upstream_error', message: 'Gone.', requestId: 'r' }))
    expect(blind.map((frame) => frame.type)).toEqual(['error', 'response.failed'])
    expect(blind[1].sequence_number).toBeGreaterThan(blind[0].sequence_number)
  })
})

describe('decoding', () => {
  test('B07: failed responses and error events are errors, told once', () => {
    const failed = {
      type: 'response.failed',
      response: { id: 'r', status: 'failed', error: { code: 'rate_limit_exceeded', message: 'Slow down.' } },
    }
    const told = { type: 'error', code: 'rate_limit_exceeded', message: 'Slow down.', param: null }
    const error = { type: 'error', kind: 'rate_limit_exceeded', message: 'Slow down.' }
    for (const list of [[failed], [told], [told, failed]]) {
      expect(decoded(list).filter((event) => event.type !== 'native')).toMatchObject([error])
    }
    const body = Buffer.from(JSON.stringify(failed.response))
    expect(openaiResponses.summary(body)).toMatchObject({ valid: false, error: { message: 'Slow down.', status: 429 } })
    expect(openaiResponses.decodeWhole(body)).toBeNull()
  })

  const paidFor = {
    type: 'response.failed',
    sequence_number: 1,
    response: {
      id: 'r',
      object: 'response',
      status: 'failed',
      output: [],
      error: { code: 'server_error', message: 'Oops.' },
      usage: { input_tokens: 1000, output_tokens: 200, total_tokens: 1200 },
    },
  }
  const used = { type: 'usage', usage: { source: 'reported', inputUncached: 1000, outputVisible: 200 } }

  test('what a failed response reports of its usage is read, streamed and whole', () => {
    const error = { type: 'error', kind: 'server_error', message: 'Oops.' }
    expect(decoded([paidFor])).toMatchObject([used, error])
    const told = { type: 'error', code: 'server_error', message: 'Oops.', param: null }
    expect(decoded([told, paidFor])).toMatchObject([error, used])
    const body = Buffer.from(JSON.stringify(paidFor.response))
    expect(openaiResponses.summary(body)).toMatchObject({ valid: false, error: { message: 'Oops.' }, usage: used.usage })
  })

  test('hooks may add to that usage, and say the error otherwise', () => {
    const list = [frames[0], paidFor]
    expect(relayed(list, (event) => [event])).toMatchObject([frames[0], paidFor])
    const priced = (event: StreamEvent): StreamEvent => (event.type === 'usage' ? { ...event, extra: { cost: 0.5 } } : event)
    const added = relayed(list, (event) => [priced(event)])
    expect(added).toMatchObject([frames[0], { ...paidFor, response: { usage: { input_tokens: 1000, cost: 0.5 } } }])
    const both = relayed(list, (event) => [event.type === 'error' ? { ...event, message: 'Sorry.' } : priced(event)])
    expect(both.at(-1)).toMatchObject({ type: 'response.failed', response: { error: { message: 'Sorry.' }, usage: { cost: 0.5 } } })
  })

  test('a response that runs in the background is a reply without stop and usage', () => {
    const body = Buffer.from(
      JSON.stringify({ id: 'resp_b', object: 'response', status: 'queued', model: 'm', output: [], usage: null, error: null }),
    )
    expect(openaiResponses.summary(body)).toEqual({ valid: true, id: 'resp_b', model: 'm' })
    expect(openaiResponses.decodeWhole(body)?.events.map(({ type }) => type)).toEqual(['start', 'end'])
  })

  test('for translation: proofs end their thought, parts of a summary are paragraphs, refusals and citations are told', () => {
    const rs = { item_id: 'rs_1', output_index: 0 }
    const part = { ...spot, output_index: 1 }
    const list = [
      frames[0],
      { type: 'response.output_item.added', output_index: 0, item: { id: 'rs_1', type: 'reasoning', summary: [] } },
      { type: 'response.reasoning_summary_text.delta', ...rs, summary_index: 0, delta: 'One.' },
      { type: 'response.reasoning_summary_part.added', ...rs, summary_index: 1, part: { type: 'summary_text', text: '' } },
      { type: 'response.reasoning_summary_text.delta', ...rs, summary_index: 1, delta: 'Two.' },
      {
        type: 'response.output_item.done',
        output_index: 0,
        item: {
          id: 'rs_1',
          type: 'reasoning',
          summary: [
            { type: 'summary_text', text: 'One.' },
            { type: 'summary_text', text: 'Two.' },
          ],
          encrypted_content: 'enc',
        },
      },
      { type: 'response.output_item.added', output_index: 1, item: message([]) },
      { type: 'response.output_text.delta', ...part, delta: 'See here' },
      {
        type: 'response.output_text.annotation.added',
        ...part,
        annotation_index: 0,
        annotation: { type: 'url_citation', url: 'https://e.org', title: 'E', start_index: 4, end_index: 8 },
      },
      { type: 'response.refusal.delta', ...part, content_index: 1, delta: 'But no.' },
      {
        type: 'response.incomplete',
        response: { status: 'incomplete', incomplete_details: { reason: 'content_filter' }, output: [], usage },
      },
    ]
    expect(decoded(list, 'translate').filter((event) => event.type !== 'native' && event.type !== 'usage')).toEqual([
      { type: 'start', id: 'resp_1', model: 'served' },
      { type: 'reasoning', text: 'One.', choice: 0 },
      { type: 'reasoning', text: '\n\n', choice: 0 },
      { type: 'reasoning', text: 'Two.', choice: 0 },
      { type: 'reasoning', text: '', choice: 0, signature: 'enc' },
      { type: 'text', text: 'See here', choice: 0 },
      { type: 'citation', choice: 0, url: 'https://e.org', title: 'E', cited: 'here' },
      { type: 'text', text: 'But no.', choice: 0, refusal: true },
      { type: 'stop', reason: 'filter', raw: 'content_filter', choice: 0 },
      { type: 'end' },
    ])
  })

  test('an upstream that tells nothing but the final response', () => {
    const events = decoded([frames.at(-1)], 'translate').filter((event) => event.type !== 'usage')
    expect(events).toMatchObject([
      { type: 'start', id: 'resp_1' },
      { type: 'text', text: 'My key is secret' },
      { type: 'tool_call', id: 'call_1', arguments: '{"a":1}' },
      { type: 'stop', reason: 'tool_calls' },
      { type: 'end' },
    ])
  })
})

describe('replies of other dialects', () => {
  test('C18 D01: proofs of calls, texts and hidden thoughts have items of their own, with a word that says where they belong', () => {
    const events: StreamEvent[] = [
      { type: 'reasoning', text: '', choice: 0, signature: 'hg1.a.u.hid', redacted: true },
      { type: 'text', text: 'Hi', choice: 0 },
      { type: 'text', text: '', choice: 0, signature: 'hg1.g.u.txt' },
      { type: 'tool_call', index: 0, choice: 0, id: 'c', name: 'f', arguments: '{}', signature: 'hg1.g.u.call' },
      { type: 'media', choice: 0, mime: 'image/png', data: 'AAAA' },
      { type: 'stop', reason: 'tool_calls', raw: 'STOP', choice: 0 },
      { type: 'end' },
    ]
    const whole = JSON.parse(openaiResponses.encodeWhole(events, head))
    expect(
      whole.output.map((item: Loose) => [item.type, item.encrypted_content ?? item.content?.[0].text ?? item.call_id ?? item.result]),
    ).toEqual([
      ['reasoning', 'hg1.a.u.hid#hidden'],
      ['message', 'Hi'],
      ['reasoning', 'hg1.g.u.txt#last'],
      ['reasoning', 'hg1.g.u.call#next'],
      ['function_call', 'c'],
      ['image_generation_call', 'AAAA'],
    ])
    expect(new Set(whole.output.map((item: Loose) => item.id)).size).toBe(6)
  })

  test('the response repeats what was asked', () => {
    const request = {
      model: 'm',
      input: 'hi',
      temperature: 0.5,
      tools: [{ type: 'function', name: 'f' }],
      text: { verbosity: 'low' },
      metadata: { a: 'b' },
    }
    const whole = JSON.parse(openaiResponses.encodeWhole([{ type: 'text', text: 'x', choice: 0 }], { ...head, request }))
    expect(whole).toMatchObject({
      id: 'resp_h',
      object: 'response',
      created_at: 1,
      status: 'completed',
      model: 'm',
      temperature: 0.5,
      top_p: 1,
      tools: request.tools,
      tool_choice: 'auto',
      parallel_tool_calls: true,
      text: { format: { type: 'text' }, verbosity: 'low' },
      metadata: { a: 'b' },
      error: null,
      incomplete_details: null,
    })
  })
})
