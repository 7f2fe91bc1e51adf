/** An `inspect` that changes nothing leaves the blocks of a reply as they were: what it holds of one never leaves in the next. */

import { describe, expect, test } from 'bun:test'
import { type AnyHooks, plug } from '../../test/support/plug.ts'
import type { StreamEvent } from '../plugin/index.ts'
import { type Result, testPlugin, type UpstreamScript } from '../testkit/index.ts'
import { mustBeWellFormed } from '../testkit/invariants.ts'

// biome-ignore lint/suspicious/noExplicitAny: frames of many shapes
type Loose = any

const kinds = ['text', 'reasoning'] as const
const looking = (hold: number): AnyHooks => ({ inspect: { hold, kinds, window: () => undefined } })
const holds = [0, 1, 12, 1000]
const thought = 'I should think about it very long.'
const texts = ['First text block here.', 'Second text block here.']
const usage = { input_tokens: 10, output_tokens: 5 }

async function through(hooks: readonly AnyHooks[], dialect: string, upstream: UpstreamScript, more: object = {}, by = ''): Promise<Result> {
  const there = by === '' ? [] : [plug('there', { request: (x) => x.setTarget({ upstream: by, model: 'upstream-model' }) })]
  const [first = {}, ...rest] = hooks
  const kit = await testPlugin(plug('p0', first), { upstream, below: [...rest.map((h, i) => plug(`p${i + 1}`, h)), ...there] })
  const body = dialect === 'openai-responses' ? { model: 'test-model', input: 'Hello' } : {}
  const r = await kit.send({ dialect, body: { ...body, ...more } })
  expect(await kit.close()).toBe(true)
  expect(r.outcome.end).toBe('finished')
  mustBeWellFormed(r, dialect)
  return r
}

const message = (content: Loose[]): Loose => ({
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'upstream-model',
  content,
  stop_reason: content.length > 0 ? 'end_turn' : null,
  stop_sequence: null,
  usage,
})
const blocks: Loose[] = [
  { type: 'thinking', thinking: thought, signature: 'SIG' },
  { type: 'text', text: texts[0] },
  { type: 'text', text: texts[1] },
]
const sse = (frames: Loose[]): string => frames.map((frame) => `event: ${frame.type}\ndata: ${JSON.stringify(frame)}\n\n`).join('')
const halves = (text: string): string[] => [text.slice(0, 9), text.slice(9, 13), text.slice(13)]
const ping = { type: 'ping' }

/** The frames of a block; `ping`s stand in its midst, for they are none of its bounds. */
function blockFrames(block: Loose, index: number): Loose[] {
  const [start, deltas] =
    block.type === 'text'
      ? [{ type: 'text', text: '' }, halves(block.text).map((text) => ({ type: 'text_delta', text }))]
      : [
          { type: 'thinking', thinking: '', signature: '' },
          [
            ...halves(block.thinking).map((thinking) => ({ type: 'thinking_delta', thinking })),
            { type: 'signature_delta', signature: block.signature },
          ],
        ]
  return [
    { type: 'content_block_start', index, content_block: start },
    ...deltas.flatMap((delta) => [{ type: 'content_block_delta', index, delta }, ping]),
    { type: 'content_block_stop', index },
  ]
}
const messageStream = sse([
  { type: 'message_start', message: message([]) },
  ...blocks.flatMap(blockFrames),
  { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 5 } },
  { type: 'message_stop' },
])

/** The blocks of a Messages stream, its deltas joined. A signature must be its block's last word. */
function blocksOf(r: Result): Loose[] {
  const made: Loose[] = []
  for (const { data } of r.frames) {
    const frame = JSON.parse(data)
    if (frame.type === 'content_block_start') made[frame.index] = { ...frame.content_block }
    if (frame.type !== 'content_block_delta') continue
    const block = made[frame.index]
    const { delta } = frame
    if (delta.type === 'text_delta') block.text += delta.text
    else if (delta.type === 'signature_delta') block.signature = delta.signature
    else {
      expect(block.signature).toBe('')
      block.thinking += delta.thinking
    }
  }
  return made
}

describe.each(holds)('hold %d, nothing changed', (hold) => {
  test.each([1, 2])('a whole message with %d of them: its bytes', async (plugins) => {
    const body = JSON.stringify(message(blocks))
    const hooks = Array.from({ length: plugins }, () => looking(hold))
    expect((await through(hooks, 'anthropic-messages', { body })).body).toBe(
      (await through([{ event: () => undefined }], 'anthropic-messages', { body })).body,
    )
  })

  test.each([1, 2])('a stream of a message with %d of them: its blocks, and the proof behind all of its thought', async (plugins) => {
    const hooks = Array.from({ length: plugins }, () => looking(hold))
    const r = await through(hooks, 'anthropic-messages', { body: messageStream }, { stream: true })
    expect(blocksOf(r)).toEqual(blocks)
  })

  test('a plugin below that drops the frames which close blocks: the blocks all the same', async () => {
    const dropping: AnyHooks = { event: (_x, e) => (e.type === 'native' && e.data.includes('_stop') ? null : undefined) }
    const r = await through([looking(hold), dropping], 'anthropic-messages', { body: messageStream }, { stream: true })
    expect(blocksOf(r)).toEqual(blocks)
  })

  test('a Chat stream: thought before text, a refusal apart from both', async () => {
    const chunk = (delta: Loose, finish: string | null = null): Loose => ({
      id: 'c',
      object: 'chat.completion.chunk',
      created: 1,
      model: 'm',
      choices: [{ index: 0, delta, finish_reason: finish }],
    })
    const chunks = [
      { role: 'assistant', content: '' },
      ...halves(thought).map((text) => ({ content: '', reasoning_content: text })),
      ...halves(texts[0]!).map((text) => ({ content: text })),
      ...halves(texts[1]!).map((text) => ({ refusal: text })),
    ].map((delta) => chunk(delta))
    const body = `${[...chunks, chunk({}, 'stop')].map((c) => `data: ${JSON.stringify(c)}\n\n`).join('')}data: [DONE]\n\n`
    const r = await through([looking(hold)], 'openai-chat', { body }, { stream: true })
    const said: Record<string, string> = {}
    for (const { data } of r.frames.slice(0, -1)) {
      const { delta } = JSON.parse(data).choices[0]
      if (delta.content && said.refusal === undefined) expect(said.reasoning_content).toBe(thought)
      for (const name of ['content', 'reasoning_content', 'refusal']) if (delta[name]) said[name] = (said[name] ?? '') + delta[name]
    }
    expect(said).toEqual({ reasoning_content: thought, content: texts[0]!, refusal: texts[1]! })
  })

  test.each([true, false])('a refusal stays one when it is translated, stream: %p', async (stream) => {
    const events: StreamEvent[] = [
      { type: 'start', id: 'r', model: 'm' },
      ...halves(thought).map((text): StreamEvent => ({ type: 'text', text, choice: 0, refusal: true })),
      { type: 'stop', reason: 'end', raw: 'stop', choice: 0 },
      { type: 'end' },
    ]
    const r = await through([looking(hold)], 'openai-responses', { events }, { stream })
    const whole: Loose = stream ? JSON.parse(r.frames.at(-1)!.data).response : r.json
    expect(whole.output).toMatchObject([{ type: 'message', content: [{ type: 'refusal', refusal: thought }] }])
    expect(whole.output).toHaveLength(1)
  })

  test('a signed thought that is translated: the proof with all of it', async () => {
    const plain = await through([{}], 'openai-chat', { body: messageStream }, { stream: true }, 'anthropic')
    const r = await through([looking(hold)], 'openai-chat', { body: messageStream }, { stream: true }, 'anthropic')
    const details = (x: Result) => x.frames.flatMap(({ data }) => data.match(/"reasoning_details":.*?\]/) ?? [])
    expect(details(r)).toEqual(details(plain))
    expect(details(r)[0]).toContain(thought)
    expect(r.text).toBe(texts.join(''))
  })
})

describe('windows', () => {
  const seenOf = async (dialect: string, body: string, stream: boolean, below: AnyHooks[] = []) => {
    const windows: string[] = []
    const window = (_x: unknown, text: string, last: boolean) => void windows.push(`${text}${last ? '$' : ''}`)
    await through([{ inspect: { hold: 1000, kinds, window } }, ...below], dialect, { body }, { stream })
    return windows
  }

  test('each block is seen to its end, a whole one once', async () => {
    const whole = JSON.stringify(message(blocks))
    expect(await seenOf('anthropic-messages', whole, false)).toEqual([thought, ...texts].map((text) => `${text}$`))
    const ends = (await seenOf('anthropic-messages', messageStream, true)).filter((w) => w.endsWith('$'))
    expect(ends).toEqual([thought, ...texts].map((text) => `${text}$`))
  })

  test('a whole block that a plugin below cuts up is seen in one piece', async () => {
    const cutting: AnyHooks = { event: (_x, e) => (e.type === 'text' ? [...e.text].map((text) => ({ ...e, text })) : undefined) }
    const whole = JSON.stringify(message(blocks))
    expect(await seenOf('anthropic-messages', whole, false, [cutting])).toEqual([thought, ...texts].map((text) => `${text}$`))
  })

  test('a replaced text keeps its block, and its thought the proof', async () => {
    const window = (_x: unknown, text: string) => text.replaceAll('block', 'piece').replaceAll('think', 'brood')
    const hooks = [{ inspect: { hold: 12, kinds, window } }]
    const now = blocks.map((block) =>
      JSON.parse(JSON.stringify(block).replace('text block', 'text piece').replace('should think', 'should brood')),
    )
    const whole = await through(hooks, 'anthropic-messages', { body: JSON.stringify(message(blocks)) })
    expect((whole.json as Loose).content).toEqual(now)
    expect(blocksOf(await through(hooks, 'anthropic-messages', { body: messageStream }, { stream: true }))).toEqual(now)
  })
})
