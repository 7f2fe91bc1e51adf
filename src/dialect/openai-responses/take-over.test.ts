/** A Responses stream whose upstream is gone is written on from events: items that were complete stay, the open one goes on, numbers have no gap. */

import { expect, test } from 'bun:test'
import type { StreamEvent } from '../../plugin/events.ts'
import { type SseFrame, SseReader } from '../sse.ts'
import { responsesDecoder } from './decode.ts'
import { responsesEncoder } from './encode.ts'

let sequence = 0
const frame = (type: string, members: object) =>
  `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: sequence++, ...members })}\n\n`
const created = (): string =>
  frame('response.created', {
    response: { id: 'resp_1', object: 'response', created_at: 5, status: 'in_progress', model: 'm', output: [] },
  })
const reasoning = { id: 'rs_1', type: 'reasoning', summary: [{ type: 'summary_text', text: 'hm' }] }
const thought = (): string =>
  frame('response.output_item.added', { output_index: 0, item: { ...reasoning, summary: [] } }) +
  frame('response.output_item.done', { output_index: 0, item: reasoning })
const message = { id: 'msg_1', type: 'message', status: 'in_progress', role: 'assistant', content: [] }
const place = { item_id: 'msg_1', output_index: 1, content_index: 0 }
const part = (text: string) => ({ type: 'output_text', text, annotations: [] })
const opened = (): string => frame('response.output_item.added', { output_index: 1, item: message })
const partOpened = (): string => frame('response.content_part.added', { ...place, part: part('') })
const delta = (text: string) => frame('response.output_text.delta', { ...place, delta: text })
const closed = (text: string) =>
  frame('response.output_text.done', { ...place, text }) +
  frame('response.content_part.done', { ...place, part: part(text) }) +
  frame('response.output_item.done', { output_index: 1, item: { ...message, status: 'completed', content: [part(text)] } })

const rest: readonly StreamEvent[] = [
  { type: 'text', text: ' and', choice: 0 },
  { type: 'text', text: ' more', choice: 0 },
]
const end: readonly StreamEvent[] = [{ type: 'stop', reason: 'end', raw: 'stop', choice: 0 }, { type: 'end' }]

interface Told {
  readonly type: string
  readonly sequence_number: number
  readonly output_index?: number
  readonly item?: { readonly id: string }
  readonly response?: {
    readonly output: readonly { readonly id: string; readonly type: string; readonly content?: readonly { readonly text: string }[] }[]
  }
}

/** What a client gets: the frames as they came, then what is written. */
function told(text: string, events: readonly (readonly StreamEvent[])[]): Told[] {
  const encoder = responsesEncoder({ id: 'x', model: 'm', created: 1 })
  const decoder = responsesDecoder()
  for (const one of new SseReader().push(Buffer.from(text)) as readonly SseFrame[]) encoder.observe(one, decoder.decode(one))
  encoder.takeOver!()
  const written = text + events.map((list) => encoder.encode(list)).join('')
  return written
    .split('\n')
    .filter((line) => line.startsWith('data: '))
    .map((line) => JSON.parse(line.slice(6)) as Told)
}
const texts = (frames: readonly Told[]) =>
  frames.at(-1)!.response!.output.map((item) => `${item.id} ${item.content?.map((one) => one.text).join('') ?? item.type}`)

type Break = readonly [name: string, broke: () => string, output: readonly string[]]
const breaks: readonly Break[] = [
  ['in an open part', () => opened() + partOpened() + delta('One'), ['rs_1 reasoning', 'msg_1 One and more']],
  ['in a part without text', () => opened() + partOpened(), ['rs_1 reasoning', 'msg_1  and more']],
  ['in an item without part', () => opened(), ['rs_1 reasoning', 'msg_1  and more']],
  [
    'behind a complete item',
    () => opened() + partOpened() + delta('One') + closed('One'),
    ['rs_1 reasoning', 'msg_1 One', 'msg_1_2  and more'],
  ],
  ['behind a thought', () => '', ['rs_1 reasoning', 'msg_1_1  and more']],
]
test.each(breaks)('%s', (_name, broke, output) => {
  sequence = 0
  const frames = told(created() + thought() + broke(), [rest.slice(0, 1), rest.slice(1), end])
  expect(texts(frames)).toEqual([...output])
  expect(frames.map((one) => one.sequence_number)).toEqual(frames.map((_, i) => i))
  expect(frames.filter((one) => one.type === 'response.completed')).toHaveLength(1)
  const added = frames.filter((one) => one.type === 'response.output_item.added').map((one) => one.item!.id)
  expect(frames.filter((one) => one.type === 'response.output_item.done').map((one) => one.item!.id)).toEqual(added)
})

test('a call after the text closes the message of the upstream', () => {
  sequence = 0
  const call: StreamEvent = { type: 'tool_call', index: 0, choice: 0, id: 'c1', name: 'f', arguments: '{}' }
  const frames = told(created() + thought() + opened() + partOpened() + delta('One'), [rest, [call], end])
  expect(frames.at(-1)!.response!.output.map(({ type }) => type)).toEqual(['reasoning', 'message', 'function_call'])
  expect(frames.filter((one) => one.type === 'response.output_item.done').map((one) => one.output_index)).toEqual([0, 1, 2])
})
