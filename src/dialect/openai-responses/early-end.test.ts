/** A plugin ends a stream that is passed on: what the upstream has open is closed with the text that the client knows, and stands in the last frame. */

import { expect, test } from 'bun:test'
import type { StreamEvent } from '../../plugin/events.ts'
import { SseReader } from '../sse.ts'
import { openaiResponses } from './index.ts'

// biome-ignore lint/suspicious/noExplicitAny: frames of many shapes
type Loose = any

const added = (output_index: number, item: Loose): Loose => ({ type: 'response.output_item.added', output_index, item })
const at = (id: string, output_index: number, more: object = {}): Loose => ({ item_id: id, output_index, ...more })
const rs = at('rs_1', 0, { summary_index: 0 })
const msg = at('msg_1', 1, { content_index: 0 })
const call = at('fc_1', 2)
const thought = { id: 'rs_1', type: 'reasoning', summary: [{ type: 'summary_text', text: 'hm hm' }] }
const message = (content: Loose[], status = 'completed'): Loose => ({ id: 'msg_1', type: 'message', status, role: 'assistant', content })
const text = (value: string): Loose => ({ type: 'output_text', text: value, annotations: [] })
const called = (args: string, status: string): Loose => ({
  id: 'fc_1',
  type: 'function_call',
  status,
  call_id: 'c',
  name: 'f',
  arguments: args,
})
const response = (status: string, output: Loose[] = []): Loose => ({ id: 'resp_1', status, model: 'm', created_at: 5, output })
const items = [thought, message([text('One two')]), called('{"a":1}', 'completed')]
const frames: Loose[] = [
  { type: 'response.created', response: response('in_progress') },
  added(0, { ...thought, summary: [] }),
  { type: 'response.reasoning_summary_part.added', ...rs, part: { type: 'summary_text', text: '' } },
  { type: 'response.reasoning_summary_text.delta', ...rs, delta: 'hm' },
  { type: 'response.reasoning_summary_text.delta', ...rs, delta: ' hm' },
  { type: 'response.reasoning_summary_text.done', ...rs, text: 'hm hm' },
  { type: 'response.reasoning_summary_part.done', ...rs, part: thought.summary[0] },
  { type: 'response.output_item.done', output_index: 0, item: thought },
  added(1, message([], 'in_progress')),
  { type: 'response.content_part.added', ...msg, part: text('') },
  { type: 'response.output_text.delta', ...msg, delta: 'One' },
  { type: 'response.output_text.delta', ...msg, delta: ' two' },
  { type: 'response.output_text.done', ...msg, text: 'One two' },
  { type: 'response.content_part.done', ...msg, part: text('One two') },
  { type: 'response.output_item.done', output_index: 1, item: items[1] },
  added(2, called('', 'in_progress')),
  { type: 'response.function_call_arguments.delta', ...call, delta: '{"a"' },
  { type: 'response.function_call_arguments.delta', ...call, delta: ':1}' },
  { type: 'response.function_call_arguments.done', ...call, name: 'f', arguments: '{"a":1}' },
  { type: 'response.output_item.done', output_index: 2, item: items[2] },
  { type: 'response.completed', response: response('completed', items) },
]
const ending: StreamEvent[] = [{ type: 'stop', reason: 'length', raw: 'length', choice: 0 }, { type: 'end' }]

/** What leaves when a hook says `instead` of the events of frame `cut`, and ends the reply there. */
function endedAt(cut: number, instead: (event: StreamEvent) => StreamEvent[]): Loose[] {
  const decoder = openaiResponses.decoder()
  const encoder = openaiResponses.encoder({ id: 'h', model: 'm', created: 1 })
  const sse = frames.map((frame, i) => `event: ${frame.type}\ndata: ${JSON.stringify({ ...frame, sequence_number: i })}\n\n`).join('')
  let out = ''
  for (const [i, frame] of new SseReader().push(Buffer.from(sse)).entries()) {
    const before = decoder.decode(frame)
    if (i === cut) {
      out += encoder.encode([...before.flatMap(instead), ...ending], { frame, before })
      break
    }
    encoder.observe(frame, before)
    out += `event: ${frame.event}\ndata: ${frame.data}\n\n`
  }
  return [...out.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data!))
}

/** Every item and part that was opened is closed once, and the last frame repeats the items as they closed. */
function wellFormed(told: Loose[]): Loose {
  const of = (type: string) => told.filter((frame) => frame.type === type)
  expect(told.map((frame) => frame.sequence_number)).toEqual(told.map((_, i) => i))
  const ids = (type: string) => of(type).map(({ item }) => item.id)
  expect(ids('response.output_item.done')).toEqual(ids('response.output_item.added'))
  for (const part of ['content', 'reasoning_summary']) {
    expect(of(`response.${part}_part.done`)).toHaveLength(of(`response.${part}_part.added`).length)
  }
  const { type, response: last } = told.at(-1)
  expect(type).toBe('response.incomplete')
  expect(last).toMatchObject({ id: 'resp_1', status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } })
  expect(last.output).toEqual(of('response.output_item.done').map(({ item }) => item))
  return last.output
}

const cuts = frames.slice(0, -1).map((frame, i) => [i, frame.type] as const)
test.each(cuts)('at frame %d, %s: kept and ended behind it', (i) => {
  wellFormed(endedAt(i, (event) => [event]))
})
test.each(cuts.slice(1))('at frame %d, %s: dropped and ended in its place', (i) => {
  wellFormed(endedAt(i, () => []))
})

test('in a text that was changed: the text as the client knows it, three times', () => {
  const told = endedAt(11, (event) => [{ ...event, text: '[cut]' } as StreamEvent])
  const output = wellFormed(told)
  expect(output).toMatchObject([thought, { type: 'message', status: 'incomplete', content: [{ type: 'output_text', text: 'One[cut]' }] }])
  expect(told.slice(-4, -2)).toMatchObject([
    { type: 'response.output_text.done', item_id: 'msg_1', output_index: 1, content_index: 0, text: 'One[cut]' },
    { type: 'response.content_part.done', item_id: 'msg_1', output_index: 1, content_index: 0, part: { text: 'One[cut]' } },
  ])
})

test('in a thought, and in a call: they end with what was told of them', () => {
  const inThought = endedAt(4, () => [])
  expect(wellFormed(inThought)).toMatchObject([{ id: 'rs_1', summary: [{ type: 'summary_text', text: 'hm' }] }])
  expect(inThought.at(-4)).toMatchObject({ type: 'response.reasoning_summary_text.done', item_id: 'rs_1', text: 'hm' })
  const inCall = endedAt(17, () => [])
  expect(wellFormed(inCall)).toMatchObject([thought, items[1], called('{"a"', 'incomplete')])
  expect(inCall.at(-3)).toMatchObject({ type: 'response.function_call_arguments.done', item_id: 'fc_1', name: 'f', arguments: '{"a"' })
})
