/**
 * What must hold for any call through any plugin: the answer is well formed in the caller's dialect, and record and answer agree.
 *
 * Throws plain errors, so that it works under every test runner.
 */

import type { Result } from './call.ts'
import { dialectNamed } from './upstream-script.ts'

/** @throws Error saying what is wrong, with the answer. */
export function must(holds: boolean, what: string, answer?: Result): asserts holds {
  if (holds) return
  const shown = answer
    ? `\n  status ${answer.status}, outcome ${JSON.stringify(answer.outcome)}\n  body: ${answer.body.slice(0, 2000)}`
    : ''
  throw new Error(what + shown)
}

/** Checks an answer that was read to its end. @throws Error */
export function mustBeWellFormed(r: Result, dialect: string): void {
  must(Number.isInteger(r.status) && r.status >= 200 && r.status < 600, 'the status is no HTTP status', r)
  must(r.headers.get('x-request-id') === r.id, 'x-request-id is missing or another', r)
  if (r.headers.get('content-type')?.startsWith('text/event-stream')) mustBeStream(r)
  else mustBeWhole(r, dialect)
}

function mustBeStream(r: Result): void {
  must(r.status === 200, 'a stream that is not a 200', r)
  for (const { data } of r.frames) must(data === '' || data === '[DONE]' || isJson(data), `a frame is not JSON: ${data}`, r)
  must(r.body.endsWith('\n\n'), 'the stream ends inside a frame', r)
  const ends = r.events.filter((e) => e.type === 'end').length
  const errors = r.events.filter((e) => e.type === 'error').length
  must(ends <= 1 && errors <= 1 && ends + errors >= 1, `a stream needs one end or one error; it has ${ends} and ${errors}`, r)
  const last = r.events.findIndex((e) => e.type === 'end' || e.type === 'error')
  must(
    r.events.slice(last + 1).every((e) => e.type === 'end' || e.type === 'note' || (errors > 0 && e.type === 'usage')),
    'something follows the end of the stream',
    r,
  )
  must((errors === 0) === (r.outcome.end === 'finished'), 'the record and the end of the stream disagree', r)
  if (errors === 0) mustCloseBlocks(r)
}

/** A good stream closes each block and item that it begins, tells nothing of those that are not open, and no thought behind its proof. */
function mustCloseBlocks(r: Result): void {
  const open = new Map<unknown, { signed: boolean }>()
  const done: { readonly at: number; readonly id: unknown }[] = []
  for (const { data } of r.frames) {
    const frame = (data.startsWith('{') ? JSON.parse(data) : {}) as Frame
    const at = frame.index ?? frame.output_index
    switch (frame.type) {
      case 'content_block_start':
      case 'response.output_item.added':
        must(!open.has(at), `a block begins twice: ${data}`, r)
        open.set(at, { signed: false })
        break
      case 'content_block_stop':
      case 'response.output_item.done':
        must(open.delete(at), `a block ends that is not open: ${data}`, r)
        done.push({ at: at ?? 0, id: frame.item?.id })
        break
      case 'content_block_delta': {
        const block = open.get(at)
        must(block !== undefined, `a block is told of that is not open: ${data}`, r)
        must(!block.signed || frame.delta?.type !== 'thinking_delta', `a thought goes on behind its proof: ${data}`, r)
        if (frame.delta?.type === 'signature_delta') block.signed = true
        break
      }
      case 'response.completed':
      case 'response.incomplete': {
        const ids = done.toSorted((a, b) => a.at - b.at).map(({ id }) => id)
        const output = (frame.response?.output ?? []).map(({ id }) => id)
        must(Bun.deepEquals(output, ids), `the last frame has other items than the stream: ${data}`, r)
      }
    }
  }
  must(open.size === 0, `the stream leaves blocks open: ${[...open.keys()].join(', ')}`, r)
}

/** What is looked at of a frame, in whatever dialect. */
interface Frame {
  readonly type?: string
  readonly index?: number
  readonly output_index?: number
  readonly item?: { readonly id?: string }
  readonly delta?: { readonly type?: string }
  readonly response?: { readonly output?: readonly { readonly id?: string }[] }
}

function mustBeWhole(r: Result, dialect: string): void {
  must(r.json !== undefined, 'the answer is not JSON', r)
  if (r.status < 400) {
    must(r.events.length > 0, `the answer is no reply of ${dialect}`, r)
    must(r.outcome.end === 'finished', 'the record says that a good answer is none', r)
    return
  }
  const body = r.json as { type?: unknown; error?: { type?: unknown; message?: unknown } }
  must(typeof body.error === 'object' && body.error !== null, 'an error without an error object', r)
  must(typeof body.error.type === 'string' && typeof body.error.message === 'string', 'an error without type or message', r)
  if (dialectNamed(dialect).family === 'anthropic') must(body.type === 'error', 'an error without "type": "error"', r)
  must(r.outcome.end !== 'finished', 'the record says that an error is a good answer', r)
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
