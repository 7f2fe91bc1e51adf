import { describe, expect, test } from 'bun:test'
import type { StreamEvent } from '../../plugin/events.ts'
import { jsonSource } from '../json-source.ts'
import { LossReport } from '../loss.ts'
import { SseReader } from '../sse.ts'
import { openaiCompletions as dialect } from './index.ts'

// biome-ignore lint/suspicious/noExplicitAny: a written reply
type Loose = any

const head = { id: 'r1', model: 'm', created: 5 }
const frame = (choices: object[], more = ''): string =>
  `data: {"id":"cmpl-1", "object":"text_completion","created":7,"choices":${JSON.stringify(choices)},"model":"m1"${more}}\n\n`
const text = (value: string, finish: string | null = null, index = 0) => ({ text: value, index, logprobs: null, finish_reason: finish })
const stream = `${frame([text('one ')])}${frame([text('two', 'length')])}${frame([], ',"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}')}data: [DONE]\n\n`

/** Sends frames through an encoder as the pipeline does, with `edit` as the hooks. */
function relay(sse: string, edit: (event: StreamEvent) => readonly StreamEvent[], encoder = dialect.encoder(head)): string {
  const decoder = dialect.decoder()
  return new SseReader()
    .push(Buffer.from(sse))
    .map((f) => {
      const before = decoder.decode(f)
      const after = before.flatMap(edit)
      if (!encoder.rewriting && after.length === before.length && after.every((event, i) => event === before[i])) {
        encoder.observe(f, before)
        return Buffer.from(f.raw).toString()
      }
      return encoder.encode(after, { frame: f, before })
    })
    .join('')
}
const decode = (sse: string, purpose: 'relay' | 'translate' = 'relay'): StreamEvent[] => {
  const decoder = dialect.decoder(purpose)
  return new SseReader().push(Buffer.from(sse)).flatMap((f) => decoder.decode(f))
}

describe('streams', () => {
  test('frames to events; a repeated finish is told once, an error in either form', () => {
    expect(decode(stream)).toMatchObject([
      { type: 'start', id: 'cmpl-1', model: 'm1' },
      { type: 'text', text: 'one ', choice: 0 },
      { type: 'text', text: 'two', choice: 0 },
      { type: 'stop', reason: 'length', raw: 'length', choice: 0 },
      { type: 'usage', usage: { inputUncached: 1, outputVisible: 2 } },
      { type: 'end' },
    ])
    expect(decode(frame([text('', 'stop')]) + frame([text('', 'stop')])).filter((e) => e.type === 'stop').length).toBe(1)
    expect(decode('data: {"error":{"message":"m","type":"t"}}\n\n')).toEqual([{ type: 'error', kind: 't', message: 'm' }])
    expect(decode('event: error\ndata: {"message":"m"}\n\n')).toEqual([{ type: 'error', kind: 'upstream_error', message: 'm' }])
    expect(decode('data: 7\n\n', 'translate')).toEqual([])
  })
  test('interesting frames are found, others are not', () => {
    const looks = (sse: string) => dialect.interesting(Buffer.from(sse), 0) >= 0
    expect([looks(frame([text('x')])), looks(frame([text('x', 'stop')])), looks('data: [DONE]\n\n')]).toEqual([false, true, true])
  })
  test('F01: what no hook changed leaves as it came', () => {
    expect(relay(stream, (event) => [event])).toBe(stream)
  })
  test('an edited text changes alone; log probabilities, which repeat it, go', () => {
    const out = relay(stream, (event) => (event.type === 'text' ? [{ ...event, text: event.text.toUpperCase() }] : [event]))
    expect(out).toBe(stream.replace('one ', 'ONE ').replace('two', 'TWO'))
    const probable = frame([{ text: 'key', index: 0, logprobs: { tokens: ['key'] }, finish_reason: null }])
    expect(relay(probable, (event) => (event.type === 'text' ? [{ ...event, text: '*' }] : [event]))).not.toContain('key')
  })
  test('dropped, doubled and inserted texts, notes, errors', () => {
    expect(relay(stream, (event) => (event.type === 'text' ? [] : [event]))).toBe(
      stream.slice(frame([text('one ')]).length).replace('two', ''),
    )
    const told = decode(relay(stream, (event) => (event.type === 'stop' ? [{ type: 'text', text: '!', choice: 0 }, event] : [event])))
    expect(told.filter((e) => e.type === 'text').map((e) => e.text)).toEqual(['one ', 'two!'])
    const noted = relay(stream, (event) => (event.type === 'start' ? [event, { type: 'note', text: 'n' }] : [event]))
    expect(noted).toBe(`: n\n\n${stream}`)
    const stopped = relay(stream, (event) => (event.type === 'stop' ? [{ type: 'error', kind: 'k', message: 'no' }] : [event]))
    expect(stopped).toEndWith('data: {"error":{"message":"no","type":"k","param":null,"code":null}}\n\n')
    expect(stopped).not.toContain('[DONE]')
  })
  test('B19: a usage chunk whose usage was dropped is not sent', () => {
    expect(relay(stream, (event) => (event.type === 'usage' ? [] : [event]))).not.toContain('usage')
  })
  test('made of events alone: text, one finish, usage if asked for, [DONE]', () => {
    const events = decode(stream)
    const encoder = dialect.encoder({ ...head, includeUsage: true })
    const sse = events.map((event) => encoder.encode([event])).join('')
    expect(decode(sse).map((e) => e.type)).toEqual(['start', 'text', 'text', 'stop', 'usage', 'end'])
    expect(sse).toContain('"object":"text_completion"')
    const plain = dialect.encoder(head)
    expect(events.map((event) => plain.encode([event])).join('')).not.toContain('usage')
    const bare = dialect
      .encoder(head)
      .encode([{ type: 'tool_call', index: 0, choice: 0, id: 'a', name: 'f', arguments: '' }, { type: 'end' }])
    expect(JSON.parse(bare.slice(6, bare.indexOf('\n'))).choices).toEqual([text('', 'stop')])
  })
})

describe('whole replies', () => {
  const body = Buffer.from(
    '{"id":"cmpl-1","object":"text_completion","created":7,"model":"m1","choices":[{"text":"a","index":0,"logprobs":null,"finish_reason":"stop"},{"text":"b","index":1,"logprobs":null,"finish_reason":"length"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}',
  )
  test('summary, events, edits that keep the rest', () => {
    expect(dialect.summary(body)).toMatchObject({ valid: true, id: 'cmpl-1', model: 'm1', stop: 'stop', usage: { inputUncached: 1 } })
    const whole = dialect.decodeWhole(body)!
    expect(whole.apply(whole.events.map((event) => [event]))).toBe(body)
    const edited = whole.apply(
      whole.events.map((event) => (event.type === 'text' && event.choice === 1 ? [{ ...event, text: 'B!' }] : [event])),
    )
    expect(Buffer.from(edited).toString()).toBe(body.toString().replace('"b"', '"B!"'))
    const stopped = whole.apply(
      whole.events.map((event) => (event.type === 'stop' ? [{ type: 'error', kind: 'k', message: 'm' }] : [event])),
    )
    expect(JSON.parse(Buffer.from(stopped).toString()).error.message).toBe('m')
    expect(dialect.decodeWhole(Buffer.from('{"error":{"message":"x"}}'))).toBeNull()
  })
  test('an answer of another dialect: its text, without thoughts and calls', () => {
    const events: StreamEvent[] = [
      { type: 'start', model: 'claude' },
      { type: 'reasoning', text: 'hmm', choice: 0 },
      { type: 'text', text: 'yes', choice: 0 },
      { type: 'stop', reason: 'end', raw: 'end_turn', choice: 0 },
      { type: 'end' },
    ]
    const reply: Loose = JSON.parse(dialect.encodeWhole(events, head))
    expect(reply).toEqual({ id: 'cmpl-r1', object: 'text_completion', created: 5, model: 'claude', choices: [text('yes', 'stop')] })
  })
})

describe('requests', () => {
  const read = (request: object) => {
    const report = new LossReport()
    return { ...dialect.request!.read(jsonSource(Buffer.from(JSON.stringify(request)))!, report), report }
  }
  test('one prompt is one user turn, with the parameters of Chat', () => {
    const {
      turns,
      params,
      stream: streams,
      extras,
    } = read({ model: 'm', prompt: 'hi', max_tokens: 5, stop: 'x', n: 2, stream: true, best_of: 1, echo: false, x: 1 })
    expect(turns).toEqual([{ role: 'user', content: [{ type: 'text', text: 'hi' }] }])
    expect([params, streams]).toEqual([{ maxOutput: 5, stop: ['x'], n: 2 }, true])
    expect(extras).toMatchObject([{ field: 'x', weight: 'hint' }])
    expect(read({ prompt: ['hi'] }).turns.length).toBe(1)
  })
  test('what a conversation can not say is refused by name', () => {
    const refused = (more: object) => read({ prompt: 'hi', ...more }).report.refusal?.field
    expect(refused({ prompt: [1, 2] })).toBe('prompt')
    expect(refused({ prompt: [[1], [2]] })).toBe('prompt')
    expect(refused({ prompt: ['a', 'b'] })).toBe('prompt')
    expect(refused({ prompt: null })).toBe('prompt')
    expect(refused({ suffix: 's' })).toBe('suffix')
    expect(refused({ echo: true })).toBe('echo')
    expect(refused({ best_of: 2 })).toBe('best_of')
    expect(refused({ logprobs: 3 })).toBe('logprobs')
    expect(refused({ suffix: null, logprobs: null })).toBeUndefined()
  })
  test('parts point at prompts and suffix; tokens are no text', () => {
    const pointers = (request: Loose) => dialect.parts(request).map((part) => [part.pointer, part.text])
    expect(pointers({ prompt: 'a', suffix: 'b' })).toEqual([
      ['/prompt', 'a'],
      ['/suffix', 'b'],
    ])
    expect(pointers({ prompt: ['a', 'b'] })).toEqual([
      ['/prompt/0', 'a'],
      ['/prompt/1', 'b'],
    ])
    expect(pointers({ prompt: [1, 2] })).toEqual([])
    expect(pointers(null)).toEqual([])
  })
})
