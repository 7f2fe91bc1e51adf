/** What is kept of a reply: all of it as it passed, or nothing. */

import { expect, test } from 'bun:test'
import { recordReply } from './record-reply.ts'
import { type LiveStream, ReplyCore, type StreamFailure, type StreamSink } from './reply-core.ts'

/** A live reply, and a way to end it. */
function live(): { reply: ReplyCore; deliver(chunks: readonly string[], failure?: StreamFailure): string } {
  let sink: StreamSink | undefined
  const source: LiveStream = {
    dialect: 'openai-chat',
    attach: (to) => {
      sink = to
    },
    pause() {},
    resume() {},
    atBoundary: () => true,
    missingEnd: () => 'END',
    cancel() {},
  }
  const reply = new ReplyCore(true, 200, new Headers(), true, { kind: 'live', live: source })
  return {
    reply,
    deliver(chunks, failure) {
      let out = ''
      if (reply.source.kind === 'live')
        reply.source.live.attach({
          chunk: (bytes) => {
            out += Buffer.from(bytes).toString()
          },
          end() {},
        })
      for (const chunk of chunks) sink!.chunk(Buffer.from(chunk))
      sink!.end(failure)
      return out
    },
  }
}

test('a stream is kept when its last byte has passed, with the end that it lacked; what is delivered is what came', () => {
  const { reply, deliver } = live()
  const recording = recordReply(reply, 'openai-chat', 100)
  expect(recording.stored).toBeUndefined()
  expect(deliver(['one ', 'two'])).toBe('one two')
  expect(recording.stored).toEqual({ dialect: 'openai-chat', form: 'stream', body: 'one twoEND' })
})

test('not one that broke off, nor one above the limit, nor what is no text', () => {
  for (const [chunks, failure] of [
    [['one'], { code: 'upstream_error', message: 'cut', told: false }],
    [['x'.repeat(60), 'x'.repeat(60)], undefined],
    [['x'.repeat(98)], undefined],
  ] as const) {
    const { reply, deliver } = live()
    const recording = recordReply(reply, 'openai-chat', 100)
    expect(deliver(chunks, failure as StreamFailure | undefined)).toBe(chunks.join(''))
    expect(recording.stored).toBeUndefined()
  }
  const bytes = new ReplyCore(true, 200, new Headers(), false, { kind: 'whole', body: new Uint8Array([0xff, 0xfe]), error: false })
  expect(recordReply(bytes, 'openai-chat', 100).stored).toBeUndefined()
  const error = new ReplyCore(true, 200, new Headers(), false, { kind: 'whole', body: Buffer.from('{}'), error: true })
  expect(recordReply(error, 'openai-chat', 100).stored).toBeUndefined()
})

test('what a plugin made is told from what an upstream sent: plugins below that one are not asked when it is given again', () => {
  const reply = new ReplyCore(true, 200, new Headers(), false, { kind: 'completed', events: [{ type: 'end' }] })
  expect(recordReply(reply, 'openai-chat', 1000).stored).not.toHaveProperty('made')
  reply.by = 'mock'
  const { stored } = recordReply(reply, 'openai-chat', 1000)
  expect(stored).toMatchObject({ form: 'events', made: true })
  const again = new ReplyCore(true, 200, new Headers(), false, { kind: 'stored', stored: stored! })
  again.origin = 3
  expect(again.heardBelow).toBe(3)
})
